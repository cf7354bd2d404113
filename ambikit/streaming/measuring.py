"""Diffuseness and features of a stream of sound."""

from __future__ import annotations

import math
from typing import Unpack

import numpy as np

from ambikit import checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.features._pooling import (
    Overrides,
    Scratch,
    feature_settings,
    loud_gain,
    pool,
    scratch_for,
)
from ambikit.features.foa import FEATURE_CHANNELS, from_pooled, turn_down
from ambikit.intensity import TILE, at_rest
from ambikit.streaming._blocks import Joined, Known, output, plain


class Diffuseness:
    """Measure the diffuseness of a sound field: `diffuseness`, block by block.

    Parameters
    ----------
    sample_rate : float
        Samples a second.
    time_constant : float, optional
        Time constant of the one-pole averages, in seconds.

    Raises
    ------
    InputError
        If a number is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> x = np.random.default_rng(0).normal(size=(4, 1000))
    >>> meter = ambikit.streaming.Diffuseness(8000)
    >>> blocks = [meter.process(x[:, :1]), meter.process(x[:, 1:700]), meter.process(x[:, 700:])]
    >>> np.allclose(np.concatenate(blocks), ambikit.diffuseness(x, 8000))
    True
    """

    _batch: tuple[int, ...] | None
    _state: FloatArray

    def __init__(self, sample_rate: float, *, time_constant: float = 0.05) -> None:
        self._newest = checks.one_pole(time_constant, sample_rate)
        self._averages = np.empty((4, TILE))
        self.reset()

    def process(self, block: ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
        """Return the diffuseness of the next block.

        Parameters
        ----------
        block : array_like, shape (..., channels, samples)
            AmbiX signals (ACN, SN3D) of order 1 or more, float32 or float64, with the leading
            dimensions of the block before.
        out : ndarray, shape (..., samples), optional
            Array to write to, of the dtype of `block`.

        Returns
        -------
        ndarray, shape (..., samples)
            0 (one plane wave) to 1 (diffuse, or silent); float32 stays float32.

        Raises
        ------
        InputError
            If a shape does not fit, or `block` holds NaN or infinity; the state is then as
            before.
        TypeError
            If `block` is not real floating point.
        """
        from ambikit._kernels import intensity as kernels

        if block in self._known:
            x: FloatArray = block  # type: ignore[assignment]
        else:
            x, _ = checks.ambisonic(
                block, min_order=1, name="block", oriented=self._known.has_channels(block)
            )
            batch = checks.same_batch(x.shape[:-2], self._batch)
            if self._batch is None:
                self._batch, self._state = batch, at_rest(x)
                self._spare = self._state.copy()
            self._known.add(x)
        whole = x.shape[-2] == 4 and plain(x)
        foa = x if whole else np.require(x[..., :4, :], requirements=["C", "A"])
        target = output(out, (*x.shape[:-2], x.shape[-1]), x)
        flat = target if plain(target) else np.empty(target.shape, target.dtype)
        np.copyto(self._spare, self._state)
        if not kernels.diffuseness(
            foa.reshape(len(self._state), 4, x.shape[-1]),
            self._newest,
            self._spare,
            self._averages,
            flat.reshape(len(self._state), x.shape[-1]),
        ):
            checks.stayed_finite(self._spare)
        self._state, self._spare = self._spare, self._state
        if flat is not target:
            target[...] = flat
        return target

    def reset(self) -> None:
        """Forget the sound so far."""
        self._batch = None
        self._known = Known()
        self._state = self._spare = np.zeros((0, 4))


class Features:
    """Compute features: `foa_features`, frame by frame as they become complete.

    Parameters
    ----------
    sample_rate : float
        Rate in Hz; it must be the preset's.
    preset : {"avsa", "dcase", "salsa"}, optional
        As for `foa_features`.
    kind : {"foa_iv", "logmel"}, optional
        With the intensity vector or without.
    **overrides
        As for `foa_features`. `top_db`, which needs the loudest frame of the whole sound, must be
        None; the preset ``"dcase"`` sets it.

    Raises
    ------
    InputError
        If the sample rate is not the preset's, or settings contradict each other.

    Notes
    -----
    Frame t is complete when the sound has passed its window and those of the frames after it with
    which its intensity is averaged: ``n_fft / 2 + (average // 2) * hop`` samples after its centre,
    at the preset ``"avsa"`` 31 ms.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> x = np.random.default_rng(0).standard_normal((4, 24000)).astype(np.float32)
    >>> stream = ambikit.streaming.Features(24000)
    >>> frames = [stream.process(x[:, begin : begin + 1000]) for begin in range(0, 24000, 1000)]
    >>> [f.shape[1] for f in frames[:3]]
    [2, 4, 4]
    >>> frames.append(stream.flush())
    >>> np.allclose(np.concatenate(frames, axis=1), ambikit.foa_features(x, 24000), atol=1e-4)
    True
    """

    _batch: tuple[int, ...] | None
    _sound: FloatArray | None
    _begin: int
    _rows: FloatArray | None
    _scratch: Scratch | None

    def __init__(
        self,
        sample_rate: float,
        *,
        preset: str = "avsa",
        kind: str = "foa_iv",
        **overrides: Unpack[Overrides],
    ) -> None:
        self._settings = feature_settings(preset, overrides)
        checks.rate(sample_rate, self._settings.sample_rate)
        checks.streamable(self._settings.top_db)
        self._kind = checks.choice(kind, tuple(FEATURE_CHANNELS), "kind")
        self._reach = self._settings.average // 2 if kind == "foa_iv" else 0
        self.reset()

    def frames(self, samples: int) -> int:
        """Return how many frames a next block of so many samples would complete.

        Parameters
        ----------
        samples : int
            Length of the block.

        Returns
        -------
        int
            0 or more.

        Raises
        ------
        InputError
            If `samples` is negative.
        """
        seen = self._seen(checks.nonnegative_int(samples, "samples"))
        return max(seen - self._reach, self._emitted) - self._emitted

    def process(self, block: ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
        """Take in the next block, and return the frames that it completes.

        Parameters
        ----------
        block : array_like, shape (..., channels, samples)
            AmbiX signals of order 1 or more, with the leading dimensions of the block before.
        out : ndarray of float32, shape (..., 7 or 4, frames or more, n_mels), optional
            Array to write to; see `frames`. With it blocks go through a compiled kernel, and after
            the first ones no memory is taken if `n_fft` is a power of two.

        Returns
        -------
        ndarray of float32, shape (..., 7 or 4, frames, n_mels)
            As of `foa_features`; there may be no frames. With `out` the part of it that was filled.

        Raises
        ------
        InputError
            If a shape does not fit.
        TypeError
            If `block` is not real floating point.
        """
        x, _ = checks.ambisonic(
            block, min_order=1, name="block", oriented=self._known.has_channels(block)
        )
        self._batch = checks.same_batch(x.shape[:-2], self._batch)
        self._known.add(x)
        if out is not None:
            count = self.frames(x.shape[-1])
            rows = len(FEATURE_CHANNELS[self._kind])
            out = checks.room_for_frames(out, (*self._batch, rows, count, self._settings.n_mels), x)
            if self._scratch is None:
                self._scratch = scratch_for(self._settings)
        flat = x[..., :4, :].reshape(math.prod(self._batch), 4, x.shape[-1])
        self._turn_down(loud_gain(flat))
        seen = self._seen(x.shape[-1])
        sound = self._sounds.array(self._sound, flat.shape)
        fresh = self._sounds.behind(sound, x.shape[-1])
        if self._gain == 1.0:
            fresh[...] = flat
        else:  # scaled before it is narrowed: it may be louder than float32 can be
            np.multiply(flat, flat.dtype.type(self._gain), out=fresh, casting="same_kind")
        settings = self._settings
        features = self._frames(sound, seen, seen - self._reach, out)
        # from the first sample that the next frame sees, in whole hops
        begin = max(seen - -(-(settings.n_fft // 2) // settings.hop), 0) * settings.hop
        self._sound, self._begin = sound[..., begin - self._begin :], begin
        return features

    def flush(self) -> FloatArray:
        """Return the frames that the end of the sound completes, and begin anew.

        Returns
        -------
        ndarray of float32, shape (..., 7 or 4, frames, n_mels)
            The last frames.

        Raises
        ------
        InputError
            If all the sound is too short for `foa_features`.
        """
        settings = self._settings
        sound = np.empty((1, 4, 0), np.float32) if self._sound is None else self._sound
        heard = self._begin + sound.shape[-1]
        checks.long_enough(heard, settings.n_fft // 2 + 1, settings.hop)
        out = self._frames(sound, heard // settings.hop, heard // settings.hop)
        self.reset()
        return out

    def reset(self) -> None:
        """Forget the sound so far."""
        self._batch = None
        self._known = Known()
        self._sound = None
        self._begin = 0  # number of the first sample of _sound
        self._rows = None
        self._emitted = 0
        self._gain = 1.0
        self._sounds, self._pooled = Joined(2), Joined(2)
        self._wide, self._spare = Joined(2), Joined(0)
        self._scratch = None

    def _seen(self, samples: int) -> int:
        """Return how many frames are seen in full once so many more samples are heard."""
        settings = self._settings
        half = settings.n_fft // 2
        heard = self._begin + samples + (0 if self._sound is None else self._sound.shape[-1])
        if heard <= half:  # the first frames see the reflection of half a window
            return 0
        seen = 1 + (heard - (settings.n_fft - half)) // settings.hop
        return int(min(seen, heard // settings.hop))

    def _turn_down(self, gain: float) -> None:
        """Turn down what is kept, where a block is louder than the range of its features."""
        ratio = min(gain / self._gain, 1.0)
        if ratio < 1.0:
            self._gain *= ratio
            if self._sound is not None:
                self._sound *= np.float32(ratio)
            if self._rows is not None:
                turn_down(self._rows, self._settings, ratio)

    def _frames(
        self, sound: FloatArray, seen: int, last: int, out: FloatArray | None = None
    ) -> FloatArray:
        """Pool the frames up to `seen`, and return the features of those up to `last`."""
        settings, offset = self._settings, self._begin // self._settings.hop
        known = max(self._emitted - self._reach, 0)  # frame of the first row
        pooled = known + (0 if self._rows is None else self._rows.shape[2])
        seen = max(seen, pooled)
        shape = (len(sound), 8, seen - pooled, settings.n_mels)
        rows = self._pooled.array(self._rows, shape)
        if seen > pooled:
            behind = self._pooled.behind(rows, seen - pooled)
            pool(sound, settings, pooled - offset, seen - offset, behind, self._scratch)
        last = max(last, self._emitted)
        channels = len(FEATURE_CHANNELS[self._kind])
        wide = self._wide.array(None, (len(sound), channels, *rows.shape[2:]))
        spare = self._spare.array(None, rows.shape[2:])
        from_pooled(rows, self._kind, settings, self._gain, wide, spare)
        features = wide[:, :, self._emitted - known : last - known]
        self._rows = rows[:, :, max(last - self._reach, 0) - known :]
        self._emitted = last
        batch = self._batch or ()
        if out is None:
            return features.reshape(*batch, *features.shape[1:]).copy()
        filled = out[..., : features.shape[2], :]
        for index, one in zip(np.ndindex(batch), features, strict=True):
            filled[index] = one
        return filled
