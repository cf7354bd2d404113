"""Every public function of arrays in one table, with what its result owes to its input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

import ambikit
from ambikit import streaming

RATE = 24_000
SMALL = {"n_fft": 64, "window_length": 64, "hop": 32, "n_mels": 8}
TWO_BANDS = {"dual_band": 800, "lfe": True, "sample_rate": RATE}
GRID = ([0.3, 2.0, -1.0], [0.0, 0.5, -1.0])
BOXES = {"ambisonic": (4, 600), "sound": (600,), "spectra": (4, 33, 20), "bands": (10, 9, 8)}
"""Shapes of one item of a batch: signals, sounds, spectra, mel covariances."""


@dataclass(frozen=True)
class Row:
    """A call, `takes` an array of BOXES; scaling the array by a scales the result by a**degree."""

    label: str
    takes: str
    call: Callable[[np.ndarray], np.ndarray]
    degree: int | None
    silence: float = 0.0

    @property
    def name(self) -> str:
        """The public name."""
        return self.label.split(":")[0]

    def example(self, leading=(), dtype=float, seed=0):
        """Return noise that the call takes."""
        rng = np.random.default_rng(seed)
        shape = (*leading, *BOXES[self.takes])
        if self.takes == "spectra":
            values = rng.normal(size=shape) + 1j * rng.normal(size=shape)
            return values.astype({"float32": "complex64"}.get(np.dtype(dtype).name, "complex128"))
        if self.takes == "bands":
            x = rng.normal(size=(*leading, 4, 9, 8, 6))
            first, second = np.triu_indices(4)
            return (x[..., first, :, :, :] * x[..., second, :, :, :]).sum(axis=-1).astype(dtype)
        return rng.normal(size=shape).astype(dtype)


ROWS = [
    Row("encode", "sound", lambda s: ambikit.encode(s, 0.3, 0.2, order=2), 1),
    Row("encode:moving", "sound", lambda s: ambikit.encode(s, [0.3, 2.0], order=2, spread=1.0), 1),
    Row("encode_diffuse", "sound", lambda s: ambikit.encode_diffuse(s, length=64), 1),
    Row("rotate", "ambisonic", lambda x: ambikit.rotate(x, 0.5, 0.2, 1.0), 1),
    Row("rotate:moving", "ambisonic", lambda x: ambikit.rotate(x, [0, 1, 2.0]), 1),
    Row("beamform", "ambisonic", lambda x: ambikit.beamform(x, 0.3), 1),
    Row("beamform:several", "ambisonic", lambda x: ambikit.beamform(x, *GRID), 1),
    Row("decode", "ambisonic", lambda x: ambikit.decode(x, "cube"), 1),
    Row("decode:two bands", "ambisonic", lambda x: ambikit.decode(x, "5.1", **TWO_BANDS), 1),
    Row("decode_binaural", "ambisonic", lambda x: ambikit.decode_binaural(x, RATE), 1),
    Row(
        "decode_binaural:moving",
        "ambisonic",
        lambda x: ambikit.decode_binaural(x, RATE, yaw=[0, 2]),
        1,
    ),
    Row(
        "near_field",
        "ambisonic",
        lambda x: ambikit.near_field(x, RATE, distance=1.0, reference=2.0),
        1,
    ),
    Row("select_channels", "ambisonic", lambda x: ambikit.select_channels(x, [3, 0]), 1),
    Row("expand_channels", "ambisonic", lambda x: ambikit.expand_channels(x, [0, 1, 3, 4]), 1),
    Row("truncate_order", "ambisonic", lambda x: ambikit.truncate_order(x, 0), 1),
    Row(
        "truncate_order:equalized",
        "ambisonic",
        lambda x: ambikit.truncate_order(x, 0, sample_rate=RATE, equalize=True),
        1,
    ),
    Row("convert", "ambisonic", lambda x: ambikit.convert(x, "ambix", "fuma"), 1),
    Row("mirror", "ambisonic", lambda x: ambikit.mirror(x, "front_back"), 1),
    Row("directional_gain", "ambisonic", lambda x: ambikit.directional_gain(x, 1, 0, 6, 1), 1),
    Row("zoom", "ambisonic", lambda x: ambikit.zoom(x, 1.0, 0.0, 0.5), 1),
    Row("warp", "ambisonic", lambda x: ambikit.warp(x, 1.0, 0.0, 0.5, order=2), 1),
    Row("intensity", "ambisonic", ambikit.intensity, 2),
    Row("normalized_intensity", "ambisonic", lambda x: ambikit.normalized_intensity(x, RATE), 0),
    Row("diffuseness", "ambisonic", lambda x: ambikit.diffuseness(x, RATE), 0, silence=1.0),
    Row("power_map", "ambisonic", lambda x: ambikit.power_map(x, *GRID), 2),
    Row("power_map:mvdr", "ambisonic", lambda x: ambikit.power_map(x, *GRID, pattern="mvdr"), 2),
    Row("beamform_adaptive", "ambisonic", lambda x: ambikit.beamform_adaptive(x, RATE, 0.3), 1),
    Row("foa_features", "ambisonic", lambda x: ambikit.foa_features(x, RATE, **SMALL), None),
    Row("mel_covariance", "ambisonic", lambda x: ambikit.mel_covariance(x, RATE, **SMALL), 2),
    Row("stft", "sound", lambda x: ambikit.stft(x, n_fft=64), 1),
    Row("istft", "spectra", lambda s: ambikit.istft(s, 300), 1),
    Row("spectral_intensity", "spectra", ambikit.spectral_intensity, 2),
    Row("spectral_normalized_intensity", "spectra", ambikit.spectral_normalized_intensity, 0),
    Row("spectral_diffuseness", "spectra", ambikit.spectral_diffuseness, 0, silence=1.0),
    Row("covariance", "spectra", ambikit.covariance, 2),
    Row("beamform_spectra", "spectra", lambda s: ambikit.beamform_spectra(s, [1, 0, 1j, 1]), 1),
    Row(
        "cross_pattern_coherence",
        "spectra",
        lambda s: ambikit.cross_pattern_coherence(s, *GRID, floor=0.1),
        0,
        silence=0.1,
    ),
    Row("rotate_covariance", "bands", lambda c: ambikit.rotate_covariance(c, TURN), 1),
    Row("beamform_covariance", "bands", lambda c: ambikit.beamform_covariance(c, *GRID), 1),
    Row("features_from_covariance", "bands", ambikit.features_from_covariance, None),
    Row("streaming.Rotator", "ambisonic", lambda x: streaming.Rotator(0.5).process(x), 1),
    Row("streaming.Encoder", "sound", lambda s: streaming.Encoder(0.5).process(s), 1),
    Row("streaming.Decoder", "ambisonic", lambda x: streaming.Decoder("5.1").process(x), 1),
    Row(
        "streaming.Binauralizer", "ambisonic", lambda x: streaming.Binauralizer(RATE).process(x), 1
    ),
    Row("streaming.Beamformer", "ambisonic", lambda x: streaming.Beamformer(0.5).process(x), 1),
    Row(
        "streaming.Diffuseness",
        "ambisonic",
        lambda x: streaming.Diffuseness(RATE).process(x),
        0,
        silence=1.0,
    ),
    Row(
        "streaming.Features",
        "ambisonic",
        lambda x: streaming.Features(RATE, **SMALL).process(x),
        None,
    ),
]
TURN = ambikit.rotation_matrix(0.4, 0.3, -1.0)
ALWAYS_SINGLE = {
    "foa_features",
    "mel_covariance",
    "streaming.Features",
    "features_from_covariance",
}
"""Features are float32 whatever the sound is."""
FIRST_ORDER = {
    "intensity",
    "normalized_intensity",
    "diffuseness",
    "foa_features",
    "mel_covariance",
    "streaming.Diffuseness",
    "streaming.Features",
}
"""Functions that use W, Y, Z, X of any order."""
ONE_SIGNAL = {
    "count_sources",
    "esprit",
    "intensity_map",
    "localize",
    "reflections",
    "response_directions",
    "upmix_response",
    "write",
}
"""Functions of one signal, without a batch."""


def every_row(where=lambda row: True):
    """Parametrise a test by the rows for which something holds."""
    return pytest.mark.parametrize(
        "row", [row for row in ROWS if where(row)], ids=lambda row: row.label
    )
