"""Compiled kernels of pictures."""
