"""The front end and the networks of encoders."""
