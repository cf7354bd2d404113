"""Pretext tasks: a file each, and their registry."""
