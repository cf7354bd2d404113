"""The version, stated here alone; `make release` changes it."""

__version__ = "0.1.0"
