"""Picture and sound of one file are prepared from one origin: a flash and a click coincide."""

from __future__ import annotations

import struct
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
    "fragments without an edit list": (
        ".mp4",
        "mp4",
        "aac",
        {"movflags": "frag_keyframe+empty_moov"},
    ),
    "segments of DASH": (".mp4", "mp4", "aac", {"movflags": "dash+frag_keyframe+delay_moov"}),
    "FLAC in mp4": (".mp4", "mp4", "flac", {}),
    "Opus in mp4": (".mp4", "mp4", "libopus", {}),
    "Opus in Matroska": (".mkv", "matroska", "libopus", {}),
    "Flash video": (".flv", "flv", "aac", {}),
    "program stream": (".mpg", "mpeg", "ac3", {}),
    "MXF": (".mxf", "mxf", "pcm_s16le", {}),
    "AVI": (".avi", "avi", "pcm_s16le", {}),
}
PLAIN = ["mp4", "mov", "matroska", "transport stream", "fragments"]
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
    rate = stream.rate
    x = np.random.default_rng(0).normal(0, 0.002, (4, round(seconds * rate)))
    place = round((click - begin) * rate)
    x[:, place : place + 120] += 0.8 * np.array([[1], [0.5], [0.2], [0.6]])
    packets = []
    for start in range(0, x.shape[1], 1024):
        block = x[:, start : start + 1024]
        kind = stream.codec_context.format.name
        if kind == "s16":
            block, kind = (block.T.reshape(1, -1) * 32767).astype(np.int16), "s16"
        elif kind == "fltp":
            block = np.ascontiguousarray(block, np.float32)
        elif kind == "flt":
            block = np.ascontiguousarray(block.T.reshape(1, -1), np.float32)
        coded = av.AudioFrame.from_ndarray(block, format=kind, layout="4.0")
        coded.sample_rate, coded.time_base = rate, Fraction(1, rate)
        coded.pts = round(begin * rate) + start
        packets += stream.encode(coded)
    return packets + stream.encode(None)


def write_file(path, kind, seen, heard, moment, seconds=4.0, without=(), between=0, options=()):
    """Write a file whose picture and sound begin at two times and flash and click at one.

    `between` frames in a row are coded from both sides (B-frames), and `options` are those of the
    container, in place of the usual ones.
    """
    _, container, codec, usual = FILES[kind]
    options = dict(options) or usual | {"avoid_negative_ts": "disabled"}
    rate = 48000 if container in ("mpeg", "mxf") or codec == "libopus" else RATE
    with av.open(str(path), "w", format=container, options=options) as file:
        coder = "mpeg2video" if container == "mpeg" else "libx264"
        coding = {"bf": str(between), "g": "25"} if coder == "libx264" else {}
        video = file.add_stream(coder, rate=FRAMES, options=coding)
        video.height, video.width = SIZE
        video.pix_fmt, video.codec_context.time_base = "yuv420p", Fraction(1, FRAMES)
        discrete = {"mapping_family": "255"} if codec == "libopus" else {}
        audio = file.add_stream(codec, rate=rate, layout="4.0", options=discrete)
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
@pytest.mark.parametrize("kind", PLAIN)
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


def decoded(path):
    """Return when a file flashes and clicks by the stamps of what FFmpeg decodes from it."""
    with av.open(str(path)) as file:
        frames = [(f.to_ndarray(format="rgb24")[79, 120, 1], f.time) for f in file.decode(video=0)]
    with av.open(str(path)) as file:
        blocks = [
            (np.abs((y.T if y.shape[0] == 4 else y.reshape(-1, 4))[:, 0]).astype(float), block)
            for block in file.decode(audio=0)
            for y in [block.to_ndarray()]
        ]
    loud = 0.4 * max(w.max() for w, _ in blocks)
    w, block = next((w, block) for w, block in blocks if w.max() > loud)
    return max(frames)[1], block.time + np.flatnonzero(w > loud)[0] / block.sample_rate


ANYWHERE = [(0, 0), (5, 5), (1, 0), (0, 1)]


@pytest.mark.parametrize("mode", ["encode", "copy"])
@pytest.mark.parametrize(
    ("kind", "seen", "heard"),
    [(kind, *begins) for kind in FILES if kind not in ("AVI", "MXF") for begins in ANYWHERE]
    # These count frames and samples from one beginning
    + [(kind, 0, 0) for kind in ("AVI", "MXF")],
)
def test_they_coincide_where_frames_are_reordered(tmp_path, kind, seen, heard, mode):
    """As FFmpeg decodes the same file, from where both have begun to where one of them ends."""
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / f"a{FILES[kind][0]}"
    # What `ffmpeg` itself asks of the container
    options = FILES[kind][3] | {"avoid_negative_ts": "auto"}
    moment = max(seen, heard) + 1.52
    write_file(path, kind, seen, heard, moment, between=2, options=options)
    right = decoded(path)
    row, flash, click = prepared(folder, video_mode=mode)
    with av.open(str(path)) as file:
        origin = max(0.0, file.start_time / av.time_base) + row["start"]
    assert abs(flash - click) <= 1.0 / FRAMES + 2e-3
    assert click + origin == pytest.approx(right[1], abs=0.03)
    assert flash + origin == pytest.approx(right[0], abs=1.0 / FRAMES + 1e-3)
    if kind != "program stream":
        assert ("lengths differ" in row["notes"]) == (seen != heard)
    # An estimate of FFmpeg's for program streams is a second short
    assert row["duration"] >= 4.0 - abs(seen - heard) - (1.75 if kind == "program stream" else 0.1)


@pytest.mark.parametrize("mode", ["encode", "copy"])
def test_the_clock_of_a_transport_stream_wraps(tmp_path, mode):
    """It has 33 bits of 90 kHz, and returns to 0 after 26.5 hours: nothing before that is lost."""
    folder = tmp_path / "in"
    folder.mkdir()
    wrap = 2**33 / 90000
    begin = wrap - 2
    options = {"mpegts_copyts": "1"}
    write_file(folder / "a.ts", "transport stream", begin, begin, wrap + 1, options=options)
    row, flash, click = prepared(folder, video_mode=mode)
    assert row["duration"] == pytest.approx(4.0, abs=0.09)
    assert (flash, click) == pytest.approx((3.0, 3.0), abs=1.0 / FRAMES)
    assert row["notes"] == []


def with_edits(path, parts):
    """Give both tracks of an mp4 file whose index is at its end an edit list of parts."""

    def boxes(data):
        place = 0
        while place < len(data):
            size, name = struct.unpack_from(">I4s", data, place)
            yield name, data[place + 8 : place + size]
            place += size

    def box(name, payload):
        return struct.pack(">I4s", 8 + len(payload), name) + payload

    data = path.read_bytes()
    index = dict(boxes(data))[b"moov"]
    ticks = struct.unpack_from(">I", dict(boxes(index))[b"mvhd"], 12)[0]
    tracks = []
    for name, payload in boxes(index):
        if name == b"trak":
            inner = dict(boxes(payload))
            media = struct.unpack_from(">I", dict(boxes(inner[b"mdia"]))[b"mdhd"], 12)[0]
            lead = struct.unpack_from(">i", inner[b"edts"], 20)[0]  # of the decoder
            edits = b"".join(
                struct.pack(
                    ">Iihh", round((end - begin) * ticks), round(begin * media) + lead, 1, 0
                )
                for begin, end in parts
            )
            inner[b"edts"] = box(b"elst", struct.pack(">II", 0, len(parts)) + edits)
            order = (b"tkhd", b"edts", b"mdia")
            payload = b"".join(box(one, inner[one]) for one in order)
        tracks.append(box(name, payload))
    path.write_bytes(data[: data.index(b"moov") - 4] + box(b"moov", b"".join(tracks)))


@pytest.mark.parametrize("mode", ["encode", "copy"])
@pytest.mark.parametrize("kind", ["mp4", "FLAC in mp4"])
@pytest.mark.parametrize(
    ("parts", "moment"), [([(0, 2), (4, 8)], 5.52), ([(0.52, 2.04), (3.32, 7.52)], 5.12)]
)
def test_parts_of_an_edit_list_are_joined(tmp_path, parts, moment, kind, mode):
    """What happens in the second part is shown so much earlier as lies between (ISO 14496-12)."""
    folder = tmp_path / "in"
    folder.mkdir()
    write_file(folder / "a.mp4", kind, 0, 0, moment, seconds=8.0)
    with_edits(folder / "a.mp4", parts)
    row, flash, click = prepared(folder, video_mode=mode)
    (first, cut), (after, end) = parts
    assert row["duration"] == pytest.approx(cut - first + end - after, abs=0.05)
    assert abs(flash - click) <= 1.0 / FRAMES + 2e-3
    assert click == pytest.approx(decoded(folder / "a.mp4")[1], abs=0.03)
    # FFmpeg cuts at blocks of sound, of 192 ms of FLAC, rather than at samples
    assert flash == pytest.approx(moment - first - (after - cut), abs=2.0 / FRAMES)


def test_a_stream_whose_first_frame_is_late_is_coded(tmp_path):
    """AVI says that it begins at once, so a copy would have no frame for its first second."""
    folder = tmp_path / "in"
    folder.mkdir()
    write_file(folder / "a.avi", "AVI", 1, 0, 2.52, between=2)
    row, flash, click = prepared(folder, video_mode="copy")
    assert not row["copied"]
    assert abs(flash - click) <= 1.0 / FRAMES + 2e-3
    assert "gaps" in row["notes"]


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
