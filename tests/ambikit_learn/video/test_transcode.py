"""Streams that are copied into shards, and clips that are cut out of long files."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import av
import numpy as np
import pytest
import soundfile

import ambikit
from ambikit import InputError
from ambikit_learn.data.dataset import SpanDataset
from ambikit_learn.data.format import read_manifest
from ambikit_learn.preparation.command import prepare
from ambikit_learn.sphere.projection import FrameLayout
from ambikit_learn.video.coding import decode_frames, encode_frames
from ambikit_learn.video.decode import open_video
from ambikit_learn.video.files import layout_of, read_frames, write_video
from ambikit_learn.video.transcode import Picture, copy_span, encode_span, watch_span

SIZE = (48, 96)
BITS = 2 ** np.arange(8)


def transcode(path, start, seconds, *, mode="auto", **options) -> Picture:
    """Copy or code a span, as preparation does."""
    with open_video(path) as video:
        copy = copy_span(video, start, seconds, mode=mode, **options)
        return copy or encode_span(video, start, seconds, **options)


def copied(path, start, seconds):
    with open_video(path) as video:
        return copy_span(video, start, seconds, rate=8.0, size=SIZE, mode="copy")


def digits(index):
    """Picture of a number: bands of latitude, dark for 0 and light for 1, which survive coding."""
    bands = np.where(index & BITS, 190, 60).astype(np.uint8)
    return np.broadcast_to(np.repeat(bands, 6)[:, None, None], (*SIZE, 3))


def number(frames):
    """Numbers that frames of `digits` show."""
    return (frames[:, 3::6, 48, 1] > 125) @ BITS


def frames_held(data):
    """Frames that a member holds, those before its beginning too."""
    with av.open(io.BytesIO(data)) as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))


@pytest.fixture(scope="module", params=["mp4", "mkv", "mov", "ts"])
def counted(request, tmp_path_factory):
    """Ten seconds at 25 frames a second, with B-frames and a key frame each 40 frames."""
    path = tmp_path_factory.mktemp("counted") / f"counted.{request.param}"
    write_video(path, map(digits, range(250)), 25.0, gop=40, quality=5)
    return path


@pytest.mark.parametrize("start", [0.0, 0.04, 0.05, 1.6, 1.61, 3.19, 7.0])
def test_a_copy_shows_what_its_source_shows(counted, start):
    """From whatever frame it is cut, on the grid of its frames or off it."""
    picture = transcode(counted, start, 3.0, rate=8.0, size=SIZE, mode="copy")
    assert picture.copied
    assert picture.seconds == pytest.approx(3.0)
    for rate in (8.0, 10.0, 25.0):
        count = round(3 * rate)
        wanted = number(read_frames(counted, start=start, duration=3.0, rate=rate))
        assert number(decode_frames(picture.data, range(count), rate)).tolist() == wanted.tolist()
        alone = [decode_frames(picture.data, [i], rate) for i in range(0, count, 5)]
        assert number(np.concatenate(alone)).tolist() == wanted[::5].tolist()
    # It begins with the last key frame before, and ends soon after what is asked for.
    assert 75 <= frames_held(picture.data) <= 75 + 40 + 5
    again = transcode(counted, start, 3.0, rate=8.0, size=SIZE, mode="copy")
    assert again.data == picture.data


def test_a_copy_to_the_end_of_its_source(counted):
    picture = copied(counted, 8.0, 2.3)
    assert picture is not None
    assert picture.seconds == pytest.approx(2.0, abs=0.045)
    assert number(decode_frames(picture.data, [0, 15], 8.0)).tolist() == [200, 246]
    with pytest.raises(InputError, match=r"before 13\.00 s: it is truncated"):
        copied(counted, 8.0, 5.0)


def test_only_what_is_already_right_is_copied_unasked(tmp_path):
    grey = np.linspace(60, 90, 32).astype(np.uint8)
    pictures = np.broadcast_to(grey[:, None, None, None], (32, *SIZE, 3))

    def made(name, *, rate=8.0, gop=8, codec="libx264", mode="auto", size=SIZE):
        path = tmp_path / name
        write_video(path, pictures, rate, gop=gop, codec=codec, quality=5)
        return transcode(path, 0.0, 32 / rate, rate=8.0, size=size, mode=mode)

    assert made("right.mp4").copied
    assert not made("right.mp4", mode="encode").copied
    for name, options in {
        "rate.mp4": {"rate": 16.0, "gop": 16},
        "far.mp4": {"gop": 9},
        "size.mp4": {"size": (24, 48)},
    }.items():
        assert not made(name, **options).copied
        assert made(name, **options, mode="copy").copied
    assert not made("other.mkv", codec="mjpeg", gop=None, mode="copy").copied


def test_what_has_to_be_converted_is_never_copied(tmp_path):
    path = tmp_path / "eyes.mp4"
    write_video(path, map(digits, range(16)), 8.0, gop=8)
    eyes = FrameLayout(stereo="top-bottom")
    picture = transcode(path, 0.0, 2.0, rate=8.0, size=SIZE, layout=eyes, mode="copy")
    assert not picture.copied
    assert picture.layout == eyes


@pytest.mark.parametrize("mode", ["encode", "copy"])
def test_still_pictures_are_told(tmp_path, mode):
    shapes = np.zeros((*SIZE, 3), np.uint8)
    shapes[10:30, 40:70] = 200
    late = [shapes] * 26 + [np.roll(shapes, 8, axis=1)] * 6
    for name, frames, still in (("still", [shapes] * 32, True), ("late", late, False)):
        write_video(tmp_path / f"{name}.mp4", frames, 8.0, quality=30)
        path = tmp_path / f"{name}.mp4"
        picture = transcode(path, 0.0, 4.0, rate=8.0, size=SIZE, mode=mode)
        assert (picture.still, picture.copied) == (still, mode == "copy")


def test_a_truncated_source_is_not_copied(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (100, *SIZE, 3), dtype=np.uint8)
    write_video(tmp_path / "whole.mkv", noise, 25.0)
    data = (tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: int(0.6 * len(data))])
    with pytest.raises(InputError, match=r"cut\.mkv"):
        copied(tmp_path / "cut.mkv", 0.0, 4.0)


def test_a_real_clip_is_copied(test_data):
    path = test_data / "yt360/video/kqAZkf5Odyw-80.mp4"
    picture = transcode(path, 4.3, 3.0, rate=8.0, size=(160, 320), mode="copy")
    assert picture.copied
    assert not picture.still
    found = decode_frames(picture.data, [0, 9, 23], 8.0)
    assert found.shape == (3, 360, 640, 3)
    wanted = read_frames(path, start=4.3, duration=3.0, rate=8.0)[[0, 9, 23]]
    assert (found == wanted).all()


@pytest.mark.parametrize("content", [b"", b"\0" * 512, b"{}", b"ftyp" * 400])
def test_frames_that_are_none(content):
    with pytest.raises(InputError, match=r"the frames are damaged|there are no frames"):
        decode_frames(content, [0], 8.0)


def test_frames_cut_short():
    picture = np.random.default_rng(0).integers(0, 256, (40, 32, 64, 3), dtype=np.uint8)
    data = encode_frames(picture, 8.0)
    for share in (0.3, 0.9):
        with pytest.raises(InputError, match=r"the frames are damaged|there are no frames"):
            decode_frames(data[: int(share * len(data))], [39], 8.0)


def write_ramps(video, audio, seconds, rate=8.0, sample_rate=24000):
    """Picture and sound that both tell the time: `digits` of frames, and a rising level."""
    for path in (video, audio):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_video(video, (digits(i % 256) for i in range(round(seconds * rate))), rate, quality=5)
    level = np.linspace(0, 0.9, round(seconds * sample_rate), endpoint=False, dtype=np.float32)
    gains = np.array([1.0, 0.5, 0.25, 0.125], np.float32)
    ambikit.write(audio, gains[:, None] * level, sample_rate)


def check_times(out, key, start, seconds, of):
    """Check that picture and sound of a clip are those of its time in a file of some length."""
    spans = SpanDataset(out, "train", spans=3, frames=1, size=8)
    numbers = [i for i in range(len(spans)) if spans[i].key == key]
    assert len(numbers) == 3
    for i in numbers:
        begin = start + float(spans[i].start)
        scene = spans.scene(i)
        shown = number(scene.frame[None])[0]
        assert shown == int((begin + 0.5) * 8 + 1e-6) % 256
        heard = scene.sound[:, 0] / 0.9 * of
        assert heard == pytest.approx(begin * np.array([1, 0.5, 0.25, 0.125]), abs=2e-3 * of)
    assert seconds >= spans[numbers[-1]].start + 1.0


@pytest.mark.parametrize("video", ["encode", "copy"])
def test_yt360_as_published(tmp_path, video):
    """Whole videos and the released lists: each clip has the picture and sound of its second."""
    source = tmp_path / "yt360"
    write_ramps(source / "video" / "abcdefghij1.mp4", source / "audio" / "abcdefghij1.flac", 31.0)
    write_ramps(source / "video" / "abcdefghij2.mp4", source / "audio" / "abcdefghij2.flac", 12.0)
    (source / "train.txt").write_text("abcdefghij1\nabcdefghij2\n")
    (source / "test.txt").write_text("zzzzzzzzzzz\n")
    (source / "segments.txt").write_text("abcdefghij1 3,20\nabcdefghij2 1,11,40\nzzzzzzzzzzz 0\n")
    summary = prepare(source, tmp_path / "out", video_mode=video, frame_size=SIZE, workers=0)
    rows = {row["key"]: row for row in read_manifest(tmp_path / "out").to_pylist()}
    assert {key: row["duration"] for key, row in rows.items()} == {
        "abcdefghij1-3": 10.0,
        "abcdefghij1-20": 10.0,
        "abcdefghij2-1": 10.0,
        "abcdefghij2-11": 1.0,
        "abcdefghij2-40": None,
        "zzzzzzzzzzz-0": None,
    }
    assert summary.left_out == {"too short": 1, "missing file": 1}
    assert "ends at 12.00 s" in rows["abcdefghij2-40"]["detail"]
    assert {row["copied"] for row in rows.values()} == {video == "copy", None}
    assert rows["abcdefghij1-20"]["start"] == 20.0
    check_times(tmp_path / "out", "abcdefghij1-3", 3.0, 10.0, of=31.0)
    check_times(tmp_path / "out", "abcdefghij1-20", 20.0, 10.0, of=31.0)


def test_a_long_file_is_cut(tmp_path):
    source = tmp_path / "clips"
    write_ramps(source / "long.mp4", source / "long.flac", 25.5)
    write_ramps(source / "short.mp4", source / "short.flac", 11.0)
    prepare(source, tmp_path / "out", source="folder", segment=6.0, frame_size=SIZE, workers=1)
    rows = read_manifest(tmp_path / "out").to_pylist()
    assert [(row["key"], row["start"], row["duration"]) for row in rows] == [
        ("long-000", 0.0, 6.0),
        ("long-006", 6.0, 6.0),
        ("long-012", 12.0, 6.0),
        ("long-018", 18.0, 7.5),
        ("short", 0.0, 11.0),
    ]
    check_times(tmp_path / "out", "long-018", 18.0, 7.5, of=25.5)
    with pytest.raises(InputError, match=r"segment 6\.0, not 10\.0"):
        prepare(source, tmp_path / "out", source="folder", frame_size=SIZE, workers=0)


def test_two_files_whose_clips_would_have_one_name(tmp_path):
    for name, seconds in (("a", 20.0), ("a-010", 2.0)):
        write_ramps(tmp_path / "in" / f"{name}.mp4", tmp_path / "in" / f"{name}.flac", seconds)
    with pytest.raises(InputError, match="would both be clip 'a-010'"):
        prepare(tmp_path / "in", tmp_path / "out", source="folder", segment=10.0, workers=0)


MEASURE = """
import json, sys
from ambikit_learn.preparation.command import prepare
def held():  # not by getrusage, which counts the process that started this one
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1e3
prepare(sys.argv[1], sys.argv[2], source="folder", frame_size=(48, 96), workers=0)
short = held()
prepare(sys.argv[3], sys.argv[4], source="folder", frame_size=(48, 96), workers=0)
print(json.dumps([short, held()]))
"""


@pytest.mark.slow
def test_the_length_of_a_file_does_not_cost_memory(tmp_path):
    """Twenty minutes at 48 kHz are 920 MB of sound as floats, a clip of ten seconds has 8 MB."""
    for name, seconds in (("short", 20.0), ("long", 1200.0)):
        (tmp_path / name).mkdir()
        frames = (digits(i % 256) for i in range(round(8 * seconds)))
        write_video(tmp_path / name / "a.mp4", frames, 8.0, quality=10)
        rng = np.random.default_rng(0)
        with soundfile.SoundFile(tmp_path / name / "a.wav", "w", 48000, 4, "PCM_16") as file:
            for _ in range(round(seconds)):
                file.write(0.1 * rng.standard_normal((48000, 4)))
    folders = [str(tmp_path / name) for name in ("short", "short-out", "long", "long-out")]
    command = [sys.executable, "-c", MEASURE, *folders]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    short, long = json.loads(done.stdout.splitlines()[-1])
    assert long < 400
    assert long - short < 60
    assert len(read_manifest(tmp_path / "long-out")) == 120


class Keeper:
    """A watcher that keeps what it is shown."""

    def __init__(self, times) -> None:
        self.times, self.begun, self.frames = np.asarray(times, float), 0, []

    def begin(self) -> None:
        self.begun, self.frames = self.begun + 1, []

    def take(self, frame) -> None:
        self.frames.append(frame)


@pytest.mark.parametrize("start", [0.0, 1.6, 3.19])
def test_one_pass_serves_storage_and_who_watches(counted, start):
    """Both see what each would see alone, whichever wants a frame first."""
    options = {"rate": 8.0, "size": (24, 48), "layout": FrameLayout()}
    times = [0.0, 0.04, 0.125, 0.3, 0.3, 1.0, 2.4, 2.49]
    keeper = Keeper(times)
    with open_video(counted) as video:
        alone = encode_span(video, start, 2.5, **options)
        together = encode_span(video, start, 2.5, watcher=keeper, **options)
    assert together == alone
    assert keeper.begun == 1
    wanted = [read_frames(counted, start=start + t, duration=0.01, rate=100.0)[0] for t in times]
    np.testing.assert_array_equal(keeper.frames, wanted)


def test_who_watches_a_copy_sees_the_source(counted):
    keeper = Keeper([0.0, 0.5, 1.0])
    with open_video(counted) as video:
        assert copy_span(video, 2.0, 2.0, rate=8.0, size=SIZE, mode="copy") is not None
        watch_span(video, 2.0, FrameLayout(), keeper)
    wanted = read_frames(counted, start=2.0, duration=1.5, rate=2.0)
    np.testing.assert_array_equal(keeper.frames, wanted)


def test_an_open_file_may_be_asked_anything_in_any_order(counted):
    """What is read does not depend on what was read before."""
    with open_video(counted) as video:
        layout_of(video, 3.0)
        first = encode_span(video, 0.0, 2.0, rate=8.0, size=SIZE, layout=FrameLayout())
        copy_span(video, 4.0, 2.0, rate=8.0, size=SIZE, mode="copy")
        layout_of(video, 1.0)
        second = encode_span(video, 0.0, 2.0, rate=8.0, size=SIZE, layout=FrameLayout())
    assert first == second == transcode(counted, 0.0, 2.0, rate=8.0, size=SIZE, mode="encode")


def test_a_first_frame_that_looks_otherwise_costs_a_pass(tmp_path, monkeypatch):
    """The frames that are looked at decide, as if nothing had been guessed."""
    path = tmp_path / "a.mp4"
    write_video(path, map(digits, range(64)), 8.0, gop=8, quality=5)
    keeper, seen = Keeper([0.0, 1.0]), []

    def otherwise(frames, shape, stereo):
        seen.append(len(frames))
        return FrameLayout("eac") if len(frames) == 1 else FrameLayout()

    wanted = transcode(path, 0.0, 4.0, rate=8.0, size=SIZE, mode="encode")
    monkeypatch.setattr("ambikit_learn.video.transcode.recognise", otherwise)
    with open_video(path) as video:
        picture = encode_span(video, 0.0, 4.0, rate=8.0, size=SIZE, watcher=keeper)
    assert picture.data == wanted.data
    assert seen == [1, 16, 16]
    assert keeper.begun == 2
    np.testing.assert_array_equal(keeper.frames, read_frames(path, duration=2.0, rate=1.0))
