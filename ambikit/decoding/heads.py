"""Heads to listen with: responses of two ears to sound from many directions."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ambikit import checks
from ambikit._errors import InputError
from ambikit._typing import ArrayLike, FloatArray
from ambikit.decoding.sofa import read_sofa
from ambikit.decoding.sphere import sphere_head
from ambikit.directions import angles_to_vector

HeadLike = str | Path | tuple[ArrayLike, ArrayLike, ArrayLike]
"""A name, a SOFA file, or (azimuth, elevation, responses)."""

NAMES = ("kemar", "sphere")


class Head(NamedTuple):
    """Unit vectors (M, 3), responses (M, 2, taps), left ear first, and what they stand for (M,).

    The weights are shares of the sphere's area.
    """

    vectors: FloatArray
    responses: FloatArray
    weights: FloatArray


def head_of(head: HeadLike, sample_rate: float) -> Head:
    """Return a head at a sample rate."""
    if isinstance(head, str) and head in NAMES:
        return _named(head, sample_rate)
    if isinstance(head, str | Path):
        if not Path(head).suffix:
            checks.name_among(str(head), NAMES, "head")
        azimuth, elevation, responses, rate = read_sofa(head)
        name = str(head)
    elif isinstance(head, tuple) and len(head) == 3:
        azimuth, elevation, responses = (np.asarray(part) for part in head)
        rate, name = sample_rate, "head"
    else:
        raise InputError(
            f"head must be one of {', '.join(NAMES)}, a SOFA file, or a tuple (azimuth, elevation, "
            f"responses (M, 2, taps)), got {type(head).__name__}"
        )
    vectors = angles_to_vector(*checks.direction(azimuth, elevation)).reshape(-1, 3)
    responses = checks.responses(responses, len(vectors))
    checks.left_is_louder_at_the_left(vectors, responses, name)
    return _complete(vectors, resampled(responses, rate, sample_rate))


@lru_cache(maxsize=8)
def _named(name: str, sample_rate: float) -> Head:
    """Return a head that is known by name."""
    if name == "sphere":
        azimuth, elevation, responses = sphere_head(sample_rate)
        return _complete(angles_to_vector(azimuth, elevation), responses)
    vectors, responses, rate = kemar()
    return _complete(vectors, resampled(responses, rate, sample_rate))


def kemar() -> tuple[FloatArray, FloatArray, float]:
    """Return directions (M, 3), responses (M, 2, taps) and the sample rate of the stored head.

    What is stored is the left ear; the head is symmetric, and the right ear is its mirror image.
    """
    with resources.files("ambikit.decoding").joinpath("kemar.npz").open("rb") as stream:
        stored = np.load(stream, allow_pickle=False)
        angles = np.deg2rad(stored["directions"].astype(np.float64))
        left = stored["left"] * float(stored["scale"])
        mirror, rate = stored["mirror"], float(stored["sample_rate"])
    return angles_to_vector(*angles.T), np.stack([left, left[mirror]], axis=1), rate


def resampled(responses: FloatArray, rate: float, wanted: float) -> FloatArray:
    """Return responses (M, 2, taps) at another sample rate, of the same gain."""
    if rate == wanted:
        return responses
    import soxr

    # linear, so what it does to each sample alone is enough, and there are fewer of them
    matrix = soxr.resample(np.eye(responses.shape[-1]), rate, wanted, quality="VHQ")
    return np.asarray(responses @ matrix.T) * (rate / wanted)


def _complete(vectors: FloatArray, responses: FloatArray) -> Head:
    """Return a head with the shares of the sphere that its directions stand for."""
    from scipy.spatial import SphericalVoronoi

    if len(vectors) < 4:
        return Head(vectors, responses, np.full(len(vectors), 1.0 / len(vectors)))
    unique, index, count = np.unique(
        vectors.round(6), axis=0, return_inverse=True, return_counts=True
    )
    unique /= np.linalg.norm(unique, axis=1, keepdims=True)
    try:
        areas = SphericalVoronoi(unique, threshold=1e-7).calculate_areas()
    except Exception:  # directions in a plane have no cells
        areas = np.ones(len(unique))
    weights = (areas / count)[index.ravel()]
    return Head(vectors, responses, weights / weights.sum())
