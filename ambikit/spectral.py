"""Short-time spectra, and intensity and diffuseness on them."""

from __future__ import annotations

import numpy as np

from ambikit import checks
from ambikit._framing import COSINES, Framing, cosine_window
from ambikit._scale import gain_for, scaled
from ambikit._typing import ArrayLike, ComplexArray, FloatArray

_XYZ = (3, 1, 2)
"""ACN channels of the axes x, y, z."""
_DCASE_FLOOR = 1e-8


def stft(
    x: ArrayLike,
    *,
    n_fft: int = 1024,
    hop: int | None = None,
    window: str | ArrayLike = "hann",
    center: bool = True,
) -> ComplexArray:
    r"""Return the short-time spectra of signals.

    Parameters
    ----------
    x : array_like, shape (..., samples)
        Signals, float32 or float64; of Ambisonic signals (..., channels, samples), each channel.
    n_fft : int, optional
        Samples in a frame, even.
    hop : int, optional
        Samples between frames; a quarter of `n_fft` if not given.
    window : str or array_like, shape (n_fft,), optional
        ``"hann"``, ``"hamming"`` or ``"blackman"`` (periodic), or the window itself.
    center : bool, optional
        Centre frame t on sample ``t * hop``, with silence around the signal: ``1 + ceil(samples /
        hop)`` frames, which `istft` turns back into the signal. Otherwise frame t begins at sample
        ``t * hop``, and there are only frames that lie within the signal.

    Returns
    -------
    ndarray, shape (..., n_fft // 2 + 1, frames)
        complex64 for float32, complex128 for float64. The bins of a frame lie side by side in
        memory.

    Raises
    ------
    InputError
        If `n_fft` is odd, the window is unknown or of another length, or a number is not positive.
    TypeError
        If `x` is not real floating point.

    Notes
    -----
    With the hop h, the frame length n, and c = n / 2 for centred frames and 0 otherwise,

    .. math:: X[f, t] = \sum_{k=0}^{n-1} w[k]\, x[t h - c + k]\, e^{-2 \pi i f k / n} .

    NaN in `x` stays in the frames that hold it.

    References
    ----------
    .. [1] J. B. Allen and L. R. Rabiner, "A unified approach to short-time Fourier analysis and
           synthesis", Proc. IEEE 65 (1977), 1558-1564.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> tone = np.cos(2 * np.pi * 1000 / 8000 * np.arange(8000))
    >>> spectra = ambikit.stft(ambikit.encode(tone, 0.0), n_fft=256)
    >>> spectra.shape  # channels, bins, frames
    (4, 129, 126)
    >>> int(abs(spectra[0, :, 60]).argmax()) * 8000 / 256
    1000.0
    """
    signals = checks.samples(x, "x")
    framing = _framing(signals.shape[-1], n_fft, hop, window, center, signals.dtype)
    return framing.spectra(signals, 0, framing.frames)


def istft(
    spectra: ArrayLike,
    samples: int,
    *,
    hop: int | None = None,
    window: str | ArrayLike = "hann",
) -> FloatArray:
    """Return the signals whose centred short-time spectra are closest to the given ones.

    Parameters
    ----------
    spectra : array_like, shape (..., bins, frames)
        Spectra as `stft` returns them with ``center=True``, changed or not.
    samples : int
        Length of the signals.
    hop : int, optional
        Samples between frames, as given to `stft`; a quarter of the frame if not given.
    window : str or array_like, optional
        The window given to `stft`.

    Returns
    -------
    ndarray, shape (..., samples)
        float32 for complex64, float64 for complex128. ``istft(stft(x), samples)`` is x.

    Raises
    ------
    InputError
        If the number of frames does not match `samples`, or the windows leave gaps.
    TypeError
        If `spectra` is not complex.

    Notes
    -----
    Windowed frames are added and divided by the sum of the squared windows, which is the
    least-squares solution for spectra that are not those of a signal.

    References
    ----------
    .. [1] D. W. Griffin and J. S. Lim, "Signal estimation from modified short-time Fourier
           transform", IEEE Trans. Acoust., Speech, Signal Process. 32 (1984), 236-243.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> x = np.random.default_rng(0).normal(size=(4, 3000))
    >>> np.allclose(ambikit.istft(ambikit.stft(x), 3000), x)
    True
    """
    values = checks.spectra(spectra, channels=False)
    samples = checks.nonnegative_int(samples, "samples")
    n_fft = 2 * (values.shape[-2] - 1)
    framing = _framing(samples, n_fft, hop, window, True, values.real.dtype)
    checks.frames_of(values, framing.frames, samples, framing.hop)
    checks.gapless(framing.weights(), framing.hop)
    rows = framing.rows(values.shape[:-2])
    framing.add(values, 0, rows)
    return framing.signal(rows)


def spectral_intensity(spectra: ArrayLike) -> FloatArray:
    """Return the active intensity of each bin and frame, pointing towards the source.

    Parameters
    ----------
    spectra : array_like, shape (..., channels, bins, frames)
        Spectra of AmbiX signals (ACN, SN3D) of order 1 or more, complex64 or complex128; channels
        above the fourth are not used.

    Returns
    -------
    ndarray, shape (..., 3, bins, frames)
        ``Re(conj(W) * (X, Y, Z))``, along x front, y left, z up; float32 for complex64.

    Raises
    ------
    InputError
        If `spectra` is not (..., channels, bins, frames) of order 1 or more.
    TypeError
        If `spectra` is not complex.

    References
    ----------
    .. [1] J. Merimaa, "Analysis, synthesis, and perception of spatial sound", thesis, Helsinki
           University of Technology, 2006.

    Examples
    --------
    >>> import ambikit
    >>> spectra = ambikit.stft(ambikit.encode([0.0, 1.0, 0.0, 0.0], 90, degrees=True), n_fft=4)
    >>> ambikit.spectral_intensity(spectra)[:, :, 1].round(12) + 0.0  # x, y, z of three bins
    array([[0., 0., 0.],
           [1., 1., 1.],
           [0., 0., 0.]])
    """
    return _intensity(checks.spectra(spectra, min_order=1))


def spectral_normalized_intensity(
    spectra: ArrayLike, *, average: tuple[int, int] = (9, 5), variant: str = "bounded"
) -> FloatArray:
    r"""Return the active intensity over the energy density, averaged over frames and bins.

    Parameters
    ----------
    spectra : array_like, shape (..., channels, bins, frames)
        Spectra of AmbiX signals (ACN, SN3D) of order 1 or more, complex64 or complex128; channels
        above the fourth are not used.
    average : (int, int), optional
        How many frames and how many bins an average takes in, both odd; it is centred, and shorter
        at the edges.
    variant : str, optional
        ``"bounded"``: numerator and denominator are averaged separately, and the length is 0
        (diffuse, or silent) to 1 (one plane wave). ``"dcase"`` and ``"salsa"``: the forms of other
        systems, see Notes.

    Returns
    -------
    ndarray, shape (..., 3, bins, frames)
        Vectors towards the source, along x front, y left, z up; float32 for complex64.

    Raises
    ------
    InputError
        If shapes do not fit, a size of the average is even, or the variant is unknown.
    TypeError
        If `spectra` is not complex.

    See Also
    --------
    spectral_diffuseness : One minus the length of these vectors.

    Notes
    -----
    With :math:`v = (X, Y, Z)`, :math:`I = \Re(W^* v)` and ⟨·⟩ the average,

    .. math::

        \text{bounded} &= \frac{\langle I \rangle}{\langle \tfrac12 (|W|^2 + |v|^2) \rangle}, \\
        \text{dcase} &= \left\langle \frac{I}{10^{-8} + |W|^2 + \tfrac13 |v|^2} \right\rangle, \\
        \text{salsa} &= \left\langle \frac{I}{|I|} \right\rangle .

    A plane wave has length 1 by ``"bounded"`` and ``"salsa"``, and 0.75 by ``"dcase"``. Silence
    gives zeros.

    Short averages do not show diffuseness: in a diffuse field of noise, one bin and frame gives a
    length of 0.57 on average, ten independent ones give 0.21. Frames that overlap and bins under
    one window are not independent: with the defaults here and in `stft` the length is 0.18.

    References
    ----------
    .. [1] V. Pulkki, "Spatial sound reproduction with directional audio coding", J. Audio Eng. Soc.
           55 (2007), 503-516.
    .. [2] Y. Cao et al., "Polyphonic sound event detection and localization using a two-stage
           strategy", DCASE Workshop 2019, for the variant of the DCASE baselines.
    .. [3] T. N. T. Nguyen et al., "SALSA: Spatial cue-augmented log-spectrogram features for
           polyphonic sound event localization and detection", IEEE/ACM Trans. Audio, Speech, Lang.
           Process. 30 (2022), 1749-1762.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> noise = np.random.default_rng(0).normal(size=8000)
    >>> spectra = ambikit.stft(ambikit.encode(noise, 0, 90, degrees=True))  # from above
    >>> ambikit.spectral_normalized_intensity(spectra)[:, 100, 10].round(6) + 0.0
    array([0., 0., 1.])
    """
    values = checks.spectra(spectra, min_order=1)
    frames, bins = checks.average(average)
    checks.choice(variant, ("bounded", "dcase", "salsa"), "variant")
    gain = gain_for(values)
    values = scaled(values, gain)
    if variant == "bounded":
        ratio = _pooled_ratio(values, frames, bins)
        return ratio / np.maximum(_length(ratio), 1)
    intensity, energy = _intensity(values), _energy(values)
    if variant == "dcase":
        w, v = total_power(values[..., :1, :, :]), total_power(values[..., 1:4, :, :])
        ratio = intensity / (_DCASE_FLOOR * gain**2 + w + v / 3)
    else:
        direction = _over(intensity, energy)
        ratio = _over(direction, _length(direction))
    return moving_sum(ratio, frames, bins) / moving_sum(np.ones_like(energy), frames, bins)


def spectral_diffuseness(spectra: ArrayLike, *, average: tuple[int, int] = (9, 5)) -> FloatArray:
    r"""Return the diffuseness of each bin and frame.

    Parameters
    ----------
    spectra : array_like, shape (..., channels, bins, frames)
        Spectra of AmbiX signals (ACN, SN3D) of order 1 or more, complex64 or complex128; channels
        above the fourth are not used.
    average : (int, int), optional
        How many frames and how many bins an average takes in, both odd; it is centred, and shorter
        at the edges.

    Returns
    -------
    ndarray, shape (..., bins, frames)
        0 (one plane wave) to 1 (diffuse, or silent); float32 for complex64.

    Raises
    ------
    InputError
        If shapes do not fit, or a size of the average is even.
    TypeError
        If `spectra` is not complex.

    See Also
    --------
    spectral_normalized_intensity : With notes on the averages.

    Notes
    -----
    .. math:: \psi = 1 - \frac{\|\langle \Re(W^* v) \rangle\|}
                             {\langle \tfrac12 (|W|^2 + |v|^2) \rangle}, \quad v = (X, Y, Z)

    References
    ----------
    .. [1] V. Pulkki, "Spatial sound reproduction with directional audio coding", J. Audio Eng. Soc.
           55 (2007), 503-516.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> noise = np.random.default_rng(0).normal(size=8000)
    >>> one = ambikit.stft(ambikit.encode(noise, 40, degrees=True))
    >>> bool(ambikit.spectral_diffuseness(one).max() < 1e-9)
    True
    """
    values = checks.spectra(spectra, min_order=1)
    values = scaled(values, gain_for(values))
    ratio = _pooled_ratio(values, *checks.average(average))
    return 1 - np.minimum(_length(ratio), 1)[..., 0, :, :]


def moving_sum(x: FloatArray, frames: int, bins: int) -> FloatArray:
    """Sum over a box of frames (last axis) and bins, without subtraction, which would cancel."""
    for axis, size in ((-1, frames), (-2, bins)):
        source = np.moveaxis(x, axis, 0)
        out = source.copy()
        for shift in range(1, min(size // 2, len(source) - 1) + 1):
            out[shift:] += source[:-shift]
            out[:-shift] += source[shift:]
        x = np.moveaxis(out, 0, axis)
    return x


def total_power(spectra: ComplexArray) -> FloatArray:
    """Return the sum of the squared magnitudes of all channels, (..., 1, bins, frames)."""
    power: FloatArray = (spectra.real**2 + spectra.imag**2).sum(axis=-3, keepdims=True)
    return power


def _framing(
    samples: int,
    n_fft: int,
    hop: int | None,
    window: str | ArrayLike,
    center: bool,
    dtype: np.dtype[np.generic],
) -> Framing:
    """Return the framing for the arguments of stft and istft."""
    n_fft = checks.even(n_fft, "n_fft")
    hop = max(1, n_fft // 4) if hop is None else checks.positive_int(hop, "hop")
    if isinstance(window, str):
        shape = cosine_window(checks.choice(window, tuple(COSINES), "window"), n_fft)
    else:
        shape = checks.window(window, n_fft)
    cut = Framing.centred if center else Framing.whole
    return cut(samples, shape.astype(dtype), hop)


def _intensity(spectra: ComplexArray) -> FloatArray:
    """Return Re(conj(W) v) (..., 3, bins, frames) in real arithmetic."""
    out = np.empty_like(spectra[..., :3, :, :].real)  # in the memory order of the spectra
    w = spectra[..., 0, :, :]
    for axis, channel in enumerate(_XYZ):
        v = spectra[..., channel, :, :]
        out[..., axis, :, :] = w.real * v.real + w.imag * v.imag
    return out


def _energy(spectra: ComplexArray) -> FloatArray:
    """Return the energy density of the first order, (..., 1, bins, frames)."""
    return total_power(spectra[..., :4, :, :]) / 2


def _pooled_ratio(spectra: ComplexArray, frames: int, bins: int) -> FloatArray:
    """Return averaged intensity over averaged energy; rounding may take its length above 1."""
    return _over(
        moving_sum(_intensity(spectra), frames, bins), moving_sum(_energy(spectra), frames, bins)
    )


def _length(vectors: FloatArray) -> FloatArray:
    """Return the length of vectors (..., 3, bins, frames), keeping the axis."""
    length: FloatArray = np.sqrt(np.square(vectors).sum(axis=-3, keepdims=True))
    return length


def _over(vectors: FloatArray, size: FloatArray) -> FloatArray:
    """Return vectors / size; where the size is 0, the vectors are 0 and stay 0."""
    ratio: FloatArray = vectors / np.maximum(size, np.finfo(size.dtype).tiny)
    return ratio
