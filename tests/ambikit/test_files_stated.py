"""What a WAVE file says of its channels decides how they are read, and whether."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

import ambikit
from tests.ambikit.media import chord
from tests.ambikit.stated import (
    FUMA,
    FUMA_ACN,
    SOUND,
    WXYZ,
    WYZX,
    check,
    chna,
    chunk,
    furse_malham,
    refused,
    wave,
)

# WAVE: sub-format, track names, masks


def b_format(path: Path, x: np.ndarray, *chunks: bytes) -> Path:
    """Write a B-format WAVE file."""
    wave(path, x, form="WAVEX")
    data = path.read_bytes()
    at = data.index(bytes.fromhex("00001000800000aa00389b71"))
    data = data[:at] + bytes.fromhex("2107d3118644c8c1ca000000") + data[at + 12 :]
    extra = b"".join(chunks)
    size = struct.pack("<I", len(data) + len(extra) - 8)
    path.write_bytes(data[:4] + size + data[8:12] + extra + data[12:])
    return path


@pytest.mark.parametrize("before", [0, 4000, 5000, 100_000])
def test_b_format_behind_other_chunks(tmp_path: Path, before: int) -> None:
    path = b_format(tmp_path / "a.wav", furse_malham(4), chunk(b"JUNK", bytes(before)))
    check(path, SOUND[:4], "fuma", "B-format", 4)


@pytest.mark.parametrize(
    ("letters", "order"),
    [
        ("WXY", 1),
        ("WXYZ", 1),
        ("WXYUV", 2),
        ("WXYZUV", 2),
        ("WXYUVPQ", 3),
        ("WXYZUVPQ", 3),
        ("WXYZRSTUV", 2),
        ("WXYZRSTUVPQ", 3),
        (FUMA, 3),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_horizontal_and_mixed_order(tmp_path: Path, letters: str, order: int, named: bool) -> None:
    """The nine kinds of .amb: what is not there is silent (Dobson, "The AMB Ambisonic File")."""
    places = [FUMA.index(letter) for letter in letters]
    stored = furse_malham()[places]
    expected = np.zeros(((order + 1) ** 2, SOUND.shape[1]), np.float32)
    acn = [FUMA_ACN[place] for place in places]
    expected[acn] = SOUND[acn]
    path = tmp_path / "a.amb"
    if named:
        wave(path, stored, form="WAVEX" if len(letters) == 4 else "WAV")
        check(path, expected, "fuma", "extension .amb", len(letters))
    else:
        check(b_format(path, stored), expected, "fuma", "B-format WAVE", len(letters))
    wave(tmp_path / "b.wav", stored)
    x, _ = ambikit.read(tmp_path / "b.wav", convention="FuMa")
    np.testing.assert_allclose(x, expected, atol=1e-6)


def bext(description: str) -> bytes:
    """Return the chunk by which broadcast WAVE files describe themselves."""
    return chunk(b"bext", description.encode("latin-1").ljust(602, b"\0"))


def ixml(names: list[str], *, index: str = "INTERLEAVE_INDEX") -> bytes:
    """Return the chunk by which recorders name their tracks, in another order than the file's."""
    tracks = [
        f"<TRACK><CHANNEL_INDEX>{k + 5 if index != 'CHANNEL_INDEX' else k}</CHANNEL_INDEX>"
        + (f"<{index}>{k}</{index}>" if index != "CHANNEL_INDEX" else "")
        + f"<NAME>{name}</NAME><FUNCTION></FUNCTION></TRACK>"
        for k, name in enumerate(names, 1)
    ][::-1]
    text = f"<?xml version='1.0'?><BWFXML><TRACK_LIST>{''.join(tracks)}</TRACK_LIST></BWFXML>"
    return chunk(b"iXML", text.encode() + bytes(3))


@pytest.mark.parametrize("prefix", ["z", "s", "d"])
def test_track_names_in_bext(tmp_path: Path, prefix: str) -> None:
    """Recorders name the components in the order of their mode: AmbiX or FuMa."""
    for names, x, convention in (("WYZX", WYZX, "ambix"), ("WXYZ", WXYZ, "fuma")):
        lines = [f"{prefix}TRK{k}={name}" for k, name in enumerate(names, 1)]
        path = wave(tmp_path / "a.wav", x, bext("\r\n".join(["zSPEED=25-ND", *lines, "zNOTE="])))
        check(path, SOUND[:4], convention, "track names in bext", 4)


@pytest.mark.parametrize("index", ["INTERLEAVE_INDEX", "CHANNEL_INDEX"])
def test_track_names_in_ixml(tmp_path: Path, index: str) -> None:
    for names, x, convention in (("WYZX", WYZX, "ambix"), ("WXYZ", WXYZ, "fuma")):
        path = wave(tmp_path / "a.wav", x, ixml(list(names), index=index))
        check(path, SOUND[:4], convention, "track names in iXML", 4)


@pytest.mark.parametrize("order", [2, 3])
def test_track_names_of_higher_order(tmp_path: Path, order: int) -> None:
    """All components come back, by letters (Malham; ACN of ambiX) or by numbers in any order."""
    count = (order + 1) ** 2
    numbers = [*range(1, count), 0]
    for names, x, convention in (
        (list("WYZXVTRSUQOMKLNP"[:count]), SOUND[:count], "ambix"),
        (list("WXYZRSTUVKLMNOPQ"[:count]), furse_malham(count), "fuma"),
        ([f"ACN {k}" for k in numbers], SOUND[numbers], "ambix"),
    ):
        path = wave(tmp_path / "a.wav", x, ixml(names))
        check(path, SOUND[:count], convention, "iXML", count)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_track_names_in_utf16(tmp_path: Path, encoding: str) -> None:
    names = "".join(f"<TRACK><NAME>{name}</NAME></TRACK>" for name in "WXYZ")
    for before, convention in (("", "fuma"), ("<!DOCTYPE a [<!ENTITY b 'c'>]>", "ambix")):
        text = f"\ufeff<?xml version='1.0' encoding='UTF-16'?>{before}<BWFXML>{names}</BWFXML>"
        path = wave(tmp_path / "a.wav", WXYZ, chunk(b"iXML", text.encode(encoding)))
        assert ambikit.info(path).convention == convention  # entities are never parsed


def test_components_among_other_tracks(tmp_path: Path) -> None:
    """A stereo mix before the four components: six channels, four of them Ambisonic."""
    six = np.concatenate([chord(2, 4800) * 0.1, WYZX])
    path = wave(tmp_path / "a.wav", six, ixml(["Mix L", "Mix R", "W", "Y", "Z", "X"]))
    check(path, SOUND[:4], "ambix", "iXML", 6)


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["FLU", "FRD", "BLD", "BRU"], "A-format capsules FLU FRD BLD BRU"),
        (["L", "R", "Ls", "Rs"], "loudspeakers L R LS RS"),
        (["W", "X", "Z", "Y"], "components W X Z Y, which is the order of no convention"),
    ],
)
def test_track_names_that_are_something_else(tmp_path: Path, names: list[str], what: str) -> None:
    refused(wave(tmp_path / "a.wav", WYZX, ixml(names)), what)
    lines = "\n".join(f"sTRK{k}={name}" for k, name in enumerate(names, 1))
    refused(wave(tmp_path / "a.wav", WYZX, bext(lines)), what)


@pytest.mark.parametrize(
    "names", [["Tr1", "Tr2", "Tr3", "Tr4"], ["ACN0", "ACN1", "ACN2", "ACN4"], [""] * 4]
)
def test_track_names_that_say_nothing(tmp_path: Path, names: list[str]) -> None:
    path = wave(tmp_path / "a.wav", WYZX, ixml(names))
    assert ambikit.info(path).evidence == "assumed"
    np.testing.assert_array_equal(ambikit.read(path)[0], WYZX)


def test_a_mask_of_loudspeakers_is_warned_of(tmp_path: Path) -> None:
    """Programs set one unasked, libsndfile among them, so it is a doubt and no refusal."""
    path = wave(tmp_path / "a.wav", WYZX, form="WAVEX")
    about = ambikit.info(path)
    assert (about.convention, about.evidence) == ("ambix", "contradicted")
    assert about.says == "loudspeakers FL FR BL BR"
    with pytest.warns(UserWarning, match=r"says loudspeakers FL FR BL BR.*convention="):
        x, _ = ambikit.read(path)
    np.testing.assert_array_equal(x, WYZX)
    np.testing.assert_array_equal(ambikit.read(path, convention="ambix")[0], WYZX)


def test_what_is_asked_for_overrules_what_is_said(tmp_path: Path) -> None:
    path = b_format(tmp_path / "a.wav", WXYZ)
    np.testing.assert_allclose(
        ambikit.read(path, convention="ambix")[0], ambikit.read(path, convention="none")[0]
    )
    # What agrees with what is said takes all of it, the order of the channels as well
    tracks = [(f"AT_0004000{k}_01", "AP_00040001") for k in (3, 1, 4, 2)]
    path = wave(tmp_path / "b.wav", WYZX[[2, 0, 3, 1]], chna(tracks))
    for convention in (None, "ambix", "acn/sn3d", "AmbiX"):
        np.testing.assert_allclose(ambikit.read(path, convention=convention)[0], WYZX)
    raw = ambikit.read(path, convention="n3d")[0]
    np.testing.assert_allclose(raw[0], WYZX[2])
