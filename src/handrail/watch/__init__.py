"""What machines look for afterwards: figures from the ledger."""
