"""Decays of rooms, and rooms of image sources."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import ambikit
from ambikit import InputError

RATE = 48_000


def decaying(seconds, samples=48_000):
    noise = np.random.default_rng(0).normal(size=samples)
    return noise * 10 ** (-3 * np.arange(samples) / RATE / seconds)


def test_energy_decay_is_the_rest_of_the_energy():
    h = np.random.default_rng(1).normal(size=(2, 300))
    expected = [[10 * np.log10((r[t:] ** 2).sum() / (r**2).sum()) for t in range(300)] for r in h]
    assert_allclose(ambikit.energy_decay(h), expected, atol=1e-9)
    assert ambikit.energy_decay(np.zeros(5)).max() == -np.inf


@pytest.mark.parametrize("seconds", [0.2, 0.5, 0.9])
def test_reverberation_time_of_decaying_noise(seconds):
    times = ambikit.reverberation_time(decaying(seconds), RATE)
    assert times.shape == (7,)
    assert_allclose(times[2:], seconds, rtol=0.08)


def test_reverberation_time_per_octave():
    """Two decays, each in its own octave."""
    import scipy.signal

    low, high = (
        scipy.signal.sosfilt(scipy.signal.butter(4, edges, "bandpass", fs=RATE, output="sos"), h)
        for edges, h in (((350, 700), decaying(0.8)), ((2800, 5600), decaying(0.3)))
    )
    times = ambikit.reverberation_time(low + high, RATE, bands=[500, 4000])
    assert_allclose(times, [0.8, 0.3], rtol=0.15)


def test_decays_that_do_not_fall_far_enough():
    """Silence, and a click of which the octave filter leaves too little."""
    assert np.isnan(ambikit.reverberation_time(np.zeros(4800), RATE, bands=[1000])).all()
    assert np.isnan(ambikit.reverberation_time(np.ones(4), RATE, bands=[1000])).all()


def test_a_measured_room(test_data):
    x, rate = ambikit.read(test_data / "foa" / "room_1_bf.wav", convention="fuma")
    times = ambikit.reverberation_time(x[0], rate, bands=[500, 1000, 2000])
    assert ((times > 0.1) & (times < 5)).all()
    assert np.ptp(times) < times.mean()


@pytest.mark.parametrize("order", [1, 3])
def test_image_sources_of_pyroomacoustics(order):
    """The pressure is that of its own responses, but for how each rounds delays."""
    pra = pytest.importorskip("pyroomacoustics")
    room = pra.ShoeBox([5, 4, 3], fs=16_000, materials=pra.Material(0.4), max_order=3)
    room.add_source([1.0, 2.5, 1.2])
    room.add_microphone(np.array([[3.2], [1.7], [1.5]]))
    room.compute_rir()
    source = room.sources[0]
    got = ambikit.image_source_response(
        source.images.T, source.damping[0], room.mic_array.R[:, 0], 16_000, order=order
    )
    theirs = np.asarray(room.rir[0][0])
    late = int(np.argmax(np.correlate(theirs, got[0], "full"))) - (got.shape[1] - 1)
    overlap = min(len(theirs) - late, got.shape[1])
    a, b = got[0, :overlap], theirs[late : late + overlap]
    frequency = np.fft.rfftfreq(len(a), 1 / 16_000)
    band = (frequency > 200) & (frequency < 5000)
    spectra = [np.fft.rfft(v)[band] for v in (a, b)]
    close = np.abs(np.vdot(*spectra)) / np.sqrt(np.prod([np.vdot(s, s).real for s in spectra]))
    assert close > 0.98
    direct = np.argmin(np.linalg.norm(source.images.T - room.mic_array.R[:, 0], axis=1))
    way = source.images[:, direct] - room.mic_array.R[:, 0]
    at = round(np.linalg.norm(way) / 343.0 * 16_000)
    expected = ambikit.spherical_harmonics(way, order)
    assert_allclose(got[:, at] / got[0, at], expected, atol=1e-9)


def test_fractions_of_a_sample():
    """The phase of a click that arrives between samples."""
    x = ambikit.image_source_response([[3.0, 0, 0]], [3.0], [0, 0, 0], 8000, samples=256)
    spectrum = np.fft.rfft(x[0])[1:60]
    arrival = 3.0 / 343 * 8000
    assert_allclose(np.abs(spectrum), 1.0, atol=0.01)
    turn = np.exp(2j * np.pi * np.arange(1, 60) * arrival / 256)
    assert_allclose(np.angle(spectrum * turn), 0, atol=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ambikit.image_source_response([[0, 0, 0]], [1], [0, 0, 0], 8000), "listener is"),
        (lambda: ambikit.image_source_response([[1, 0]], [1], [0, 0, 0], 8000), r"\(K, 3\)"),
        (lambda: ambikit.image_source_response([[1, 0, 0]], [1, 2], [0, 0, 0], 8000), "one for"),
        (lambda: ambikit.reverberation_time(np.ones(9), 8000, bands=[4000]), "beyond half the"),
        (lambda: ambikit.reverberation_time(np.ones(9), 8000, start=-30), "must fall from 0 dB"),
        (lambda: ambikit.energy_decay(np.array([np.nan])), "response holds NaN"),
    ],
)
def test_what_cannot_be_used(call, message):
    with pytest.raises(InputError, match=message):
        call()
