"""What people see: pages, their live parts, the same as JSON. `docs/decisions/console.md` says how to add a page."""
