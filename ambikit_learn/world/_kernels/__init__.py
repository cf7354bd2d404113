"""Compiled kernels of the world's sound and pictures."""
