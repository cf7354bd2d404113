"""Several tracks, several files, bytes, open files and pipes."""

from __future__ import annotations

import io
import mmap
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import ambikit
from ambikit import InputError
from tests.ambikit.media import RATE, add_sound, av, chord, make, packets, pitches

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="pipes by name")


def with_tracks(path: Path, *tracks: tuple[np.ndarray, str, str], start: float = 0.0) -> Path:
    """Write a file of several tracks of sound: (channels, codec, layout)."""
    first = round(start * RATE)
    with av.open(str(path), "w") as container:
        streams = [add_sound(container, codec, len(x), layout) for x, codec, layout in tracks]
        made = [packets(s, x, first) for s, (x, _, _) in zip(streams, tracks, strict=True)]
        for packet in sorted((p for m in made for p in m), key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return path


STEREO = (chord(2, RATE), "aac", "stereo")
FOUR = (chord(4, RATE), "pcm_f32le", "4.0")


@pytest.mark.parametrize("suffix", ["mov", "mkv"])
def test_the_ambisonic_track_is_chosen(tmp_path: Path, suffix: str) -> None:
    """As cameras write them: AAC stereo first, then four channels."""
    path = with_tracks(tmp_path / f"a.{suffix}", STEREO, FOUR, (chord(1, RATE), "aac", "mono"))
    about = ambikit.info(path)
    assert (about.channels, about.track, about.convention) == (4, 1, "ambix")
    assert [track.split(",")[1].split("(")[0].strip() for track in about.tracks] == [
        "2 channels",
        "4 channels",
        "1 channel",
    ]
    x, _ = ambikit.read(path, convention="ambix")
    np.testing.assert_array_equal(x, FOUR[0])
    assert ambikit.read(path, track=0, convention="none")[0].shape[0] == 2
    with pytest.raises(InputError, match=r"has 2 channels.*0: aac, 2 channels.*1: pcm_f32le, 4"):
        ambikit.read(path, track=0)
    with pytest.raises(InputError, match=r"no track 3; its tracks of sound: 0: aac"):
        ambikit.info(path, track=3)
    for wrong in (-1, 1.0, "1"):
        with pytest.raises(InputError, match="track must be"):
            ambikit.info(path, track=wrong)


def test_what_is_stated_comes_before_what_is_assumed(tmp_path: Path) -> None:
    """A track of four loudspeakers before one of Opus that says it is Ambisonic."""
    path = tmp_path / "a.mkv"
    make(path, chord(4, RATE), "flac", "quad")
    ambikit.write(tmp_path / "b.opus", chord(9, RATE), RATE)
    copied = tmp_path / "c.mkv"
    with (
        av.open(str(path)) as first,
        av.open(str(tmp_path / "b.opus")) as second,
        av.open(str(copied), "w") as made,
    ):
        sources = [(first, 0), (second, 0)]
        streams = [made.add_stream_from_template(c.streams.audio[k]) for c, k in sources]
        for (container, k), stream in zip(sources, streams, strict=True):
            for packet in container.demux(audio=k):
                if packet.dts is not None:
                    packet.stream = stream
                    made.mux(packet)
    about = ambikit.info(copied)
    assert (about.track, about.channels, about.evidence) == (1, 9, "stated")
    np.testing.assert_array_equal(pitches(ambikit.read(copied)[0]), pitches(chord(9, RATE)))


def test_boxes_belong_to_their_tracks(tmp_path: Path) -> None:
    """The SA3D box of the second track of sound says nothing of the first."""
    ambikit.write(tmp_path / "a.mp4", chord(4, RATE), RATE)
    data = (tmp_path / "a.mp4").read_bytes()
    make(tmp_path / "b.mp4", chord(4, RATE), "aac", "4.0")
    assert b"SA3D" in data
    assert ambikit.info(tmp_path / "a.mp4").stated_by == "SA3D box"
    assert ambikit.info(tmp_path / "b.mp4").stated_by is None


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mkv"])
def test_parts_of_one_recording(tmp_path: Path, name: str) -> None:
    """Two files of eight channels are one recording of third order."""
    x = chord(16, 9600)
    suffix = Path(name).suffix
    parts = [tmp_path / f"{k}{suffix}" for k in (1, 2)]
    for part, channels in zip(parts, (x[:8], x[8:]), strict=True):
        if suffix == ".mkv":
            make(part, channels, "pcm_f32le", "7.1")
        else:
            ambikit.write(part, channels, RATE, convention="none")
    y, rate = ambikit.read(parts)
    assert (rate, y.shape) == (RATE, x.shape)
    np.testing.assert_allclose(y, x, atol=1e-6)
    span, _ = ambikit.read(parts, start=0.05, duration=0.1, sample_rate=24000)
    whole, _ = ambikit.read(parts, sample_rate=24000)
    np.testing.assert_allclose(span, whole[:, 1200:3600], atol=1e-5)
    about = ambikit.info(parts)
    assert (about.channels, about.frames, about.convention) == (16, 9600, "ambix")
    swapped, _ = ambikit.read(parts[::-1])
    np.testing.assert_allclose(swapped[:8], x[8:], atol=1e-6)


def test_parts_that_do_not_fit(tmp_path: Path) -> None:
    for name, samples, rate in (("a", 9600, 48000), ("b", 9601, 48000), ("c", 9600, 44100)):
        ambikit.write(tmp_path / f"{name}.wav", chord(8, samples), rate, convention="none")
    a, b, c = (tmp_path / f"{name}.wav" for name in "abc")
    with pytest.raises(InputError, match=r"different lengths, \[9600, 9601\]"):
        ambikit.read([a, b])
    with pytest.raises(InputError, match=r"different sample rates: \[44100, 48000\]"):
        ambikit.read([a, c])
    with pytest.raises(InputError, match="24 channels"):
        ambikit.read([a, a, a])
    with pytest.raises(InputError, match="list of files is empty"):
        ambikit.read([])


FILES = ["a.wav", "a.caf", "a.rf64", "a.flac", "a.ogg", "a.m4a", "a.mkv", "a.opus", "a.webm"]


@pytest.mark.parametrize("name", FILES)
def test_bytes_and_open_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    ambikit.write(path, chord(4, RATE), RATE)
    expected, _ = ambikit.read(path)
    part, _ = ambikit.read(path, start=0.6, duration=0.3)
    data = path.read_bytes()
    with path.open("rb") as file, path.open("rb") as other:
        other.read(10)  # a file is read from its beginning
        for given in (data, bytearray(data), memoryview(data), io.BytesIO(data), file, other):
            np.testing.assert_array_equal(ambikit.read(given)[0], expected)
            np.testing.assert_array_equal(ambikit.read(given, start=0.6, duration=0.3)[0], part)
            assert ambikit.info(given) == ambikit.info(path)
    pipe = OneWay(data)
    np.testing.assert_array_equal(ambikit.read(pipe)[0], expected)


class OneWay(io.RawIOBase):
    """A stream in which there is no going back."""

    def __init__(self, data: bytes):
        self._rest = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._rest.read(size)


@pytest.mark.parametrize("name", FILES)
def test_written_to_an_open_file(tmp_path: Path, name: str) -> None:
    x = chord(4, RATE)
    memory = io.BytesIO()
    ambikit.write(memory, x, RATE, format=Path(name).suffix)
    ambikit.write(tmp_path / name, x, RATE)
    expected, _ = ambikit.read(tmp_path / name)
    np.testing.assert_allclose(ambikit.read(memory)[0], expected, atol=1e-6)
    with (tmp_path / f"other{Path(name).suffix}").open("wb") as file:  # its name says the format
        ambikit.write(file, x, RATE)
    assert (
        ambikit.info(tmp_path / f"other{Path(name).suffix}").frames == ambikit.info(memory).frames
    )


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (b"", InputError, "gave no bytes"),
        (io.BytesIO(), InputError, "is empty"),
        (io.StringIO("text"), TypeError, "open for text"),
        (b"no sound" * 100, InputError, "the bytes cannot be decoded"),
        (3, TypeError, "must be a path, bytes, an open binary file"),
        (None, TypeError, "must be a path"),
        (np.zeros((4, 10)), TypeError, "must be a path"),
    ],
)
def test_what_is_no_file(given: object, error: type, message: str) -> None:
    for function in (ambikit.read, ambikit.info):
        with pytest.raises(error, match=message):
            function(given)


class Hesitant(io.BytesIO):
    """A file of which each read gives little, as files on a network do."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size, 700) if size and size > 0 else size)


@pytest.mark.parametrize("name", ["a.wav", "a.caf", "a.flac", "a.ogg", "a.m4a", "a.mkv"])
def test_reads_that_give_less_than_asked_for(tmp_path: Path, name: str) -> None:
    ambikit.write(tmp_path / name, chord(4, RATE), RATE)
    expected, _ = ambikit.read(tmp_path / name)
    np.testing.assert_array_equal(
        ambikit.read(Hesitant((tmp_path / name).read_bytes()))[0], expected
    )


def test_memory_mapped_files_are_read_twice(tmp_path: Path) -> None:
    ambikit.write(tmp_path / "a.wav", chord(4), RATE)
    with (
        (tmp_path / "a.wav").open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        for _ in range(2):
            np.testing.assert_array_equal(ambikit.read(mapped)[0], chord(4))


def test_open_files_that_take_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"here before")
    with (tmp_path / "a.wav").open("r+") as text, (tmp_path / "a.wav").open("rb") as closed:
        for file in (text, closed, io.StringIO()):
            with pytest.raises(TypeError, match="takes no bytes: open it with mode 'wb'"):
                ambikit.write(file, chord(4), RATE, format="wav")  # type: ignore[arg-type]
    assert (tmp_path / "a.wav").read_bytes() == b"here before"


def test_a_segment_without_its_beginning_is_named(tmp_path: Path) -> None:
    """Alone it cannot be decoded; behind its initialisation segment it can, with what it holds."""
    flags = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    make(tmp_path / "a.mp4", chord(4, RATE), "aac", "4.0", container_options=flags)
    data = (tmp_path / "a.mp4").read_bytes()
    at = data.index(b"moof") - 4
    styp = struct.pack(">I4s4sI", 16, b"styp", b"msdh", 0)
    for segment in (data[at:], styp + data[at:]):
        for function in (ambikit.info, ambikit.read):
            with pytest.raises(InputError, match=r"DASH or CMAF.*initialisation segment"):
                function(segment)
        np.testing.assert_array_equal(
            pitches(ambikit.read(data[:at] + segment)[0]), [300, 400, 500, 600]
        )


def test_head_locked_stereo_is_hinted_at(tmp_path: Path) -> None:
    """The hint works; no hint is given that would turn a horizontal .amb file wrong."""
    six = chord(6)
    ambikit.write(tmp_path / "a.wav", six, RATE, convention="none")
    with pytest.raises(InputError, match=r"pass convention='ambix\+stereo'"):
        ambikit.read(tmp_path / "a.wav")
    np.testing.assert_array_equal(
        ambikit.read(tmp_path / "a.wav", convention="ambix+stereo")[0], six[:4]
    )


def test_an_open_file_without_a_name_needs_a_format() -> None:
    for options in ({}, {"format": ".mp3"}):
        with pytest.raises(InputError, match=r"format=|file extension"):
            ambikit.write(io.BytesIO(), chord(4), RATE, **options)
    with pytest.raises(TypeError, match="must be a path or an open file"):
        ambikit.write(None, chord(4), RATE)


@POSIX
def test_pipes_by_name(tmp_path: Path) -> None:
    """``ambikit info /dev/stdin``: a pipe has no size, and is read once."""
    x = chord(4, 9600)
    ambikit.write(tmp_path / "a.wav", x, RATE)
    os.mkfifo(tmp_path / "pipe")
    for given, command in ((True, "cat a.wav > pipe &"), (False, ": > pipe &")):
        subprocess.run(command, shell=True, cwd=tmp_path, check=True)
        if given:
            np.testing.assert_array_equal(ambikit.read(tmp_path / "pipe")[0], x)
        else:
            with pytest.raises(InputError, match="pipe gave no bytes"):
                ambikit.read(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"<!DOCTYPE html><title>404</title>" * 50, "not a sound or video file"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n", "not a sound"),
        (b"ffconcat version 1.0\nfile a.wav\n", "not a sound or video file"),
    ],
)
def test_files_that_only_lead_to_others(tmp_path: Path, data: bytes, message: str) -> None:
    """Nothing is fetched, and nothing else is opened, on the word of a file."""
    ambikit.write(tmp_path / "a.wav", chord(4), RATE)
    (tmp_path / "list.m3u8").write_bytes(data)
    with pytest.raises(InputError, match=message):
        ambikit.read(tmp_path / "list.m3u8")


@pytest.mark.parametrize(
    "flags",
    ["dash+global_sidx+delay_moov", "dash", "frag_keyframe+empty_moov", "cmaf", "faststart"],
)
def test_fragments_of_mp4(tmp_path: Path, flags: str) -> None:
    """Their header counts what is skipped at the beginning; right is what FFmpeg decodes."""
    path = tmp_path / "a.mp4"
    make(path, chord(4, RATE), "aac", "4.0", container_options={"movflags": flags})
    with av.open(str(path)) as container:
        decoded = np.concatenate([f.to_ndarray() for f in container.decode(audio=0)], axis=1)
    x, _ = ambikit.read(path)
    assert 0 <= decoded.shape[1] - x.shape[1] < 1024  # an edit list may cut the last block
    np.testing.assert_array_equal(x, decoded[:, : x.shape[1]])
    assert ambikit.info(path).frames == x.shape[1] >= RATE


# Where a file begins


def shifted(path: Path, seconds: float) -> None:
    """Write a click after half a second, in a file whose time stamps begin at `seconds`."""
    x = chord(4, RATE) / 100
    x[:, RATE // 2] = 0.9
    codec = "pcm_s16le" if path.suffix in (".mkv", ".mov") else "aac"
    with_tracks(path, (x, codec, "4.0"), start=seconds)


@pytest.mark.parametrize("seconds", [0.0, 1.46, 5.0, 1000.0])
@pytest.mark.parametrize("suffix", ["mkv", "ts", "mp4"])
def test_a_file_begins_with_its_first_stream(tmp_path: Path, suffix: str, seconds: float) -> None:
    """As FFmpeg has it: `ffmpeg -i` takes the start time off, and no silence is put before."""
    path = tmp_path / f"a.{suffix}"
    shifted(path, seconds)
    x, _ = ambikit.read(path)
    lead = 1024 if suffix == "ts" or (suffix == "mp4" and seconds) else 0  # of AAC, which says none
    assert abs(int(np.abs(x[0]).argmax()) - RATE // 2) <= lead + 50
    assert abs(x.shape[1] - RATE) <= 2100
    part, _ = ambikit.read(path, start=0.4, duration=0.4)
    assert abs(int(np.abs(part[0]).argmax()) - RATE // 10) <= lead + 50


def test_a_gap_stays_silent(tmp_path: Path) -> None:
    """Sound that is missing in the middle does not bring what follows forward."""
    x = chord(4, RATE)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = add_sound(container, "pcm_s16le", 4, "4.0")
        for packet in packets(stream, x):
            if not 0.4 <= float(packet.pts * packet.time_base) < 0.7:
                container.mux(packet)
    y, _ = ambikit.read(tmp_path / "a.mkv")
    assert abs(y.shape[1] - RATE) <= 1024
    end = y.shape[1] - 9000
    np.testing.assert_allclose(y[:, end:], x[:, end : y.shape[1]], atol=0.05)
    assert not y[:, round(0.45 * RATE) : round(0.65 * RATE)].any()


@pytest.mark.parametrize("other", [(2, RATE), (4, 24000)])
def test_a_track_that_changes(tmp_path: Path, other: tuple[int, int]) -> None:
    """Joined recordings of unlike sound: one line with the place, and no mixture."""
    channels, rate = other
    make(tmp_path / "a.ts", chord(4, RATE), "aac", "4.0")
    layout = "stereo" if channels == 2 else "4.0"
    make(tmp_path / "b.ts", chord(channels, rate), "aac", layout, rate=rate)
    joined = (tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes()
    (tmp_path / "c.ts").write_bytes(joined)
    with pytest.raises(InputError, match=rf"changes from 4 channels at {RATE} Hz to"):
        ambikit.read(tmp_path / "c.ts")


@pytest.mark.parametrize("make_name", [str, lambda p: p, os.fspath])
def test_paths_of_any_kind(tmp_path: Path, make_name: Callable[[Path], object]) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((10, 4)), RATE)
    assert ambikit.info(make_name(tmp_path / "a.wav")).frames == 10
