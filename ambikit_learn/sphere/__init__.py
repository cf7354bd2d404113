"""Directions, frames, boxes and crops on the sphere."""
