"""All numba code of this package; the same rules as in `ambikit._kernels`."""
