"""What is in force now: one immutable snapshot, swapped whole by epoch."""
