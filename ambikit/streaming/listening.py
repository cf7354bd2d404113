"""Streams of sound to loudspeakers and to ears."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Unpack

import numpy as np

from ambikit import _mixing, checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.decoding._convolution import convolve
from ambikit.decoding._crossover import Crossover
from ambikit.decoding.filters import FilterOptions, binaural_filters
from ambikit.decoding.heads import HeadLike
from ambikit.decoding.layouts import Loudspeakers, layout_of
from ambikit.decoding.loudspeakers import LFE_CUTOFF, LFE_GAIN, bands, speaker_rows
from ambikit.decoding.matrices import settings
from ambikit.streaming._blocks import Known, output, plain
from ambikit.streaming.rotating import Rotator

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

_SHORT = 384
"""Longest blocks that are filtered sample by sample; transforms are faster for longer ones."""

_SPARE = 4


class Decoder:
    """Decode to loudspeakers: `decode`, block by block.

    Parameters
    ----------
    loudspeakers : str or array_like, shape (L, 2)
        A layout by name, or azimuth and elevation of each loudspeaker in radians.
    method, weighting, dual_band, sample_rate, lfe, gains, degrees
        As for `decode`.

    Raises
    ------
    InputError
        As `decode`.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> x = np.random.default_rng(0).normal(size=(4, 1000))
    >>> decoder = ambikit.streaming.Decoder("7.1.4", dual_band=800, sample_rate=48000)
    >>> blocks = [decoder.process(x[:, :64]), decoder.process(x[:, 64:])]
    >>> whole = ambikit.decode(x, "7.1.4", dual_band=800, sample_rate=48000)
    >>> np.allclose(np.concatenate(blocks, axis=-1), whole)
    True
    """

    def __init__(
        self,
        loudspeakers: Loudspeakers,
        *,
        method: str = "allrad",
        weighting: str | None = None,
        dual_band: float | None = None,
        sample_rate: float | None = None,
        lfe: bool = False,
        gains: ArrayLike | None = None,
        degrees: bool = False,
    ) -> None:
        settings(method, weighting)
        self._layout = layout_of(loudspeakers, degrees=degrees)
        self._design = method, weighting
        self._places, self._lows = speaker_rows(self._layout, lfe=lfe)
        self._gains = checks.channel_gains(gains, len(self._places) + len(self._lows))
        self._split = self._sub = None
        if dual_band is not None:
            self._split = checks.crossover(dual_band, sample_rate, "dual_band")
        if lfe:
            self._sub = checks.crossover(LFE_CUTOFF, sample_rate, "lfe")
        self.reset()

    def process(self, block: ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
        """Return the next block of the loudspeakers' signals.

        Parameters
        ----------
        block : array_like, shape (..., channels, samples)
            AmbiX signals (ACN, SN3D), float32 or float64, with the leading dimensions of the block
            before.
        out : ndarray, shape (..., L, samples), optional
            Array to write to, of the dtype of `block`.

        Returns
        -------
        ndarray, shape (..., L, samples)
            One signal for each loudspeaker; float32 stays float32.

        Raises
        ------
        InputError
            If a shape does not fit, or two bands are asked for and `block` holds NaN or infinity.
        TypeError
            If `block` is not real floating point.
        """
        if block in self._known:
            x: FloatArray = block  # type: ignore[assignment]
        else:
            x = self._begin(block)
        rows = len(self._places) + len(self._lows)
        target = output(out, (*x.shape[:-2], rows, x.shape[-1]), x)
        if self._split is None and self._sub is None:
            if max(x.size, target.size) > _mixing.CACHES:
                whole = _mixing.one_block(*self._high.shape)
                _mixing.mix(x, self._high, whole, target)
            else:
                np.matmul(self._high, x, out=target)
            return target
        flat = x if plain(x) else np.require(x, requirements=["C", "A"])
        for index, crossovers in zip(np.ndindex(x.shape[:-2]), self._filters, strict=True):
            self._bands(flat[index], crossovers, target[index])
        return target

    def reset(self) -> None:
        """Forget the sound so far."""
        self._known = Known()
        self._batch: tuple[int, ...] | None = None
        self._order: int | None = None

    def _begin(self, block: ArrayLike) -> FloatArray:
        """Check a block unlike the one before, and make what its kind needs."""
        x, order = checks.ambisonic(block, name="block", oriented=self._known.has_channels(block))
        batch = checks.same_batch(x.shape[:-2], self._batch)
        if order != self._order or batch != self._batch:
            two = self._split is not None
            self._matrices = bands(self._layout, order, *self._design, two)
            self._filters = [
                [cut and Crossover(*cut, n) for cut, n in ((self._split, len_), (self._sub, 1))]
                for len_ in [(order + 1) ** 2]
                for _ in range(math.prod(batch))
            ]
        gains = self._gains[self._places, None]
        self._low, self._high = ((gains * matrix).astype(x.dtype) for matrix in self._matrices)
        self._sub_gains = (LFE_GAIN * self._gains[self._lows, None]).astype(x.dtype)
        self._batch, self._order = batch, order
        self._two = np.empty((2, *x.shape[-2:]), x.dtype)
        self._known.add(x)
        return x

    def _bands(self, x: FloatArray, crossovers: list[Crossover | None], out: FloatArray) -> None:
        """Decode one signal (C, n) in two bands, or with low-frequency channels."""
        split, sub = crossovers
        if split is None:
            played = self._high @ x
        else:
            split.process(x, self._two)
            played = self._low @ self._two[0]
            played += self._high @ self._two[1]
        if sub is None:
            out[...] = played
            return
        out[self._places] = played
        sub.process(x[:1], self._two[:, :1])
        out[self._lows] = self._sub_gains * self._two[0, 0]


class Binauralizer:
    """Decode to two ears, with a head that turns: `decode_binaural`, block by block.

    Parameters
    ----------
    sample_rate : float
        Samples a second.
    yaw, pitch, roll : float, optional
        Where the listener looks to begin with, in radians.
    head : str, path or tuple, optional
        As for `binaural_filters`.
    degrees : bool, optional
        Take the angles in degrees.
    **options
        `method`, `cutoff`, `weighting`, `equalization` and `taps`, as for `binaural_filters`.

    Raises
    ------
    InputError
        As `binaural_filters`; for settings that depend on the order of the sound, with the first
        block.

    Notes
    -----
    Blocks to 384 samples are filtered sample by sample, longer ones by transforms. There is no
    delay beyond the one that the head's responses have.

    Examples
    --------
    A source in front; the listener turns to the left, and hears it at the right ear:

    >>> import numpy as np
    >>> import ambikit
    >>> x = ambikit.encode(np.random.default_rng(0).normal(size=4800), 0.0)
    >>> ears = ambikit.streaming.Binauralizer(48000)
    >>> left, right = ears.process(x)
    >>> bool(abs(left.std() / right.std() - 1) < 0.01)
    True
    >>> ears.turn_to(90, degrees=True, over=480)
    >>> left, right = ears.process(x)
    >>> bool(right.std() > 2 * left.std())
    True
    """

    def __init__(
        self,
        sample_rate: float,
        yaw: float = 0.0,
        pitch: float = 0.0,
        roll: float = 0.0,
        *,
        head: HeadLike = "kemar",
        degrees: bool = False,
        **options: Unpack[FilterOptions],
    ) -> None:
        self._rate = checks.positive(sample_rate, "sample_rate", "Hz")
        self._head, self._options = head, options
        binaural_filters(0, self._rate, head=head, **options)  # refused here if it cannot be used
        self._rotator = Rotator(yaw, pitch, roll, degrees=degrees, inverse=True)
        self.reset()

    def turn_to(
        self,
        yaw: float = 0.0,
        pitch: float = 0.0,
        roll: float = 0.0,
        *,
        rotation: ArrayLike | Rotation | None = None,
        degrees: bool = False,
        over: int | None = None,
    ) -> None:
        """Turn the head, the short way at constant speed, from the next block on.

        Parameters
        ----------
        yaw, pitch, roll, rotation, degrees, over
            As for `Rotator.turn_to`.

        Raises
        ------
        InputError
            As `Rotator.turn_to`.
        """
        self._rotator.turn_to(yaw, pitch, roll, rotation=rotation, degrees=degrees, over=over)

    def process(self, block: ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
        """Return the next block for both ears.

        Parameters
        ----------
        block : array_like, shape (..., channels, samples)
            AmbiX signals (ACN, SN3D), float32 or float64, with the leading dimensions of the block
            before.
        out : ndarray, shape (..., 2, samples), optional
            Array to write to, of the dtype of `block`.

        Returns
        -------
        ndarray, shape (..., 2, samples)
            Left and right ear; float32 stays float32.

        Raises
        ------
        InputError
            If a shape does not fit, or `block` holds NaN or infinity: call `reset` then.
        TypeError
            If `block` is not real floating point.
        """
        if block in self._known:
            x: FloatArray = block  # type: ignore[assignment]
        else:
            x = self._begin(block)
        target = output(out, (*x.shape[:-2], 2, x.shape[-1]), x)
        turned = self._rotator.process(x, out=self._turned)
        for index, past in zip(np.ndindex(x.shape[:-2]), self._past, strict=True):
            self._filter(turned[index], past, target[index])
        return target

    def reset(self) -> None:
        """Forget the sound so far, and turn the head to where it began."""
        self._known = Known()
        self._batch: tuple[int, ...] | None = None
        self._past: list[FloatArray] = []
        self._filters = np.empty((2, 0, 0))
        self._rotator.reset()

    def _begin(self, block: ArrayLike) -> FloatArray:
        """Check a block unlike the one before, and make what its kind needs."""
        x, order = checks.ambisonic(block, name="block", oriented=self._known.has_channels(block))
        self._batch = checks.same_batch(x.shape[:-2], self._batch)
        if self._filters.shape[1] != x.shape[-2] or self._filters.dtype != x.dtype:
            filters = binaural_filters(order, self._rate, head=self._head, **self._options)
            self._filters = filters.astype(x.dtype)
            self._reversed = np.ascontiguousarray(self._filters[..., ::-1])
            self._past = []
        before = self._filters.shape[-1] - 1
        size = before + x.shape[-1] + _SPARE
        old = self._past or [np.zeros((x.shape[-2], before), x.dtype)] * math.prod(self._batch)
        self._past = [np.zeros((x.shape[-2], size), x.dtype) for _ in old]
        for past, earlier in zip(self._past, old, strict=True):
            past[:, :before] = earlier[:, :before]
        self._turned = np.empty(x.shape, x.dtype)
        self._known.add(x)
        return x

    def _filter(self, x: FloatArray, past: FloatArray, out: FloatArray) -> None:
        """Filter one signal (C, n) after its past."""
        samples, before = x.shape[-1], self._filters.shape[-1] - 1
        if samples > _SHORT:
            past[:, before : before + samples] = x
            convolve(past[:, : before + samples], self._filters, out, before)
            past[:, :before] = past[:, samples : samples + before].copy()
            return
        from ambikit._kernels import fir as kernels

        heard = out if plain(out) else np.empty(out.shape, out.dtype)
        if not kernels.filter_block(x, self._reversed, past, heard):
            checks.all_finite(heard, "block")
        if heard is not out:
            out[...] = heard


class Convolver:
    """Filter signals (C, n) through filters (R, C, taps), block by block, by transforms."""

    def __init__(self, filters: FloatArray) -> None:
        self._filters = filters
        self._past: FloatArray | None = None

    def process(self, block: FloatArray) -> FloatArray:
        """Return the next block (R, n)."""
        before = self._filters.shape[-1] - 1
        if self._past is None:
            self._past = np.zeros((len(block), before), block.dtype)
        x = np.concatenate([self._past, block], axis=-1)
        out = np.empty((len(self._filters), block.shape[-1]), block.dtype)
        convolve(x, self._filters, out, before)
        self._past = x[:, x.shape[-1] - before :].copy()
        return out
