"""Plain values that all folders share; knows nobody."""
