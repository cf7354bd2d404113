"""Acoustic scenes by DirAC features and Gaussian mixtures, as published and without its fault.

Directional audio coding gives each of 20 overlapping bands a direction and a diffuseness. The
published code shifts the wrong axis of an array, so that Y and Z are paired with X of the sample
before: towards half the sample rate, a plane wave from the front comes out behind.

References
----------
.. [1] M. C. Green, D. Murphy, "EigenScape: A database of spatial acoustic scene recordings",
       Applied Sciences 7(11), 2017; code at github.com/marc1701/EigenScape.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ambikit import InputError
from ambikit_learn._typing import Floats, Floats32, Indices, Sound
from ambikit_learn.evaluation.embeddings import Embedder, fingerprint
from ambikit_learn.evaluation.probe import Folds, Predictions
from ambikit_learn.inference.windows import resampled

RATE, BANDS, TAPS, FRAME, HOP = 24000, 20, 2048, 2048, 512
STRIDE = 4
"""Every how many frames mixtures are trained and scored on: frames overlap by three quarters."""
IMPEDANCE, DENSITY, SPEED = 413.3, 1.2041, 343.21
"""Of air, in Pa s/m, kg/m³ and m/s, as published."""

Content = tuple[Sound, int]


def dirac_features(x: Sound, rate: int, *, published: bool = False) -> Floats32:
    """Return azimuth, elevation and diffuseness of 20 bands over time.

    Parameters
    ----------
    x : ndarray, shape (4 or more, samples)
        AmbiX sound; the first four channels are used.
    rate : int
        Sample rate in Hz; the sound is resampled to 24 kHz.
    published : bool
        As in the published code: X is one sample late, velocities have the scale of FuMa on SN3D
        sound, the colatitude stands for the elevation, and angles are truncated to whole degrees.

    Returns
    -------
    ndarray of float32, shape (frames, 60)
        20 azimuths, 20 elevations in degrees, 20 values of diffuseness. Frames of 2,048 samples
        every 512, centred, the sound reflected at its ends.

    Notes
    -----
    With p = W and u = −(X, Y, Z)/Z₀ per sample and band, ``I = ⟨p u⟩``, ``E = ½ρ⟨p²/Z₀² + |u|²⟩``
    and the diffuseness is ``1 − |I|/(c E)``, 0 for a plane wave; as published u has a factor 1/√2,
    which makes that 0.057.

    Examples
    --------
    >>> import ambikit
    >>> noise = np.random.default_rng(0).standard_normal(24000).astype(np.float32)
    >>> wave = ambikit.encode(noise, 60, 0, degrees=True)
    >>> np.abs(dirac_features(wave, 24000).mean(0)[[0, 19, 59]]).round(2).tolist()
    [60.0, 60.0, 0.0]
    """
    from scipy import fft

    sound = resampled(np.ascontiguousarray(x[:4]), rate, RATE)
    w, y, z, late = sound
    front = np.roll(late, 1) if published else late
    scale = IMPEDANCE * (np.sqrt(2.0) if published else 1.0)
    n = sound.shape[-1]
    if n < FRAME:
        raise InputError(f"a sound of {n / RATE:.3g} s is too short: DirAC takes 0.1 s at least")
    size = fft.next_fast_len(n + TAPS - 1, real=True)
    spectra = fft.rfft(np.stack([w, front, y, z]), size)
    angles: list[list[Floats]] = [[], [], []]
    for response in fft.rfft(_filters(), size):
        p, *v = fft.irfft(spectra * response, size)[:, :n]
        pressure = _framed(p * p) / IMPEDANCE**2
        towards = np.stack([_framed(p * component) for component in v]) / scale
        velocity = sum(_framed(component * component) for component in v) / scale**2
        energy = 0.5 * DENSITY * (pressure + velocity)
        length = np.sqrt(np.square(towards).sum(0))
        tiny = np.finfo(np.float64).tiny
        up = np.clip(towards[2] / np.maximum(length, tiny), -1.0, 1.0)
        angles[0].append(np.rad2deg(np.arctan2(towards[1], towards[0])))
        angles[1].append(np.rad2deg(np.arccos(up) if published else np.arcsin(up)))
        angles[2].append(1.0 - length / np.maximum(SPEED * energy, tiny))
    azimuth, elevation, diffuse = (np.stack(part, 1) for part in angles)
    if published:
        azimuth, elevation = np.trunc(azimuth), np.trunc(elevation)
    return np.concatenate([azimuth, elevation, diffuse], 1).astype(np.float32)


def dirac_embedder(published: bool = False) -> Embedder:
    """Return the embedder of `STRIDE`-th frames of `dirac_features`."""

    def embed(content: Content) -> Floats32:
        return dirac_features(*content, published=published)[::STRIDE]

    name = "DirAC features as published" if published else "DirAC features"
    about = {"embedder": "dirac/1", "published": published, "stride": STRIDE}
    return Embedder(name, fingerprint(about), embed)


def mixture_predictions(
    values: Sequence[npt.NDArray[Any]],
    labels: Sequence[str],
    folds: Folds,
    *,
    components: int = 10,
    seed: int = 0,
) -> Predictions:
    """Classify recordings by the likelihood of their frames under a Gaussian mixture per class.

    Parameters
    ----------
    values : sequence of ndarray, shape (frames, width)
        Features of each recording.
    labels, folds
        As for `ambikit_learn.evaluation.probe.cross_validate`.
    components : int
        Normal distributions, with full covariances, of each class.
    seed : int
        Random seed of the clustering from which they begin.

    Returns
    -------
    Predictions
        Scores are mean log-likelihoods over frames.
    """
    from sklearn.preprocessing import StandardScaler

    classes, numbers = np.unique(labels, return_inverse=True)
    scores = np.full((len(values), len(classes)), np.nan)
    for train, test in folds:
        scaler = StandardScaler().fit(np.concatenate([values[i] for i in train]))
        for k in range(len(classes)):
            own: Indices = train[numbers[train] == k]
            frames = scaler.transform(np.concatenate([values[i] for i in own]).astype(float))
            mixture = _mixture(frames, components, seed)
            scores[test, k] = [mixture.score(scaler.transform(values[i])) for i in test]
    return Predictions(scores, tuple(map(str, classes)), numbers)


def _mixture(frames: Floats, components: int, seed: int) -> Any:
    """Return a mixture of normal distributions that was fitted to frames."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    for least in (1e-6, 1e-3, 1e-1):
        mixture = GaussianMixture(components, reg_covar=least, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            try:
                return mixture.fit(frames)
            except ValueError as error:
                # A class of few frames, or of plane waves alone, has covariances without full rank
                reason = str(error)
    raise InputError(f"{len(frames)} frames of a class do not fit a mixture: {reason}")


@lru_cache(maxsize=1)
def _filters() -> Floats:
    """Return the impulse responses (bands, taps): each spans two of 21 intervals in mel."""
    from scipy.signal import firwin

    top = RATE / 2
    knee = 15.0 + 27.0 * np.log(top / 1000.0) / np.log(6.4)
    mels = np.linspace(0.0, knee, BANDS + 2)
    above = 1000.0 * np.exp((mels - 15.0) * np.log(6.4) / 27.0)
    edges = np.where(mels < 15.0, mels * 200.0 / 3.0, above)
    edges[0], edges[-1] = 1.0, top - 1.0
    pairs = zip(edges[:-2], edges[2:], strict=True)
    return np.stack([firwin(TAPS, pair, pass_zero=False, fs=RATE) for pair in pairs])


def _framed(x: Floats) -> Floats:
    """Return the mean (frames,) over each frame."""
    padded = np.pad(x, FRAME // 2, mode="reflect")
    blocks = padded[: len(padded) // HOP * HOP].reshape(-1, HOP).sum(1, dtype=np.float64)
    sums = np.convolve(blocks, np.ones(FRAME // HOP), "valid")
    return sums / FRAME
