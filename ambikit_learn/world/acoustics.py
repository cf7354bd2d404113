"""From a scene to four-channel sound: direct paths, wall echoes, a diffuse tail and ambience."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import fft

import ambikit
from ambikit_learn.world.places import BANDS, PLACES, Peak
from ambikit_learn.world.scene import FIELD, Floats, Room, Scene
from ambikit_learn.world.sounds import Performance, Signal

Spectrum = npt.NDArray[np.complex64]

SPEED_OF_SOUND = 343.0
# What the air takes up at 20 °C and 50% humidity, dB a metre by octave.
AIR = np.array([0.0004, 0.0013, 0.0027, 0.0047, 0.0099, 0.0297, 0.105])
KEY_RATE = 20.0
PEAK = 0.7
TAIL_ONSET = 0.015
# Half of a window of the tail's synthesis: shorter than the ear tells, long enough for 100 Hz.
TAIL_HOP = 0.005
_GRAIN = 4096


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
    Every path is delayed by its length (with Doppler shift), weakened by 1/length, filtered by the
    air and the walls that it meets, and encoded from where it arrives. The tail is one response of
    the room to all objects, since what has been reflected many times comes from everywhere; it is
    made in the world's frame from four independent noises, the dipoles weakened by 1/√3, so that
    ⟨X² + Y² + Z²⟩ = ⟨W²⟩ as in a diffuse field.

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
    out, dry = np.zeros((4, n), np.float32), np.zeros(n, np.float32)
    for i, (thing, played) in enumerate(zip(scene.objects, performances, strict=True)):
        if thing.sounding:
            signal = np.float32(10 ** (thing.level / 20)) * played.signal
            _add_paths(scene, i, signal, sample_rate, order, out)
            dry += signal
    around = np.zeros((4, n), np.float32)
    if tail:
        dry *= np.float32(10 ** (-scene.room.direct_to_tail / 20))
        around += _convolve(dry, diffuse_tail(scene.room.decay(), sample_rate, rng))
    if ambience:
        noise = diffuse_noise(n, sample_rate, rng, PLACES[scene.ambience].ambience)
        loudness = np.sqrt(np.mean(np.square(out[0] + around[0])) / np.mean(np.square(noise[0])))
        around += np.float32(loudness * 10 ** (-scene.ambience_snr / 20)) * noise
    if tail or ambience:
        out += ambikit.rotate(around, yaw=-scene.heading)
    # The longest of the pressure and velocity vectors: a peak that no rotation changes.
    loudest = max(np.square(out[0]).max(), np.square(out[1:]).sum(axis=0).max())
    return out * np.float32(PEAK / (np.sqrt(loudest) + 1e-9))


def images(positions: Floats, room: Room, order: int) -> tuple[Floats, npt.NDArray[np.int64]]:
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
    places : (P, T, 3) ndarray
        The images, the source first.
    bounces : (P, 3) ndarray of int
        How often side walls, ceiling and floor have reflected each.

    References
    ----------
    .. [1] J. B. Allen and D. A. Berkley, "Image method for efficiently simulating small-room
       acoustics", J. Acoust. Soc. Am. 65(4), 1979.
    """
    far, near = np.array(room.walls[::2]), np.array(room.walls[1::2])
    cells, bounces = _cells(order, room.kind.open_sky)
    length = far + near
    # Within a cell the room is the right way round, or mirrored where its number is odd.
    inside = positions + near
    mirrored = np.where(cells[:, None] % 2 == 0, inside, length - inside)
    return mirrored + (cells * length)[:, None] - near, bounces


@functools.cache
def _cells(order: int, open_sky: bool) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the mirrored rooms (P, 3) within `order` reflections, and those by (P, 3) surface."""
    cells = np.array(list(product(range(-order, order + 1), repeat=3)))
    sides, rises = np.abs(cells[:, :2]).sum(1), np.abs(cells[:, 2])
    # An image in the upper cells has met the ceiling first, and then floor and ceiling in turn.
    above = np.where(cells[:, 2] > 0, (rises + 1) // 2, rises // 2)
    bounces = np.stack([sides, above, rises - above], axis=1)
    kept = np.flatnonzero((sides + rises <= order) & ~(open_sky & (above > 0)))
    kept = kept[np.argsort(bounces[kept].sum(1), kind="stable")]
    return cells[kept], bounces[kept]


def diffuse_tail(t60: npt.ArrayLike, sample_rate: float, rng: np.random.Generator) -> Signal:
    """Impulse response of a diffuse tail.

    Parameters
    ----------
    t60 : float or (7,) array_like
        Seconds to fall by 60 dB, in the octaves from 125 Hz to 8 kHz.
    sample_rate : float
        Hz.
    rng : numpy.random.Generator

    Returns
    -------
    (4, n) ndarray of float32
        AmbiX; W has unit energy.

    Notes
    -----
    Independent noises in short-time spectra, each bin falling at its own rate; windows of a sine
    that overlap by half keep their power constant.
    """
    seconds = np.broadcast_to(np.asarray(t60, dtype=np.float64), BANDS.shape)
    hop = round(TAIL_HOP * sample_rate)
    frames = int(seconds.max() / TAIL_HOP) + 2
    f = fft.rfftfreq(2 * hop, 1 / sample_rate)
    rate = np.interp(np.log2(np.maximum(f, 1.0)), np.log2(BANDS), 3 * np.log(10) / seconds)
    fall = np.exp(-TAIL_HOP * np.arange(frames)[:, None] * rate)
    # Below 125 Hz the room has too few modes for a diffuse field.
    fall *= np.clip(np.log2(np.maximum(f, 1.0) / BANDS[0]) + 1.0, 0.0, 1.0)
    noise = _gaussian((4, frames, len(f)), rng)
    window = np.sin(np.pi * (np.arange(2 * hop) + 0.5) / (2 * hop))
    pieces = fft.irfft(noise * fall.astype(np.float32), 2 * hop) * window.astype(np.float32)
    out: Signal = (pieces[:, 1:, :hop] + pieces[:, :-1, hop:]).reshape(4, -1)
    t = np.arange(out.shape[-1], dtype=np.float32) / np.float32(sample_rate)
    out *= np.clip((t - TAIL_ONSET / 2) / (TAIL_ONSET / 2), 0.0, 1.0)
    out /= np.sqrt(np.sum(np.square(out[0])))
    out[1:] /= np.float32(np.sqrt(3.0))
    return out


def diffuse_noise(
    n: int,
    sample_rate: float,
    rng: np.random.Generator,
    peaks: Sequence[Peak],
    *,
    directions: int = 64,
) -> Signal:
    """Ambience of independent plane waves from all around, louder from some sides.

    Parameters
    ----------
    n : int
        Samples.
    sample_rate : float
        Hz.
    rng : numpy.random.Generator
    peaks : sequence of (float, float, float)
        What sounds: middle in Hz, width in octaves and level in dB, each from sides of its own.
    directions : int
        Plane waves, spread evenly over the sphere.

    Returns
    -------
    (4, n) ndarray of float32
        AmbiX.

    Notes
    -----
    D independent Gaussian waves of weight g from directions u have the covariance Σ g² u uᵀ, and
    any four Gaussian noises mixed to that covariance are the same random process. So four noises
    and a Cholesky factor a peak stand for all waves.
    """
    steering = _steering(directions)
    f = fft.rfftfreq(n, 1 / sample_rate)
    octave = np.log2(np.maximum(f, 20.0))
    noise = _gaussian((4, len(f)), rng)
    spectrum = np.zeros((4, len(f)), np.complex64)
    for middle, width, level in peaks:
        weight = 10 ** (rng.uniform(-4.0, 4.0, directions) / 20)
        factor = np.linalg.cholesky((steering.T * weight**2) @ steering / directions)
        away = (octave - np.log2(middle) - rng.uniform(-0.1, 0.1)) / width
        gain = 10 ** ((level + rng.uniform(-1.5, 1.5)) / 20)
        shape = gain * (np.exp(-0.5 * away**2) + 0.1 / (1.0 + np.abs(away)))
        spectrum += (factor.astype(np.float32) @ noise) * shape.astype(np.float32)
    return fft.irfft(spectrum, n)


def _add_paths(
    scene: Scene,
    number: int,
    signal: Signal,
    sample_rate: float,
    order: int,
    out: Signal,
) -> None:
    """Add the direct sound and the echoes of an object that plays `signal` to the field."""
    from ambikit_learn._kernels.world_sound import MARGIN, add_paths

    n = out.shape[-1]
    path = scene.objects[number].path
    still = not any(path.velocity) and path.spin == 0.0
    keys = np.zeros(1) if still else np.linspace(0, n - 1, 2 + round(KEY_RATE * scene.duration))
    positions = path.at(keys / sample_rate - scene.duration / 2)
    mean_distance = np.linalg.norm(positions, axis=-1).mean()
    places, bounces = images(positions, scene.room, order)
    azimuth, elevation, distance = scene.places(places)
    delay = distance / SPEED_OF_SOUND * sample_rate
    weights = ambikit.steering_vector(azimuth, elevation) * (mean_distance / distance)[..., None]
    first = MARGIN + int(delay.max()) + 1
    # Paths that meet the same surfaces hear one filtered signal: air taken at their mean length.
    kinds, kind = np.unique(bounces, axis=0, return_inverse=True)
    length = np.array([distance[kind == i].mean() for i in range(len(kinds))])
    gain = 10 ** (-AIR * length[:, None] / 20)
    gain *= np.prod(scene.room.reflection() ** kinds[:, :, None], axis=1)
    size = _transform_size(n + MARGIN)
    spectrum = fft.rfft(signal, size)
    arriving = fft.irfft(spectrum * (gain.astype(np.float32) @ _bands(size, sample_rate)), size)
    padded = np.zeros((len(kinds), first + n + MARGIN), np.float32)
    padded[:, first : first + n] = arriving[:, :n]
    for i, filtered in enumerate(padded):
        add_paths(filtered, first, delay[kind == i], weights[kind == i], out)


def _convolve(signal: Signal, response: Signal) -> Signal:
    """Return the first n samples of a signal (n,) through responses (4, m)."""
    size = _transform_size(len(signal) + response.shape[-1])
    wet: Signal = fft.irfft(fft.rfft(signal, size) * fft.rfft(response, size), size)
    return wet[:, : len(signal)]


def _transform_size(n: int) -> int:
    """Return a size for transforms of n samples: a fast one, of few, to keep what goes with it."""
    return _GRAIN * -(-n // _GRAIN)


def _gaussian(shape: tuple[int, ...], rng: np.random.Generator) -> Spectrum:
    """Return complex normal numbers: a stretch of a long store, begun and turned at random."""
    count = math.prod(shape)
    store = _store()
    if count > len(store) // 2:
        return rng.standard_normal((*shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
    begin = int(rng.integers(len(store) - count))
    turn = np.exp(2j * np.pi * rng.random()).astype(np.complex64)
    noise: Spectrum = store[begin : begin + count] * turn
    return noise.reshape(shape)


@functools.cache
def _store() -> Spectrum:
    return np.random.default_rng(0).standard_normal(2**21, dtype=np.float32).view(np.complex64)


@functools.lru_cache(maxsize=16)
def _bands(size: int, sample_rate: float) -> Signal:
    """Weight of each octave band in each bin of a spectrum; between centres the two share it."""
    octave = np.log2(np.maximum(fft.rfftfreq(size, 1 / sample_rate), 1.0) / BANDS[0])
    place = np.clip(octave, 0, len(BANDS) - 1)
    away = np.abs(place - np.arange(len(BANDS))[:, None])
    weights: Signal = np.maximum(1.0 - away, 0.0).astype(np.float32)
    return weights


@functools.lru_cache(maxsize=4)
def _steering(directions: int) -> Floats:
    """Steering vectors (D, 4) of an even grid."""
    vectors: Floats = ambikit.spherical_harmonics(ambikit.fibonacci_sphere(directions), 1)
    return vectors
