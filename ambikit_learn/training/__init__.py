"""Training of models on prepared clips or rendered scenes, and its command."""
