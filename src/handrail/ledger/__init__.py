"""What is recorded, for good: append-only, tamper-evident, erasable per person."""
