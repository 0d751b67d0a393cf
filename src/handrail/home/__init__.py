"""The configuration folder: files to typed values, and publish."""
