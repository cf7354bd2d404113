"""Rules of thumb give way to valid input: short blocks, any amplitude, any sample rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

import ambikit
from ambikit import InputError, _scale, streaming
from tests.ambikit.rows import every_row


@pytest.mark.parametrize("samples", [1, 2, 9, 16, 25, 36, 49, 64, 100, 128])
@pytest.mark.parametrize("order", [7, 8, 9, 12, 15, 20, 24])
def test_short_blocks_of_high_orders(order: int, samples: int) -> None:
    """81 channels of 64 samples are order 8 in blocks of 64, and nothing else."""
    sound = np.random.default_rng(0).normal(size=samples)
    x = ambikit.encode(sound, 0.3, 0.2, order=order)
    turned = ambikit.rotate(x, 0.5)
    np.testing.assert_allclose(turned, ambikit.encode(sound, 0.8, 0.2, order=order), atol=1e-9)
    np.testing.assert_allclose(streaming.Rotator(0.5).process(x), turned, atol=1e-9)


STREAMS = {
    "Rotator": (lambda: streaming.Rotator(0.5), 0),
    "Rotator moving": (lambda: streaming.Rotator(0.5), 100),
    "Beamformer": (lambda: streaming.Beamformer(0.5), 0),
    "Beamformer moving": (lambda: streaming.Beamformer(0.5), 100),
    "Diffuseness": (lambda: streaming.Diffuseness(24000), 0),
    "Features": (lambda: streaming.Features(24000), 0),
    "Decoder": (lambda: streaming.Decoder("cube"), 0),
    "Binauralizer": (lambda: streaming.Binauralizer(48000, head="sphere"), 0),
    "Binauralizer moving": (lambda: streaming.Binauralizer(48000, head="sphere"), 100),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(("order", "rest"), [(8, 4), (9, 4)])
def test_the_last_block_of_a_stream_may_be_of_any_length(name: str, order: int, rest: int) -> None:
    """Four samples of 81 channels, after blocks that said which axis has the channels.

    The right values are those of the same sound cut where nothing is in doubt.
    """
    make, over = STREAMS[name]
    sound = np.random.default_rng(0).normal(size=512 + rest)
    x = ambikit.encode(sound, 0.3, 0.2, order=order)
    results = []
    for cut in (512, 256):
        stream = make()
        if over:
            stream.turn_to(1.0, over=512 + rest)
        blocks = [stream.process(x[:, :cut]), stream.process(x[:, cut:])]
        if hasattr(stream, "flush"):
            blocks.append(stream.flush())
        results.append(np.concatenate(blocks, axis=1 if name == "Features" else -1))
    np.testing.assert_allclose(*results, atol=1e-6)
    if over == 0 and name != "Features":
        with pytest.raises(InputError, match="channels-last"):
            make().process(x[:, 512:])


@pytest.mark.parametrize("samples", [1, 4, 9, 16])
def test_files_are_never_channels_last(tmp_path: Path, samples: int) -> None:
    """A span of four samples of a file of 81 channels, and a file that has no more."""
    x = ambikit.encode(np.random.default_rng(0).normal(size=100), 0.3, order=8).astype("f4")
    soundfile.write(tmp_path / "a.wav", x.T, 48000, "FLOAT")
    soundfile.write(tmp_path / "b.wav", x[:, :samples].T, 48000, "FLOAT")
    part, _ = ambikit.read(tmp_path / "a.wav", start=40 / 48000, duration=samples / 48000)
    np.testing.assert_array_equal(part, x[:, 40 : 40 + samples])
    np.testing.assert_array_equal(ambikit.read(tmp_path / "b.wav")[0], x[:, :samples])


@pytest.mark.parametrize(
    "shape", [(48000, 4), (900, 4), (100, 4), (256, 4), (44100, 9), (90000, 16), (48400, 64)]
)
def test_channels_last_is_seen_all_the_same(shape: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="channels-last"):
        ambikit.rotate(np.zeros(shape), 0.5)


AMPLITUDES = {
    np.float32: (1e-24, 1e-12, 2.0**31, 1e12, 1e18, 1e25, 1e35),
    np.float64: (1e-60, 1e60),
}


@pytest.mark.parametrize("dtype", AMPLITUDES)
@pytest.mark.parametrize("method", ["intensity", "pwd", "music"])
def test_directions_do_not_depend_on_the_amplitude(dtype: type, method: str) -> None:
    noise = np.random.default_rng(0).standard_normal((2, 12000))
    x = ambikit.encode(noise[0], 1.0, 0.3) + 0.5 * ambikit.encode(noise[1], -1.5, -0.2)
    expected = ambikit.localize(x, 24000, n_sources=2, method=method)
    assert len(expected) == 2
    for amplitude in AMPLITUDES[dtype]:
        found = ambikit.localize((amplitude * x).astype(dtype), 24000, n_sources=2, method=method)
        np.testing.assert_allclose(found.azimuth, expected.azimuth, atol=1e-3)
        np.testing.assert_allclose(found.elevation, expected.elevation, atol=1e-3)
    grid = ([1.0, -1.5], [0.3, -0.2])
    density = ambikit.intensity_map((2.0**31 * x).astype(np.float32), 24000, *grid)
    np.testing.assert_allclose(density, ambikit.intensity_map(x, 24000, *grid), rtol=1e-3)


@every_row(lambda row: row.degree is not None)
@pytest.mark.parametrize("dtype", AMPLITUDES)
def test_results_are_powers_of_the_amplitude(row, dtype: type) -> None:
    """Wherever the result is a number of the type at all."""
    x = row.example(dtype=dtype)
    base = row.call(x)
    wide = np.complex128 if np.iscomplexobj(base) else np.float64
    for amplitude in AMPLITUDES[dtype]:
        gain = 2.0 ** np.round(np.log2(amplitude))
        expected = base.astype(wide) * gain**row.degree
        limits = np.finfo(base.dtype)
        if not 1e4 * limits.tiny < np.abs(expected).max() < limits.max / 1e5:
            continue
        got = row.call((x * x.real.dtype.type(gain)).astype(x.dtype))
        np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("preset", ["avsa", "dcase", "salsa"])
@pytest.mark.parametrize("amplitude", [2.0**31, 1e12, 1e18, 1e30])
@pytest.mark.parametrize("samples", [6000, 1_000_000])
def test_features_of_loud_sound(preset: str, amplitude: float, samples: int) -> None:
    """Levels rise by decibels, intensity stays; through numpy and through the kernel."""
    noise = np.random.default_rng(0).standard_normal((2, samples)).astype(np.float32)
    x = ambikit.encode(noise[0], 1.0, 0.5) + 0.3 * ambikit.encode(noise[1], -2.0, -0.4)
    quiet = ambikit.foa_features(x, 24000, preset=preset, top_db=None)
    loud = ambikit.foa_features(x * np.float32(amplitude), 24000, preset=preset, top_db=None)
    power = 1 if preset == "avsa" else 2
    np.testing.assert_allclose(loud[:4], quiet[:4] + power * 10 * np.log10(amplitude), atol=2e-3)
    np.testing.assert_allclose(loud[4:], quiet[4:], atol=2e-3)


def test_a_loud_clip_leaves_the_others_of_its_batch_alone() -> None:
    x = np.random.default_rng(0).standard_normal((2, 4, 6000)).astype(np.float32)
    apart = ambikit.foa_features(x[0], 24000)
    x[1] *= np.float32(1e30)
    np.testing.assert_allclose(ambikit.foa_features(x, 24000)[0], apart, atol=1e-5)


def test_covariance_of_loud_sound() -> None:
    x = np.random.default_rng(0).standard_normal((4, 24000)).astype(np.float32)
    quiet = ambikit.mel_covariance(x, 24000)
    loud = ambikit.mel_covariance(x * np.float32(2.0**50), 24000)
    np.testing.assert_allclose(loud, quiet * 2.0**100, rtol=1e-5)


@pytest.mark.parametrize("preset", ["avsa", "salsa"])
def test_a_stream_that_becomes_loud(preset: str) -> None:
    """What was kept of the quiet blocks is turned down with the loud ones."""
    x = np.random.default_rng(0).standard_normal((4, 12000)).astype(np.float32)
    x[:, 5000:] *= np.float32(2.0**22)
    x[:, 9000:] *= np.float32(2.0**10)
    stream = streaming.Features(24000, preset=preset)
    parts = [stream.process(x[:, begin : begin + 700]) for begin in range(0, 12000, 700)]
    whole = ambikit.foa_features(x, 24000, preset=preset)
    streamed = np.concatenate([*parts, stream.flush()], axis=1)
    np.testing.assert_allclose(streamed, whole, atol=2e-3)


def test_ordinary_sound_is_left_alone() -> None:
    """To the bit: nothing is multiplied unless it must be."""
    x = np.random.default_rng(0).standard_normal((4, 1000)).astype(np.float32)
    for gain in (1e-3, 1.0, 1e3):
        assert _scale.gain_for(x * np.float32(gain)) == 1.0
    assert _scale.gain_for(np.zeros((4, 10))) == 1.0
    assert _scale.gain_for(np.empty((4, 0))) == 1.0
    assert _scale.gain_for(np.full((4, 10), np.nan)) == 1.0
    for layout in (x, x[:, ::-1], x[:, ::2], np.asfortranarray(x), x.T, x + 0j):
        for gain in (1e20, 1e-20):
            power = _scale.gain_for(layout * np.float32(gain))
            assert power == 2.0 ** np.round(np.log2(power)) != 1.0
            assert (
                2.0**-17 < np.abs(_scale.scaled(layout * np.float32(gain), power)).max() < 2.0**18
            )


@pytest.mark.parametrize("rate", [0.5, 1, 3, 8, 11.9, 12, 50, 100, 8000.5, 1e6])
def test_any_sample_rate(rate: float) -> None:
    """Samples of slow sensors and of ultrasound are sound as well."""
    x = ambikit.encode(np.random.default_rng(0).standard_normal(1 << 16), 1.0)
    np.testing.assert_allclose(ambikit.localize(x, rate).azimuth, [1.0], atol=1e-3)
    assert np.isfinite(ambikit.diffuseness(x, rate)).all()
    assert np.isfinite(ambikit.beamform_adaptive(x[:, :8192], rate, 1.0)).all()


@pytest.mark.parametrize("rate", [0.5, 1, 12, 1000, 3363])
def test_loudness_needs_a_rate_that_holds_its_filter(rate: float) -> None:
    """BS.1770's shelf is at 1682 Hz: beyond half the rate the filter is unstable."""
    noise = np.random.default_rng(0).standard_normal((1, 1 << 15))
    with pytest.raises(InputError, match=r"sample_rate must be above 3364 Hz.*resample"):
        ambikit.loudness(noise, rate)
    assert np.isfinite(ambikit.loudness(noise, 3400))
