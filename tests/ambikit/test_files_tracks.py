"""What mp4 and Opus say of a track decides how its channels are read, and whether."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

import ambikit
from ambikit import InputError
from tests.ambikit.media import RATE, av, chord, make, pitches
from tests.ambikit.stated import (
    WYZX,
    refused,
)


def with_sa3d(path: Path, **fields: int) -> None:
    """Write an mp4 file and change its SA3D box."""
    ambikit.write(path, WYZX, RATE)
    data = bytearray(path.read_bytes())
    at = data.index(b"SA3D") + 4
    for name, value in fields.items():
        place, form = {
            "kind": (1, "B"),
            "order": (2, ">I"),
            "ordering": (6, "B"),
            "norm": (7, "B"),
            "count": (8, ">I"),
            "first": (12, ">I"),
        }[name]
        struct.pack_into(form, data, at + place, value)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"ordering": 1}, "ordering 1"),
        ({"norm": 1}, "normalisation 1"),
        ({"kind": 1}, "type 1"),
        ({"kind": 0x80}, "not those of order 1"),
        ({"order": 3}, "not those of order 3"),
        ({"count": 9}, "9 channels of Ambisonics"),
        ({"first": 7}, "no whole set"),
    ],
)
def test_boxes_that_do_not_fit(tmp_path: Path, fields: dict[str, int], what: str) -> None:
    with_sa3d(tmp_path / "a.mp4", **fields)
    refused(tmp_path / "a.mp4", what)


def crc(page: bytes) -> int:
    """Return the sum of a page of Ogg (RFC 3533)."""
    total = 0
    for byte in page:
        total ^= byte << 24
        for _ in range(8):
            total = (total << 1 ^ 0x04C11DB7 if total >> 31 else total << 1) & 0xFFFFFFFF
    return total


def demixed(path: Path, matrix: np.ndarray, x: np.ndarray, *, short: int = 0) -> None:
    """Write Opus of mapping family 3 (RFC 8486): streams, and the matrix that makes channels."""
    make(path, x, "libopus", options={"mapping_family": "255"})
    data = path.read_bytes()
    lengths = data[27 : 27 + data[26]]
    end = 27 + data[26] + sum(lengths)
    head = data[27 + data[26] : end]
    gains = np.clip(np.rint(matrix.T * 32768), -32768, 32767).astype("<i2").tobytes()
    rows, streams, coupled = len(matrix), head[19], head[20]
    head = head[:9] + bytes([rows]) + head[10:18] + bytes([3, streams, coupled]) + gains
    head = head[: len(head) - short]
    table = bytes([255] * (len(head) // 255) + [len(head) % 255])
    page = data[:22] + bytes(4) + bytes([len(table)]) + table + head
    path.write_bytes(page[:22] + struct.pack("<I", crc(page)) + page[26:] + data[end:])


@pytest.mark.parametrize("suffix", ["opus", "mkv", "webm"])
@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (4, 3), (9, 9), (16, 10), (6, 6)])
def test_opus_of_mapping_family_3(tmp_path: Path, rows: int, columns: int, suffix: str) -> None:
    """Right is the matrix times what FFmpeg decodes of the streams."""
    matrix = np.random.default_rng(1).uniform(-0.9, 0.9, (rows, columns))
    matrix = np.rint(matrix * 32768) / 32768
    demixed(tmp_path / "a.opus", matrix, chord(columns, RATE))
    make(tmp_path / "b.opus", chord(columns, RATE), "libopus", options={"mapping_family": "255"})
    streams, _ = ambikit.read(tmp_path / "b.opus", convention="none")
    path = tmp_path / f"a.{suffix}"
    if suffix != "opus":
        remux(tmp_path / "a.opus", path)
    expected = (matrix @ streams)[: 4 if rows == 6 else rows]
    about = ambikit.info(path)
    assert (about.channels, about.stated_by) == (rows, "Opus mapping family 3")
    assert about.convention == ("ambix+stereo" if rows == 6 else "ambix")
    x, _ = ambikit.read(path)
    np.testing.assert_allclose(x, expected, atol=1e-5)
    part, _ = ambikit.read(path, start=0.7, duration=0.2)
    first = round(0.7 * RATE)
    np.testing.assert_allclose(part, x[:, first : first + part.shape[1]], atol=2e-3)


def remux(source: Path, target: Path) -> None:
    """Copy packets into another container."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream = made.add_stream_from_template(given.streams.audio[0])
        for packet in given.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)


def test_a_demixing_matrix_that_is_cut(tmp_path: Path) -> None:
    demixed(tmp_path / "a.opus", np.eye(4), chord(4, RATE), short=3)
    with pytest.raises(InputError, match="demixing matrix is cut short"):
        ambikit.read(tmp_path / "a.opus")


def test_opus_with_head_locked_stereo(tmp_path: Path) -> None:
    """Family 2 with two channels more: they are dropped, and nothing need be passed."""
    x = chord(6, RATE)
    make(tmp_path / "a.opus", x, "libopus", "ambisonic 1+stereo", options={"mapping_family": "2"})
    about = ambikit.info(tmp_path / "a.opus")
    assert (about.convention, about.evidence) == ("ambix+stereo", "stated")
    y, _ = ambikit.read(tmp_path / "a.opus")
    np.testing.assert_array_equal(pitches(y), pitches(x[:4]))
    assert len(ambikit.read(tmp_path / "a.opus", convention="none")[0]) == 6
