"""From a scene to four-channel sound: direct paths, wall echoes, a diffuse tail and ambience."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from scipy import fft

import ambikit
from ambikit_learn.world.scene import FIELD, Floats, Room, Scene
from ambikit_learn.world.sounds import Performance, Signal

SPEED_OF_SOUND = 343.0
KEY_RATE = 20.0
PEAK = 0.7
# Octave bands of the tail, and their decay times relative to the one asked for.
BANDS = 125.0 * 2.0 ** np.arange(7)
BAND_DECAY = np.array([1.15, 1.1, 1.0, 1.0, 0.9, 0.75, 0.6])
TAIL_ONSET = 0.015


def render_sound(
    scene: Scene,
    performances: Sequence[Performance],
    sample_rate: float,
    *,
    order: int = 1,
    tail: bool = True,
    ambience: bool = True,
) -> Signal:
    """Sound field at the camera.

    Parameters
    ----------
    scene : Scene
    performances : sequence of Performance
        One an object, from `sounds.perform`.
    sample_rate : float
        Hz.
    order : int
        Reflections followed along a path; 0 leaves the direct sound alone.
    tail, ambience : bool
        Whether the room's diffuse tail, and noise from all around, are heard.

    Returns
    -------
    (4, n) ndarray of float32
        AmbiX; the greater of |W| and ‖(X, Y, Z)‖ peaks at 0.7.

    Notes
    -----
    Every path is delayed by its length (with Doppler shift), weakened by 1/length and encoded from
    where it arrives. The tail is made once for each object in the world's frame from four
    independent noises, the dipoles weakened by 1/√3, so that ⟨X² + Y² + Z²⟩ = ⟨W²⟩ as in a
    diffuse field.

    Examples
    --------
    >>> from ambikit_learn.world import PRESETS, sample_scene
    >>> from ambikit_learn.world.sounds import perform
    >>> scene = sample_scene(PRESETS["easy"], seed=0, index=0, split="train", duration=1.0)
    >>> played = [perform(scene, i, 24000) for i in range(len(scene.objects))]
    >>> render_sound(scene, played, 24000).shape
    (4, 24000)
    """
    n = round(scene.duration * sample_rate)
    rng = scene.generator(FIELD)
    heard = [i for i, thing in enumerate(scene.objects) if thing.sounding]
    out = np.zeros((4, n), np.float32)
    for i in heard:
        out += _paths(scene, i, performances[i].signal, sample_rate, order)
    around = np.zeros((4, n), np.float32)
    if tail:
        levels = [10 ** (scene.objects[i].level / 20) for i in heard]
        dry = [g * performances[i].signal for g, i in zip(levels, heard, strict=True)]
        around += _reverberate(dry, scene.room, sample_rate, rng)
    if ambience:
        noise = diffuse_noise(n, sample_rate, rng)
        loudness = np.sqrt(np.mean(np.square(out[0] + around[0])) / np.mean(np.square(noise[0])))
        around += np.float32(loudness * 10 ** (-scene.ambience_snr / 20)) * noise
    if tail or ambience:
        out += ambikit.rotate(around, yaw=-scene.heading)
    # The longest of the pressure and velocity vectors: a peak that no rotation changes.
    loudest = max(np.square(out[0]).max(), np.square(out[1:]).sum(axis=0).max())
    return out * np.float32(PEAK / (np.sqrt(loudest) + 1e-9))


def images(positions: Floats, room: Room, order: int) -> list[tuple[Floats, float]]:
    """Mirror images of a source in the walls.

    Parameters
    ----------
    positions : (T, 3) ndarray
        The source over time, in metres from the camera.
    room : Room
    order : int
        Most reflections; order 1 gives the source and six echoes.

    Returns
    -------
    list of ((T, 3) ndarray, float)
        Places of the images and the pressure left after their reflections, the source first.

    References
    ----------
    .. [1] J. B. Allen and D. A. Berkley, "Image method for efficiently simulating small-room
       acoustics", J. Acoust. Soc. Am. 65(4), 1979.
    """
    far, near = np.array(room.walls[::2]), np.array(room.walls[1::2])
    length = far + near
    pressure = room.reflection()
    out = []
    for cell in sorted(product(range(-order, order + 1), repeat=3), key=lambda c: np.abs(c).sum()):
        m = np.array(cell)
        bounces = int(np.abs(m).sum())
        if bounces > order or (room.open_sky and (m[2] > 0 or m[2] < -1)):
            continue
        # Within the cell the room is the right way round, or mirrored where m is odd.
        inside = positions + near
        place = np.where(m % 2 == 0, inside, length - inside) + m * length - near
        out.append((place, pressure**bounces))
    return out


def diffuse_tail(t60: float, sample_rate: float, rng: np.random.Generator) -> Signal:
    """Impulse response of a diffuse tail.

    Parameters
    ----------
    t60 : float
        Seconds to fall by 60 dB in the octaves of 0.5 and 1 kHz.
    sample_rate : float
        Hz.
    rng : numpy.random.Generator

    Returns
    -------
    (4, n) ndarray of float32
        AmbiX; W has unit energy.
    """
    n = fft.next_fast_len(int(1.2 * BAND_DECAY.max() * t60 * sample_rate), real=True)
    noise = fft.rfft(rng.standard_normal((4, n), dtype=np.float32))
    octave = np.log2(np.maximum(fft.rfftfreq(n, 1 / sample_rate), 1.0) / BANDS[0])
    high_pass = np.clip(octave + 1.0, 0.0, 1.0)
    t = np.arange(n, dtype=np.float32) / np.float32(sample_rate)
    out = np.zeros((4, n), np.float32)
    for i, ratio in enumerate(BAND_DECAY):
        # Neighbours share the power between their centres; the last bands reach to the ends.
        away = np.clip(octave, 0, len(BANDS) - 1) - i
        share = np.cos(np.pi / 2 * np.clip(np.abs(away), 0.0, 1.0)) * high_pass
        decay = np.exp(-3 * np.log(10) / (ratio * t60) * t)
        out += fft.irfft(noise * share.astype(np.float32), n) * decay
    out *= np.clip((t - TAIL_ONSET / 2) / (TAIL_ONSET / 2), 0.0, 1.0)
    out /= np.sqrt(np.sum(np.square(out[0])))
    out[1:] /= np.float32(np.sqrt(3.0))
    return out


def diffuse_noise(
    n: int, sample_rate: float, rng: np.random.Generator, *, directions: int = 64
) -> Signal:
    """Ambience of independent plane waves from all around, louder from some sides.

    Parameters
    ----------
    n : int
        Samples.
    sample_rate : float
        Hz.
    rng : numpy.random.Generator
    directions : int
        Plane waves, spread evenly over the sphere, in each of two layers (low and high).

    Returns
    -------
    (4, n) ndarray of float32
        AmbiX.

    Notes
    -----
    D independent Gaussian waves of weight g from directions u have the covariance Σ g² u uᵀ, and
    any four Gaussian noises mixed to that covariance are the same random process. So four noises
    and a Cholesky factor stand for 64 waves at a sixteenth of the cost.
    """
    steering = ambikit.spherical_harmonics(ambikit.fibonacci_sphere(directions), 1)
    f = fft.rfftfreq(n, 1 / sample_rate)
    spectrum = np.zeros((4, len(f)), np.complex64)
    for low, high in ((60.0, rng.uniform(200, 500)), (400.0, rng.uniform(1500, 6000))):
        weight = 10 ** (rng.uniform(-4.0, 4.0, directions) / 20)
        factor = np.linalg.cholesky((steering.T * weight**2) @ steering / directions)
        shape = 1.0 / ((1 + (low / (f + 1.0)) ** 2) * np.sqrt(1 + (f / high) ** 2))
        shape *= rng.uniform(0.3, 1.0) / np.sqrt(np.mean(np.square(shape)))
        noise = fft.rfft(rng.standard_normal((4, n), dtype=np.float32))
        spectrum += (factor.astype(np.float32) @ noise) * shape.astype(np.float32)
    return fft.irfft(spectrum, n)


def _paths(scene: Scene, number: int, signal: Signal, sample_rate: float, order: int) -> Signal:
    """Return the direct sound and the echoes of an object."""
    from ambikit_learn._kernels.world_sound import delay_line

    thing = scene.objects[number]
    n = len(signal)
    still = not any(thing.path.velocity) and thing.path.spin == 0.0
    keys = np.zeros(1) if still else np.linspace(0, n - 1, 2 + round(KEY_RATE * scene.duration))
    positions = thing.path.at(keys / sample_rate - scene.duration / 2)
    mean_distance = np.linalg.norm(positions, axis=-1).mean()
    out = np.zeros((4, n), np.float32)
    for place, pressure in images(positions, scene.room, order):
        azimuth, elevation, distance = scene.places(place)
        gain = 10 ** (thing.level / 20) * pressure * mean_distance / distance
        delay = distance / SPEED_OF_SOUND * sample_rate
        arriving = np.empty(n, np.float32)
        delay_line(signal, delay, gain, arriving)
        if still:
            out += ambikit.encode(arriving, azimuth[0], elevation[0])
        else:
            out += ambikit.encode(arriving, np.unwrap(azimuth), elevation)
    return out


def _reverberate(
    signals: Sequence[Signal], room: Room, sample_rate: float, rng: np.random.Generator
) -> Signal:
    """Return the tails of all signals, each through a response of its own."""
    n = len(signals[0])
    tails = [diffuse_tail(room.t60, sample_rate, rng) for _ in signals]
    size = fft.next_fast_len(n + tails[0].shape[-1], real=True)
    spectrum = np.zeros((4, size // 2 + 1), np.complex64)
    for signal, tail in zip(signals, tails, strict=True):
        spectrum += fft.rfft(signal, size) * fft.rfft(tail, size)
    wet: Signal = fft.irfft(spectrum, size)[:, :n]
    return wet * np.float32(10 ** (-room.direct_to_tail / 20))
