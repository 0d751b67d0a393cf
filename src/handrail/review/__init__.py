"""What people check afterwards (arrives with the console)."""
