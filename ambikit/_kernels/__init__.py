"""All numba code and nothing else: no checks, no allocation that a caller could pass in.

A file here calls no jitted function of another file: numba's on-disk cache does not notice a
changed callee elsewhere.
"""
