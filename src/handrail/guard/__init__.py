"""One interaction, start to finish."""
