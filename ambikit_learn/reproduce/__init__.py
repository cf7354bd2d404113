"""The whole method at once."""
