"""What a trained model is worth: pretext accuracies on held-out clips, with intervals."""

from __future__ import annotations
