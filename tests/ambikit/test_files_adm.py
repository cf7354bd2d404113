"""The Audio Definition Model of a file decides how its channels are read, and whether."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

import ambikit
from tests.ambikit.media import RATE, chord
from tests.ambikit.stated import (
    SOUND,
    WYZX,
    check,
    chna,
    chunk,
    furse_malham,
    n3d,
    refused,
    wave,
)


def hoa_axml(harmonics: list[tuple[int, int]], norm: str = "", *, space: str = "") -> bytes:
    """Return definitions of channels by degree and order, as programs write them."""
    blocks = "".join(
        f'<audioChannelFormat audioChannelFormatID="AC_0004{0x1001 + k:04x}" typeLabel="0004">'
        f"<audioBlockFormat><order>{n}</order><degree>{m}</degree>{norm}</audioBlockFormat>"
        "</audioChannelFormat>"
        f'<audioStreamFormat audioStreamFormatID="AS_0004{0x1001 + k:04x}">'
        f"<audioChannelFormatIDRef>AC_0004{0x1001 + k:04x}</audioChannelFormatIDRef>"
        "</audioStreamFormat>"
        f'<audioTrackFormat audioTrackFormatID="AT_0004{0x1001 + k:04x}_01">'
        f"<audioStreamFormatIDRef>AS_0004{0x1001 + k:04x}</audioStreamFormatIDRef>"
        "</audioTrackFormat>"
        for k, (n, m) in enumerate(harmonics)
    )
    xml = f"<ebuCoreMain {space}><format><audioFormatExtended>{blocks}</audioFormatExtended>"
    return chunk(b"axml", f"<?xml version='1.0'?>{xml}</format></ebuCoreMain>".encode())


def common(first: int, count: int, pack: str) -> bytes:
    """Return chna for the common definitions of BS.2094, which need no axml."""
    return chna([(f"AT_0004{first + k:04x}_01", pack) for k in range(count)])


@pytest.mark.parametrize(
    ("x", "first", "pack", "convention"),
    [
        (SOUND[:4], 0x0001, "AP_00040001", "ambix"),
        (SOUND, 0x0001, "AP_00040003", "ambix"),
        (n3d(2), 0x0101, "AP_00040012", "n3d"),
        (furse_malham(), 0x0201, "AP_00040023", "fuma"),
    ],
)
@pytest.mark.parametrize("form", ["WAV", "RF64", "BW64"])
def test_common_definitions(
    tmp_path: Path, x: np.ndarray, first: int, pack: str, convention: str, form: str
) -> None:
    path = tmp_path / "a.wav"
    stated = common(first, len(x), pack)
    wave(path, x, stated) if form == "WAV" else wide(path, x, stated, form)
    check(path, SOUND[: len(x)], convention, "ADM", len(x))


def wide(path: Path, x: np.ndarray, extra: bytes, form: str) -> None:
    """Write RF64 or BW64 with a chunk behind the sound."""
    soundfile.write(path, x.T, RATE, "FLOAT", format="RF64")
    data = bytearray(path.read_bytes() + extra)
    data[:4] = form.encode()
    struct.pack_into("<Q", data, 20, len(data) - 8)
    path.write_bytes(data)


@pytest.mark.parametrize("space", ["", 'xmlns="urn:ebu:metadata-schema:ebuCore_2014"'])
@pytest.mark.parametrize(
    ("norm", "x", "convention"),
    [
        ("", SOUND[:4], "ambix"),
        ("<normalization>SN3D</normalization>", SOUND[:4], "ambix"),
        ("<normalization>N3D</normalization>", n3d(1), "n3d"),
        ("<normalisation>N3D</normalisation>", n3d(1), "n3d"),
    ],
)
def test_definitions_in_any_order(
    tmp_path: Path, norm: str, x: np.ndarray, convention: str, space: str
) -> None:
    """Order and degree say which harmonic a track is, wherever it is in the file."""
    order = [2, 0, 3, 1]
    harmonics = [[(0, 0), (1, -1), (1, 0), (1, 1)][k] for k in order]
    tracks = [(f"AT_0004{0x1001 + k:04x}_01", "AP_00041001") for k in range(4)]
    path = wave(tmp_path / "a.wav", x[order], chna(tracks), hoa_axml(harmonics, norm, space=space))
    check(path, SOUND[:4], convention, "ADM", 4)


def test_a_horizontal_set_and_a_bed_of_loudspeakers(tmp_path: Path) -> None:
    """Five tracks: left, right, then W, Y, X without Z."""
    x = np.concatenate([chord(2, 4800), SOUND[[0, 1, 3]]])
    speakers = [("AT_00010001_01", "AP_00010002"), ("AT_00010002_01", "AP_00010002")]
    field = [(f"AT_0004000{k}_01", "AP_00041001") for k in (1, 2, 4)]
    path = wave(tmp_path / "a.wav", x, chna(speakers + field))
    expected = SOUND[:4].copy()
    expected[2] = 0
    check(path, expected, "ambix", "ADM", 5)


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("0001", "loudspeakers \\(DirectSpeakers\\)"),
        ("0003", "objects \\(Objects\\)"),
        ("0005", "binaural signals"),
        ("0002", "a matrix of others"),
    ],
)
def test_what_is_no_sound_field(tmp_path: Path, kind: str, what: str) -> None:
    stated = chna([(f"AT_{kind}100{k}_01", f"AP_{kind}1001") for k in range(1, 5)])
    refused(wave(tmp_path / "a.wav", WYZX, stated), what)
    xml = f'<x><audioChannelFormat audioChannelFormatID="AC_{kind}1001"/></x>'
    refused(wave(tmp_path / "b.wav", WYZX, chunk(b"axml", xml.encode())), what)


@pytest.mark.parametrize(
    "axml",
    [
        b"<not xml",
        b"\xff\xfe\x00",
        b"",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"<ebuCoreMain/>",
    ],
)
def test_descriptions_that_say_nothing(tmp_path: Path, axml: bytes) -> None:
    path = wave(tmp_path / "a.wav", WYZX, chunk(b"axml", axml), chunk(b"chna", b"\1\0"))
    assert ambikit.info(path).evidence == "assumed"
