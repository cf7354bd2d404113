from .inference.encoder import AmbiEncoder as AmbiEncoder
