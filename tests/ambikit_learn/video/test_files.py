"""Frames of videos, at exact times."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambikit import InputError
from ambikit_learn.video.files import probe, read_frames, resize, write_video

COUNT = 100


BITS = 2 ** np.arange(8)


def digits(index):
    """Picture of a number: eight stripes, dark for 0 and light for 1, which survive any coding."""
    stripes = np.where(index & BITS, 190, 60).astype(np.uint8)
    return np.broadcast_to(np.repeat(stripes, 12)[:, None], (48, 96, 3))


def number(frames):
    """Numbers that frames of `digits` show."""
    return (frames[:, 24, 6::12, 1] > 125) @ BITS


@pytest.fixture(scope="module", params=["mp4", "mkv", "mov", "mjpeg.mkv", "mjpeg.avi"])
def counted(request, tmp_path_factory):
    """100 frames at 25 a second, B-frames and a key frame each 40 frames (or MJPEG)."""
    path = tmp_path_factory.mktemp("counted") / f"counted.{request.param}"
    codec = "mjpeg" if "mjpeg" in request.param else "libx264"
    gop = None if codec == "mjpeg" else 40
    write_video(path, map(digits, range(COUNT)), 25.0, codec=codec, gop=gop, quality=5)
    return path


def test_probe(counted):
    info = probe(counted)
    assert (info.width, info.height, info.frame_rate) == (96, 48, 25.0)
    assert info.duration == pytest.approx(4.0, abs=0.045)
    assert info.video_codec == ("mjpeg" if "mjpeg" in counted.name else "h264")
    assert not info.has_audio


def test_all_frames_at_the_own_rate(counted):
    assert number(read_frames(counted)).tolist() == list(range(COUNT))


@pytest.mark.parametrize("start", [0.0, 0.04, 0.5, 1.6, 1.61, 2.39, 3.96])
@pytest.mark.parametrize("rate", [None, 8.0, 10.0, 60.0])
def test_a_span_gets_the_frames_that_are_shown_then(counted, start, rate):
    duration = min(1.0, 4.0 - start)
    frames = read_frames(counted, start=start, duration=duration, rate=rate)
    count = max(1, round(duration * (rate or 25)))
    # In whole milliseconds, where the frame that begins at 40 n ms is plainly told.
    times = np.rint(1e4 * (start + np.arange(count) / (rate or 25))) / 10
    assert (number(frames) == np.minimum((times + 0.05) // 40, COUNT - 1)).all()


@given(st.floats(0, 3.5), st.floats(0.05, 0.4), st.floats(2, 50))
def test_any_span(tmp_path_factory, start, duration, rate):
    path = tmp_path_factory.getbasetemp() / "any.mp4"
    if not path.exists():
        write_video(path, map(digits, range(COUNT)), 25.0, gop=30, quality=5)
    frames = read_frames(path, start=start, duration=duration, rate=rate)
    times = start + np.arange(len(frames)) / rate
    clear = np.abs(times * 25 - np.rint(times * 25)) > 0.02
    assert (number(frames)[clear] == np.floor(times[clear] * 25)).all()


def test_ntsc_rate_in_matroska_loses_no_frame(tmp_path):
    """Stamps in whole milliseconds fall on either side of the frames' true times."""
    write_video(tmp_path / "a.mkv", map(digits, range(COUNT)), 30000 / 1001, quality=5)
    assert number(read_frames(tmp_path / "a.mkv")).tolist() == list(range(COUNT))
    assert number(read_frames(tmp_path / "a.mkv", start=50 * 1001 / 30000))[:3].tolist() == [
        50,
        51,
        52,
    ]


def test_time_counts_from_the_first_stamp_of_the_file(tmp_path):
    """MPEG transport streams begin at 1.4 s, as recordings of broadcasts do at any time."""
    write_video(tmp_path / "a.ts", map(digits, range(COUNT)), 25.0, gop=20, quality=5)
    frames = read_frames(tmp_path / "a.ts", start=1.0, duration=1.0, rate=5.0)
    assert number(frames).tolist() == [25, 30, 35, 40, 45]


def test_size_and_colour(tmp_path):
    picture = np.zeros((64, 128, 3), np.uint8)
    picture[:, :64] = (200, 30, 40)
    picture[:32, 64:] = (20, 60, 220)
    write_video(tmp_path / "a.mp4", [picture] * 3, 10.0, quality=1)
    back = read_frames(tmp_path / "a.mp4", size=(32, 64))
    assert back.shape == (3, 32, 64, 3)
    inner = np.s_[:, 4:12, 4:28], np.s_[:, 4:12, 36:60], np.s_[:, 20:28, 36:60]
    for place, colour in zip(inner, [(200, 30, 40), (20, 60, 220), (0, 0, 0)], strict=True):
        assert np.abs(back[place].astype(int) - colour).max() <= 6


def test_resize_is_the_mean_of_what_it_covers():
    noise = np.random.default_rng(0).integers(0, 256, (2, 3, 64, 128, 3), dtype=np.uint8)
    small = resize(noise, (8, 16))
    means = noise.reshape(2, 3, 8, 8, 16, 8, 3).mean(axis=(3, 5))
    assert small.shape == means.shape
    # Bilinear weights reach further than a block; point sampling would differ by 70 on average.
    assert np.abs(small - means).mean() < 8


def test_lower_quality_is_smaller(tmp_path):
    noise = list(np.random.default_rng(0).integers(0, 256, (4, 48, 96, 3), dtype=np.uint8))
    for codec, values in {"libx264": (10, 40), "mjpeg": (2, 20)}.items():
        sizes = []
        for quality in values:
            path = tmp_path / f"{codec}{quality}.mkv"
            write_video(path, noise, 8.0, codec=codec, quality=quality)
            sizes.append(path.stat().st_size)
        assert sizes[0] > 2 * sizes[1]


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "mjpeg")])
def test_the_same_frames_are_the_same_bytes(tmp_path, name, codec):
    files = []
    for _ in range(3):
        write_video(tmp_path / name, map(digits, range(9)), 25.0, codec=codec)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1] == files[2]


def test_a_failed_write_leaves_nothing(tmp_path):
    def broken():
        yield digits(0)
        raise RuntimeError("no more")

    write_video(tmp_path / "a.mp4", [digits(7)], 25.0)
    with pytest.raises(RuntimeError):
        write_video(tmp_path / "a.mp4", broken(), 25.0)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    assert number(read_frames(tmp_path / "a.mp4")).tolist() == [7]


def test_write_says_what_is_wrong(tmp_path):
    cases = {
        "at least one": ("a.mp4", [], "libx264"),
        "even": ("a.mp4", [np.zeros((9, 16, 3), np.uint8)], "libx264"),
        "one size": ("a.mp4", [digits(0), np.zeros((8, 16, 3), np.uint8)], "libx264"),
        "h265": ("a.mp4", [digits(0)], "h265"),
        r"a\.nonsense names no video container": ("a.nonsense", [digits(0)], "libx264"),
    }
    for message, (name, frames, codec) in cases.items():
        with pytest.raises(InputError, match=message):
            write_video(tmp_path / name, frames, 25.0, codec=codec)
    with pytest.raises(TypeError, match="uint8"):
        write_video(tmp_path / "a.mp4", [digits(0).astype(float)], 25.0)
    assert list(tmp_path.iterdir()) == []


def truncated(source, target, share):
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def test_truncated_files(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (COUNT, 48, 96, 3), dtype=np.uint8)
    write_video(tmp_path / "index_last.mp4", noise, 25.0)
    with pytest.raises(InputError, match="truncated"):
        probe(truncated(tmp_path / "index_last.mp4", tmp_path / "cut.mp4", 0.6))
    # With the index first, as for streaming, the header is whole and promises 4 s.
    with (
        av.open(str(tmp_path / "index_last.mp4")) as whole,
        av.open(str(tmp_path / "first.mp4"), "w", options={"movflags": "faststart"}) as out,
    ):
        stream = out.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    cut = truncated(tmp_path / "first.mp4", tmp_path / "first_cut.mp4", 0.6)
    assert probe(cut).duration == pytest.approx(4.0)
    with pytest.raises(InputError, match=r"first_cut\.mp4"):
        read_frames(cut)
    assert len(read_frames(cut, duration=1.0)) == 25
    write_video(tmp_path / "whole.mkv", noise, 25.0)
    cut = truncated(tmp_path / "whole.mkv", tmp_path / "cut.mkv", 0.6)
    with pytest.raises(InputError, match=r"cut\.mkv"):
        read_frames(cut)


def test_files_that_are_no_video(tmp_path, test_data):
    with pytest.raises(FileNotFoundError, match="absent"):
        probe(tmp_path / "absent.mp4")
    (tmp_path / "text.mp4").write_text("These are words and no video at all. " * 100)
    with pytest.raises(InputError, match=r"text\.mp4 cannot be read as video"):
        read_frames(tmp_path / "text.mp4")
    (tmp_path / "nothing.mp4").touch()
    with pytest.raises(InputError, match="empty"):
        read_frames(tmp_path / "nothing.mp4")
    shutil.copy(test_data / "yt360/audio/kqAZkf5Odyw-80.m4a", tmp_path / "sound.mp4")
    with pytest.raises(InputError, match="no video stream"):
        read_frames(tmp_path / "sound.mp4")


@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "mkv"])
def test_a_file_does_not_lead_to_others(tmp_path, suffix):
    """FFmpeg would open what a playlist or a script names."""
    write_video(tmp_path / "other.ts", map(digits, range(50)), 25.0)
    concat = "ffconcat version 1.0\nfile other.ts\n"
    hls = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{tmp_path}/other.ts\n#EXT-X-ENDLIST\n"
    for text in (concat, hls):
        (tmp_path / f"a.{suffix}").write_text(text)
        with pytest.raises(InputError, match="cannot be read as video"):
            probe(tmp_path / f"a.{suffix}")


def test_a_wrong_suffix_does_not_matter(tmp_path):
    write_video(tmp_path / "a.mp4", [digits(5)] * 3, 25.0)
    (tmp_path / "a.mp4").rename(tmp_path / "a.txt")
    assert number(read_frames(tmp_path / "a.txt")).tolist() == [5, 5, 5]


PROBE_B_FORMAT = """
import av, struct, sys
import numpy as np
from ambikit_learn.video.files import probe

with av.open("a.mov", "w") as container:
    sound = container.add_stream("pcm_s16le", rate=48000, layout="4.0")
    picture = container.add_stream("libx264", rate=10)
    picture.width = picture.height = 32
    for k in range(10):
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))
        container.mux(picture.encode(frame))
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 4 * 48000), np.int16), "s16", "4.0")
    frame.sample_rate = 48000
    container.mux([*sound.encode(frame), *sound.encode(None), *picture.encode(None)])
data = bytearray(open("a.mov", "rb").read())
at = data.index(b"chan") + 8
data[at : at + 4] = struct.pack(">I", 107 << 16 | 4)  # kAudioChannelLayoutTag_Ambisonic_B_Format
open("a.mov", "wb").write(data)
assert probe("a.mov").has_audio
"""


def test_sound_that_lists_its_channels(tmp_path):
    """PyAV would free FFmpeg's list of them, which ends the process: so in one of its own."""
    root = Path(__file__).resolve().parents[3]
    run = subprocess.run(
        [sys.executable, "-c", PROBE_B_FORMAT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]


@pytest.mark.parametrize(
    "tag", [b"nan:00:00.50000000", b"inf:00:00.50000000", b"in Stra\xdfe \xff , 2020"]
)
def test_a_length_that_makes_no_sense_is_not_believed(tmp_path, tag):
    """Also text that is not UTF-8, as old programs write it: the length is the file's then."""
    write_video(tmp_path / "a.mkv", [digits(n) for n in range(5)], 10.0)
    data = (tmp_path / "a.mkv").read_bytes()
    assert data.count(b"00:00:00.500000000") == 1
    (tmp_path / "a.mkv").write_bytes(data.replace(b"00:00:00.500000000", tag))
    assert probe(tmp_path / "a.mkv").duration == 0.5
    assert number(read_frames(tmp_path / "a.mkv")).tolist() == [0, 1, 2, 3, 4]


def test_a_video_without_frames(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 48, "yuv420p"
        container.start_encoding()
    with pytest.raises(InputError, match=r"a\.mkv"):
        read_frames(tmp_path / "a.mkv", duration=1.0)


def test_spans_outside(counted):
    with pytest.raises(InputError, match="start must lie within"):
        read_frames(counted, start=4.5)
    with pytest.raises(InputError, match="start must lie within"):
        read_frames(counted, start=-1.0)
    with pytest.raises(InputError, match=r"ends before 4\.48 s and should reach 5\.96 s"):
        read_frames(counted, start=2.0, duration=4.0)
    # The tracks of a file seldom end together: the last frame is held for half a second.
    assert number(read_frames(counted, start=3.8, duration=0.6, rate=5.0)).tolist() == [95, 99, 99]


def test_a_real_clip_is_entered_anywhere(test_data):
    path = test_data / "yt360/video/kqAZkf5Odyw-80.mp4"
    info = probe(path)
    assert (info.width, info.height, info.frame_rate, info.has_audio) == (640, 360, 24.0, True)
    whole = read_frames(path, size=(90, 160))
    assert len(whole) == 240
    for start in (2.0, 5.5, 9.0):
        part = read_frames(path, start=start, duration=0.5, size=(90, 160))
        first = round(start * 24)
        assert (part == whole[first : first + 12]).all()
