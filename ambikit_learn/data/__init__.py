"""Prepared data and rendered scenes: their format, and data sets of their items."""
