"""handrail: the safety net for AI in customer experience. `docs/map.md` shows where things live."""
