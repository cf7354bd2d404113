"""Recordings that others made and whose content is known: conventions cannot hide from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ambikit
from ambikit import InputError

CALIBRATION = "yt360/audio/redownloaded_from_YT.m4a"
BAND = "yt360/audio/kqAZkf5Odyw-80.m4a"
RECORDINGS = ["foa/BF_rec1.ogg", "foa/BF_rec4.ogg", "foa/BF_rec5.ogg"]


@pytest.fixture(scope="module")
def calibration(test_data: Path) -> tuple[np.ndarray, int]:
    """Return the clip with a piano at +90°, a voice at −90° and seagulls straight up."""
    return ambikit.read(test_data / CALIBRATION)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return the normalised correlation of two signals."""
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def spectra(*signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return power spectra (signals, bins, frames) and the frequencies."""
    power = np.abs(ambikit.stft(np.stack(signals), n_fft=2048, hop=1024)) ** 2
    return power, np.fft.rfftfreq(2048, 1 / 48000)


def test_calibration_clip_is_read_as_ambix(test_data: Path, calibration: tuple) -> None:
    about = ambikit.info(test_data / CALIBRATION)
    assert (about.codec, about.channel_layout, about.convention) == ("aac", "5.1", "youtube51")
    x, rate = calibration
    assert (x.shape, x.dtype, rate) == ((4, 492544), np.float32, 48000)
    w, y, z, front = x.astype(float)
    # no source is in front or behind
    assert np.abs(front).max() < 1e-3 * np.abs(w).max()
    # left, right and up together are the whole of W: SN3D. N3D would give 3, a Z at −3 dB 0.87.
    assert (y @ y + z @ z) / (w @ w) == pytest.approx(1, abs=0.03)
    # the gulls alone are in Z, and reach W with the same gain: 1.41 if Z had lost 3 dB
    assert (w @ z) / (z @ z) == pytest.approx(1, abs=0.01)
    assert abs(correlation(y, z)) < 0.01


def test_calibration_sources_are_where_their_author_put_them(calibration: tuple) -> None:
    found = ambikit.localize(*calibration, degrees=True)
    assert len(found) == 3
    by_elevation = np.argsort(found.elevation)
    level, up = by_elevation[:2], by_elevation[2]
    assert found.elevation[up] > 88
    np.testing.assert_allclose(np.sort(found.azimuth[level]), [-90, 90], atol=2)
    np.testing.assert_allclose(found.elevation[level], 0, atol=2)


@pytest.mark.parametrize(
    ("planes", "why"),
    [
        ([0, 1, 2, 4], "taken in the order of the file"),
        ([0, 1, 2, 3], "the first four planes"),
        ([2, 0, 1, 4], "W, X, Y, Z"),
        ([2, 4, 1, 0], "Y and Z swapped"),
    ],
)
def test_scrambled_planes_would_be_noticed(test_data: Path, planes: list[int], why: str) -> None:
    """The tests above can fail: other orders of the same planes do not pass them."""
    import av

    with av.open(str(test_data / CALIBRATION)) as container:
        raw = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    found = ambikit.localize(np.ascontiguousarray(raw[planes]), 48000, degrees=True)
    expected = [(90, 0), (-90, 0), (0, 90)]
    truth = np.array([ambikit.angles_to_vector(a, e, degrees=True) for a, e in expected])
    vectors = ambikit.angles_to_vector(found.azimuth, found.elevation, degrees=True)
    hit = [bool(len(vectors)) and (vectors @ t).max() > np.cos(np.deg2rad(3)) for t in truth]
    assert not (len(found) == 3 and all(hit)), why


def test_beams_tell_the_piano_from_the_voice(calibration: tuple) -> None:
    x, _ = calibration
    w, _, z, _ = x
    left, right = ambikit.beamform(x, [90, -90], degrees=True)
    # without the gulls, which both beams hear at half their strength, they share nothing
    assert abs(correlation(left - z / 2, right - z / 2)) < 0.03
    # where W hisses above 6.4 kHz someone is speaking: on the right
    power, frequency = spectra(w, left, right)
    hiss = power[:, frequency > 6400].sum(axis=1)
    spoken = hiss[0] > np.quantile(hiss[0], 0.9)
    assert np.median(10 * np.log10(hiss[2, spoken] / hiss[1, spoken])) > 15
    # the piano's octave from 400 Hz stands over its treble, the voice's does not
    octave = (frequency > 400) & (frequency < 800)
    tilt = 10 * np.log10(power[:, octave].sum(axis=(1, 2)) / hiss.sum(axis=1))
    assert tilt[1] > tilt[2] + 12


def test_beam_nulls_are_deep_when_one_source_plays_alone(calibration: tuple) -> None:
    x, _ = calibration
    left, right = ambikit.beamform(x, [90, -90], degrees=True) - x[2] / 2
    frames = left.size // 2400
    level = [
        np.sqrt((s[: frames * 2400].reshape(frames, 2400) ** 2).mean(axis=1)) + 1e-6
        for s in (left, right)
    ]
    difference = 20 * np.log10(level[0] / level[1])
    assert difference.max() > 30
    assert difference.min() < -20


def test_calibration_clip_turns(calibration: tuple) -> None:
    x, rate = calibration
    upright = ambikit.localize(ambikit.rotate(x, roll=90, degrees=True), rate, degrees=True)
    # roll +90 lifts the left: the piano goes up, the gulls go right, the voice goes down
    vectors = ambikit.angles_to_vector(upright.azimuth, upright.elevation, degrees=True)
    for target in ([0, 0, 1], [0, -1, 0], [0, 0, -1]):
        assert (vectors @ target).max() > np.cos(np.deg2rad(2))


def test_features_see_the_three_directions(test_data: Path) -> None:
    x, rate = ambikit.read(test_data / CALIBRATION, sample_rate=24000)
    features = ambikit.foa_features(x, rate)
    vector, level = features[4:], features[0]
    assert features.shape == (7, x.shape[1] // 240, 128)
    assert np.linalg.norm(vector, axis=0).max() <= 1 + 1e-5
    loud = level > level.max() - 20  # of the magnitude: 40 dB
    assert np.abs(vector[0][loud]).max() < 0.01
    for axis, sign in ((1, 1), (1, -1), (2, 1)):
        assert (sign * vector[axis][loud] > 0.9).mean() > 0.05
    assert (vector[2][loud] < -0.1).mean() < 0.005  # nothing comes from below


def test_band_clip(test_data: Path) -> None:
    about = ambikit.info(test_data / BAND)
    assert (about.frames, about.convention) == (480256, "youtube51")
    x, rate = ambikit.read(test_data / BAND)
    assert x.shape == (4, 480256)
    power = (x.astype(float) ** 2).mean(axis=1)
    assert 0.5 < power[1:].sum() / power[0] < 1.2  # SN3D: 1 for waves, and never 3
    found = ambikit.localize(x, rate, degrees=True)
    behind = np.abs(found.azimuth) > 150
    assert behind.any()  # the drums
    assert (~behind).any()  # the singer and the amplifiers
    part, _ = ambikit.read(test_data / BAND, start=3.21, duration=2.0, sample_rate=24000)
    whole, _ = ambikit.read(test_data / BAND, sample_rate=24000)
    for a, b in zip(part, whole[:, 77040 : 77040 + 48000], strict=True):
        assert correlation(a, b) > 0.999  # but for the noise that AAC decoders make up


def test_video_soundtracks(test_data: Path) -> None:
    """One video kept its six planes, the other has a stereo mix-down."""
    x, _ = ambikit.read(test_data / CALIBRATION)
    y, _ = ambikit.read(test_data / "yt360/video/redownloaded_from_YT.mp4")
    np.testing.assert_allclose(y, x, atol=1e-4)
    with pytest.raises(InputError, match="has 2 channels; ambisonic sound needs 4"):
        ambikit.read(test_data / "yt360/video/kqAZkf5Odyw-80.mp4")


def test_direct_sound_of_a_measured_room_is_a_plane_wave(test_data: Path) -> None:
    """W, X, Y, Z with W at −3 dB: only so does the first arrival have |(X, Y, Z)| = W exactly."""
    path = test_data / "foa/room_1_bf.wav"
    x, _ = ambikit.read(path, convention="fuma")
    w, y, z, front = x[:, np.abs(x[0]).argmax()]
    assert np.linalg.norm([y, z, front]) == pytest.approx(w, rel=1e-3)
    assert np.rad2deg(np.arctan2(y, front)) == pytest.approx(13.8, abs=0.1)
    for wrong in ("fuma/sn3d", "fuma/n3d", "n3d"):
        other, _ = ambikit.read(path, convention=wrong)
        w, y, z, front = other[:, np.abs(other[0]).argmax()]
        assert np.linalg.norm([y, z, front]) != pytest.approx(w, rel=0.1)


@pytest.mark.parametrize("name", RECORDINGS)
def test_b_format_recordings(test_data: Path, name: str) -> None:
    path = test_data / name
    about = ambikit.info(path)
    assert (about.codec, about.channels, about.sample_rate) == ("vorbis", 4, 44100)
    x, rate = ambikit.read(path, convention="fuma")
    raw, _ = ambikit.read(path)  # nothing in the file says FuMa
    np.testing.assert_allclose(x, raw[[0, 2, 3, 1]] * [[2**0.5], [1], [1], [1]], rtol=1e-6)
    vectors = ambikit.normalized_intensity(x, rate)
    assert np.linalg.norm(vectors, axis=0).max() < 1
    assert len(ambikit.localize(x, rate)) >= 1


def test_eight_channels_of_third_order_are_refused(test_data: Path) -> None:
    with pytest.raises(InputError, match="has 8 channels"):
        ambikit.read(test_data / "foa/room_2_01-08ch.wav")
