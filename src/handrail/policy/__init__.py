"""Pure: rules and facts in, one decision with reasons out."""
