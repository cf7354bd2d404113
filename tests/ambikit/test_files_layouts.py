"""Apple's channel layouts and the matrix of AmbiX decide how channels are read, and whether."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

import ambikit
from tests.ambikit.media import RATE, chord, make
from tests.ambikit.stated import (
    SOUND,
    WXYZ,
    WYZX,
    check,
    n3d,
    refused,
)

CAF_CHAN = {
    "B-format": (struct.pack(">III", 107 << 16 | 4, 0, 0), WXYZ, "fuma"),
    "SN3D": (struct.pack(">III", 190 << 16 | 4, 0, 0), WYZX, "ambix"),
    "N3D": (struct.pack(">III", 191 << 16 | 4, 0, 0), n3d(1), "n3d"),
    "SN3D, order 3": (struct.pack(">III", 190 << 16 | 16, 0, 0), SOUND, "ambix"),
    "letters": (
        struct.pack(">III", 0, 0, 4)
        + b"".join(struct.pack(">I16x", k) for k in (200, 201, 202, 203)),
        WXYZ,
        "fuma",
    ),
    "numbers, N3D": (
        struct.pack(">III", 0, 0, 4)
        + b"".join(struct.pack(">I16x", 3 << 16 | k) for k in (3, 0, 1, 2)),
        n3d(1)[[3, 0, 1, 2]],
        "n3d",
    ),
}


def caf(path: Path, x: np.ndarray, *chunks: tuple[bytes, bytes]) -> Path:
    """Write a CAF file with more chunks, before the sound."""
    soundfile.write(path, x.T, RATE, "FLOAT", format="CAF")
    data = path.read_bytes()
    at = data.index(b"data")
    extra = b"".join(struct.pack(">4sq", name, len(p)) + p for name, p in chunks)
    path.write_bytes(data[:at] + extra + data[at:])
    return path


@pytest.mark.parametrize("case", CAF_CHAN)
def test_layouts_of_caf(tmp_path: Path, case: str) -> None:
    payload, x, convention = CAF_CHAN[case]
    path = caf(tmp_path / "a.caf", x, (b"chan", payload))
    check(path, SOUND[: len(x)], convention, "channel layout of CAF", len(x))


@pytest.mark.parametrize("case", ["B-format", "SN3D", "N3D"])
def test_layouts_of_aiff(tmp_path: Path, case: str) -> None:
    payload, x, convention = CAF_CHAN[case]
    path = tmp_path / "a.aiff"
    soundfile.write(path, x.T, RATE, "PCM_24", format="AIFF")
    data = path.read_bytes()
    at = data.index(b"SSND")
    extra = b"CHAN" + struct.pack(">I", len(payload)) + payload
    size = struct.pack(">I", len(data) + len(extra) - 8)
    path.write_bytes(data[:4] + size + data[8:at] + extra + data[at:])
    check(path, SOUND[:4], convention, "channel layout of AIFF", 4)


@pytest.mark.parametrize("case", ["B-format", "SN3D", "N3D"])
def test_layouts_of_quicktime(tmp_path: Path, case: str) -> None:
    """FFmpeg writes a chan box of four loudspeakers; another tag is put in its place."""
    payload, x, convention = CAF_CHAN[case]
    path = tmp_path / "a.mov"
    make(path, x, "pcm_f32le", "4.0")
    data = bytearray(path.read_bytes())
    at = data.index(b"chan") + 8  # behind version and flags
    data[at : at + 4] = payload[:4]
    path.write_bytes(data)
    check(path, SOUND[:4], convention, "channel layout of QuickTime", 4)


def test_layouts_of_loudspeakers_are_warned_of(tmp_path: Path) -> None:
    path = caf(tmp_path / "a.caf", WYZX, (b"chan", struct.pack(">III", 108 << 16 | 4, 0, 0)))
    with pytest.warns(UserWarning, match="says loudspeakers"):
        np.testing.assert_array_equal(ambikit.read(path)[0], WYZX)
    for tag in (147 << 16 | 4, 0xFFFF0004):  # discrete, unknown
        path = caf(tmp_path / "a.caf", WYZX, (b"chan", struct.pack(">III", tag, 0, 0)))
        assert ambikit.info(path).evidence == "assumed"


def _labels(*labels: int) -> bytes:
    """Return a layout that lists the label of each channel."""
    return struct.pack(">III", 0, 0, len(labels)) + b"".join(
        struct.pack(">I16x", label) for label in labels
    )


@pytest.mark.parametrize(
    ("payload", "channels", "what"),
    [
        (struct.pack(">III", 107 << 16 | 4, 0, 0), 9, "layout of 4 channels"),
        (struct.pack(">III", 107 << 16 | 9, 0, 0), 9, "layout of 9 channels"),
        (struct.pack(">III", 190 << 16 | 16, 0, 0), 9, "layout of 16 channels"),
        (_labels(200, 201, 202), 4, "layout of 3 channels"),
        (_labels(*(2 << 16 | k for k in range(4)), 301, 302), 6, "4 Ambisonic channels among"),
        (_labels(2 << 16, 3 << 16 | 1, 2 << 16 | 2, 2 << 16 | 3), 4, "several conventions"),
        (_labels(2 << 16, 200, 201, 202), 4, "several conventions"),
        (_labels(201, 202, 203, 200), 4, "order of no convention"),
    ],
)
def test_layouts_that_contradict_the_sound(
    tmp_path: Path, payload: bytes, channels: int, what: str
) -> None:
    """A layout that means Ambisonics, and not these channels, must not look like none."""
    refused(caf(tmp_path / "a.caf", SOUND[:channels], (b"chan", payload)), what)


def test_labels_of_stereo_signals_are_warned_of(tmp_path: Path) -> None:
    for labels in ((204, 205, 206, 207), (208, 209, 301, 302)):  # mid-side and X-Y; binaural
        path = caf(tmp_path / "a.caf", WYZX, (b"chan", _labels(*labels)))
        assert ambikit.info(path).evidence == "contradicted"
        with pytest.warns(UserWarning, match="says stereo or binaural signals"):
            np.testing.assert_array_equal(ambikit.read(path)[0], WYZX)


@pytest.mark.parametrize(
    "uuid", [bytes.fromhex("1ad318c300e55576be2d0dca2460bc89"), b"IEM.AT/AMBIX/XML"]
)
def test_adaptor_matrix(tmp_path: Path, uuid: bytes) -> None:
    """Extended AmbiX: the field is the matrix times the first channels, here 3 of 5."""
    matrix = np.random.default_rng(0).normal(size=(9, 3)).astype(">f4")
    payload = uuid + struct.pack(">II", 9, 3) + matrix.tobytes()
    five = chord(5, 4800)
    path = caf(tmp_path / "a.caf", five, (b"uuid", payload))
    check(path, matrix.astype(float) @ five[:3], "ambix", "adaptor matrix", 5)
    np.testing.assert_array_equal(ambikit.read(path, convention="none")[0], five)


@pytest.mark.parametrize(
    "shape", [struct.pack(">II", 9, 300), struct.pack(">II", 0, 0), struct.pack(">II", 9, 9)]
)
def test_damaged_adaptor_matrix(tmp_path: Path, shape: bytes) -> None:
    payload = bytes.fromhex("1ad318c300e55576be2d0dca2460bc89") + shape + bytes(9 * 9 * 4)
    refused(caf(tmp_path / "a.caf", WYZX, (b"uuid", payload)), "damaged matrix")


@pytest.mark.parametrize("rows", [1, 3, 5])
def test_adaptor_matrix_of_no_order(tmp_path: Path, rows: int) -> None:
    payload = bytes.fromhex("1ad318c300e55576be2d0dca2460bc89") + struct.pack(">II", rows, 4)
    payload += np.eye(rows, 4, dtype=">f4").tobytes()
    refused(caf(tmp_path / "a.caf", WYZX, (b"uuid", payload)), f"{rows} components.*no whole order")
