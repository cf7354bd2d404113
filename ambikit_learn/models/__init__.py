"""Encoders and heads put together, and runs on disk."""
