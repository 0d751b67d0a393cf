"""Pattern data and word families, each with its source; no code."""
