"""Embeddings that are kept belong to the bytes of a recording and to the weights, not to names."""

from __future__ import annotations

import os

import numpy as np

from ambikit_learn.evaluation.embeddings import Embedder, embed, file_recording, fingerprint
from ambikit_learn.sources import LabelledClip


def recordings(*paths):
    """Recordings of whole files, which are read as their bytes."""
    clips = [LabelledClip(path.stem, path, "x", "test", 1, path.stem) for path in paths]
    return [
        file_recording(clip, lambda clip: np.frombuffer(clip.path.read_bytes(), np.uint8))
        for clip in clips
    ]


def mean_embedder(weight: float) -> Embedder:
    def apply(content):
        return np.float32([weight * content.mean()])

    return Embedder("mean", fingerprint({"mean": weight}), apply)


def test_a_recording_made_anew_under_its_name_is_embedded_anew(tmp_path):
    first, second, cache = tmp_path / "a.wav", tmp_path / "b.wav", tmp_path / "kept"
    first.write_bytes(bytes([1] * 100))
    second.write_bytes(bytes([2] * 100))
    assert embed(recordings(first, second), mean_embedder(1.0), cache=cache).computed == 2
    second.rename(tmp_path / "c.wav")
    again = embed(recordings(first, tmp_path / "c.wav"), mean_embedder(1.0), cache=cache)
    assert (again.computed, [v[0] for v in again.values]) == (0, [1.0, 2.0])
    first.write_bytes(bytes([3] * 100))
    os.utime(first, (1, 1))
    found = embed(recordings(first), mean_embedder(1.0), cache=cache)
    assert (found.computed, found.values[0][0]) == (1, 3.0)


def test_an_edit_in_place_of_a_large_recording_counts(tmp_path):
    """Between the pieces that are read of it; its time has changed."""
    path, cache = tmp_path / "a.wav", tmp_path / "kept"
    data = np.zeros(2**24 + 2**20, np.uint8)
    path.write_bytes(data)
    os.utime(path, (1, 1))
    assert embed(recordings(path), mean_embedder(1.0), cache=cache).values[0][0] == 0.0
    assert embed(recordings(path), mean_embedder(1.0), cache=cache).computed == 0
    data[2**23 : 2**23 + 20000] = 255
    path.write_bytes(data)
    os.utime(path, (2, 2))
    found = embed(recordings(path), mean_embedder(1.0), cache=cache)
    np.testing.assert_allclose(found.values[0], 255 * 20000 / len(data), rtol=1e-6)


def test_other_weights_have_other_embeddings(tmp_path):
    path, cache = tmp_path / "a.wav", tmp_path / "kept"
    path.write_bytes(bytes([1] * 100))
    for weight in (1.0, 2.0):
        found = embed(recordings(path), mean_embedder(weight), cache=cache)
        assert (found.computed, found.values[0][0]) == (1, weight)
