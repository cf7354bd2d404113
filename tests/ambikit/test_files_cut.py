"""Files that are cut short, or whose sizes lie: the whole sound, or one line that says so."""

from __future__ import annotations

import struct
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

import ambikit
from ambikit import InputError
from ambikit._codecs import libsndfile
from tests.ambikit.media import RATE, chord, make

X = chord(4, RATE)
SHARES = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.999)


def whole(name: str, folder: Path) -> Path:
    """Write a second of sound into a file of some kind."""
    path = folder / name
    mp4 = {"fast.m4a": "faststart", "frag.mp4": "frag_keyframe+empty_moov", "dash.mp4": "dash"}
    others = {"a.wv": "wavpack", "a.tta": "tta", "a.avi": "pcm_s16le", "a.au": "pcm_s16be"}
    if name in mp4:
        flags = {"movflags": mp4[name], "frag_duration": "200000"}
        make(path, X, "aac", "4.0", container_options=flags)
    elif name in others:
        make(path, X, others[name], "4.0")
    elif name == "a.aiff":
        soundfile.write(path, X.T, RATE, "PCM_16")
    elif name == "bw64.wav":
        ambikit.write(path, X, RATE, format="rf64")
        path.write_bytes(b"BW64" + path.read_bytes()[4:])
    else:
        ambikit.write(path, X, RATE)
    return path


WITH_A_LENGTH = [
    *("a.wav", "a.rf64", "bw64.wav", "a.w64", "a.caf", "a.aiff", "a.flac", "a.ogg"),
    *("a.m4a", "fast.m4a", "frag.mp4", "dash.mp4", "a.mov", "a.mkv", "a.webm", "a.opus"),
    *("a.wv", "a.tta", "a.avi", "a.au"),
]


@pytest.mark.parametrize("name", WITH_A_LENGTH)
def test_a_file_that_breaks_off_is_refused(tmp_path: Path, name: str) -> None:
    path = whole(name, tmp_path)
    data = path.read_bytes()
    before = ambikit.read(path)[0].shape
    assert before[0] == 4
    for share in SHARES:
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(InputError) as caught:
            ambikit.read(path)
        assert path.name in str(caught.value)
        assert "\n" not in str(caught.value)
    path.write_bytes(data)
    assert ambikit.read(path)[0].shape == before


@pytest.mark.parametrize(
    "name", ["a.wav", "a.rf64", "a.w64", "a.caf", "a.aiff", "a.flac", "a.ogg", "a.m4a"]
)
def test_a_description_is_no_better_than_the_sound(tmp_path: Path, name: str) -> None:
    path = whole(name, tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="truncated"):
        ambikit.info(path)


def patched(path: Path, name: bytes, size: int, *, riff: int | None = None) -> None:
    """Set the size of a chunk, and of the whole."""
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(name) + 4, size)
    if riff is not None:
        struct.pack_into("<I", data, 4, riff)
    path.write_bytes(data)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "DOUBLE", "PCM_U8", "ULAW"])
@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x7FFFF000, 0])
def test_a_length_that_was_never_known(tmp_path: Path, size: int, subtype: str) -> None:
    """Pipes and recorders that lose power leave such sizes; the sound runs to the file's end."""
    path = tmp_path / "pipe.wav"
    soundfile.write(path, X.T, RATE, subtype)
    expected = soundfile.read(path, dtype="float32")[0].T
    patched(path, b"data", size, riff=size)
    note = "never completed" if size == 0 else "does not state a length"
    about = ambikit.info(path)
    assert (about.frames, note in about.notes[0]) == (RATE, True)
    with pytest.warns(UserWarning, match=note):
        x, _ = ambikit.read(path)
    np.testing.assert_array_equal(x, expected)
    with pytest.warns(UserWarning, match=note):
        part, _ = ambikit.read(path, start=0.5, duration=0.25)
    np.testing.assert_array_equal(part, expected[:, RATE // 2 : RATE * 3 // 4])


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((0, 4)), RATE)
    assert ambikit.info(tmp_path / "a.wav").notes == ()
    with pytest.raises(InputError, match="no samples"):
        ambikit.read(tmp_path / "a.wav")


def test_sound_behind_what_the_header_counts(tmp_path: Path) -> None:
    """A recorder that updates its header now and then leaves the last seconds uncounted."""
    path = tmp_path / "a.wav"
    soundfile.write(path, X.T, RATE, "PCM_16")
    patched(path, b"data", RATE * 8 // 2)
    with pytest.warns(UserWarning, match="192000 bytes behind the sound.*broke off"):
        assert ambikit.read(path)[0].shape == (4, RATE // 2)
    # A tag that a program appended is no sound
    soundfile.write(path, X.T, RATE, "PCM_16")
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    assert ambikit.read(path)[0].shape == (4, RATE)


@pytest.mark.parametrize("extra", [0, 40])
def test_a_wave_beyond_four_gigabytes(tmp_path: Path, extra: int) -> None:
    """Sizes wrapped at 2**32: the file's own size tells how much there is."""
    frames = 550_000_000  # 4.4 GB of 4 channels of 16 bits, almost all of it a hole
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros((1, 4)), RATE, "PCM_16")
    patched(path, b"data", frames * 8 % 2**32)
    header = path.read_bytes()[:44]
    tail = (np.arange(4 * 100).reshape(100, 4) - 200).astype("<i2")
    with path.open("wb") as file:
        file.write(header)
        file.seek(44 + frames * 8 - tail.nbytes)
        file.write(tail.tobytes())
        file.write((b"LIST" + struct.pack("<I", extra - 8) + bytes(extra - 8)) if extra else b"")
    about = ambikit.info(path)
    assert about.frames == frames
    assert "counts 32 bits" in about.notes[0]
    with pytest.warns(UserWarning, match="32 bits"):
        x, _ = ambikit.read(path, start=(frames - 100) / RATE)
    np.testing.assert_array_equal(x, tail.T / np.float32(32768))


@pytest.mark.parametrize(("name", "subtype"), [("a.wav", None), ("a.amb", "PCM_16")])
def test_more_than_a_wave_can_count_is_not_written(
    tmp_path: Path, name: str, subtype: str | None
) -> None:
    huge = np.broadcast_to(np.float32(0), (4, 600_000_000))
    with pytest.raises(InputError, match=r"GB of sound are more.*name it \.rf64 or \.w64"):
        ambikit.write(tmp_path / name, huge, RATE, convention="fuma", subtype=subtype)
    assert list(tmp_path.iterdir()) == []


def endless_flac(path: Path) -> None:
    """Write a FLAC file that does not state its length, as encoders do that write to a pipe."""
    soundfile.write(path, X.T, RATE, "PCM_16", format="FLAC")
    data = bytearray(path.read_bytes())
    # STREAMINFO begins at 8; its samples are the lower 36 bits of the bytes 13 to 17
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)


def test_flac_of_unknown_length(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    endless_flac(path)
    assert ambikit.info(path).duration == 1.0
    x, _ = ambikit.read(path)
    np.testing.assert_allclose(x, X, atol=1 / 32768)
    part, _ = ambikit.read(path, start=0.3, duration=0.5)
    first = round(0.3 * RATE)
    np.testing.assert_array_equal(part, x[:, first : first + RATE // 2])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"truncated|damaged|breaks off"):
        ambikit.read(path)


def test_an_ogg_stream_without_its_end(tmp_path: Path) -> None:
    """Cut between two pages, nothing is incomplete: it is read, with a word."""
    path = whole("a.ogg", tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"OggS")])
    with pytest.warns(UserWarning, match="last page does not end the stream"):
        x, _ = ambikit.read(path)
    assert 0 < x.shape[1] < RATE
    assert "last page" in ambikit.info(path).notes[0]


@pytest.mark.parametrize("start", [15360.5, 15361.5, 15360.25, 0.5])
@pytest.mark.parametrize("frames", [47999, 48000, 48001])
def test_a_span_that_ends_with_the_file(tmp_path: Path, start: float, frames: int) -> None:
    """Start and duration both round up where they fall on half a sample."""
    ambikit.write(tmp_path / "a.wav", chord(4, frames), RATE)
    duration = (frames - start) / RATE
    x, _ = ambikit.read(tmp_path / "a.wav", start=start / RATE, duration=duration)
    assert x.shape[1] == round(duration * RATE)
    for beyond in (0.7, 1.0, 5.0):
        with pytest.raises(InputError, match="outside"):
            ambikit.read(tmp_path / "a.wav", start=0.1, duration=(frames + beyond) / RATE - 0.1)


@pytest.mark.parametrize("name", ["a.wav", "a.caf", "a.ogg", "a.mp4", "a.mkv", "a.flac", "a.aiff"])
def test_damage_of_any_kind_is_one_line(tmp_path: Path, name: str) -> None:
    """Bytes changed at random: the sound, perhaps with noise, or one line; no other exception."""
    path = whole(name, tmp_path)
    data = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(150):
        broken = bytearray(data)
        count = int(random.integers(1, 6))
        places = random.integers(0, min(len(data), 400), count)
        for place in places:
            broken[place] = int(random.integers(0, 256))
        path.write_bytes(broken)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # whatever is said of the sizes
            with suppress(InputError):
                ambikit.read(path, duration=0.01)


@pytest.mark.parametrize(
    "tag", [b"nan:00:00.10000000", b"inf:00:00.10000000", b"in Stra\xdfe \xff , 2020"]
)
def test_a_length_that_makes_no_sense_is_not_believed(tmp_path: Path, tag: bytes) -> None:
    """Also text that is not UTF-8, as old programs write it."""
    path = tmp_path / "a.mkv"
    make(path, chord(4, 4800), "flac", "4.0")
    data = path.read_bytes()
    assert data.count(b"00:00:00.100000000") == 1
    path.write_bytes(data.replace(b"00:00:00.100000000", tag))
    assert ambikit.info(path).frames == 4800
    np.testing.assert_allclose(ambikit.read(path)[0], chord(4, 4800), atol=2**-22)


def counted(data: bytes, samples: int) -> bytes:
    """Return a FLAC file whose header counts another number of samples."""
    count = data[21] >> 4 << 36 | samples
    return data[:21] + count.to_bytes(5, "big") + data[26:]


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (1, "its last frame ends with sample 48000"),
        (24_000, "its last frame ends with sample 48000"),
        (47_999, "its last frame ends with sample 48000"),
        (48_001, r"breaks off before the 1\.00002 s"),
        ((1 << 36) - 1, r"breaks off before the 1\.43166e\+06 s"),
    ],
)
def test_flac_of_another_length_than_it_states(tmp_path: Path, samples: int, message: str) -> None:
    """libsndfile would give as many as are stated, or an error that names no file."""
    path = tmp_path / "a.flac"
    soundfile.write(path, X.T, RATE, "PCM_16")
    path.write_bytes(counted(path.read_bytes(), samples))
    for look in (ambikit.info, ambikit.read):
        with pytest.raises(InputError, match=message):
            look(path)
    path.write_bytes(counted(path.read_bytes(), RATE) + b"TAG" + bytes(125))  # ID3 behind it
    assert ambikit.read(path)[0].shape == (4, RATE)


W64_DATA = b"data" + bytes.fromhex("f3acd3118cd100c04f8edb8a")


@pytest.mark.parametrize(
    ("name", "chunk", "layout", "size", "note"),
    [
        ("a.caf", b"data", ">q", -1, None),  # "Core Audio Format": it runs to the end
        ("a.caf", b"data", ">q", 0, "never completed"),
        ("a.caf", b"data", ">q", 4, "never completed"),
        ("a.w64", W64_DATA, "<Q", 24, "never completed"),
        ("a.w64", W64_DATA, "<Q", (1 << 64) - 1, "does not state a length"),
        ("a.rf64", b"ds64", "<IQQ", 0, "never completed"),
        ("a.rf64", b"ds64", "<IQQ", (1 << 64) - 1, "does not state a length"),
    ],
)
def test_recordings_of_64_bits_that_were_never_completed(
    tmp_path: Path, name: str, chunk: bytes, layout: str, size: int, note: str | None
) -> None:
    path = tmp_path / name
    soundfile.write(path, X.T, RATE, "PCM_16", format=path.suffix[1:].upper())
    data = path.read_bytes()
    sizes = (28, len(data), size) if chunk == b"ds64" else (size,)
    place = data.index(chunk) + len(chunk)
    stated = struct.pack(layout, *sizes)
    path.write_bytes(data[:place] + stated + data[place + len(stated) :])
    notes = ambikit.info(path).notes
    assert [note in text for text in notes] == ([True] if note else [])
    for first, count in ((0, RATE), (RATE // 2, RATE // 4)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x, _ = ambikit.read(path, start=first / RATE, duration=count / RATE)
        np.testing.assert_allclose(x, X[:, first : first + count], atol=1 / 32768)


@pytest.mark.parametrize(
    ("name", "chunk", "layout", "size"),
    [
        ("a.caf", b"data", ">q", 4 + RATE * 4),
        ("a.w64", W64_DATA, "<Q", 24 + RATE * 4),
        ("a.rf64", b"data", "<I", RATE * 4),
    ],
)
def test_sound_behind_what_64_bits_count(
    tmp_path: Path, name: str, chunk: bytes, layout: str, size: int
) -> None:
    """What is read is what the header counts, as of a WAV, and the rest is not passed over."""
    path = tmp_path / name
    soundfile.write(path, X.T, RATE, "PCM_16", format=path.suffix[1:].upper())
    data = path.read_bytes()
    place = data.index(chunk) + len(chunk)
    stated = struct.pack(layout, size)
    path.write_bytes(data[:place] + stated + data[place + len(stated) :])
    with pytest.warns(UserWarning, match="192000 bytes behind the sound.*broke off"):
        assert ambikit.read(path, convention="ambix")[0].shape == (4, RATE // 2)


@pytest.mark.parametrize("name", ["a.ogg", "a.oga"])
def test_a_chain_of_ogg_streams_is_not_read_as_its_first(tmp_path: Path, name: str) -> None:
    """RFC 3533, 4: streams may follow each other, each with a number of its own."""
    path, data = tmp_path / name, b""
    for _ in range(2):  # every stream that is written has another number
        if name == "a.ogg":
            ambikit.write(path, X, RATE)
        else:
            make(path, X, "flac", "4.0", format="ogg")
        data += path.read_bytes()
        assert ambikit.info(path).frames == RATE
    path.write_bytes(data)
    for look in (ambikit.info, ambikit.read):
        with pytest.raises(InputError, match="several Ogg streams one after the other"):
            look(path)


@pytest.mark.parametrize("codec", ["pcm_s16le", "flac", "aac"])
@pytest.mark.parametrize("known", [True, False])
def test_matroska_that_ends_before_the_length_of_its_track(
    tmp_path: Path, codec: str, known: bool
) -> None:
    """Cut, with the size of the segment put right, or unknown as of a live stream (RFC 9559, 5.1).

    The tag DURATION of the track still tells how long it was.
    """
    path = tmp_path / "a.mka"
    make(path, X, codec, "4.0", container_options={"cluster_time_limit": "100"})
    data = path.read_bytes()
    place = data.index(bytes.fromhex("18538067")) + 4
    half = data[: len(data) // 2]
    size = len(half) - place - 8 if known else (1 << 56) - 1
    path.write_bytes(half[:place] + b"\1" + size.to_bytes(7, "big") + half[place + 8 :])
    for look in (ambikit.info, ambikit.read):
        with pytest.raises(InputError, match=r"truncated: it breaks off at 0\.4.* before the 1"):
            look(path)


def test_spans_of_more_than_a_wave_can_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands that write span by span name the file as they are told, and write RF64 into it."""
    monkeypatch.setattr(libsndfile, "_ROOM", X.size * 4 - 1)
    for samples, form in ((RATE, b"RF64"), (RATE - 1, b"RIFF")):
        with libsndfile.SpanWriter(tmp_path / "a.wav", RATE, samples) as writer:
            writer.append(X[:, :1000])
            writer.append(X[:, 1000:samples])
        assert (tmp_path / "a.wav").read_bytes()[:4] == form
        np.testing.assert_array_equal(
            soundfile.read(tmp_path / "a.wav", dtype="float32")[0].T, X[:, :samples]
        )
