"""What a file says of its channels decides how they are read, and whether."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

import ambikit
from ambikit import InputError
from tests.ambikit.media import RATE, chord, make, pitches

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


WYZX, WXYZ = SOUND[:4], furse_malham(4)


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
    ],
)
def test_track_names_that_are_something_else(tmp_path: Path, names: list[str], what: str) -> None:
    refused(wave(tmp_path / "a.wav", WYZX, ixml(names)), what)
    lines = "\n".join(f"sTRK{k}={name}" for k, name in enumerate(names, 1))
    refused(wave(tmp_path / "a.wav", WYZX, bext(lines)), what)


@pytest.mark.parametrize("names", [["Tr1", "Tr2", "Tr3", "Tr4"], ["W", "X", "Z", "Y"], [""] * 4])
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


# The Audio Definition Model


def chna(tracks: list[tuple[str, str]]) -> bytes:
    """Return the chunk that refers tracks to formats and packs."""
    entries = b"".join(
        struct.pack("<H12s14s11sx", k, b"ATU_%08d" % k, track.encode(), pack.encode())
        for k, (track, pack) in enumerate(tracks, 1)
    )
    return chunk(b"chna", struct.pack("<HH", len(tracks), len(tracks)) + entries)


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


def n3d(order: int) -> np.ndarray:
    """Return the sound in N3D: each degree n by sqrt(2n + 1)."""
    channels = (order + 1) ** 2
    degree = np.sqrt(np.arange(channels)).astype(int)
    return (SOUND[:channels] * np.sqrt(2 * degree + 1)[:, None]).astype(np.float32)


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


# CAF, AIFF and QuickTime: Apple's channel layouts; AmbiX's matrix

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


# mp4: the SA3D box; Opus


def with_sa3d(path: Path, **fields: int) -> None:
    """Write an mp4 file and change its SA3D box."""
    ambikit.write(path, WYZX, RATE)
    data = bytearray(path.read_bytes())
    at = data.index(b"SA3D") + 4
    for name, value in fields.items():
        place, form = {
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
