"""All numba code and nothing else: no checks, no allocation that a caller could pass in.

Each kernel is decorated with `compiling.compiled`, which works where numba's own cache does not.

A file here calls no jitted function of another file: numba's on-disk cache does not notice a
changed callee elsewhere. What a kernel calls is compiled into it (`forceinline`). Otherwise the
process that compiles would call the function that it compiled for itself, later processes the copy
that the cache keeps beside the kernel, which is optimised once more: other bits of the same sum.
"""
