"""The sounds of the classes: synthesis from an individual's voice and a performance's timing.

A voice is a function (individual, performance, samples, sample_rate) -> signal. The first generator
draws what characterises the individual (pitch, timbre, tempo), the second what is new in each
performance (onsets, strengths, contours).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from ambikit_learn._typing import Floats
from ambikit_learn.world.scene import CLASSES, PERFORMANCE, Scene

Signal = npt.NDArray[np.float32]
Random = np.random.Generator
Voice = Callable[[Random, Random, int, float], Signal]

ACTIVITY_RATE = 100.0
RELEASE = 0.15
# Keys per second of pitch and loudness, which are interpolated linearly.
CONTROL_RATE = 1000.0


@dataclass(frozen=True)
class Performance:
    """The sound of an object: `signal` (n,) of unit RMS, and `activity` (m,) at 100 Hz, 0 to 1.

    The activity follows the envelope of the signal and drives the motion in the picture.
    """

    signal: Signal
    activity: Signal


def perform(scene: Scene, number: int, sample_rate: float) -> Performance:
    """Synthesise the sound of an object of the scene.

    Parameters
    ----------
    scene : Scene
    number : int
        Index in ``scene.objects``.
    sample_rate : float
        Sample rate in Hz.

    Returns
    -------
    Performance
        The same for each call. A silent object that pulses has one too; one that does not pulse has
        silence.

    Examples
    --------
    >>> from ambikit_learn.world import PRESETS, sample_scene
    >>> scene = sample_scene(PRESETS["standard"], seed=0, index=0, split="train", duration=1.0)
    >>> perform(scene, 0, 24000).signal.shape
    (24000,)
    """
    thing, n = scene.objects[number], round(scene.duration * sample_rate)
    if not (thing.sounding or thing.pulsing):
        still = np.zeros(math.ceil(scene.duration * ACTIVITY_RATE), np.float32)
        return Performance(np.zeros(n, np.float32), still)
    instance = thing.instance
    individual, performance = instance.voice(), scene.generator(PERFORMANCE, number)
    signal = VOICES[instance.label](individual, performance, n, sample_rate)
    signal -= signal.mean()
    signal /= np.sqrt(signal @ signal / np.float32(n)) + np.float32(1e-9)
    return Performance(signal, activity(signal, sample_rate))


def activity(signal: Signal, sample_rate: float) -> Signal:
    """Return the envelope of a signal at 100 Hz: immediate attack, decay to 1/e in 0.15 s."""
    edges, counts, rise = _frames(len(signal), sample_rate)
    level = np.sqrt(np.add.reduceat(np.square(signal), edges) / counts)
    level /= level.max() + np.float32(1e-9)
    # A peak that decays by a fixed factor per step is a running maximum once the decay is undone.
    held = np.maximum.accumulate(0.5 * np.log(level + 1e-12) + rise) - rise
    envelope: Signal = np.exp(held).clip(0.0, 1.0).astype(np.float32)
    return envelope


@functools.lru_cache(maxsize=8)
def _frames(n: int, sample_rate: float) -> tuple[npt.NDArray[np.intp], Signal, Floats]:
    """Return the first samples and lengths of activity frames, and the decay to be undone."""
    edges = np.arange(0, n, sample_rate / ACTIVITY_RATE).astype(np.intp)
    counts = np.diff(edges, append=n).astype(np.float32)
    return edges, counts, np.arange(len(edges)) / (ACTIVITY_RATE * RELEASE)


def _onsets(play: Random, n: int, sample_rate: float, rate: float, jitter: float) -> list[int]:
    """Draw event times in samples: `rate` per second, with intervals varied by up to `jitter`."""
    count = int(n / sample_rate * rate * (1 + jitter)) + 2
    gaps = play.uniform(1 - jitter, 1 + jitter, count) / rate
    times = np.cumsum(gaps) - play.uniform(0.3, 1.0) * gaps[0]
    return [int(t * sample_rate) for t in times if t * sample_rate < n]


def _noise(play: Random, n: int) -> Signal:
    """Return white noise of unit power; uniform numbers are drawn faster than normal ones."""
    noise = play.random(n, dtype=np.float32)
    noise -= np.float32(0.5)
    noise *= np.float32(math.sqrt(12.0))
    return noise


def _keys(n: int, sample_rate: float) -> Signal:
    """Return the times of keys for n samples, in seconds."""
    keys = np.arange(_count(n, sample_rate), dtype=np.float32)
    return keys * np.float32(_hop(sample_rate) / sample_rate)


def _count(n: int, sample_rate: float) -> int:
    """Return the number of keys for n samples."""
    return n // _hop(sample_rate) + 3


def _hop(sample_rate: float) -> int:
    """Return the number of samples between keys."""
    return max(1, round(sample_rate / CONTROL_RATE))


def _contour(play: Random, times: Signal, rate: float) -> Signal:
    """Return a smooth random curve in 0 to 1 that changes about `rate` times per second."""
    keys = play.random(int(times[-1] * rate) + 2)
    place = times * np.float32(rate)
    left = place.astype(np.intp)
    x = place - left
    x = x * x * (3 - 2 * x)
    curve: Signal = (keys[left] * (1 - x) + keys[left + 1] * x).astype(np.float32)
    return curve


def _lines(keys: Signal, n: int, sample_rate: float) -> Signal:
    """Interpolate keys linearly to n samples."""
    hop = _hop(sample_rate)
    along = np.arange(hop, dtype=np.float32) / np.float32(hop)
    lines: Signal = (keys[:-1, None] + np.diff(keys)[:, None] * along).ravel()
    return lines[:n]


def _arch(keys: int, power: float) -> Signal:
    """Return a loudness that rises from 0 and returns to 0."""
    swell = np.sin(np.linspace(0, np.pi, keys, dtype=np.float32)).clip(0.0)
    return swell ** np.float32(power)


def _play(out: Signal, period: Signal, pitch: Signal, loudness: Signal, sample_rate: float) -> None:
    """Add a waveform to out; its pitch in Hz and its loudness are keys."""
    from ambikit_learn.world._kernels.voices import oscillate

    oscillate(period, pitch, loudness, _hop(sample_rate), sample_rate, out)


def _period(gains: npt.ArrayLike, phases: npt.ArrayLike = 0.0) -> Signal:
    """Return periods (..., samples) of sounds with harmonics (..., H), 1 upwards."""
    from ambikit_learn.world._kernels.voices import PERIOD

    harmonics = np.asarray(gains) * np.exp(1j * np.asarray(phases))
    spectrum = np.zeros((*harmonics.shape[:-1], harmonics.shape[-1] + 1), np.complex64)
    spectrum[..., 1:] = -0.5j * PERIOD * harmonics
    period: Signal = fft.irfft(spectrum, PERIOD).astype(np.float32, copy=False)
    return period


@functools.cache
def _sine() -> Signal:
    """Return a period of a sine."""
    return _period([1.0])


def _bodies(
    frequencies: npt.ArrayLike,
    decays: npt.ArrayLike,
    gains: npt.ArrayLike,
    n: int,
    sample_rate: float,
) -> Signal:
    """Return sums (B, m) of decaying sinusoids, as of struck bodies, of frequencies (B, M) in Hz.

    Decay times to 1/e are in seconds; the sums end when they have decayed, or after `n` samples.
    """
    from ambikit_learn.world._kernels.voices import ring

    f, d, g = np.atleast_2d(frequencies), np.asarray(decays), np.asarray(gains)
    out = np.zeros((len(f), min(n, int(5.0 * d.max() * sample_rate))), np.float32)
    for row, tones in zip(out, f, strict=True):
        heard = np.where(tones < 0.45 * sample_rate, g, 0.0)
        ring(2 * np.pi * tones / sample_rate, d * sample_rate, heard, row)
    return out


def _strike(n: int, bodies: Signal, onsets: list[int], gains: npt.ArrayLike) -> Signal:
    """Return n samples of bodies (B, m) that are struck one after the other."""
    from ambikit_learn.world._kernels.voices import strike

    out = np.zeros(n, np.float32)
    starts = np.asarray(onsets, dtype=np.int64)
    strike(
        bodies,
        np.arange(len(starts)) % len(bodies),
        starts,
        np.ones(len(starts), np.float32) * np.asarray(gains, np.float32),
        out,
    )
    return out


def _accordion(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Chords of reeds, two slightly detuned ones per note, on a bellows that swells."""
    root, beat = np.exp(voice.uniform(np.log(180), np.log(300))), voice.uniform(1.004, 1.012)
    table = _period(1.0 / np.arange(1, 25) ** voice.uniform(0.6, 1.0), voice.uniform(0, 6.3, 24))
    rate = voice.uniform(1.5, 3.0)
    out = np.zeros(n, np.float32)
    swell = 0.4 + 0.6 * _contour(play, _keys(n, sample_rate), 2.0)
    for start in _onsets(play, n, sample_rate, rate, 0.2):
        stop = min(n, start + int(play.uniform(0.7, 1.0) / rate * sample_rate))
        count = _count(stop - start, sample_rate)
        begin = min(start // _hop(sample_rate), len(swell) - count)
        loudness = _arch(count, 0.4) * swell[begin : begin + count]
        for step in play.permutation([0, 3, 5, 7, 10, 12])[:2]:
            for tuning in (1.0, beat):
                pitch = np.full(count, root * 2 ** (step / 12) * tuning, np.float32)
                _play(out[start:stop], table, pitch, loudness, sample_rate)
    return out


def _bell(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Decaying inharmonic partials of a church bell."""
    nominal = np.exp(voice.uniform(np.log(300), np.log(900)))
    ratios = np.array([0.5, 1.0, 1.19, 1.56, 2.0, 2.66, 3.01, 4.1]) * voice.normal(1, 0.01, 8)
    decays = voice.uniform(0.35, 0.7) / np.sqrt(ratios)
    body = _bodies(nominal * ratios, decays, voice.uniform(0.3, 1.0, 8), n, sample_rate)
    onsets = _onsets(play, n, sample_rate, voice.uniform(0.9, 2.0), 0.25)
    return _strike(n, body, onsets, play.uniform(0.5, 1.0, len(onsets)))


def _bird(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Phrases of chirps that sweep up or down."""
    base, sweep = voice.uniform(2200, 4500), voice.uniform(-0.35, 0.35)
    length, rate = voice.uniform(0.05, 0.14), voice.uniform(5.0, 9.0)
    count = int(length * sample_rate)
    t = np.minimum(_keys(count, sample_rate) / np.float32(length), 1.0)
    window = np.sin(np.pi * t) ** 2
    warble = voice.uniform(0.0, 0.06) * np.sin(2 * np.pi * voice.integers(1, 5) * t)
    pitch = (base * (1 + sweep * (t - 0.5) + warble)).astype(np.float32)
    out = np.zeros(n, np.float32)
    for start in _onsets(play, n, sample_rate, voice.uniform(0.7, 1.3), 0.3):
        tune = play.uniform(0.85, 1.2)
        for k in range(int(play.integers(3, 8))):
            at = start + int(k * sample_rate / rate)
            chirp = pitch * np.float32(tune * play.uniform(0.95, 1.05))
            _play(out[at : at + count], _sine(), chirp, window, sample_rate)
    return out


def _clock(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Even ticks of small metal parts, every other one lower."""
    frequencies, decays = voice.uniform(1800, 6000, 6), voice.uniform(0.004, 0.012, 6)
    gains, fall = voice.uniform(0.3, 1.0, 6), voice.uniform(0.7, 0.85)
    bodies = _bodies([frequencies, fall * frequencies], decays, gains, n, sample_rate)
    onsets = _onsets(play, n, sample_rate, voice.uniform(3.0, 6.0), 0.01)
    return _strike(n, bodies, onsets, 1.0)


def _dog(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Barks: a hoarse voice whose pitch jumps up and falls, one to three in a row."""
    pitch, rough = voice.uniform(220, 520), voice.uniform(0.3, 0.8)
    harmonics = pitch * np.arange(1, int(4000 / pitch))
    formant = voice.uniform(700, 1300)
    peaks = 1.0 / (1 + ((harmonics - formant) / 350) ** 2)
    table = _period(peaks + 0.2 / (1 + ((harmonics - 2.4 * formant) / 500) ** 2))
    length = voice.uniform(0.13, 0.24)
    count = int(length * sample_rate)
    t = np.minimum(_keys(count, sample_rate) / np.float32(length), 1.0)
    shape = np.minimum(t / 0.08, 1.0) * (1 - t) ** 1.5
    bend = (pitch * (0.8 + 0.5 * np.sin(np.pi * np.sqrt(t)))).astype(np.float32)
    gap, out = voice.uniform(0.25, 0.4), np.zeros(n, np.float32)
    for start in _onsets(play, n, sample_rate, voice.uniform(0.8, 1.3), 0.3):
        for k in range(int(play.integers(1, 4))):
            call = out[start + int(k * gap * sample_rate) :][:count]
            _play(call, table, bend * np.float32(play.uniform(0.9, 1.1)), shape, sample_rate)
            call *= 1 + np.float32(rough) * _noise(play, len(call))
    return out


def _drum(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Beats of a skin whose pitch drops, with a slap of noise."""
    low, drop, decay = voice.uniform(60, 130), voice.uniform(1.0, 2.5), voice.uniform(0.08, 0.18)
    skin = np.zeros((1, min(n, int(6 * decay * sample_rate))), np.float32)
    t = _keys(skin.shape[1], sample_rate)
    _play(
        skin[0],
        _period([1.0]),
        low * (1 + drop * np.exp(-t / 0.02)),
        np.exp(-t / decay),
        sample_rate,
    )
    slap = voice.uniform(0.2, 0.5) * np.exp(
        -np.arange(int(0.06 * sample_rate)) / 0.012 / sample_rate
    )
    onsets = _onsets(play, n, sample_rate, voice.uniform(2.0, 4.5), 0.08)
    gains = play.choice([0.45, 1.0], len(onsets))
    out = _strike(n, skin, onsets, gains)
    for at, gain in zip(onsets, gains, strict=True):
        hit = out[at : at + len(slap)]
        hit += np.float32(gain) * slap[: len(hit)].astype(np.float32) * _noise(play, len(hit))
    return out


def _engine(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Harmonic buzz whose revolutions rise and fall."""
    harmonics = np.arange(1, 41)
    gains = voice.uniform(0.3, 1.0, 40) / harmonics ** voice.uniform(0.5, 0.9)
    table = _period(gains, voice.uniform(0, 2 * np.pi, 40))
    times, out = _keys(n, sample_rate), np.zeros(n, np.float32)
    throttle = _contour(play, times, voice.uniform(1.0, 2.0))
    revolutions = np.float32(voice.uniform(45, 85)) * (1 + np.float32(0.6) * throttle)
    rough = 1 + np.float32(0.3) * _contour(play, times, 40.0)
    _play(out, table, revolutions, (np.float32(0.25) + throttle) * rough, sample_rate)
    return out


def _knock(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Wood that is knocked on a few times in a row."""
    frequencies = voice.uniform(180, 1600, 7)
    body = _bodies(
        frequencies, voice.uniform(0.01, 0.035, 7), voice.uniform(0.3, 1, 7), n, sample_rate
    )
    body[:, : body.shape[1] // 20] += 0.5 * _noise(voice, body.shape[1] // 20)
    tempo, onsets = voice.uniform(4.5, 8.0), []
    for start in _onsets(play, n, sample_rate, voice.uniform(0.6, 1.1), 0.3):
        for k in range(int(play.integers(2, 6))):
            at = start + int(k * sample_rate / tempo * play.uniform(0.95, 1.05))
            onsets.append(min(at, n))
    return _strike(n, body, onsets, play.uniform(0.6, 1.0, len(onsets)))


def _siren(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Wailing or two-tone horn, on and off."""
    low, span = voice.uniform(550, 900), voice.uniform(1.25, 1.8)
    rate, share = voice.uniform(0.8, 3.0), voice.uniform(0.6, 0.9)
    table = _period(1.0 / np.arange(1, 8, dtype=float) ** voice.uniform(1.0, 2.0))
    part = (_keys(n, sample_rate) * np.float32(rate) + np.float32(play.random())) % 1.0
    bend = part > 0.5 if voice.random() < 0.5 else 0.5 - 0.5 * np.cos(2 * np.pi * part)
    edge = np.clip(np.minimum(part, np.float32(share) - part) / np.float32(0.008 * rate), 0.0, 1.0)
    out = np.zeros(n, np.float32)
    _play(out, table, (low * span**bend).astype(np.float32), edge, sample_rate)
    return out


_VOWELS = np.array(
    [[730, 1090, 2440], [530, 1840, 2480], [270, 2290, 3010], [570, 840, 2410], [300, 870, 2240]]
)


def _speech(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Syllables of a pulse train through vowel formants, some with a noisy consonant."""
    pitch, tract = voice.uniform(90, 240), voice.uniform(0.9, 1.2)
    rate = voice.uniform(3.0, 5.0)
    harmonics = pitch * np.arange(1, int(4500 / pitch))[:, None]
    formants = tract * _VOWELS[:, None]
    peaks = 1.0 / (1 + ((harmonics - formants) / (50 + 0.05 * formants)) ** 2)
    tables = _period(peaks @ [1.0, 0.6, 0.35] / np.sqrt(harmonics[:, 0]))
    times, out = _keys(n, sample_rate), np.zeros(n, np.float32)
    melody = np.float32(pitch) * (np.float32(0.85) + np.float32(0.3) * _contour(play, times, 2.0))
    for start in _onsets(play, n, sample_rate, rate, 0.3):
        if play.random() < 0.2:  # a pause between words
            continue
        stop = min(n, start + int(play.uniform(0.6, 0.95) / rate * sample_rate))
        count = _count(stop - start, sample_rate)
        begin = min(start // _hop(sample_rate), len(melody) - count)
        vowel = tables[int(play.integers(len(tables)))]
        syllable = out[start:stop]
        _play(syllable, vowel, melody[begin : begin + count], _arch(count, 0.7), sample_rate)
        if play.random() < 0.4:
            hiss = min(int(0.06 * sample_rate), stop - start)
            syllable[:hiss] += np.float32(0.15) * np.abs(syllable).max() * _noise(play, hiss)
    return out


def _telephone(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Two small bells struck in turn by a hammer, in bursts."""
    tones = voice.uniform(1100, 1900) * np.array([1.0, voice.uniform(1.15, 1.35)])
    ratios, gains = np.array([1.0, 2.32, 4.25]), np.array([1.0, 0.5, 0.25])
    decays = voice.uniform(0.08, 0.16) / np.sqrt(ratios)
    bells = _bodies(np.outer(tones, ratios), decays, gains, n, sample_rate)
    hammer, burst = voice.uniform(18.0, 28.0), voice.uniform(0.35, 0.7)
    strokes = (np.arange(int(burst * hammer)) * sample_rate / hammer).astype(int)
    starts = _onsets(play, n, sample_rate, voice.uniform(0.9, 1.3), 0.1)
    onsets = np.minimum(np.add.outer(starts, strokes).ravel(), n)
    return _strike(n, bells, onsets, play.uniform(0.8, 1.0, len(onsets)))


def _water(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Splashing noise that swells, and bubbles whose pitch rises."""
    from ambikit_learn.world._kernels.voices import keep_band

    out = _noise(play, n)
    low, high = voice.uniform(400, 900), voice.uniform(2500, 6000)
    poles = -np.expm1(-2 * np.pi * np.array([low, high]) / sample_rate)
    keep_band(poles.astype(np.float32), out)
    times = _keys(n, sample_rate)
    swell = np.float32(0.05) + _contour(play, times, voice.uniform(1.5, 3.0)) ** 2
    swell /= out.std() + np.float32(1e-9)
    out *= _lines(swell, n, sample_rate)
    count = int(0.05 * sample_rate)
    t = _keys(count, sample_rate)
    rise, fall = 1 + 6 * t, np.exp(-t / 0.012)
    for _ in range(play.poisson(voice.uniform(8, 20) * n / sample_rate)):
        at, pitch = int(play.integers(n)), np.float32(play.uniform(400, 1400))
        loudness = np.float32(play.uniform(0.5, 1.5)) * fall
        _play(out[at : at + count], _sine(), pitch * rise, loudness, sample_rate)
    return out


VOICES: dict[str, Voice] = {
    "accordion": _accordion,
    "bell": _bell,
    "bird": _bird,
    "clock": _clock,
    "dog": _dog,
    "drum": _drum,
    "engine": _engine,
    "knock": _knock,
    "siren": _siren,
    "speech": _speech,
    "telephone": _telephone,
    "water": _water,
}
assert tuple(VOICES) == CLASSES
