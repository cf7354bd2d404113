"""Files that state what their channels are, and what reading them should give."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

import ambikit
from ambikit import InputError
from tests.ambikit.media import RATE, chord

SOUND = chord(16, 4800)
"""Third order, AmbiX, with a pitch of its own in each component."""
FUMA = "WXYZRSTUVKLMNOPQ"
# ACN of each Furse-Malham channel, and its gain over SN3D: Malham, "Higher order Ambisonic systems"
FUMA_ACN = [0, 3, 1, 2, 6, 7, 5, 8, 4, 12, 13, 11, 14, 10, 15, 9]
S2, S3 = 2 / 3**0.5, (8 / 5) ** 0.5
FUMA_GAIN = [2**-0.5, 1, 1, 1, 1, S2, S2, S2, S2, 1, *[(45 / 32) ** 0.5] * 2, *[3 / 5**0.5] * 2]
FUMA_GAIN += [S3, S3]


def furse_malham(channels: int = 16) -> np.ndarray:
    """Return the sound as W, X, Y, Z, R, S, T, U, V, K, ..."""
    return (SOUND[FUMA_ACN] * np.array(FUMA_GAIN)[:, None])[:channels].astype(np.float32)


WYZX, WXYZ = SOUND[:4], furse_malham(4)
"""Its first order as AmbiX, and as Furse-Malham."""


def chunk(name: bytes, payload: bytes) -> bytes:
    """Return a chunk of a WAVE file."""
    return name + struct.pack("<I", len(payload)) + payload + bytes(len(payload) % 2)


def wave(path: Path, x: np.ndarray, *chunks: bytes, form: str = "WAV") -> Path:
    """Write a WAVE file with more chunks, before the sound."""
    soundfile.write(path, x.T, RATE, "FLOAT", format=form)
    data = path.read_bytes()
    at = data.index(b"data")
    extra = b"".join(chunks)
    size = struct.pack("<I", len(data) + len(extra) - 8)
    path.write_bytes(data[:4] + size + data[8:at] + extra + data[at:])
    return path


def check(path: Path, expected: np.ndarray, convention: str, by: str, channels: int) -> None:
    """Compare what is read and what is said of it."""
    about = ambikit.info(path)
    assert (about.convention, about.evidence, about.channels) == (convention, "stated", channels)
    assert about.stated_by is not None
    assert by in about.stated_by
    x, _ = ambikit.read(path)
    np.testing.assert_allclose(x, expected, atol=1e-6)


def refused(path: Path, message: str) -> None:
    """See that a file is refused by what it says, and is read when it is overruled."""
    about = ambikit.info(path)
    assert (about.convention, about.evidence) == (None, "contradicted")
    with pytest.raises(InputError, match=rf"{message}.*convention="):
        ambikit.read(path)
    raw, _ = ambikit.read(path, convention="none")
    assert len(raw) == about.channels
    if about.channels in (4, 9, 16):
        np.testing.assert_array_equal(ambikit.read(path, convention="ambix")[0], raw)


def chna(tracks: list[tuple[str, str]]) -> bytes:
    """Return the chunk that refers tracks to formats and packs."""
    entries = b"".join(
        struct.pack("<H12s14s11sx", k, b"ATU_%08d" % k, track.encode(), pack.encode())
        for k, (track, pack) in enumerate(tracks, 1)
    )
    return chunk(b"chna", struct.pack("<HH", len(tracks), len(tracks)) + entries)


def n3d(order: int) -> np.ndarray:
    """Return the sound in N3D: each degree n by sqrt(2n + 1)."""
    channels = (order + 1) ** 2
    degree = np.sqrt(np.arange(channels)).astype(int)
    return (SOUND[:channels] * np.sqrt(2 * degree + 1)[:, None]).astype(np.float32)
