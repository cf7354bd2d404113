"""Trained encoders as a library: load, embed, publish and export them."""
