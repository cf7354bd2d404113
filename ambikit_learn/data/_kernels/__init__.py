"""Compiled kernels of augmentation."""
