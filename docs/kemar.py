"""Make ambikit/decoding/kemar.npz: python docs/kemar.py MIT_KEMAR_normal_pinna.sofa.

The measurements are those of B. Gardner and K. Martin, "HRTF measurements of a KEMAR dummy-head
microphone", MIT Media Lab Perceptual Computing Technical Report 280, 1994: the normal pinna in 710
directions from -40° to 90° of elevation, at 44.1 kHz, of a head that is symmetric. They may be used
without restrictions if the authors are cited.

What is stored is the left ear alone, as 16-bit integers: equalised so that the mean power over all
directions is flat (this takes away the loudspeaker and the ear canal), cut to its first 4.4 ms, and
completed below -40° by responses whose magnitude is the mean of their neighbours' and whose delay
is that of a rigid sphere.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from ambikit.decoding.sofa import read_sofa
from ambikit.decoding.sphere import SPEED_OF_SOUND
from ambikit.directions import angles_to_vector

OUTPUT = Path(__file__).resolve().parents[1] / "ambikit" / "decoding" / "kemar.npz"
SKIP, TAPS, FADE, SIZE = 16, 192, 32, 2048
LOWEST, HIGHEST, MOST = 100.0, 17_000.0, 20.0
"""Range in Hz that is equalised, and the most that is added, in dB."""
RADIUS, WIDTH = 0.0875, np.deg2rad(12.0)


def minimum_phase(magnitude):
    """Return the spectra of minimum phase of magnitudes (..., SIZE // 2 + 1)."""
    cepstrum = np.fft.irfft(np.log(np.maximum(magnitude, 1e-8)), SIZE)
    cepstrum[..., 1 : SIZE // 2] *= 2
    cepstrum[..., SIZE // 2 + 1 :] = 0
    return np.exp(np.fft.rfft(cepstrum, SIZE))


def areas(vectors):
    """Return the share of the measured part of the sphere that each direction stands for."""
    level = np.round(np.rad2deg(np.arcsin(vectors[:, 2])) / 10)
    rings = [np.count_nonzero(level == ring) for ring in level]
    share = np.cos(np.deg2rad(level * 10)) / np.array(rings)
    share[level == 9] = 1 - np.cos(np.deg2rad(5.0))
    return share / share.sum()


def equalizer(spectra, weights, rate):
    """Return the spectrum of minimum phase that makes the mean power flat."""
    power = np.einsum("m,mef->f", weights / 2, np.abs(spectra) ** 2)
    frequency = np.fft.rfftfreq(SIZE, 1 / rate)
    inside = (frequency >= LOWEST) & (frequency <= HIGHEST)
    gain = np.interp(frequency, frequency[inside], 1 / np.sqrt(power[inside]))
    middle = np.median(gain[(frequency > 300) & (frequency < 10_000)])
    return minimum_phase(np.minimum(gain, middle * 10 ** (MOST / 20)))


def delay(vectors):
    """Return the delay at the left ear of a rigid sphere, in seconds (Woodworth)."""
    angle = np.arccos(np.clip(vectors[:, 1], -1, 1))
    return RADIUS / SPEED_OF_SOUND * np.where(angle < np.pi / 2, -np.cos(angle), angle - np.pi / 2)


def below(vectors, responses, rate):
    """Return directions (degrees) and responses of the left ear below what was measured."""
    angles = [
        (a, e)
        for e, n in ((-50, 36), (-60, 24), (-70, 16), (-80, 8), (-90, 1))
        for a in np.arange(n) * 360.0 / n
    ]
    wanted = angles_to_vector(*np.array(angles).T, degrees=True)
    near = np.exp((wanted @ vectors.T - 1) / WIDTH**2)
    near *= areas(vectors)
    near /= near.sum(axis=1, keepdims=True)
    magnitude = np.exp(near @ np.log(np.abs(np.fft.rfft(responses, SIZE)) + 1e-6))
    # where the measured responses begin, apart from the way round the sphere
    onset = np.argmax(np.abs(responses) > 0.15 * np.abs(responses).max(axis=1, keepdims=True), 1)
    base = np.median(onset / rate - delay(vectors))
    shift = (base + delay(wanted)) * rate
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(SIZE) * shift[:, None])
    return np.array(angles), np.fft.irfft(minimum_phase(magnitude) * turn, SIZE)[:, :TAPS]


def main(path):
    """Read, equalise, cut, complete and store."""
    azimuth, elevation, responses, rate = read_sofa(path)
    assert np.array_equal(angles_to_vector(azimuth, elevation).shape, (710, 3))
    vectors = angles_to_vector(azimuth, elevation)
    spectra = np.fft.rfft(responses, SIZE)
    spectra *= equalizer(spectra, areas(vectors), rate)
    left = np.fft.irfft(spectra, SIZE)[:, 0, SKIP : SKIP + TAPS]
    left[:, -FADE:] *= np.cos(np.linspace(0, np.pi / 2, FADE)) ** 2
    more, added = below(vectors, left, rate)
    added[:, -FADE:] *= np.cos(np.linspace(0, np.pi / 2, FADE)) ** 2
    angles = np.concatenate([np.rad2deg(np.stack([azimuth, elevation], -1)), more])
    left = np.concatenate([left, added])
    # over all of the sphere, both ears: mean power 1 from 300 Hz to 10 kHz
    scale = np.abs(left).max() / 32767
    points = angles_to_vector(*angles.T, degrees=True)
    mirror = (points * [1, -1, 1] @ points.T).argmax(axis=1)
    assert np.allclose(points[mirror], points * [1, -1, 1], atol=1e-3)
    np.savez_compressed(
        OUTPUT,
        directions=angles.astype(np.float32),
        left=np.round(left / scale).astype(np.int16),
        mirror=mirror.astype(np.int16),
        scale=np.float64(scale),
        sample_rate=np.float64(rate),
    )
    print(OUTPUT.name, OUTPUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main(sys.argv[1])
