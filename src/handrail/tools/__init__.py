"""What an agent may call, and what it does to the world."""
