"""Sounds of rendered scenes as recordings for frozen encoders, in one pass for several of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import ambikit
from ambikit_learn._typing import Floats32, Sound
from ambikit_learn.data.rendered import SAMPLE_RATE
from ambikit_learn.evaluation.embeddings import (
    Embedder,
    Recording,
    fingerprint,
    rendered_identity,
)
from ambikit_learn.inference.encoder import AmbiEncoder
from ambikit_learn.world.acoustics import render_sound
from ambikit_learn.world.scene import Scene
from ambikit_learn.world.sounds import perform

Content = tuple[Sound, int]
"""Sound (channels, samples) and its sample rate in Hz."""


def scene_recording(scene: Scene, rate: int = SAMPLE_RATE) -> Recording:
    """Return the sound of a scene as a recording.

    Parameters
    ----------
    scene : Scene
        What to render when it is read.
    rate : int
        Sample rate in Hz.
    """
    key = f"scene {scene.index} of world {scene.seed}"

    def read() -> Content:
        played = [perform(scene, i, rate) for i in range(len(scene.objects))]
        return render_sound(scene, played, rate), rate

    return Recording(key, "", key, partial(rendered_identity, f"{scene!r} {rate}"), read)


def encoder_vector(encoder: AmbiEncoder, name: str, azimuth: Sequence[float] = (0.0,)) -> Embedder:
    """Return an encoder as a function to one vector: its embeddings of all viewpoints in a row.

    Parameters
    ----------
    encoder : AmbiEncoder
        Trained or not.
    name : str
        Name of its row.
    azimuth : sequence of float
        Viewpoints on the horizon in degrees.
    """
    settings = {
        "embedder": "vector/1",
        "front_end": encoder.model.front_end.settings,
        "net": encoder.model.net.settings,
        "window": encoder.window,
        "azimuth": list(azimuth),
    }

    def embed(content: Content) -> Floats32:
        return encoder.embed(*content, azimuth=list(azimuth), degrees=True).clip.ravel()

    return Embedder(name, fingerprint(settings, encoder.model.state_dict()), embed)


def intensity_vector() -> Embedder:
    """Return the mean of the active intensity over time, (3,), along x, y and z."""

    def embed(content: Content) -> Floats32:
        return np.asarray(ambikit.intensity(content[0]).mean(-1), np.float32)

    return Embedder("intensity vector", fingerprint({"embedder": "intensity/1"}), embed)


def intensity_peak() -> Embedder:
    """Return the highest peak of the histogram of the intensity, (3,), as `ambikit.localize`."""

    def embed(content: Content) -> Floats32:
        found = ambikit.localize(*content, n_sources=1)
        if not len(found):  # silence
            return np.array([1.0, 0.0, 0.0], np.float32)
        towards = ambikit.angles_to_vector(found.azimuth[0], found.elevation[0])
        return np.asarray(towards, np.float32)

    return Embedder("intensity histogram", fingerprint({"embedder": "peak/1"}), embed)


def together(
    embedders: Sequence[Embedder],
) -> tuple[Embedder, Callable[[np.ndarray[Any, Any]], list[Floats32]]]:
    """Return several functions to vectors as one, so that a scene is rendered once for all.

    Parameters
    ----------
    embedders : sequence of Embedder
        Each to one vector.

    Returns
    -------
    embedder : Embedder
        To their vectors in a row, with the lengths of these before them.
    part : callable
        Function of its result that returns the vectors.
    """

    def embed(content: Any) -> Floats32:
        parts = [np.ravel(one.embed(content)) for one in embedders]
        lengths = np.array([len(part) for part in parts], np.float32)
        return np.concatenate([lengths, *parts]).astype(np.float32)

    def split(value: np.ndarray[Any, Any]) -> list[Floats32]:
        count = len(embedders)
        return np.split(value[count:], np.cumsum(value[: count - 1].astype(int)))

    about = {"embedder": "together/1", "of": [one.fingerprint for one in embedders]}
    return Embedder("rendered sounds", fingerprint(about), embed), split
