"""Runs of the whole method."""
