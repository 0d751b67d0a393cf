"""What people see (arrives with the console)."""
