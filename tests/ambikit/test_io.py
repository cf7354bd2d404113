"""Files: planes in the right order, samples in the right place, and one clear line otherwise."""

from __future__ import annotations

import struct
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import ambikit
from ambikit import InputError
from ambikit._codecs import mp4

av = pytest.importorskip("av")
RATE = 48000
LOSSLESS = [
    ("a.wav", {}),
    ("a.caf", {"convention": "n3d", "subtype": "DOUBLE"}),
    ("a.rf64", {}),
    ("a.w64", {}),
    ("a.caf", {}),
    ("a.amb", {"convention": "fuma"}),
    ("a.wav", {"convention": "fuma"}),
    ("a.flac", {}),
    ("a.mkv", {}),
    ("a.mka", {}),
    ("a.mp4", {"subtype": "flac"}),
    ("a.mov", {"subtype": "pcm_s16le"}),
    ("a.mkv", {"subtype": "pcm_f32le"}),
]
LOSSY = [
    ("a.ogg", {}),
    ("a.m4a", {}),
    ("a.mp4", {"convention": "youtube51"}),
    ("a.mkv", {"convention": "youtube51", "subtype": "aac"}),
    ("a.mp4", {"subtype": "opus"}),
    ("a.mkv", {"subtype": "opus"}),
    ("a.webm", {}),
    ("a.opus", {}),
]


def bursts(samples: int = 96000) -> np.ndarray:
    """Return tone bursts at another time and pitch in each channel: every mix-up shows."""
    t = np.arange(samples)
    x = [
        0.5 * np.exp(-(((t - 30011 - 7001 * k) / 400) ** 2)) * np.cos(2 * np.pi * (k + 2) * t / 300)
        for k in range(4)
    ]
    return np.array(x, np.float32)


def tones(samples: int = 144000, rate: int = RATE) -> np.ndarray:
    """Return a sustained chord, which no codec replaces by noise."""
    t = np.arange(samples) / rate
    x = [
        0.2 * np.sin(2 * np.pi * f * t) + 0.1 * np.sin(2.6 * np.pi * f * t + f)
        for f in (220, 330, 440, 550)
    ]
    return np.array(x, np.float32)


def add_picture(container: Any) -> None:
    """Add a stream of a second of pictures, at the beginning of the file."""
    stream = container.add_stream("libx264", rate=10)
    stream.width = stream.height = 32
    for k in range(10):
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))
        frame.pts, frame.time_base = k, Fraction(1, 10)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def raw_channels(path: Path) -> np.ndarray:
    """Decode planar float sound with nothing but PyAV."""
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


def test_the_same_sound_is_the_same_bytes(tmp_path: Path) -> None:
    """Only .ogg has a number drawn at random, by libsndfile."""
    kinds = [kind for kind in LOSSLESS + LOSSY if kind[0] != "a.ogg"]
    files: list[list[bytes]] = []
    for seconds in (0.0, 1.1):  # clocks in files count seconds
        time.sleep(seconds)
        files.append([])
        for name, options in kinds:
            ambikit.write(tmp_path / name, bursts(), RATE, **options)
            files[-1].append((tmp_path / name).read_bytes())
    assert [k for k, a, b in zip(kinds, *files, strict=True) if a != b] == []


@pytest.mark.parametrize(("name", "options"), LOSSLESS)
def test_lossless_files_give_back_every_sample(
    tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    x = bursts()
    ambikit.write(tmp_path / name, x, RATE, **options)
    y, rate = ambikit.read(tmp_path / name)
    assert rate == RATE
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, x, atol=2.0**-15 if "s16" in str(options) else 1e-6)
    about = ambikit.info(tmp_path / name)
    assert (about.channels, about.frames, about.duration) == (4, 96000, 2.0)
    assert [file.name for file in tmp_path.iterdir()] == [name]  # nothing temporary is left


@pytest.mark.parametrize(("name", "options"), LOSSY)
def test_lossy_files_keep_channels_and_time(
    tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    """Padding of the encoder (AAC 1024, Opus 312 or 648 samples) must not shift the sound."""
    x = bursts()
    ambikit.write(tmp_path / name, x, RATE, **options)
    y, _ = ambikit.read(tmp_path / name)
    assert y.shape[0] == 4
    padding = 1024 if name == "a.mkv" and "aac" in str(options) else 0
    assert 0 <= y.shape[1] - x.shape[1] <= padding
    assert ambikit.info(tmp_path / name).frames == y.shape[1]
    for k in range(4):
        centre = 30011 + 7001 * k
        window = slice(centre - 600, centre + 600)
        lags = range(-5, 6)
        match = [
            np.dot(x[k, window], y[k, centre - 600 + lag : centre + 600 + lag]) for lag in lags
        ]
        assert lags[int(np.argmax(match))] == 0
        assert np.sum((y[k] - np.pad(x[k], (0, y.shape[1] - x.shape[1]))) ** 2) < 0.01 * np.sum(
            x[k] ** 2
        )


@pytest.mark.parametrize(("name", "options"), LOSSLESS + LOSSY)
def test_span_is_the_slice_of_the_whole(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    x = tones()
    ambikit.write(tmp_path / name, x, RATE, **options)
    whole, _ = ambikit.read(tmp_path / name)
    tolerance = {"atol": 1e-6 if (name, options) in LOSSLESS else 2e-3}
    for start, duration in ((0.0, 0.25), (0.3, 0.5), (1.2345, 1.0), (2.7, 0.3)):
        part, _ = ambikit.read(tmp_path / name, start=start, duration=duration)
        first = round(start * RATE)
        assert part.shape == (4, round(duration * RATE))
        np.testing.assert_allclose(part, whole[:, first : first + part.shape[1]], **tolerance)


def test_long_matroska_is_exact_beyond_its_milliseconds(tmp_path: Path) -> None:
    """20 s in, rounding to the container's 1 ms clock would be off by up to 24 samples."""
    t = np.arange(25 * RATE)
    chirp = 0.3 * np.sin(2 * np.pi * (100 * t / RATE + 60 * (t / RATE) ** 2))
    x = np.repeat(chirp[None].astype(np.float32), 4, axis=0)
    ambikit.write(tmp_path / "a.mkv", x, RATE, subtype="opus")
    part, _ = ambikit.read(tmp_path / "a.mkv", start=20.0123, duration=0.5)
    first = round(20.0123 * RATE)
    match = [np.dot(part[0], x[0, first + lag : first + lag + 24000]) for lag in range(-50, 51)]
    assert int(np.argmax(match)) - 50 == 0


def test_a_part_of_a_single_block_is_read(tmp_path: Path) -> None:
    """PCM may lie in one block as long as the sound: there is no second one to tell the grid."""
    ramp = np.tile(np.arange(3 * RATE) % 30000, (4, 1)).astype(np.int16)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="4.0")
        frame = av.AudioFrame.from_ndarray(ramp.T.reshape(1, -1), "s16", "4.0")
        frame.sample_rate, frame.pts = RATE, 0
        container.mux(stream.encode(frame))
    part, _ = ambikit.read(tmp_path / "a.mkv", start=2.5)
    np.testing.assert_array_equal(part * 2**15, ramp[:, 5 * RATE // 2 :])


@pytest.mark.parametrize("rate", [24000, 44100, 96000])
def test_resampling_keeps_time(tmp_path: Path, rate: int) -> None:
    ambikit.write(tmp_path / "a.wav", tones(), RATE)
    whole, got = ambikit.read(tmp_path / "a.wav", sample_rate=rate)
    assert got == rate
    expected = tones(3 * rate, rate)
    assert whole.shape == expected.shape
    inner = slice(rate // 10, -rate // 10)
    np.testing.assert_allclose(whole[:, inner], expected[:, inner], atol=1e-4)
    part, _ = ambikit.read(tmp_path / "a.wav", sample_rate=rate, start=1.2345, duration=0.5)
    first = round(1.2345 * rate)
    np.testing.assert_allclose(part, whole[:, first : first + rate // 2], atol=1e-5)


def test_odd_lengths_resample_to_the_end(tmp_path: Path) -> None:
    for samples in (47999, 48000, 48001):
        ambikit.write(tmp_path / "a.wav", np.zeros((4, samples), np.float32), RATE)
        x, _ = ambikit.read(tmp_path / "a.wav", sample_rate=24000)
        assert x.shape[1] in (samples // 2, samples // 2 + samples % 2)


@pytest.mark.parametrize("picture", [True, False])
def test_sound_that_starts_late_stays_with_the_picture(tmp_path: Path, picture: bool) -> None:
    """A file begins with its first stream, as FFmpeg's own conversions have it."""
    with av.open(str(tmp_path / "late.mkv"), "w") as container:
        stream = container.add_stream("flac", rate=RATE)
        stream.layout = "4.0"
        if picture:
            add_picture(container)
        block = (np.ones((4, 4608)) * 1000).astype(np.int16).T.reshape(1, -1)
        for k in range(5):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "s16", "4.0")
            frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
            frame.pts = 24000 + 4608 * k
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    x, _ = ambikit.read(tmp_path / "late.mkv")
    silence = 24000 if picture else 0
    assert not x[:, :silence].any()
    assert x[:, silence:].all()
    assert x.shape[1] == silence + 5 * 4608
    part, _ = ambikit.read(tmp_path / "late.mkv", start=(silence + 4608) / RATE)
    np.testing.assert_array_equal(part, x[:, silence + 4608 :])


def test_youtube_planes_on_disk(tmp_path: Path) -> None:
    """FL = X, FR = Y, FC = W, LFE silent, BL = Z, BR silent; never a conversion of layouts."""
    x = bursts()
    ambikit.write(tmp_path / "a.m4a", x, RATE, convention="youtube51")
    about = ambikit.info(tmp_path / "a.m4a")
    assert (about.channel_layout, about.convention, about.stated_by) == ("5.1", "youtube51", None)
    planes = raw_channels(tmp_path / "a.m4a")[:, : x.shape[1]]
    w, y, z, front = x
    for plane, expected in zip(planes, [front, y, w, 0 * w, z, 0 * w], strict=True):
        assert np.sum((plane - expected) ** 2) < 0.01 * np.sum(w**2)


def test_fuma_on_disk_is_wxyz_with_a_quieter_w(tmp_path: Path) -> None:
    x = bursts()
    for name in ("a.amb", "a.wav"):
        ambikit.write(tmp_path / name, x, RATE, convention="fuma")
        stored, _ = soundfile.read(tmp_path / name, dtype="float32")
        np.testing.assert_allclose(
            stored.T, x[[0, 3, 1, 2]] * [[2**-0.5], [1], [1], [1]], atol=1e-6
        )
        about = ambikit.info(tmp_path / name)
        assert (about.convention, about.stated_by) == ("fuma", "B-format WAVE")


def test_a_convention_overrules_the_file(tmp_path: Path) -> None:
    x = bursts()
    soundfile.write(tmp_path / "wxyz.wav", x[[0, 3, 1, 2]].T, RATE, "FLOAT")
    y, _ = ambikit.read(tmp_path / "wxyz.wav", convention="fuma/sn3d")
    np.testing.assert_allclose(y, x, atol=1e-6)
    n3d = x * np.float32([[1], [3**0.5], [3**0.5], [3**0.5]])
    soundfile.write(tmp_path / "n3d.wav", n3d.T, RATE, "FLOAT")
    y, _ = ambikit.read(tmp_path / "n3d.wav", convention="n3d")
    np.testing.assert_allclose(y, x, atol=1e-6)
    soundfile.write(tmp_path / "six.wav", np.vstack([x, x[:2] * 0.3]).T, RATE, "FLOAT")
    y, _ = ambikit.read(tmp_path / "six.wav", convention="ambix+stereo")
    np.testing.assert_allclose(y, x, atol=1e-6)


@pytest.mark.parametrize("order", [2, 3])
def test_higher_orders(tmp_path: Path, order: int) -> None:
    channels = (order + 1) ** 2
    pitch = 200 + 60 * np.arange(channels)[:, None]
    x = (0.5 * np.sin(2 * np.pi * pitch * np.arange(24000) / RATE)).astype(np.float32)
    ambikit.write(tmp_path / "a.wav", x, RATE)
    np.testing.assert_array_equal(ambikit.read(tmp_path / "a.wav")[0], x)
    ambikit.write(tmp_path / "a.opus", x, RATE)
    assert ambikit.info(tmp_path / "a.opus").channel_layout == f"ambisonic {order}"
    y, _ = ambikit.read(tmp_path / "a.opus")
    assert y.shape == x.shape
    assert (np.sum((y - x) ** 2, axis=1) < 0.01 * np.sum(x**2, axis=1)).all()


def test_the_content_decides_not_the_extension(tmp_path: Path) -> None:
    ambikit.write(tmp_path / "a.m4a", tones(), RATE)
    (tmp_path / "a.m4a").rename(tmp_path / "really_m4a.wav")
    assert ambikit.info(tmp_path / "really_m4a.wav").codec == "aac"
    ambikit.write(tmp_path / "b.wav", tones(), RATE)
    (tmp_path / "b.wav").rename(tmp_path / "really_wav.mp4")
    assert ambikit.info(tmp_path / "really_wav.mp4").codec == "float"


def test_sa3d_box_is_the_one_of_the_specification(tmp_path: Path) -> None:
    """Spatial Audio RFC: version, type, order, ordering, normalisation, channels, map."""
    ambikit.write(tmp_path / "a.m4a", tones(), RATE)
    data = (tmp_path / "a.m4a").read_bytes()
    at = data.index(b"SA3D")
    expected = "00000024 53413344 00 00 00000001 00 00 00000004 00000000 00000001 00000002 00000003"
    assert data[at - 4 : at + 32] == bytes.fromhex(expected)
    assert ambikit.info(tmp_path / "a.m4a").stated_by == "SA3D box"
    # every box around it has grown with it, or a reader that walks the boxes would be lost
    moov = data.index(b"moov") - 4
    assert moov + struct.unpack_from(">I", data, moov)[0] == len(data)


def test_sa3d_channel_map_and_head_locked_stereo(tmp_path: Path) -> None:
    x = bursts()
    path = tmp_path / "a.mp4"
    # the map says: track channel 0 holds component 2, and so on
    components = [2, 0, 3, 1]
    ambikit.write(path, x[components], RATE)
    data = bytearray(path.read_bytes())
    at = data.index(b"SA3D") + 4
    struct.pack_into(">4I", data, at + 12, *components)
    path.write_bytes(data)
    y, _ = ambikit.read(path)
    assert np.sum((y - x) ** 2) < 0.01 * np.sum(x**2)
    data[at + 1] |= 0x80
    path.write_bytes(data)
    with pytest.raises(InputError, match="4 channels, which are not those of order 1"):
        ambikit.read(path)
    # RFC: with head-locked stereo, order n has (n + 1)² + 2 channels
    box = struct.pack(">BBIBBI6I", 0, 0x80, 1, 0, 0, 6, 1, 0, 2, 3, 4, 5)
    said = mp4.statement(box, b"", 6)
    assert said is not None
    assert said.convention == "ambix+stereo"
    assert said.matrix is not None
    np.testing.assert_array_equal(said.matrix.argmax(axis=1), [1, 0, 2, 3, 4, 5])


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 6, 8])
def test_files_that_are_not_ambisonic(tmp_path: Path, channels: int) -> None:
    path = tmp_path / "other.wav"
    soundfile.write(path, np.zeros((100, channels)), RATE)
    assert ambikit.info(path).convention is None
    with pytest.raises(InputError, match=rf"other\.wav has {channels} channels?; .*needs 4"):
        ambikit.read(path)


def cut(source: Path, share: float) -> Path:
    """Return a copy that breaks off."""
    data = source.read_bytes()
    path = source.with_name(f"cut{source.suffix}")
    path.write_bytes(data[: int(len(data) * share)])
    return path


def fast_start(path: Path) -> None:
    """Write an mp4 whose index comes first, as for streaming."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("aac", rate=RATE)
        stream.layout = "4.0"
        x = tones()
        for start in range(0, x.shape[1], 1024):
            block = np.ascontiguousarray(x[:, start : start + 1024])
            frame = av.AudioFrame.from_ndarray(block, "fltp", "4.0")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def damaged(kind: str, folder: Path) -> Path:
    """Make a file that cannot be read as Ambisonic sound."""
    path = folder / "bad.wav"
    x = tones()
    if kind == "missing":
        return path
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("these are not the samples you are looking for\n" * 100)
    elif kind == "no samples":
        soundfile.write(path, np.zeros((0, 4)), RATE)
    elif kind == "nan":
        x[2, 70000] = np.nan
        soundfile.write(path, x.T, RATE, "FLOAT")
    elif kind == "index missing":
        ambikit.write(folder / "a.m4a", x, RATE)
        return cut(folder / "a.m4a", 0.6)
    elif kind == "index first":
        fast_start(folder / "a.m4a")
        return cut(folder / "a.m4a", 0.6)
    elif kind in ("flac", "mkv", "ogg"):
        ambikit.write(folder / f"a.{kind}", x, RATE)
        return cut(folder / f"a.{kind}", 0.5)
    elif kind == "wav header":
        ambikit.write(folder / "a.wav", x, RATE)
        path.write_bytes((folder / "a.wav").read_bytes()[:30])
    elif kind == "picture only":
        path = folder / "bad.mp4"
        with av.open(str(path), "w") as container:
            add_picture(container)
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "does not exist"),
        ("folder", "is a folder"),
        ("empty", "is empty"),
        ("text", "not a sound or video file"),
        ("no samples", "no samples"),
        ("nan", r"NaN or infinity near 1\.458 s"),
        ("index missing", "truncated"),
        ("index first", "truncated"),
        ("flac", "truncated|damaged"),
        ("mkv", "truncated"),
        ("wav header", "cannot be read"),
        ("picture only", "no sound track"),
    ],
)
def test_damaged_files_say_what_is_wrong(tmp_path: Path, kind: str, message: str) -> None:
    path = damaged(kind, tmp_path)
    error = FileNotFoundError if kind == "missing" else InputError
    with pytest.raises(error, match=message) as caught:
        ambikit.read(path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.wav", "a.m4a", "a.webm"])
@pytest.mark.parametrize(
    ("start", "duration"),
    [
        (3.0, None),
        (4.0, 1.0),
        (2.5, 0.6),
        (-0.1, 1.0),
        (float("nan"), 1.0),
        (0.0, 0.0),
        (0.0, 1e-6),
    ],
)
def test_spans_outside_the_file(
    tmp_path: Path, name: str, start: float, duration: float | None
) -> None:
    ambikit.write(tmp_path / name, tones(), RATE)
    with pytest.raises(InputError, match=r"outside|start|duration"):
        ambikit.read(tmp_path / name, start=start, duration=duration)


def test_surround_sound_is_not_taken_for_ambisonics(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "film.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=RATE)
        stream.layout = "5.1"
        block = np.ascontiguousarray(np.vstack([tones(1024)] * 2)[:6])
        for k in range(20):
            frame = av.AudioFrame.from_ndarray(block, "fltp", "5.1")
            frame.sample_rate, frame.pts, frame.time_base = RATE, 1024 * k, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match="surround sound"):
        ambikit.read(tmp_path / "film.m4a")
    assert ambikit.read(tmp_path / "film.m4a", convention="youtube51")[0].shape[0] == 4


@pytest.mark.parametrize(
    ("x", "name", "options", "error", "message"),
    [
        (np.zeros((4, 9), np.int16), "a.wav", {}, TypeError, "integers"),
        (np.full((4, 9), np.nan), "a.wav", {}, InputError, "NaN"),
        (np.zeros((2, 4, 9)), "a.wav", {}, InputError, "one signal"),
        (np.zeros((4, 0)), "a.wav", {}, InputError, "x holds no samples"),
        (np.zeros((2, 9)), "a.wav", {}, InputError, "2 channels"),
        (np.zeros((4, 9)), "a.mp3", {}, InputError, "file extension"),
        (np.zeros((4, 9)), "a.wav", {"convention": "ambi"}, InputError, "convention"),
        (np.zeros((4, 9)), "a.wav", {"subtype": "PCM_99"}, InputError, "PCM_99"),
        (np.zeros((4, 9)), "a.amb", {}, InputError, "holds FuMa"),
        (np.zeros((4, 9)), "a.wav", {"convention": "youtube51"}, InputError, "youtube51"),
        (np.zeros((4, 9)), "a.m4a", {"convention": "fuma"}, InputError, "fuma"),
        (np.zeros((9, 9)), "a.m4a", {"convention": "youtube51"}, InputError, "order 1"),
        (np.zeros((9, 9)), "a.flac", {}, InputError, "9 channels"),
        (np.zeros((9, 9)), "a.m4a", {}, InputError, "9 channels"),
        (np.zeros((4, 9)), "a.opus", {"subtype": "opus"}, InputError, "44100 Hz"),
        (np.zeros((4, 9)), "no/folder/a.wav", {}, FileNotFoundError, "folder"),
    ],
)
def test_what_cannot_be_written(
    tmp_path: Path, x: Any, name: str, options: dict[str, str], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        ambikit.write(tmp_path / name, x, 44100 if name == "a.opus" else RATE, **options)
    assert list(tmp_path.iterdir()) == []


def test_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    ambikit.write(path, tones(), RATE)
    before = path.read_bytes()
    with pytest.raises(InputError):
        ambikit.write(path, np.zeros((9, 100)), RATE)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_clipping_is_told(tmp_path: Path) -> None:
    loud = np.full((4, 100), 2.0, np.float32)
    with pytest.warns(UserWarning, match=r"peak is 2.*scale it by 0\.5"):
        ambikit.write(tmp_path / "a.flac", loud, RATE)
    ambikit.write(tmp_path / "a.wav", loud, RATE)
    assert ambikit.read(tmp_path / "a.wav")[0].max() == 2.0


def test_without_pyav_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ambikit.write(tmp_path / "a.m4a", tones(), RATE)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"pip install 'ambikit\[media\]'"):
        ambikit.read(tmp_path / "a.m4a")
    ambikit.write(tmp_path / "a.wav", tones(), RATE)
    assert ambikit.read(tmp_path / "a.wav")[0].shape == (4, 144000)
