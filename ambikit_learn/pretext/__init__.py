"""Pretext tasks: one file each, and their registry."""
