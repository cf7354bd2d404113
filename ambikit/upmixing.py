"""Room responses of higher order from those of first order."""

from __future__ import annotations

import numpy as np

from ambikit import checks
from ambikit._scale import gain_for, scaled
from ambikit._typing import ArrayLike, ComplexArray, FloatArray
from ambikit.conventions import degrees_and_indices
from ambikit.harmonics import unit_harmonics

_WINDOW = 64
"""Samples of a window at 48 kHz: longer ones hold two early reflections at once."""

_SQUARE = 0.75
"""Sum of the squares of a Hann window, in hops."""


def upmix_response(
    response: ArrayLike, sample_rate: float, order: int = 3, *, seed: int = 0
) -> FloatArray:
    r"""Return a room response of higher order, whose higher channels are made from its directions.

    Parameters
    ----------
    response : array_like, shape (channels, samples)
        One Ambisonic room response (ACN, SN3D) of order 1 or more; directions are those of the
        first four channels.
    sample_rate : float
        Samples a second.
    order : int, optional
        Order of the result, higher than that of `response`.
    seed : int, optional
        Seed of the noise that diffuse sound is made of.

    Returns
    -------
    ndarray, shape ((order + 1)**2, samples)
        The channels of `response`, as they are, and those of higher degree; float32 stays float32.

    Raises
    ------
    InputError
        If `response` is not one signal or holds NaN or infinity, `order` is not higher than its
        order, or a number is out of range.
    TypeError
        If `response` is not real floating point.

    See Also
    --------
    response_directions : The analysis by itself, sample by sample.
    decode, decode_binaural : From the result to loudspeakers and ears.

    Notes
    -----
    Spatial impulse response rendering [1]_, to harmonics instead of loudspeakers. In windows of
    1.3 ms, one begun in the middle of the other, the direction d and the diffuseness ψ are found at
    each frequency,

    .. math:: \langle \mathrm{Re}\, W^* (X, Y, Z) \rangle, \qquad
              \psi = 1 - \frac{\|\langle \mathrm{Re}\, W^* (X, Y, Z)\rangle\|}
                              {\langle \tfrac12 (|W|^2 + |X|^2 + |Y|^2 + |Z|^2)\rangle},

    averaged over a third of an octave. The channel of degree n is the part that has a direction,
    and noise N of the power that a diffuse field has in it:

    .. math:: \sqrt{1 - \psi}\; W\, Y_n^m(d)
              + \sqrt{\tfrac{\psi}{2 n + 1} \langle|W|^2\rangle}\; N_n^m .

    One wave at a time becomes exactly what it would be at the higher order; of waves that arrive
    within a window of each other at the same frequencies, the direction is the mean one. Diffuse
    sound has its power to about 1 dB. This is made for responses: in music, noise in the place of
    diffuse sound would be heard.

    References
    ----------
    .. [1] J. Merimaa and V. Pulkki, "Spatial impulse response rendering I: analysis and synthesis",
           J. Audio Eng. Soc. 53 (2005), 1115-1127.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> walls = [[3.43, 0, 0], [0, 6.86, 0]], [1.0, 0.8], [0, 0, 0]
    >>> first = ambikit.image_source_response(*walls, 48000)
    >>> third = ambikit.image_source_response(*walls, 48000, order=3)
    >>> bool(np.abs(ambikit.upmix_response(first, 48000) - third).max() < 1e-6)
    True
    """
    signal, given = checks.one_signal(response)
    rate = checks.positive(sample_rate, "sample_rate", "Hz")
    wanted = checks.higher_order(order, given)
    # not the seed alone: a response may be made of the noise of the same seed
    rng = np.random.default_rng([checks.nonnegative_int(seed, "seed"), *b"upmix"])
    gain = gain_for(signal[:4])
    hop = max(round(_WINDOW / 48_000 * rate / 2), 2)
    spectra = _spectra(scaled(signal[:4], gain).astype(np.float64), hop)
    sure, power, vectors = _directions(spectra)
    out = np.empty(((wanted + 1) ** 2, signal.shape[-1]), signal.dtype)
    out[: len(signal)] = signal
    harmonics = unit_harmonics(vectors, wanted)
    degree, _ = degrees_and_indices(wanted)
    wave = np.sqrt(sure) * spectra[0]
    level = np.sqrt((1 - sure) * power / (hop * _SQUARE))
    for channel in range(len(signal), len(out)):
        noise = _spectra(rng.normal(size=(1, signal.shape[-1])), hop)[0]
        noise *= level / np.sqrt(2 * degree[channel] + 1)
        made = _sound(harmonics[..., channel] * wave + noise, hop, signal.shape[-1])
        out[channel] = made / gain
    return out


def _directions(spectra: ComplexArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return 1 - diffuseness (T, F), the power of W (T, F) and directions (T, F, 3)."""
    w = spectra[0]
    near = _near(w.shape[-1])
    toward = np.stack([(w.conj() * spectra[axis]).real for axis in (3, 1, 2)])
    energy = 0.5 * (np.abs(spectra) ** 2).sum(axis=0)
    toward, energy = toward @ near, energy @ near
    size = np.linalg.norm(toward, axis=0)
    sure = np.clip(size / np.where(energy > 0, energy, 1.0), 0.0, 1.0)
    units = np.moveaxis(toward / np.where(size > 0, size, 1.0), 0, -1)
    units[size == 0] = 1.0, 0.0, 0.0
    return sure, np.abs(w) ** 2 @ near, units


def _near(bins: int) -> FloatArray:
    """Return the weights (F, F) of a mean over a third of an octave around each frequency."""
    index = np.arange(bins)
    reach = np.maximum(index * (2 ** (1 / 6) - 1), 1.0)
    weights = np.maximum(1.0 - np.abs(index[:, None] - index) / (reach + 1.0), 0.0)
    return np.asarray(weights / weights.sum(axis=0))


def _spectra(x: FloatArray, hop: int) -> ComplexArray:
    """Return the spectra (C, T, F) of x (C, n) in Hann windows of two hops, padded to four."""
    window = np.hanning(2 * hop + 1)[:-1]
    padded = np.zeros((len(x), (-(-x.shape[-1] // hop) + 2) * hop))
    padded[:, hop : hop + x.shape[-1]] = x
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * hop, axis=-1)[:, ::hop]
    return np.asarray(np.fft.rfft(windows * window, 4 * hop))


def _sound(spectra: ComplexArray, hop: int, samples: int) -> FloatArray:
    """Return the sound (n,) whose windows have these spectra (T, F).

    What filtering spreads over the window's ends lies half of it before and half behind.
    """
    windows = np.roll(np.fft.irfft(spectra, 4 * hop), hop, axis=-1)
    total = np.zeros((len(windows) + 3, hop))
    for part in range(4):
        total[part : part + len(windows)] += windows[:, part * hop : (part + 1) * hop]
    return total.ravel()[2 * hop : 2 * hop + samples]
