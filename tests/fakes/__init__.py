"""In-memory implementations of our ports, and material to fill them with."""
