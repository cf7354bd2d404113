"""Sound of shards as Opus: where its samples lie, from where it sounds, and spans of it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt

import ambikit
from ambikit import InputError
from ambikit_learn.manifest import Settings, read_manifest
from ambikit_learn.members import OPUS_RATES, decode_sound, encode_sound
from ambikit_learn.prepare import prepare
from ambikit_learn.shards import AlignmentDataset


def noise(channels: int, count: int, seed: int = 0) -> np.ndarray:
    """Noise below 0.35 of the sample rate, where even narrow-band Opus codes it."""
    white = np.random.default_rng(seed).standard_normal((channels, count))
    return (0.1 * sosfilt(butter(8, 0.7, output="sos"), white)).astype(np.float32)


@pytest.mark.parametrize("rate", OPUS_RATES)
def test_opus_is_aligned_to_the_sample(rate):
    """Each channel apart: a stray pre-skip, or coupled channels, would show."""
    sound = noise(4, 2 * rate)
    data, gain = encode_sound(sound, rate, "opus", 512)
    found = decode_sound(data, 0, 2 * rate, gain)
    assert (found.shape, found.dtype) == (sound.shape, np.float32)
    a, b = np.fft.rfft(sound), np.fft.rfft(found)
    crosses = np.fft.irfft(a.conj()[:, None] * b[None])
    for i in range(4):
        assert np.argmax(crosses[i, i]) == 0
        assert crosses[i, i, 0] > 0
        others = [np.abs(crosses[i, j]).max() for j in range(4) if j != i]
        assert max(others) < 0.1 * crosses[i, i, 0]
    # The slope of the phase, which tells parts of a sample.
    band = slice(rate // 100, rate // 4)
    turn = np.arange(a.shape[1])[band] * np.pi / a.shape[1]
    phase = np.angle((a.conj() * b)[:, band])
    assert np.abs((phase * turn).sum(axis=1) / (turn**2).sum()).max() < 0.05
    levels = 20 * np.log10(np.linalg.norm(found, axis=1) / np.linalg.norm(sound, axis=1))
    assert np.abs(levels).max() < 0.5
    error = np.linalg.norm(found - sound, axis=1) / np.linalg.norm(sound, axis=1)
    assert error.max() < 0.25


@pytest.mark.parametrize("level", [1e-4, 0.1, 3.0])
def test_opus_keeps_directions(level):
    sound = level * 10 * noise(1, 48000)[0]
    for azimuth, elevation in ((0, 0), (30, 10), (90, -45), (-135, 5), (10, 90), (179, -80)):
        wave = ambikit.encode(sound, azimuth, elevation, degrees=True)
        data, gain = encode_sound(wave, 24000, "opus")
        w, y, z, x = decode_sound(data, 0, 48000, gain)
        intensity = np.array([w @ x, w @ y, w @ z])
        a, e = np.deg2rad([azimuth, elevation])
        wanted = np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])
        apart = np.arccos(min(intensity @ wanted / np.linalg.norm(intensity), 1.0))
        assert np.rad2deg(apart) < 1.0


@pytest.fixture(scope="module")
def coded():
    """Five seconds, of which the middle is loud: (bytes, gain, all of it decoded)."""
    sound = noise(4, 120000, seed=1)
    sound[:, 50000:60000] *= 8
    data, gain = encode_sound(sound, 24000, "opus")
    return data, gain, decode_sound(data, 0, 120000, gain)


@given(st.integers(0, 119999), st.integers(1, 30000))
def test_a_span_of_opus_equals_that_of_the_whole(coded, start, count):
    data, gain, whole = coded
    count = min(count, 120000 - start)
    found = decode_sound(data, start, count, gain)
    assert found.shape == (4, count)
    assert found.flags.c_contiguous
    assert np.abs(found - whole[:, start : start + count]).max() <= 1e-6 * gain


def test_opus_ends_where_its_sound_does(coded):
    data, gain, _ = coded
    with pytest.raises(InputError, match="ends at sample 120000, before 120001"):
        decode_sound(data, 119000, 1001, gain)
    with pytest.raises(InputError, match="ends at sample"):
        decode_sound(data, 200000, 10, gain)


def test_opus_is_small_and_the_same_bytes_every_time():
    sound = noise(4, 120000)
    first, _ = encode_sound(sound, 24000, "opus", 128)
    assert len(first) * 8 / 5.0 == pytest.approx(128e3, rel=0.15)
    encode_sound(noise(4, 30000, seed=2), 24000, "opus", 128)
    assert encode_sound(sound, 24000, "opus", 128)[0] == first


@pytest.mark.parametrize("codec", ["flac", "opus"])
def test_damaged_sound(codec):
    data, gain = encode_sound(noise(4, 48000), 24000, codec)
    magic = data[:4]
    for bad in (b"", data[:50], magic, magic + b"\xff" * 1000, b"{}", b"RIFF" + data[4:]):
        with pytest.raises(InputError, match=r"the sound (is damaged|ends)"):
            decode_sound(bad, 0, 24000, gain)
    with pytest.raises(InputError, match=r"the sound (is damaged|ends)"):
        decode_sound(data[: len(data) // 2], 40000, 8000, gain)


class TestPrepared:
    """Opus in shards."""

    @pytest.fixture(scope="class")
    @staticmethod
    def out(new_clip_folder, tmp_path_factory):
        source = new_clip_folder(tmp_path_factory.mktemp("opus") / "source")
        source.add("left-1", azimuth=90.0, elevation=0.0)
        source.add("up-1", azimuth=0.0, elevation=60.0)
        out = source.root.parent / "out"
        prepare(source.root, out, sound="opus", bitrate=320, frame_size=(40, 80), workers=0)
        return out

    def test_is_read_as_flac_is(self, out):
        data = AlignmentDataset(out, size=8)
        for i, wanted in enumerate(([0, 1, 0], [0.5, 0, 3**0.5 / 2])):
            w, y, z, x = data[i]["sound"].numpy()
            direction = np.array([w @ x, w @ y, w @ z])
            assert direction @ wanted / np.linalg.norm(direction) > np.cos(np.deg2rad(1))

    def test_members_are_named_by_their_codec(self, out):
        assert b"left-1.opus" in (out / "shards" / "train-00000.tar").read_bytes()

    def test_the_settings_say_so(self, out):
        settings = Settings.load(out)
        assert (settings.sound, settings.bitrate) == ("opus", 320)
        document = json.loads((out / "dataset.json").read_text())
        assert (document["sound"], document["bitrate"]) == ("opus", 320)
        assert all(0.2 < row["gain"] <= 1.0 for row in read_manifest(out).to_pylist())

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({}, "sound 'opus', not 'flac'; bitrate 320, not 0"),
            ({"sound": "opus", "bitrate": 64}, "bitrate 320, not 64"),
            ({"sound": "mp3"}, "unknown sound 'mp3': choose one of flac, opus"),
            ({"sound": "opus", "sample_rate": 44100}, "no sample_rate of 44100 Hz: choose one of"),
            ({"sound": "opus", "bitrate": 7}, "bitrate must lie between 24 and 2048, got 7"),
        ],
    )
    def test_refuses(self, out, options, message):
        source = out.parent / "source"
        with pytest.raises(InputError, match=message):
            prepare(source, out, frame_size=(40, 80), workers=0, **options)
