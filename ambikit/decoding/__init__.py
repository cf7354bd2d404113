"""Decoding: Ambisonic signals to loudspeakers and to ears."""

from __future__ import annotations

from ambikit.decoding.binaural import decode_binaural
from ambikit.decoding.filters import binaural_filters
from ambikit.decoding.layouts import loudspeaker_layout
from ambikit.decoding.loudspeakers import decode
from ambikit.decoding.matrices import decoder_matrix
from ambikit.decoding.quality import DecoderQuality, decoder_quality
from ambikit.decoding.sphere import sphere_head
from ambikit.decoding.vbap import vbap_gains

__all__ = [
    "DecoderQuality",
    "binaural_filters",
    "decode",
    "decode_binaural",
    "decoder_matrix",
    "decoder_quality",
    "loudspeaker_layout",
    "sphere_head",
    "vbap_gains",
]
