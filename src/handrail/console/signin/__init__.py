"""Sign-in to the console: who is here, shown how, and for how long."""
