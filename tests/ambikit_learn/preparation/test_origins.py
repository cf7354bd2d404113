"""Picture and sound of one file are prepared from one origin: a flash and a click coincide."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from ambikit import InputError
from ambikit_learn.data.format import read_manifest
from ambikit_learn.data.sound import decode_sound
from ambikit_learn.preparation.command import prepare
from ambikit_learn.video.coding import decode_frames

RATE, FRAMES = 24000, 25
# Suffix, container, codec of four channels, options of the container.
FILES = {
    "mp4": (".mp4", "mp4", "aac", {}),
    "mov": (".mov", "mov", "pcm_s16le", {}),
    "matroska": (".mkv", "matroska", "flac", {}),
    "transport stream": (".ts", "mpegts", "aac", {}),
    "fragments": (
        ".mp4",
        "mp4",
        "aac",
        {"movflags": "frag_keyframe+delay_moov+default_base_moof"},
    ),
}
SIZE = (80, 160)


def picture(stream, begin, flash, times):
    """Encode frames of which the one at the flash is bright; something always moves."""
    packets = []
    for i in times:
        time = begin + i / FRAMES
        frame = np.full((*SIZE, 3), 220 if abs(time - flash) < 0.5 / FRAMES else 40, np.uint8)
        frame[:, :80] //= 2
        frame[i % 60 : i % 60 + 8] = 90
        coded = av.VideoFrame.from_ndarray(frame, format="rgb24")
        coded.pts, coded.time_base = round(time * FRAMES), Fraction(1, FRAMES)
        packets += stream.encode(coded)
    return packets + stream.encode(None)


def sound(stream, begin, click, seconds):
    """Encode a faint noise with one click."""
    x = np.random.default_rng(0).normal(0, 0.002, (4, round(seconds * RATE)))
    place = round((click - begin) * RATE)
    x[:, place : place + 120] += 0.8 * np.array([[1], [0.5], [0.2], [0.6]])
    packets = []
    for start in range(0, x.shape[1], 1024):
        block = x[:, start : start + 1024]
        kind = stream.codec_context.format.name
        if kind == "s16":
            block, kind = (block.T.reshape(1, -1) * 32767).astype(np.int16), "s16"
        elif kind == "fltp":
            block = np.ascontiguousarray(block, np.float32)
        coded = av.AudioFrame.from_ndarray(block, format=kind, layout="4.0")
        coded.sample_rate, coded.time_base = RATE, Fraction(1, RATE)
        coded.pts = round(begin * RATE) + start
        packets += stream.encode(coded)
    return packets + stream.encode(None)


def write_file(path, kind, seen, heard, moment, seconds=4.0, without=()):
    """Write a file whose picture and sound begin at two times and flash and click at one."""
    _, container, codec, options = FILES[kind]
    options = options | {"avoid_negative_ts": "disabled"}
    with av.open(str(path), "w", format=container, options=options) as file:
        video = file.add_stream("libx264", rate=FRAMES, options={"bf": "0", "g": "25"})
        video.height, video.width = SIZE
        video.pix_fmt, video.codec_context.time_base = "yuv420p", Fraction(1, FRAMES)
        audio = file.add_stream(codec, rate=RATE, layout="4.0")
        times = [i for i in range(round(seconds * FRAMES)) if i not in without]
        packets = picture(video, seen, moment, times) + sound(audio, heard, moment, seconds)
        for packet in sorted(packets, key=lambda one: float(one.dts * one.time_base)):
            file.mux(packet)


def prepared(folder, **options):
    """Prepare the only file of a folder; return its row, and when it flashes and clicks."""
    out = folder.parent / "out"
    settings = {"source": "folder", "workers": 0, "projection": "equirectangular"}
    settings["convention"] = "ambix"  # QuickTime names four loudspeakers
    settings |= {"frame_size": SIZE, "frame_rate": float(FRAMES)}
    prepare(folder, out, **settings, **options)
    (row,) = read_manifest(out).to_pylist()
    assert row["status"] == "ok", row["detail"]
    shard = (out / "shards" / row["shard"]).read_bytes()

    def part(name):
        first = row[f"{name}_offset"]
        return shard[first : first + row[f"{name}_bytes"]]

    frames = decode_frames(part("frames"), range(row["frames"]), float(FRAMES))
    w = np.abs(decode_sound(part("sound"), 0, row["samples"], row["gain"])[0])
    click = np.flatnonzero(w > 0.4 * w.max())[0] / RATE
    return row, int(frames[:, 79, 120, 1].argmax()) / FRAMES, float(click)


@pytest.mark.parametrize("mode", ["encode", "copy"])
@pytest.mark.parametrize(
    ("seen", "heard"), [(0, 0), (5, 5), (1.4, 1.4), (1, 0), (0, 1), (6, 5), (5, 6)]
)
@pytest.mark.parametrize("kind", FILES)
def test_flash_and_click_coincide(tmp_path, kind, seen, heard, mode):
    """From the later of the two beginnings on, within a frame."""
    folder = tmp_path / "in"
    folder.mkdir()
    begin = max(seen, heard)
    write_file(folder / f"a{FILES[kind][0]}", kind, seen, heard, begin + 1.52)
    row, flash, click = prepared(folder, video_mode=mode)
    assert abs(flash - click) <= 1.0 / FRAMES
    # AAC begins with 1,024 samples of lead.
    assert 1.52 - 2e-3 <= click <= 1.52 + 1024 / RATE + 2e-3
    assert row["duration"] == pytest.approx(4.0 - abs(seen - heard), abs=0.09)
    assert row["start"] == pytest.approx(abs(seen - heard), abs=1024 / RATE + 2e-3)


@pytest.mark.parametrize("kind", ["mp4", "matroska", "transport stream"])
def test_parts_that_were_cut_without_decoding(tmp_path, kind):
    """Packets from a key frame on, with their time stamps, as ``ffmpeg -c copy -f segment``."""
    suffix, container, *_ = FILES[kind]
    write_file(tmp_path / f"whole{suffix}", kind, 0, 0, 4.52, seconds=7.0)
    folder = tmp_path / "in"
    folder.mkdir()
    with (
        av.open(str(tmp_path / f"whole{suffix}")) as old,
        av.open(str(folder / f"part{suffix}"), "w", format=container) as new,
    ):
        streams = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        begin = max(0, old.start_time or 0) / av.time_base
        first = next(
            float(packet.pts * packet.time_base)
            for packet in old.demux(video=0)
            if packet.is_keyframe and packet.pts * packet.time_base >= 3
        )
        old.seek(0)
        for packet in old.demux():
            if packet.dts is not None and float(packet.pts * packet.time_base) >= first - 1e-3:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    _, flash, click = prepared(folder)
    assert abs(flash - click) <= 1.0 / FRAMES
    # FLAC has 4,608 samples a packet: the part begins where both have begun.
    assert abs(4.52 - (first - begin) - click) <= 4608 / RATE + 2e-3


@pytest.mark.parametrize("mode", ["encode", "copy"])
def test_seconds_without_frames_are_noted(tmp_path, mode):
    folder = tmp_path / "in"
    folder.mkdir()
    write_file(folder / "a.mp4", "mp4", 0, 0, 1.52, without=range(50, 80))
    row, flash, click = prepared(folder, video_mode=mode)
    assert row["notes"] == ["gaps"]
    assert abs(flash - click) <= 1.0 / FRAMES


def test_channels_and_track_can_be_stated(tmp_path):
    """The order and level of B-format's channels (FuMa: W / √2, X, Y, Z), and which track it is."""
    folder = tmp_path / "in"
    folder.mkdir()
    field = np.array([1.0, 0.5, 0.2, 0.6])  # W, Y, Z, X
    stored = field[[0, 3, 1, 2]] * [np.sqrt(0.5), 1, 1, 1]
    with av.open(str(folder / "a.mkv"), "w") as file:
        video = file.add_stream("libx264", rate=FRAMES)
        video.height, video.width = SIZE
        video.pix_fmt = "yuv420p"
        tracks = [file.add_stream("pcm_s16le", rate=RATE, layout="4.0") for _ in range(2)]
        packets = picture(video, 0, 0.5, range(50))
        for gain, track in zip((0.0, 0.5), tracks, strict=True):
            ramp = gain * stored[:, None] * np.sin(np.arange(2 * RATE) / 20)
            block = (ramp.T.reshape(1, -1) * 32767).astype(np.int16)
            coded = av.AudioFrame.from_ndarray(block, format="s16", layout="4.0")
            coded.sample_rate, coded.pts, coded.time_base = RATE, 0, Fraction(1, RATE)
            packets += track.encode(coded)
        for packet in packets:
            file.mux(packet)
    out = tmp_path / "out"
    options = {"source": "folder", "workers": 0, "frame_size": SIZE}
    options["projection"] = "equirectangular"
    prepare(folder, out, **options, convention="FuMa", track=1)
    (row,) = read_manifest(out).to_pylist()
    assert row["status"] == "ok", row["detail"]
    shard = (out / "shards" / row["shard"]).read_bytes()
    data = shard[row["sound_offset"] : row["sound_offset"] + row["sound_bytes"]]
    found = np.abs(decode_sound(data, 0, row["samples"], row["gain"])).max(axis=1)
    assert found == pytest.approx(0.5 * field, abs=1e-3)
    assert prepare(folder, tmp_path / "no", **options, check=True).left_out == {"silent": 1}
    with pytest.raises(InputError, match=r"unknown convention 'bformat'"):
        prepare(folder, tmp_path / "no", **options, convention="bformat")
    with pytest.raises(InputError, match=r"convention 'none' leaves the channels as they are"):
        prepare(folder, tmp_path / "no", **options, convention="none")
