"""Benchmarks of ambikit relative to copying memory, and of other libraries: `make bench`."""
