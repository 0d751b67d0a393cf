"""Pure: text in, findings out."""
