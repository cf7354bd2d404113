"""Embedding sound and vision, against the same done by hand."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import soxr
import torch

import ambikit
from ambikit import InputError
from ambikit_learn.inference import embed
from ambikit_learn.inference.windows import pad_mirrored, window_starts

RATE = 24000
TINY = {"n_fft": 1024, "window_length": 1024, "hop": 480, "n_mels": 32, "power": 2}
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def by_hand(encoder, window: np.ndarray, azimuth: float, elevation: float) -> np.ndarray:
    """Turn a window with ambikit, take ambikit's features, apply the network."""
    front = ambikit.look_at(azimuth, elevation, degrees=True)
    turned = ambikit.rotate(window.astype(float), rotation=front).astype(np.float32)
    features = torch.from_numpy(ambikit.foa_features(turned, RATE, kind="foa_iv", **TINY))
    front_end = encoder.model.front_end
    features = (features - front_end.mean[:, None]) / front_end.std[:, None]
    with torch.no_grad():
        return encoder.model.net.audio(features[None])[0].numpy()


def test_embeds_the_field_turned_to_each_direction(encoder, scene):
    azimuth, elevation = [0.0, 70.0, -120.0], [0.0, 35.0, -30.0]
    heard = encoder.embed(scene, RATE, azimuth, elevation, degrees=True, hop=0.85)
    assert heard.frames.shape == (3, 3, 128)
    assert heard.frames.dtype == np.float32
    for k in range(3):
        for t, start in enumerate((0, 20400, 40800)):
            window = scene[:, start : start + RATE]
            expected = by_hand(encoder, window, azimuth[k], elevation[k])
            np.testing.assert_allclose(heard.frames[k, t], expected, **CLOSE)
    np.testing.assert_allclose(heard.clip, heard.frames.mean(1), **CLOSE)
    assert np.abs(heard.clip[0] - heard.clip[1]).max() > 0.01  # directions are told apart


def test_turning_the_field_or_the_listener_is_the_same(encoder, scene):
    turned = ambikit.rotate(scene, yaw=40, degrees=True)
    there = encoder.embed(turned, RATE, azimuth=np.pi / 4 + np.deg2rad(40), elevation=0.3)
    here = encoder.embed(scene, RATE, azimuth=np.pi / 4, elevation=0.3)
    np.testing.assert_allclose(there.frames, here.frames, **CLOSE)


def test_nothing_goes_unheard_and_times_are_centres(encoder, scene):
    heard = encoder.embed(scene, RATE, hop=0.5)
    np.testing.assert_allclose(heard.times, [0.5, 1.0, 1.5, 2.0, 2.2], atol=1e-9)
    last = encoder.embed(scene[:, -RATE:], RATE)
    np.testing.assert_allclose(heard.frames[-1], last.frames[0], **CLOSE)
    half = encoder.embed(scene, RATE, window=0.5)
    np.testing.assert_allclose(half.times, [0.25, 0.75, 1.25, 1.75, 2.25, 2.45], atol=1e-9)


def test_hops_that_are_no_whole_samples_do_not_drift():
    starts = window_starts(100 * 44100, 44100, 0.025 * 44100)
    assert abs(starts[3000] - 75 * 44100) <= 1
    assert window_starts(3, 4, 1.0).tolist() == [0]
    assert window_starts(8, 4, 4.0).tolist() == [0, 4]


def test_other_rates_are_resampled(encoder, scene):
    at_44k = soxr.resample(scene.T, RATE, 44100).T
    heard = encoder.embed(at_44k, 44100, 1.0)
    back = soxr.resample(at_44k.T, 44100, RATE).T
    np.testing.assert_allclose(heard.clip, encoder.embed(back, RATE, 1.0).clip, **CLOSE)
    assert np.abs(heard.clip - encoder.embed(scene, RATE, 1.0).clip).max() < 0.1


@pytest.mark.parametrize("rate", [RATE, 44100])
def test_a_file_is_embedded_as_its_sound_block_by_block(
    encoder, scene, tmp_path, monkeypatch, rate
):
    path = tmp_path / "scene.wav"
    ambikit.write(path, soxr.resample(scene.T, RATE, rate).T.copy(), rate)
    whole = encoder.embed(*ambikit.read(path, sample_rate=RATE), [0, 2], hop=0.3)
    monkeypatch.setattr(embed, "BLOCK", 0.7)
    blocks = encoder.embed_file(path, [0, 2], hop=0.3)
    np.testing.assert_allclose(blocks.frames, whole.frames, **CLOSE)
    np.testing.assert_array_equal(blocks.times, whole.times)


def test_short_sound_goes_on_as_its_mirror_image(encoder, scene):
    part = scene[:, 3000:12000]
    mirrored = np.concatenate([part, part[:, ::-1], part], 1)[:, :RATE]
    heard = encoder.embed(part, RATE)
    assert heard.frames.shape == (1, 128)
    np.testing.assert_allclose(heard.clip, encoder.embed(mirrored, RATE).clip, **CLOSE)
    assert pad_mirrored(np.arange(3.0), 2, 1).tolist() == [1, 0, 0, 1, 2, 2]


def test_batches_of_sounds_and_directions_broadcast(encoder, scene):
    x = np.stack([scene[:, : 2 * RATE], scene[:, -2 * RATE :]])[:, None].astype(float)
    azimuth, elevation = np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 0.5])
    heard = encoder.embed(x, RATE, azimuth, elevation, batch_size=5)
    assert heard.clip.shape == (2, 1, 3, 2, 128)
    assert heard.frames.shape == (2, 1, 3, 2, 2, 128)
    alone = encoder.embed(x[1, 0], RATE, 2.0, 0.5)
    np.testing.assert_allclose(heard.frames[1, 0, 2, 1], alone.frames, **CLOSE)


def test_higher_orders_are_cut_to_the_first(encoder, scene):
    third = np.concatenate([scene, np.ones((12, scene.shape[1]), np.float32)])
    expected = encoder.embed(scene, RATE).clip
    np.testing.assert_allclose(encoder.embed(third, RATE).clip, expected, **CLOSE)


@pytest.mark.parametrize("alignment", ["beamform", "omni"])
def test_beams_point_and_mono_does_not(new_encoder, scene, alignment):
    one = new_encoder("logmel", alignment=alignment)
    clip = one.embed(scene, RATE, [0, 90], degrees=True).clip
    assert (np.abs(clip[0] - clip[1]).max() > 1e-3) == (alignment == "beamform")


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(24000), r"mono.*ambikit\.encode"),
        (np.zeros((1, 24000)), r"mono.*ambikit\.encode"),
        (np.zeros((2, 24000)), "stereo"),
        (np.zeros((24000, 4)), "channels-last"),
        (np.zeros((4, 0)), "empty"),
        (np.zeros((4, 1000)), r"0\.0417 s is too short: the features take 0\.0427 s"),
        (np.full((4, 24000), np.nan), "NaN"),
    ],
)
def test_sound_that_cannot_be_embedded_is_one_line(encoder, x, message):
    with pytest.raises(InputError, match=message) as error:
        encoder.embed(x, RATE)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_rate": 0}, "sample_rate"),
        ({"elevation": 2.0}, "within ±90°"),
        ({"azimuth": [0, 1], "elevation": [0, 0, 0]}, "azimuth"),
        ({"hop": 0.0}, "hop must be positive"),
        ({"window": 0.01}, "a window of 0.01 s is too short"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_settings_that_cannot_be_are_refused(encoder, scene, options, message):
    with pytest.raises(InputError, match=message):
        encoder.embed(scene, **{"sample_rate": RATE, **options})


def test_integers_are_refused(encoder):
    with pytest.raises(TypeError, match="32768"):
        encoder.embed(np.zeros((4, 24000), np.int16), RATE)


def test_silence_has_a_finite_embedding(encoder):
    assert np.isfinite(encoder.embed(np.zeros((4, 30000), np.float32), RATE).frames).all()


def test_crops_of_video(encoder):
    crops = np.random.default_rng(0).integers(0, 256, (2, 3, 2, 40, 40, 3), np.uint8)
    seen = encoder.embed_video(crops, batch_size=4)
    assert seen.shape == (2, 3, 128)
    with torch.no_grad():
        one = encoder.model.net.video(torch.from_numpy(crops[1, 2][None]))[0]
    np.testing.assert_allclose(seen[1, 2], one, **CLOSE)
    with pytest.raises(InputError, match="2 frames a crop"):
        encoder.embed_video(crops[:, :, :1])
    with pytest.raises(TypeError, match="uint8"):
        encoder.embed_video(crops / 255.0)


def test_arrays_that_torch_does_not_take(encoder, scene):
    crops = np.random.default_rng(0).integers(0, 256, (3, 2, 40, 40, 3), np.uint8)
    backwards, mirrored = scene[:, ::-1].copy(), crops[:, :, :, ::-1].copy()
    scene, crops = scene.view(), crops.view()
    scene.flags.writeable = crops.flags.writeable = False
    np.testing.assert_allclose(
        encoder.embed(scene[:, ::-1], RATE).clip, encoder.embed(backwards, RATE).clip, **CLOSE
    )
    np.testing.assert_allclose(
        encoder.embed_video(crops[:, :, :, ::-1]), encoder.embed_video(mirrored), **CLOSE
    )
    assert encoder.embed(scene, RATE).clip.shape == (128,)
    assert encoder.embed_video(crops[0]).shape == (128,)


def test_importing_the_package_loads_no_torch():
    code = "import sys, ambikit_learn; assert 'AmbiEncoder' in dir(ambikit_learn); "
    code += "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
