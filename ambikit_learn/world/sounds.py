"""What each class sounds like: synthesis from an individual's voice and a performance's timing.

A voice is a function (individual, performance, samples, sample_rate) -> signal, where the two
generators draw what stays with the individual (pitch, timbre, tempo) and what is new each time
(onsets, strengths, contours).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ambikit_learn.world.scene import CLASSES, PERFORMANCE, Scene

Signal = npt.NDArray[np.float32]
Random = np.random.Generator
Voice = Callable[[Random, Random, int, float], Signal]

ACTIVITY_RATE = 100.0
RELEASE = 0.15


@dataclass(frozen=True)
class Performance:
    """What an object plays: `signal` (n,) of unit RMS, and `activity` (m,) at 100 Hz, 0 to 1.

    The activity follows the signal's envelope; it moves the picture.
    """

    signal: Signal
    activity: Signal


def perform(scene: Scene, number: int, sample_rate: float) -> Performance:
    """Play an object of the scene.

    Parameters
    ----------
    scene : Scene
    number : int
        Place in ``scene.objects``.
    sample_rate : float
        Hz.

    Returns
    -------
    Performance
        The same each time. A silent object that only moves gets one too, one that does neither
        gets silence.

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
    signal /= np.sqrt(np.mean(np.square(signal))) + 1e-9
    return Performance(signal, activity(signal, sample_rate))


def activity(signal: Signal, sample_rate: float) -> Signal:
    """Return the envelope of a signal at 100 Hz: quick to rise, falling by 1/e in 0.15 s."""
    edges = np.arange(0, len(signal), sample_rate / ACTIVITY_RATE).astype(np.intp)
    counts = np.diff(edges, append=len(signal))
    level = np.sqrt(np.add.reduceat(np.square(signal), edges) / counts)
    level = np.sqrt(level / (level.max() + 1e-9))
    # A peak that decays by a fixed factor a step is a running maximum once the decay is undone.
    rise = np.arange(len(level)) / (ACTIVITY_RATE * RELEASE)
    held = np.maximum.accumulate(np.log(level + 1e-6) + rise) - rise
    return np.exp(held).clip(0.0, 1.0).astype(np.float32)


def _onsets(play: Random, n: int, sample_rate: float, rate: float, jitter: float) -> list[int]:
    """Draw event times in samples: `rate` a second, each interval off by up to `jitter`."""
    count = int(n / sample_rate * rate * (1 + jitter)) + 2
    gaps = play.uniform(1 - jitter, 1 + jitter, count) / rate
    times = np.cumsum(gaps) - play.uniform(0.3, 1.0) * gaps[0]
    return [int(t * sample_rate) for t in times if t * sample_rate < n]


def _strike(n: int, events: list[tuple[int, Signal]]) -> Signal:
    """Add sounds at their onsets."""
    out = np.zeros(n, np.float32)
    for start, sound in events:
        stop = min(n, start + len(sound))
        out[start:stop] += sound[: stop - start]
    return out


def _modes(
    frequencies: npt.ArrayLike,
    decays: npt.ArrayLike,
    gains: npt.ArrayLike,
    n: int,
    sample_rate: float,
) -> Signal:
    """Return a sum of decaying sinusoids, as of a struck body; decays to 1/e in seconds.

    It ends when it has died away, or after `n` samples.
    """
    f, d, g = (np.asarray(a, dtype=np.float32)[:, None] for a in (frequencies, decays, gains))
    count = min(n, int(5.0 * d.max() * sample_rate))
    t = np.arange(count, dtype=np.float32) / np.float32(sample_rate)
    keep = f < 0.45 * sample_rate
    tones: Signal = np.where(keep, g, 0) * np.sin(2 * np.pi * f * t) * np.exp(-t / d)
    total: Signal = tones.sum(axis=0, dtype=np.float32)
    return total


def _shaped_noise(play: Random, n: int, sample_rate: float, low: float, high: float) -> Signal:
    """Return noise between two frequencies, falling by 12 dB an octave outside them."""
    spectrum = np.fft.rfft(play.standard_normal(n, dtype=np.float32))
    f = np.fft.rfftfreq(n, 1 / sample_rate)
    spectrum *= 1.0 / ((1 + (low / (f + 1.0)) ** 2) * (1 + (f / high) ** 2))
    noise: Signal = np.fft.irfft(spectrum, n).astype(np.float32)
    noise /= noise.std() + np.float32(1e-9)
    return noise


def _contour(play: Random, n: int, sample_rate: float, rate: float) -> Signal:
    """Return a smooth random curve in 0 to 1 that changes about `rate` times a second."""
    keys = play.random(int(n / sample_rate * rate) + 3)
    place = np.arange(n, dtype=np.float32) * np.float32(rate / sample_rate)
    left = place.astype(np.intp)
    x = place - left
    x = x * x * (3 - 2 * x)
    curve: Signal = (keys[left] * (1 - x) + keys[left + 1] * x).astype(np.float32)
    return curve


def _wave(table: Signal, frequency: npt.NDArray[np.floating], sample_rate: float) -> Signal:
    """Run through one period of a waveform at a frequency (n,) in Hz."""
    phase = np.cumsum(frequency / sample_rate, dtype=np.float64)
    return table[((phase % 1.0) * len(table)).astype(np.intp)]


def _period(gains: npt.ArrayLike, phases: npt.ArrayLike = 0.0) -> Signal:
    """Return 2048 samples of one period of a sound with these harmonics, 1 upwards."""
    g = np.concatenate([[0.0], np.asarray(gains) * np.exp(1j * np.asarray(phases))])
    return np.fft.irfft(-1j * g, 2048).astype(np.float32) * 1024


def _accordion(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Chords of reeds, two a note and a little out of tune, on a bellows that swells."""
    root, beat = np.exp(voice.uniform(np.log(180), np.log(300))), voice.uniform(1.004, 1.012)
    table = _period(1.0 / np.arange(1, 25) ** voice.uniform(0.6, 1.0), voice.uniform(0, 6.3, 24))
    rate = voice.uniform(1.5, 3.0)
    out = np.zeros(n, np.float32)
    for start in _onsets(play, n, sample_rate, rate, 0.2):
        stop = min(n, start + int(play.uniform(0.7, 1.0) / rate * sample_rate))
        arch = np.sin(np.linspace(0, np.pi, stop - start, dtype=np.float32)).clip(0.0) ** 0.4
        for step in play.choice([0, 3, 5, 7, 10, 12], 2, replace=False):
            for tuning in (1.0, beat):
                pitch = np.full(stop - start, root * 2 ** (step / 12) * tuning)
                out[start:stop] += _wave(table, pitch, sample_rate) * arch
    swell: Signal = 0.4 + 0.6 * _contour(play, n, sample_rate, 2.0)
    return out * swell


def _bell(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Inharmonic partials of a church bell that die away."""
    nominal = np.exp(voice.uniform(np.log(300), np.log(900)))
    ratios = np.array([0.5, 1.0, 1.19, 1.56, 2.0, 2.66, 3.01, 4.1]) * voice.normal(1, 0.01, 8)
    decays = voice.uniform(0.35, 0.7) / np.sqrt(ratios)
    body = _modes(nominal * ratios, decays, voice.uniform(0.3, 1.0, 8), n, sample_rate)
    onsets = _onsets(play, n, sample_rate, voice.uniform(0.9, 2.0), 0.25)
    return _strike(n, [(at, body * np.float32(play.uniform(0.5, 1.0))) for at in onsets])


def _bird(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Phrases of chirps that sweep up or down."""
    base, sweep = voice.uniform(2200, 4500), voice.uniform(-0.35, 0.35)
    length, rate = voice.uniform(0.05, 0.14), voice.uniform(5.0, 9.0)
    t = np.linspace(0, 1, int(length * sample_rate), dtype=np.float32)
    window = np.sin(np.pi * t) ** 2
    warble = voice.uniform(0.0, 0.06) * np.sin(2 * np.pi * voice.integers(1, 5) * t)
    events = []
    for start in _onsets(play, n, sample_rate, voice.uniform(0.7, 1.3), 0.3):
        tune = play.uniform(0.85, 1.2)
        for k in range(int(play.integers(3, 8))):
            at = start + int(k * sample_rate / rate)
            frequency = base * tune * (1 + sweep * (t - 0.5) + warble) * play.uniform(0.95, 1.05)
            chirp = np.sin(2 * np.pi * np.cumsum(frequency) / sample_rate) * window
            if at < n:
                events.append((at, chirp.astype(np.float32)))
    return _strike(n, events)


def _clock(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Even ticks of small metal parts, every other one lower."""
    frequencies, decays = voice.uniform(1800, 6000, 6), voice.uniform(0.004, 0.012, 6)
    gains, fall = voice.uniform(0.3, 1.0, 6), voice.uniform(0.7, 0.85)
    bodies = [_modes(f * frequencies, decays, gains, n, sample_rate) for f in (1.0, fall)]
    onsets = _onsets(play, n, sample_rate, voice.uniform(3.0, 6.0), 0.01)
    return _strike(n, [(at, bodies[k % 2]) for k, at in enumerate(onsets)])


def _dog(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Barks: a hoarse voice whose pitch jumps up and falls, one to three in a row."""
    pitch, rough = voice.uniform(220, 520), voice.uniform(0.3, 0.8)
    harmonics = pitch * np.arange(1, int(4000 / pitch))
    formant = voice.uniform(700, 1300)
    peaks = 1.0 / (1 + ((harmonics - formant) / 350) ** 2)
    table = _period(peaks + 0.2 / (1 + ((harmonics - 2.4 * formant) / 500) ** 2))
    t = np.linspace(0, 1, int(voice.uniform(0.13, 0.24) * sample_rate), dtype=np.float32)
    shape = np.minimum(t / 0.08, 1.0) * (1 - t) ** 1.5
    bend = 0.8 + 0.5 * np.sin(np.pi * np.sqrt(t))
    gap, events = voice.uniform(0.25, 0.4), []
    for start in _onsets(play, n, sample_rate, voice.uniform(0.8, 1.3), 0.3):
        for k in range(int(play.integers(1, 4))):
            at = start + int(k * gap * sample_rate)
            if at < n:
                hoarse = 1 + rough * play.standard_normal(len(t), dtype=np.float32)
                call = _wave(table, pitch * play.uniform(0.9, 1.1) * bend, sample_rate)
                events.append((at, (call * hoarse * shape).astype(np.float32)))
    return _strike(n, events)


def _drum(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Beats of a skin whose pitch drops, with a slap of noise."""
    low, drop, decay = voice.uniform(60, 130), voice.uniform(1.0, 2.5), voice.uniform(0.08, 0.18)
    t = np.arange(int(6 * decay * sample_rate), dtype=np.float32) / np.float32(sample_rate)
    pitch = low * (1 + drop * np.exp(-t / 0.02))
    skin = np.sin(2 * np.pi * np.cumsum(pitch) / sample_rate) * np.exp(-t / decay)
    slap = voice.uniform(0.2, 0.5) * np.exp(-t / 0.012)
    events = []
    for at in _onsets(play, n, sample_rate, voice.uniform(2.0, 4.5), 0.08):
        noise = play.standard_normal(len(t), dtype=np.float32)
        events.append((at, (play.choice([0.45, 1.0]) * (skin + slap * noise)).astype(np.float32)))
    return _strike(n, events)


def _engine(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Harmonic buzz whose revolutions rise and fall."""
    harmonics = np.arange(1, 41)
    gains = voice.uniform(0.3, 1.0, 40) / harmonics ** voice.uniform(0.5, 0.9)
    table = _period(gains, voice.uniform(0, 2 * np.pi, 40))
    throttle = _contour(play, n, sample_rate, voice.uniform(1.0, 2.0))
    revolutions = voice.uniform(45, 85) * (1 + 0.6 * throttle)
    rough = 1 + 0.3 * _contour(play, n, sample_rate, 40.0)
    loudness: Signal = (0.25 + throttle) * rough
    return _wave(table, revolutions, sample_rate) * loudness


def _knock(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Wood that is knocked on a few times in a row."""
    frequencies = voice.uniform(180, 1600, 7)
    body = _modes(
        frequencies, voice.uniform(0.01, 0.035, 7), voice.uniform(0.3, 1, 7), n, sample_rate
    )
    body[: len(body) // 20] += 0.5 * voice.standard_normal(len(body) // 20, dtype=np.float32)
    tempo, events = voice.uniform(4.5, 8.0), []
    for start in _onsets(play, n, sample_rate, voice.uniform(0.6, 1.1), 0.3):
        for k in range(int(play.integers(2, 6))):
            at = start + int(k * sample_rate / tempo * play.uniform(0.95, 1.05))
            if at < n:
                events.append((at, body * np.float32(play.uniform(0.6, 1.0))))
    return _strike(n, events)


def _siren(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Wailing or two-tone horn, on and off."""
    low, span = voice.uniform(550, 900), voice.uniform(1.25, 1.8)
    rate, share = voice.uniform(0.8, 3.0), voice.uniform(0.6, 0.9)
    table = _period(1.0 / np.arange(1, 8, dtype=float) ** voice.uniform(1.0, 2.0))
    cycle = np.arange(n) / sample_rate * rate + play.random()
    part = cycle % 1.0
    bend = part > 0.5 if voice.random() < 0.5 else 0.5 - 0.5 * np.cos(2 * np.pi * part)
    edge = np.clip(np.minimum(part, share - part) * sample_rate / rate / 200.0, 0.0, 1.0)
    return _wave(table, low * span**bend, sample_rate) * edge.astype(np.float32)


_VOWELS = np.array(
    [[730, 1090, 2440], [530, 1840, 2480], [270, 2290, 3010], [570, 840, 2410], [300, 870, 2240]]
)


def _speech(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Syllables of a pulse train through vowel formants, some with a noisy consonant."""
    pitch, tract = voice.uniform(90, 240), voice.uniform(0.9, 1.2)
    rate = voice.uniform(3.0, 5.0)
    harmonics = pitch * np.arange(1, int(4500 / pitch))[:, None]
    tables = []
    for formants in _VOWELS * tract:
        width = 50 + 0.05 * formants
        peaks = 1.0 / (1 + ((harmonics - formants) / width) ** 2)
        tables.append(_period((peaks * [1.0, 0.6, 0.35]).sum(-1) / np.sqrt(harmonics[:, 0])))
    melody = pitch * (0.85 + 0.3 * _contour(play, n, sample_rate, 2.0))
    out = np.zeros(n, np.float32)
    for start in _onsets(play, n, sample_rate, rate, 0.3):
        if play.random() < 0.2:  # a pause between words
            continue
        stop = min(n, start + int(play.uniform(0.6, 0.95) / rate * sample_rate))
        arch = np.sin(np.linspace(0, np.pi, stop - start, dtype=np.float32)).clip(0.0)
        vowel = tables[int(play.integers(len(tables)))]
        out[start:stop] += _wave(vowel, melody[start:stop], sample_rate) * arch**0.7
        if play.random() < 0.4:
            hiss = min(int(0.06 * sample_rate), stop - start)
            loudness = 0.15 * np.abs(out[start:stop]).max()
            out[start : start + hiss] += loudness * play.standard_normal(hiss, dtype=np.float32)
    return out


def _telephone(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Two small bells struck in turn by a hammer, in bursts."""
    tones = voice.uniform(1100, 1900) * np.array([1.0, voice.uniform(1.15, 1.35)])
    ratios, gains = np.array([1.0, 2.32, 4.25]), np.array([1.0, 0.5, 0.25])
    decays = voice.uniform(0.08, 0.16) / np.sqrt(ratios)
    bells = [_modes(tone * ratios, decays, gains, n, sample_rate) for tone in tones]
    hammer, burst = voice.uniform(18.0, 28.0), voice.uniform(0.35, 0.7)
    events = []
    for start in _onsets(play, n, sample_rate, voice.uniform(0.9, 1.3), 0.1):
        for k in range(int(burst * hammer)):
            at = start + int(k * sample_rate / hammer)
            if at < n:
                events.append((at, bells[k % 2] * np.float32(play.uniform(0.8, 1.0))))
    return _strike(n, events)


def _water(voice: Random, play: Random, n: int, sample_rate: float) -> Signal:
    """Splashing noise that swells, and bubbles whose pitch rises."""
    noise = _shaped_noise(play, n, sample_rate, voice.uniform(400, 900), voice.uniform(2500, 6000))
    swell = _contour(play, n, sample_rate, voice.uniform(1.5, 3.0)) ** 2
    events = []
    for _ in range(play.poisson(voice.uniform(8, 20) * n / sample_rate)):
        t = np.arange(int(0.05 * sample_rate), dtype=np.float32) / np.float32(sample_rate)
        frequency = play.uniform(400, 1400) * (1 + 6 * t)
        bubble = np.sin(2 * np.pi * np.cumsum(frequency) / sample_rate) * np.exp(-t / 0.012)
        events.append((int(play.integers(n)), (play.uniform(0.5, 1.5) * bubble).astype(np.float32)))
    return noise * (0.05 + swell) + _strike(n, events)


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
