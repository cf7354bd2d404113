from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import maximum_filter1d

import ambikit
from ambikit_learn._typing import Covariance
from ambikit_learn.networks.front_end import FrontEnd, along_frames, beam_row, look_at_rows
from tests.tolerance import assert_levels_close, assert_sums_close, transform_terms

TRANSFORM = {
    "avsa": {},
    "tiny": {"n_fft": 1024, "window_length": 1024, "hop": 480, "n_mels": 32, "power": 2},
}
ANGLES = [(0.0, 0.0), (100.0, 40.0), (-170.0, -25.0), (35.0, 80.0)]


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """Two clips of two moving-level sources in a diffuse field, (2, 4, 12000)."""
    rng = np.random.default_rng(3)
    n = 12000
    x = rng.normal(size=(2, 4, n)) * np.array([1, 3**-0.5, 3**-0.5, 3**-0.5])[:, None] * 0.05
    for clip in range(2):
        for azimuth, elevation in ((60, 20), (-130, -35)):
            signal = rng.normal(size=n) * np.linspace(0.02, 0.4, n) ** (1 + clip)
            x[clip] += ambikit.encode(signal, azimuth, elevation, degrees=True)
    return x.astype(np.float32)


def assert_same_features(got, expected, scene, preset):
    """Compare features of the scene as seen, float32 spectra of different libraries under them.

    A spectrum is off relative to the loudest of its frame, a turned one to the loudest channel.
    Intensity is a part of the energy of its band, from which it takes over what that is off.
    """
    terms = transform_terms(TRANSFORM[preset].get("n_fft", 512))
    field = ambikit.foa_features(scene, 24000, kind="logmel", **TRANSFORM[preset])
    loudest = field.max(axis=(1, 3))[:, None, :, None]
    levels = min(4, expected.shape[1])
    assert_levels_close(got[:, :levels], expected[:, :levels], terms, loudest)
    transform = {k: v for k, v in TRANSFORM[preset].items() if k != "power"}
    energy = ambikit.mel_covariance(scene, 24000, **transform)[:, [0, 4, 7, 9]].sum(axis=1)
    share = energy / maximum_filter1d(energy.max(axis=2), 5, axis=1)[..., None]
    assert_sums_close(got[:, levels:], expected[:, levels:], 1 / share[:, None], terms)


def viewpoints(clips: int) -> tuple[torch.Tensor, torch.Tensor]:
    azimuth, elevation = torch.deg2rad(torch.tensor(ANGLES)).T
    return azimuth.repeat(clips, 1), elevation.repeat(clips, 1)


@pytest.mark.parametrize("preset", ["avsa", "tiny"])
@pytest.mark.parametrize("kind", ["logmel", "foa_iv"])
def test_equals_features_of_the_turned_sound(scene, preset, kind):
    front_end = FrontEnd(kind, preset=preset)
    got = front_end(torch.from_numpy(scene), *viewpoints(2)).numpy()
    for k, (azimuth, elevation) in enumerate(ANGLES):
        front = ambikit.look_at(azimuth, elevation, degrees=True)
        turned = ambikit.rotate(scene.astype(float), rotation=front).astype(np.float32)
        expected = ambikit.foa_features(turned, 24000, kind=kind, **TRANSFORM[preset])
        assert_same_features(got[:, k], expected, scene, preset)


@pytest.mark.parametrize("preset", ["avsa", "tiny"])
@pytest.mark.parametrize(("kind", "alignment"), [("foa_iv", "rotate"), ("logmel", "beamform")])
def test_a_path_at_rest_is_a_direction(scene, preset, kind, alignment):
    front_end = FrontEnd(kind, alignment, preset=preset)
    azimuth, elevation = viewpoints(2)
    fixed = front_end(torch.from_numpy(scene), azimuth, elevation)
    path = (angle[..., None].repeat(1, 1, 4) for angle in (azimuth, elevation))
    moving = front_end(torch.from_numpy(scene), *path)
    torch.testing.assert_close(moving, fixed, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("covariance", [False, True])
@pytest.mark.parametrize("preset", ["avsa", "tiny"])
def test_along_its_path_a_source_stays_in_front(preset, covariance):
    """A source that moves over the seam by 60° in a second, looked at along and across."""
    azimuth, elevation = np.linspace(150, 210, 51), np.linspace(-10, 25, 51)
    signal = np.random.default_rng(0).normal(size=24000).astype(np.float32)
    sound = ambikit.encode(
        signal, azimuth, elevation, times=np.linspace(0, 24000, 51), degrees=True
    )
    front_end = FrontEnd("foa_iv", preset=preset)
    given = torch.from_numpy(sound.astype(np.float32))[None]
    if covariance:
        if front_end.covariance_settings is None:
            pytest.skip("bands of the magnitude take no covariances")
        values = ambikit.mel_covariance(sound, 24000, **front_end.covariance_settings)
        given = Covariance(torch.from_numpy(values)[None].float())
    path = torch.deg2rad(torch.tensor(np.stack([azimuth, elevation])[:, ::10], dtype=torch.float32))
    middle = path[..., 3:4] * 0.5 + path[..., 2:3] * 0.5
    off = {}
    for name, (a, e) in {"along": path, "middle": middle}.items():
        vector = front_end(given, a[None, None], e[None, None])[0, 0, 4:].mean(dim=-1)
        cosine = vector[0] / vector.norm(dim=0)
        off[name] = np.rad2deg(torch.acos(cosine.clamp(-1, 1)).numpy())
    assert np.quantile(off["along"], 0.9) < 3.0
    assert np.quantile(off["middle"], 0.9) > 20.0


def test_paths_meet_the_seam_and_the_pole():
    path = torch.deg2rad(
        torch.tensor([[[[170.0, -170.0], [0.0, 180.0]]], [[[0.0, 0.0], [80, 80.0]]]])
    )
    azimuth, elevation = along_frames(path[0], path[1], 5)
    assert azimuth.shape == (1, 2, 5)
    turned = torch.rad2deg(azimuth[0, 0]) % 360
    torch.testing.assert_close(turned, torch.linspace(170, 190, 5), rtol=0, atol=0.05)
    torch.testing.assert_close(elevation[0, 1, 2], torch.tensor(torch.pi / 2), rtol=0, atol=1e-3)


@pytest.mark.parametrize("preset", ["avsa", "tiny"])
def test_look_at_front_end_turns_a_source_to_the_front(preset):
    source = ambikit.encode(np.random.default_rng(0).normal(size=9600), 70, -50, degrees=True)
    azimuth, elevation = torch.tensor([[70.0, 110.0]]).deg2rad(), torch.tensor([[-50.0, -50.0]])
    front_end = FrontEnd("foa_iv", preset=preset)
    seen = front_end(torch.from_numpy(source[None]), azimuth, elevation.deg2rad())[0]
    intensity = seen[:, 4:].mean((2, 3))
    torch.testing.assert_close(intensity[0], torch.tensor([1.0, 0.0, 0.0]), atol=1e-3, rtol=0)
    assert intensity[1, 1] < -0.3  # from a viewpoint further left, it is on the right


@pytest.mark.parametrize("preset", ["avsa", "tiny"])
@pytest.mark.parametrize(("pattern", "gain"), [("basic", 2.0), ("cardioid", 1.0)])
def test_beam_is_the_log_mel_of_the_beam_signal(scene, preset, pattern, gain):
    front_end = FrontEnd(alignment="beamform", preset=preset, pattern=pattern)
    got = front_end(torch.from_numpy(scene), *viewpoints(2)).numpy()
    assert got.shape[:3] == (2, 4, 1)
    for k, (azimuth, elevation) in enumerate(ANGLES):
        beam = gain * ambikit.beamform(
            scene.astype(float), azimuth, elevation, pattern="cardioid", degrees=True
        )
        field = np.repeat(beam[:, None], 4, 1).astype(np.float32)
        expected = ambikit.foa_features(field, 24000, kind="logmel", **TRANSFORM[preset])[:, :1]
        assert_same_features(got[:, k], expected, scene, preset)


def test_beam_rows_match_the_published_gains():
    row = beam_row(torch.tensor(0.3), torch.tensor(0.2), "basic")[0].numpy()
    expected = [1, np.sin(0.3) * np.cos(0.2), np.sin(0.2), np.cos(0.3) * np.cos(0.2)]
    np.testing.assert_allclose(row, expected, atol=1e-6)


@pytest.mark.parametrize(
    "pattern", ["omni", "figure8", "hypercardioid", "supercardioid", "max_re", "dolph_chebyshev"]
)
def test_beams_are_those_of_ambikit(pattern):
    azimuth, elevation = torch.linspace(-3, 3, 7), torch.linspace(-1.5, 1.5, 7)
    row = beam_row(azimuth, elevation, pattern)[:, 0]
    expected = ambikit.beam_weights(pattern, azimuth.numpy(), elevation.numpy())
    np.testing.assert_allclose(row, expected, atol=1e-6)


def test_two_cardioids_point_to_the_left_and_to_the_right(scene):
    """They are beams of `ambikit` at ±90°, whose gain is 1 where they point and 0 behind."""
    front_end = FrontEnd(alignment="stereo", preset="tiny")
    assert front_end.channel_names == ("left", "right")
    zero = torch.zeros(1, 1)
    rows = front_end._rows(zero, zero)[0, 0]
    beams = ambikit.beam_weights("cardioid", [90.0, -90.0], degrees=True)
    np.testing.assert_allclose(rows, beams, atol=1e-6)
    # Left of one viewpoint is right of the opposite one
    behind = torch.full_like(zero, torch.pi)
    sound = torch.from_numpy(scene[:1])
    here, there = front_end(sound, zero, zero), front_end(sound, behind, zero)
    torch.testing.assert_close(here, there.flip(2), atol=2e-3, rtol=0)
    # The field of two channels gives these channels back
    left, right = torch.randn(2, 24000)
    silent = torch.zeros_like(left)
    field = torch.stack([left + right, left - right, silent, silent])[None]
    alone = FrontEnd(alignment="omni", preset="tiny")
    for k, channel in enumerate((left, right)):
        as_w = torch.stack([channel, silent, silent, silent])[None]
        expected = alone(as_w, zero, zero)[:, :, 0]
        torch.testing.assert_close(
            front_end(field, zero, zero)[:, :, k], expected, atol=1e-2, rtol=0
        )


def test_mono_knows_no_direction(scene):
    seen = FrontEnd(alignment="omni", preset="tiny")(torch.from_numpy(scene), *viewpoints(2))
    assert seen.shape[2] == 1
    assert (seen == seen[:, :1]).all()


def test_other_rates_are_resampled():
    time = np.arange(48000) / 48000
    tone = ambikit.encode(np.sin(2 * np.pi * 1500 * time) * np.hanning(48000), 30, degrees=True)
    at_48k = torch.from_numpy(tone[None]).float()
    zero = torch.zeros(1, 1)
    a = FrontEnd(preset="tiny", source_rate=48000)(at_48k, zero, zero)
    b = FrontEnd(preset="tiny")(at_48k[..., ::2], zero, zero)
    loudest = b.mean((0, 1, 2, 3)).argmax()
    torch.testing.assert_close(a[..., loudest], b[..., loudest], atol=0.05, rtol=0)


def test_silence_is_finite():
    seen = FrontEnd("foa_iv", preset="tiny")(torch.zeros(1, 4, 4800), *viewpoints(1))
    assert (seen[:, :, :4] == -100).all()
    assert (seen[:, :, 4:] == 0).all()


def test_statistics_standardise_what_they_were_fitted_on(scene):
    front_end = FrontEnd("foa_iv", preset="tiny")
    sound = torch.from_numpy(scene)
    batches = [(sound[:1], *viewpoints(1)), (sound[1:], *viewpoints(1))]
    front_end.fit_statistics(batches)
    seen = front_end(sound, *viewpoints(2))
    assert seen.mean((0, 1, 3)).abs().max() < 1e-3
    torch.testing.assert_close(
        seen.std((0, 1, 3), correction=0), torch.ones(7, 32), atol=1e-2, rtol=0
    )
    again = FrontEnd(**front_end.settings)
    again.load_state_dict(front_end.state_dict())
    torch.testing.assert_close(again(sound, *viewpoints(2)), seen)
    assert again.fitted


def test_whitening_decorrelates_channels_and_keeps_what_they_say(scene):
    front_end = FrontEnd("foa_iv", preset="tiny", whiten=True)
    sound = torch.from_numpy(scene)
    front_end.fit_statistics([(sound, *viewpoints(2))])
    seen = front_end(sound, *viewpoints(2)).double()
    flat = seen.permute(4, 2, 0, 1, 3).flatten(2)  # (mels, channels, all)
    covariance = flat @ flat.mT / flat.shape[2]
    correlation = torch.stack([torch.corrcoef(band) for band in plain_bands(front_end, sound)])
    # Against an eigendecomposition of numpy: each axis has its variance over itself and the least
    for got, band in zip(covariance.numpy(), correlation.numpy(), strict=True):
        variance, axes = np.linalg.eigh(band)
        expected = (axes * (variance / (variance + 1e-3))) @ axes.T
        np.testing.assert_allclose(got, expected, atol=2e-2)
    again = FrontEnd(**front_end.settings)
    again.load_state_dict(front_end.state_dict())
    torch.testing.assert_close(again(sound, *viewpoints(2)).double(), seen)


def plain_bands(front_end, sound):
    """Features before standardisation, (mels, channels, all other)."""
    features = front_end.raw(sound, *viewpoints(2)).double()
    return features.permute(4, 2, 0, 1, 3).flatten(2)


def test_sound_gets_gradients_and_autocast_leaves_precision(scene):
    sound = torch.from_numpy(scene).requires_grad_()
    front_end = FrontEnd("foa_iv", preset="tiny")
    with torch.autocast("cpu", torch.bfloat16):
        seen = front_end(sound, *viewpoints(2))
    assert seen.dtype == torch.float32
    torch.testing.assert_close(seen, front_end(sound, *viewpoints(2)))
    seen.sum().backward()
    assert sound.grad is not None
    assert sound.grad.isfinite().all()
    assert sound.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "foa_iv", "alignment": "beamform"}, "four channels"),
        ({"kind": "mfcc"}, "unknown kind 'mfcc'"),
        ({"alignment": "mono"}, "rotate, beamform, stereo, omni"),
        ({"preset": "huge"}, "avsa, tiny"),
        ({"n_mel": 3}, "n_mel"),
        ({"intensity": "dcase"}, "bounded"),
        ({"fmax": 13000.0}, "fmax"),
    ],
)
def test_refuses_what_does_not_exist(arguments, message):
    with pytest.raises(ambikit.InputError, match=message):
        FrontEnd(**arguments)


@pytest.mark.parametrize(
    ("kind", "alignment"), [("foa_iv", "rotate"), ("logmel", "beamform"), ("logmel", "stereo")]
)
def test_stored_covariances_stand_for_the_sound(scene, kind, alignment):
    front_end = FrontEnd(kind, alignment, preset="tiny")
    stored = ambikit.mel_covariance(scene, 24000, **front_end.covariance_settings)
    assert stored.shape[1:] == (10, 25, 32)
    got = front_end(Covariance(torch.from_numpy(stored)), *viewpoints(2))
    expected = front_end(torch.from_numpy(scene), *viewpoints(2))
    for k in range(len(ANGLES)):
        assert_same_features(got[:, k].numpy(), expected[:, k].numpy(), scene, "tiny")


def test_covariances_that_do_not_fit_are_refused(scene):
    stored = Covariance(torch.from_numpy(ambikit.mel_covariance(scene, 24000, n_mels=64)))
    with pytest.raises(ambikit.InputError, match="covariance of shape"):
        FrontEnd(preset="tiny")(stored, *viewpoints(2))
    with pytest.raises(ambikit.InputError, match="take sound"):
        FrontEnd(preset="avsa")(stored, *viewpoints(2))
    assert FrontEnd(preset="avsa").covariance_settings is None
    assert FrontEnd(preset="tiny", source_rate=48000).covariance_settings is None


def test_the_legacy_rotation_misses_the_front_as_published():
    """Over the crops of the released code: by 14.8 degrees, median 9.7, at most 61."""
    rng = np.random.default_rng(0)
    azimuth = torch.from_numpy(rng.uniform(-np.pi, np.pi, 40_000))
    elevation = torch.from_numpy(np.pi * (0.5 - rng.uniform(0.33, 0.66, 40_000)))
    source = beam_row(azimuth, elevation).mT  # its encoding
    for rotation, mean, median, most in (("exact", 0, 0, 0), ("released", 14.8, 9.7, 61)):
        seen = look_at_rows(azimuth, elevation, rotation) @ source
        missed = torch.rad2deg(torch.acos(seen[:, 3, 0].clamp(-1, 1)))
        assert missed.mean() == pytest.approx(mean, abs=0.2)
        assert missed.median() == pytest.approx(median, abs=0.2)
        assert missed.max() == pytest.approx(most, abs=1)
    level = torch.zeros_like(elevation)
    torch.testing.assert_close(
        look_at_rows(azimuth, level, "released"), look_at_rows(azimuth, level), rtol=0, atol=1e-12
    )


def test_the_legacy_rotation_turns_power_and_intensity_alike(scene):
    """The features are those of the sound turned by the same matrix."""
    sound = torch.from_numpy(scene)
    views = viewpoints(2)
    same = {"n_fft": 1024, "window_length": 1024, "hop": 480, "n_mels": 32, "power": 2}
    front_end = FrontEnd("foa_iv", rotation="released", **same)
    turned = torch.einsum("bkij,bjt->bkit", look_at_rows(*views, "released"), sound)
    expected = FrontEnd("foa_iv", **same).raw(
        turned.flatten(0, 1), *torch.zeros(2, turned.shape[0] * turned.shape[1], 1)
    )
    got = front_end.raw(sound, *views)
    expected = expected[:, 0].view_as(got)
    for k in range(len(ANGLES)):
        assert_same_features(got[:, k].numpy(), expected[:, k].numpy(), scene, "tiny")
    assert not torch.allclose(got, FrontEnd("foa_iv", **same).raw(sound, *views), atol=0.1)


def test_mono_sound_is_refused(scene):
    with pytest.raises(ambikit.InputError, match="4, samples"):
        FrontEnd(preset="tiny")(torch.from_numpy(scene[:, :1]), *viewpoints(2))
