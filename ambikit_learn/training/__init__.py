"""Training: `fit` of a module on prepared data, and the command that does it from a file."""
