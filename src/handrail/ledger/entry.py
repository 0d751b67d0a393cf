"""The kinds of entries and their facts, for good."""
