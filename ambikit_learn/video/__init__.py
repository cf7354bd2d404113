"""Video files: decoding, coding, copying, and what they state about their projection."""
