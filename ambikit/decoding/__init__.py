"""Decoding: Ambisonic signals to loudspeakers and to ears."""

from __future__ import annotations

from ambikit.decoding.layouts import loudspeaker_layout
from ambikit.decoding.loudspeakers import decode
from ambikit.decoding.matrices import decoder_matrix
from ambikit.decoding.quality import DecoderQuality, decoder_quality
from ambikit.decoding.vbap import vbap_gains

__all__ = [
    "DecoderQuality",
    "decode",
    "decoder_matrix",
    "decoder_quality",
    "loudspeaker_layout",
    "vbap_gains",
]
