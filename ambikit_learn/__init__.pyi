from .hub import AmbiEncoder as AmbiEncoder
