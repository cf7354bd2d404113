"""How fast ambikit is, next to copying memory and next to others: `make bench`."""
