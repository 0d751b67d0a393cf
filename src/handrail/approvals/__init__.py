"""A held action until a person settles it."""
