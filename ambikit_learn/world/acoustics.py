"""From a scene to four-channel sound: direct paths, wall echoes, a diffuse tail and ambience."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import fft

import ambikit
from ambikit_learn._typing import Floats, Integers
from ambikit_learn.world.places import BANDS, PLACES, Peak
from ambikit_learn.world.scene import FIELD, Room, Scene, Trajectory, along
from ambikit_learn.world.sounds import Performance, Signal

SPEED_OF_SOUND = 343.0
# Absorption of air at 20 °C and 50% humidity, in dB per metre, by octave.
AIR = np.array([0.0004, 0.0013, 0.0027, 0.0047, 0.0099, 0.0297, 0.105])
PEAK = 0.7
TAIL_ONSET = 0.008
# The tail begins in all directions within this fraction of the reverberation time: long enough for
# directions to differ in each mel band, short against the decay.
TAIL_SPREAD = 0.1
# Lower bound of the gain of a reflection, in nepers.
_LEAST = -9.0
# Lengths of the stored noises in samples: for tails, and for the four channels of ambience.
_TAIL_NOISE = 2**17
_LOOP = 2**17


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
        One per object, from `sounds.perform`.
    sample_rate : float
        Sample rate in Hz.
    order : int
        Highest number of reflections of a path; 0 gives the direct sound alone.
    tail, ambience : bool
        Whether to add the diffuse tail of the room, and the noise of its surroundings.

    Returns
    -------
    (4, n) ndarray of float32
        AmbiX; the greater of |W| and ‖(X, Y, Z)‖ peaks at 0.7.

    Notes
    -----
    Every path is delayed by its length (with Doppler shift), attenuated by 1/length, filtered by
    the air and the walls that it meets, and encoded in its direction of arrival. The tail is one
    response of the room for all objects, since late reflections arrive from all directions.

    Examples
    --------
    >>> from ambikit_learn.world import PRESETS, sample_scene
    >>> from ambikit_learn.world.sounds import perform
    >>> scene = sample_scene(PRESETS["easy"], seed=0, index=0, split="train", duration=1.0)
    >>> played = [perform(scene, i, 24000) for i in range(len(scene.objects))]
    >>> render_sound(scene, played, 24000).shape
    (4, 24000)
    """
    from ambikit_learn.world._kernels.sound import loudest

    n = round(scene.duration * sample_rate)
    rng = scene.generator(FIELD)
    sounding = [
        (thing.path, np.float32(10 ** (thing.level / 20)) * played.signal)
        for thing, played in zip(scene.objects, performances, strict=True)
        if thing.sounding
    ]
    out = np.zeros((4, n), np.float32)
    if sounding:
        _add_paths(scene, sounding, sample_rate, order, out)
    if tail:
        gain = np.float32(10 ** (-scene.room.direct_to_tail / 20))
        dry = gain * sum((signal for _, signal in sounding), np.zeros(n, np.float32))
        diffuse_tail(dry, scene.room.decay(), sample_rate, rng, heading=scene.heading, out=out)
    if ambience:
        peaks = PLACES[scene.ambience].ambience
        noise = diffuse_noise(n, sample_rate, rng, peaks, heading=scene.heading)
        loudness = np.sqrt(_energy(out[0]) / _energy(noise[0]))
        noise *= np.float32(loudness * 10 ** (-scene.ambience_snr / 20))
        out += noise
    out *= np.float32(PEAK / (np.sqrt(loudest(out)) + 1e-9))
    return out


def images(room: Room, order: int) -> tuple[Integers, Floats, Integers]:
    """Mirror images of sources in the walls.

    Parameters
    ----------
    room : Room
    order : int
        Highest number of reflections; order 1 gives the source and six echoes.

    Returns
    -------
    signs, middles : (P, 3) ndarray
        A source at `p`, in metres from the camera, has images at ``signs * p + middles``; the first
        is the source itself.
    bounces : (P, 3) ndarray of int
        Reflections of each image by side walls, ceiling and floor.

    References
    ----------
    .. [1] J. B. Allen and D. A. Berkley, "Image method for efficiently simulating small-room
       acoustics", J. Acoust. Soc. Am. 65(4), 1979.
    """
    far, near = np.array(room.walls[::2]), np.array(room.walls[1::2])
    cells, bounces, *_ = _cells(order, room.kind.open_sky)
    # The room of a cell is mirrored where the number of the cell is odd.
    odd = cells % 2
    return 1 - 2 * odd, cells * (far + near) + odd * (far - near), bounces


@functools.cache
def _cells(order: int, open_sky: bool) -> tuple[Integers, Integers, Integers, Integers, Floats]:
    """Return what all sources of a room have in common.

    The mirrored rooms (P, 3) within `order` reflections, the bounces (P, 3) on each surface, those
    (K, 3) that differ, which of these (P,) each image has, and a matrix (P, K) that takes the mean
    of the images that have the same.
    """
    cells = np.array(list(product(range(-order, order + 1), repeat=3)))
    sides, rises = np.abs(cells[:, :2]).sum(1), np.abs(cells[:, 2])
    # An image in the upper cells met the ceiling first, and then floor and ceiling alternately.
    above = np.where(cells[:, 2] > 0, (rises + 1) // 2, rises // 2)
    bounces = np.stack([sides, above, rises - above], axis=1)
    kept = np.flatnonzero((sides + rises <= order) & ~(open_sky & (above > 0)))
    kept = kept[np.argsort(bounces[kept].sum(1), kind="stable")]
    kinds, kind = np.unique(bounces[kept], axis=0, return_inverse=True)
    alike = np.equal.outer(kind, np.arange(len(kinds)))
    return cells[kept], bounces[kept], kinds, kind, alike / alike.sum(axis=0)


def diffuse_tail(
    signal: Signal,
    t60: npt.ArrayLike,
    sample_rate: float,
    rng: np.random.Generator,
    *,
    heading: float = 0.0,
    out: Signal | None = None,
) -> Signal:
    """Diffuse tail of a sound: its late reflections, which arrive from all directions.

    Parameters
    ----------
    signal : (n,) ndarray of float32
        The dry sound.
    t60 : float or (7,) array_like
        Reverberation times in seconds, in the octaves from 125 Hz to 8 kHz.
    sample_rate : float
        Sample rate in Hz.
    rng : numpy.random.Generator
    heading : float
        Azimuth that the microphone looks along, in radians.
    out : (4, n) ndarray of float32, optional
        Signals that the tail is added to.

    Returns
    -------
    (4, n) ndarray of float32
        AmbiX; white noise keeps its power in W.

    Notes
    -----
    The response of the room is noise of unit energy whose octaves decay at their own rates. It
    arrives as plane waves from the twelve vertices of an icosahedron, each with its own delay and
    sign. These directions are a spherical 5-design, so that ⟨X²⟩ = ⟨Y²⟩ = ⟨Z²⟩ = ⟨W²⟩ / 3 and the
    mean intensity is 0, as in a diffuse field.
    """
    from ambikit_learn.world._kernels.sound import die_away, spread

    seconds = np.broadcast_to(np.asarray(t60, dtype=np.float64), BANDS.shape)
    corners = _corners()
    late = (rng.permutation(len(corners)) + rng.random(len(corners))) / len(corners)
    delays = ((TAIL_ONSET + TAIL_SPREAD * seconds.mean() * late) * sample_rate).astype(np.int64)
    latest, count = int(delays.max()), int(seconds.max() * sample_rate)
    response = np.empty(count, np.float32)
    noise = _octaves(sample_rate)
    if count >= noise.shape[1]:
        noise = np.tile(noise, count // noise.shape[1] + 1)
    begin = int(rng.integers(noise.shape[1] - count))
    die_away(noise, begin, 3 * np.log(10) / (seconds * sample_rate), response)
    gains = (2 * rng.integers(0, 2, len(corners)) - 1) / np.sqrt(len(corners) * _energy(response))
    weights = (gains[:, None] * corners) @ _turn(heading)
    if out is None:
        out = np.zeros((4, len(signal)), np.float32)
    wet = np.zeros(latest + out.shape[1], np.float32)
    convolve(signal, response, wet[latest:])
    begins = (latest - delays).reshape(-1, 4)
    spread(wet, begins, weights.astype(np.float32).reshape(-1, 4, 4), out)
    return out


def diffuse_noise(
    n: int,
    sample_rate: float,
    rng: np.random.Generator,
    peaks: Sequence[Peak],
    *,
    heading: float = 0.0,
    directions: int = 64,
) -> Signal:
    """Ambience of independent plane waves from all directions, louder from some of them.

    Parameters
    ----------
    n : int
        Number of samples.
    sample_rate : float
        Sample rate in Hz.
    rng : numpy.random.Generator
    peaks : sequence of (float, float, float)
        Spectral peaks: centre in Hz, width in octaves and level in dB; each has its own directions.
    heading : float
        Azimuth that the microphone looks along, in radians.
    directions : int
        Number of plane waves, spread evenly over the sphere.

    Returns
    -------
    (4, n) ndarray of float32
        AmbiX.

    Notes
    -----
    D independent Gaussian waves of weight g from directions u have the covariance Σ g² u uᵀ, and
    any four Gaussian noises mixed to that covariance are the same random process. So four noises
    and one Cholesky factor per peak represent all waves. The noises are random mixtures of sections
    of a long stored noise.
    """
    from ambikit_learn.world._kernels.sound import spread

    steering = _grid(directions)
    power = 10 ** (rng.uniform(-4.0, 4.0, (len(peaks), 1, directions)) / 10)
    factors = np.linalg.cholesky((steering.T * power) @ steering / directions)
    levels = np.array([level for _, _, level in peaks]) + rng.uniform(-1.5, 1.5, len(peaks))
    mixing = factors @ np.linalg.qr(rng.standard_normal((len(peaks), 4, 4)))[0]
    weights = mixing.swapaxes(1, 2) @ _turn(heading) * 10 ** (levels[:, None, None] / 20)
    out = np.zeros((4, n), np.float32)
    for (middle, width, _), weight in zip(peaks, weights.astype(np.float32), strict=True):
        noise = _loops(middle, width, sample_rate)
        if n > _LOOP:
            noise = np.tile(noise, -(-n // _LOOP))
        begins = int(rng.integers(noise.shape[1] - n + 1)) + noise.shape[1] * np.arange(4)
        spread(noise.ravel(), begins[None], weight[None], out)
    return out


def _add_paths(
    scene: Scene,
    sounding: Sequence[tuple[Trajectory, Signal]],
    sample_rate: float,
    order: int,
    out: Signal,
) -> None:
    """Add the direct sound and the echoes of objects on paths that play signals to the field."""
    from ambikit_learn.world._kernels.sound import BLOCK, MARGIN, add_paths, arrive, colour

    n, room = out.shape[-1], scene.room
    times = np.arange(0, n + BLOCK, BLOCK) / sample_rate - scene.duration / 2
    paths = [path for path, _ in sounding]
    positions = along(
        np.array([path.position for path in paths]),
        np.array([path.velocity for path in paths]),
        np.array([path.spin for path in paths]),
        times,
    )
    signs, middles, _ = images(room, order)
    distance = np.empty((len(sounding), len(signs), len(times)))
    weights = np.empty((*distance.shape, len(out)), np.float32)
    arrive(positions, signs, middles, scene.heading, distance, weights)
    mean = distance.mean(axis=-1)
    weights *= mean[:, :1, None, None].astype(np.float32)
    # Paths that meet the same surfaces share one filtered signal, at their mean length for the air.
    _, _, kinds, kind, together = _cells(order, room.kind.open_sky)
    length = mean @ together
    gain = kinds @ np.log(room.reflection()) - AIR * (np.log(10) / 20) * length[..., None]
    poles, colours = mixtures(gain, sample_rate)
    delay = distance * (sample_rate / SPEED_OF_SOUND)
    first = MARGIN + int(delay.max()) + 1
    arriving = np.empty((len(sounding), len(kinds), first + n + MARGIN), np.float32)
    arriving[..., :first] = arriving[..., first + n :] = 0.0
    for (_, signal), mixture, coloured in zip(sounding, colours, arriving, strict=True):
        colour(signal, poles, mixture, first, coloured)
    add_paths(
        arriving.reshape(-1, arriving.shape[-1]),
        np.add.outer(len(kinds) * np.arange(len(sounding)), kind).ravel(),
        first,
        delay.reshape(-1, len(times)),
        weights.reshape(-1, len(times), len(out)),
        np.empty((len(out) + 2, BLOCK), np.float32),
        out,
    )


def _energy(x: Signal) -> float:
    """Return the sum of squares, to the same bit wherever in memory `x` lies: BLAS may differ."""
    return float(np.square(x, dtype=np.float64).sum())


def _turn(heading: float) -> Floats:
    """Return the matrix (4, 4) that turns steering vectors for a camera that faces an azimuth."""
    cos, sin = np.cos(heading), np.sin(heading)
    return np.array([[1, 0, 0, 0], [0, cos, 0, sin], [0, 0, 1, 0], [0, -sin, 0, cos]])


def convolve(signal: Signal, response: Signal, out: Signal) -> None:
    """Convolve a sound with the response of a room.

    Parameters
    ----------
    signal, response : ndarray of float32
        Sound and impulse response, of any lengths.
    out : (n,) ndarray of float32
        Filled with the first `n` samples of their convolution.
    """
    from ambikit_learn.world._kernels import convolve as kernels

    p, q, m = (-(-len(x) // kernels.BLOCK) for x in (signal, response, out))
    given, made = (8 * -(-lanes // 8) for lanes in (p + q, m))  # whole vector registers
    z = np.zeros((2, kernels.BLOCK, given), np.float32)
    history = np.empty((2, q + made), np.float32)
    y = np.empty((2, kernels.BLOCK, made), np.float32)
    kernels.convolve(signal, response, _arc(1.0), _arc(0.25), z, history, y, out)


@functools.cache
def _arc(share: float) -> Signal:
    """Return cosine and sine (2, BLOCK) along a fraction of a turn."""
    from ambikit_learn.world._kernels.convolve import BLOCK

    phase = 2 * np.pi * share * np.arange(BLOCK) / BLOCK
    return np.stack([np.cos(phase), np.sin(phase)]).astype(np.float32)


def mixtures(gains: Floats, sample_rate: float) -> tuple[Signal, Signal]:
    """Return the weights with which the kernel `colour` gives a sound some gains by octave.

    Parameters
    ----------
    gains : (..., 7) ndarray
        Natural logarithms of the pressure's gains in the octaves from 125 Hz to 8 kHz.
    sample_rate : float
        Sample rate in Hz.

    Returns
    -------
    poles : (6,) ndarray of float32
        Poles of the low-passes, the same for all gains.
    weights : (..., 7) ndarray of float32
        Weights of the low-passes and of the sound itself.
    """
    poles, real, imaginary, fit = _low_passes(sample_rate)
    gains = np.maximum(gains, _LEAST)
    level, phase = np.exp(gains @ real), gains @ imaginary
    response = np.concatenate([level * np.cos(phase), level * np.sin(phase)], axis=-1)
    return poles, (response @ fit).astype(np.float32)


@functools.lru_cache(maxsize=4)
def _low_passes(sample_rate: float) -> tuple[Signal, Floats, Floats, Floats]:
    """Return the poles of `colour` and the linear maps that lead from gains to its weights.

    The first two lead from the logarithms of the gains in octaves, interpolated linearly, to level
    and phase (7, F) of the minimum-phase response at F frequencies. The last leads from that
    response, real and imaginary (2 F,), to the weights of low-passes and signal closest to it.
    """
    corners = BANDS[:-1] * np.sqrt(2.0)
    poles = 1.0 - np.exp(-2.0 * np.pi * corners / sample_rate)
    size = 2**14
    # The logarithm of a minimum-phase response has a causal inverse transform.
    cepstra = fft.irfft(_shares(fft.rfftfreq(size, 1 / sample_rate)), size)
    cepstra[:, 1 : size // 2] *= 2.0
    cepstra[:, size // 2 + 1 :] = 0.0
    bins = np.unique(np.geomspace(70.0, 0.46 * sample_rate, 16) * size / sample_rate).astype(int)
    z = np.exp(-2j * np.pi * bins / size)[:, None]
    basis = np.concatenate([poles / (1.0 - (1.0 - poles) * z), np.ones_like(z)], axis=1)
    basis = np.concatenate([basis.real, basis.imag])
    fit = basis @ np.linalg.inv(basis.T @ basis + 1e-3 * np.eye(basis.shape[1]))
    logarithm = fft.rfft(cepstra)[:, bins]
    return poles.astype(np.float32), logarithm.real.copy(), logarithm.imag.copy(), fit


def _shares(frequencies: Floats) -> Floats:
    """Return the weights (7, F) of the octave bands, interpolated linearly between centres."""
    place = np.clip(np.log2(np.maximum(frequencies, 1.0) / BANDS[0]), 0, len(BANDS) - 1)
    shares: Floats = np.maximum(1.0 - np.abs(place - np.arange(len(BANDS))[:, None]), 0.0)
    return shares


@functools.cache
def _corners() -> Floats:
    """Return the steering vectors (12, 4) of the vertices of an icosahedron."""
    vectors: Floats = ambikit.spherical_harmonics(ambikit.icosphere(), 1)
    return vectors


@functools.lru_cache(maxsize=4)
def _grid(count: int) -> Floats:
    """Return the steering vectors (D, 4) of evenly spread directions."""
    vectors: Floats = ambikit.spherical_harmonics(ambikit.fibonacci_sphere(count), 1)
    return vectors


@functools.lru_cache(maxsize=2)
def _octaves(sample_rate: float) -> Signal:
    """Return white noise in octave bands, (7, samples), silent where rooms have few modes."""
    white = _gaussian(_TAIL_NOISE // 2 + 1)
    f = fft.rfftfreq(_TAIL_NOISE, 1 / sample_rate)
    low = np.clip(np.log2(np.maximum(f, 1.0) / BANDS[0]) + 1.0, 0.0, 1.0)
    bands: Signal = fft.irfft(white * (low * _shares(f)).astype(np.float32), _TAIL_NOISE)
    return bands


@functools.lru_cache(maxsize=64)
def _loops(middle: float, width: float, sample_rate: float) -> Signal:
    """Return stored noise with a spectral peak, (4, samples), that can be looped."""
    f = fft.rfftfreq(4 * _LOOP, 1 / sample_rate)
    away = np.abs(np.log2(np.maximum(f, 20.0) / middle)) / width
    shape = np.exp(-0.5 * away**2) + 0.1 / (1.0 + away)
    noise: Signal = fft.irfft(_gaussian(len(f)) * shape.astype(np.float32), 4 * _LOOP)
    return noise.reshape(4, _LOOP)


@functools.lru_cache(maxsize=2)
def _gaussian(count: int) -> npt.NDArray[np.complex64]:
    """Return complex normal numbers, the same each time."""
    return np.random.default_rng(0).standard_normal(2 * count, np.float32).view(np.complex64)
