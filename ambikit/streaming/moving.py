"""Sources and beams that move from target to target."""

from __future__ import annotations

import numpy as np

from ambikit import _mixing, _motion, checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.beamforming import beam_weights, degree_gains
from ambikit.conventions import degrees_and_indices
from ambikit.directions import angles_to_vector, vector_to_angles
from ambikit.encoding import encode
from ambikit.streaming._blocks import Known, output
from ambikit.streaming._course import Course


class Encoder:
    """Encode a source: `encode`, block by block.

    Parameters
    ----------
    azimuth, elevation : float
        Direction in radians to begin with.
    order : int, optional
        Ambisonic order.
    spread : float, optional
        Angle across the source, in radians.
    degrees : bool, optional
        Take the angles in degrees.

    Raises
    ------
    InputError
        If an angle is not one number, not finite or out of range, or `order` is negative.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> source = ambikit.streaming.Encoder(0.0)
    >>> source.move_to(90, degrees=True, over=6)  # through three blocks of two samples
    >>> x = [source.process(np.ones(2)) for _ in range(4)]
    >>> np.concatenate(x, axis=-1)[1].round(2) + 0.0  # Y
    array([0.  , 0.26, 0.5 , 0.71, 0.87, 0.97, 1.  , 1.  ])
    """

    def __init__(
        self,
        azimuth: float,
        elevation: float = 0.0,
        *,
        order: int = 1,
        spread: float = 0.0,
        degrees: bool = False,
    ) -> None:
        self._order = checks.order(order)
        self._spread = checks.spread(spread, degrees=degrees)
        self._course = Course(_vector(azimuth, elevation, degrees), _between)
        self._known = Known()
        self._gains: FloatArray | None = None

    def move_to(
        self,
        azimuth: float,
        elevation: float = 0.0,
        *,
        degrees: bool = False,
        over: int | None = None,
    ) -> None:
        """Move to another direction, along the great circle, from the next block on.

        Parameters
        ----------
        azimuth, elevation, degrees
            The direction, as for `Encoder`.
        over : int, optional
            Samples that the way takes; by default the next block. A way that has not ended is
            left where it is.

        Raises
        ------
        InputError
            As `Encoder`, or if `over` is not positive.
        """
        self._course.turn_to(_vector(azimuth, elevation, degrees), over)
        self._gains = None

    def process(self, block: ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
        """Return the next block, encoded.

        Parameters
        ----------
        block : array_like, shape (..., samples)
            Sound of the source, float32 or float64.
        out : ndarray, shape (..., (order + 1)**2, samples), optional
            Array to write to, of the dtype of `block`.

        Returns
        -------
        ndarray, shape (..., (order + 1)**2, samples)
            AmbiX signals (ACN, SN3D); float32 stays float32.

        Raises
        ------
        InputError
            If `block` is a single number, or `out` does not fit.
        TypeError
            If `block` is not real floating point.
        """
        if block in self._known:
            signal: FloatArray = block  # type: ignore[assignment]
        else:
            signal = checks.samples(block, "block")
            self._known.add(signal)
            self._gains = None
        shape = (*signal.shape[:-1], (self._order + 1) ** 2, signal.shape[-1])
        target = output(out, shape, signal)
        if self._course.resting or not signal.size:
            if self._gains is None:
                azimuth, elevation = vector_to_angles(self._course.to)
                settings = {"order": self._order, "spread": self._spread}
                one = np.ones(1, signal.dtype)
                self._gains = encode(one, azimuth, elevation, **settings)  # type: ignore[arg-type]
            return np.multiply(self._gains, signal[..., None, :], out=target)
        keys, times = self._course.keys(signal.shape[-1])
        angles = vector_to_angles(keys)
        return encode(
            signal, *angles, order=self._order, spread=self._spread, times=times, out=target
        )

    def reset(self) -> None:
        """Return to the direction of the beginning."""
        self._course.reset()
        self._gains = None


class Beamformer:
    """Listen in one direction or in several: `beamform`, block by block, with beams that may move.

    Parameters
    ----------
    azimuth, elevation : float or array_like, shape (directions,)
        Where to listen to begin with, in radians.
    pattern : str, optional
        Pattern of the beam: see `beam_weights`.
    degrees : bool, optional
        Take the angles in degrees.

    Raises
    ------
    InputError
        If the pattern is unknown, or an angle is not finite or out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> x = ambikit.encode(np.ones(4), 0.0)
    >>> beam = ambikit.streaming.Beamformer(0.0, pattern="figure8")
    >>> beam.turn_to(180, degrees=True)
    >>> beam.process(x).round(2), beam.process(x).round(2)
    (array([ 1.  ,  0.71,  0.  , -0.71]), array([-1., -1., -1., -1.]))
    """

    def __init__(
        self,
        azimuth: ArrayLike,
        elevation: ArrayLike = 0.0,
        *,
        pattern: str = "cardioid",
        degrees: bool = False,
    ) -> None:
        degree_gains(pattern, 1)  # an unknown one is refused here, not at the first block
        self._pattern = pattern
        beams = _vectors(azimuth, elevation, degrees)
        self._shape = beams.shape[:-1]
        self._course = Course(beams, _between)
        self._known = Known()
        self._order = 0
        self._weights: FloatArray | None = None

    def turn_to(
        self,
        azimuth: ArrayLike,
        elevation: ArrayLike = 0.0,
        *,
        degrees: bool = False,
        over: int | None = None,
    ) -> None:
        """Turn the beams to other directions, along great circles, from the next block on.

        Parameters
        ----------
        azimuth, elevation, degrees
            As many directions as at the beginning, as for `Beamformer`.
        over : int, optional
            Samples that the way takes; by default the next block. A way that has not ended is
            left where it is.

        Raises
        ------
        InputError
            As `Beamformer`, if there is another number of directions, or if `over` is not positive.
        """
        target = _vectors(azimuth, elevation, degrees)
        checks.same_directions(target.shape[:-1], self._shape)
        self._course.turn_to(target, over)
        self._weights = None

    def process(self, block: ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
        """Return the next block of the beams.

        Parameters
        ----------
        block : array_like, shape (..., channels, samples)
            AmbiX signals (ACN, SN3D), float32 or float64.
        out : ndarray, optional
            Array to write to, of the shape of the result and the dtype of `block`.

        Returns
        -------
        ndarray, shape (..., directions, samples), or (..., samples) for one number
            The beams' signals; float32 stays float32.

        Raises
        ------
        InputError
            If `block` is not (..., channels, samples), or `out` does not fit.
        TypeError
            If `block` is not real floating point.
        """
        if block in self._known:
            x: FloatArray = block  # type: ignore[assignment]
        else:
            x, self._order = checks.ambisonic(
                block, name="block", oriented=self._known.has_channels(block)
            )
            self._known.add(x)
            self._weights = None
        target = output(out, (*x.shape[:-2], *self._shape, x.shape[-1]), x)
        if self._course.resting or not x.size:
            self._rest(x, target if self._shape else target[..., None, :])
        else:
            self._turn(x, target)
        return target

    def _rest(self, x: FloatArray, out: FloatArray) -> None:
        """Listen by weights that are kept."""
        if self._weights is None:
            azimuth, elevation = vector_to_angles(np.atleast_2d(self._course.to))
            weights = beam_weights(self._pattern, azimuth, elevation, order=self._order)
            self._weights = weights.astype(x.dtype)
        if max(x.size, out.size) > _mixing.CACHES:
            _mixing.mix(x, self._weights, _mixing.one_block(*self._weights.shape), out)
        else:
            np.matmul(self._weights, x, out=out)

    def _turn(self, x: FloatArray, out: FloatArray) -> None:
        """Listen along the way."""
        keys, times = self._course.keys(x.shape[-1])
        azimuth, elevation = vector_to_angles(keys)
        degree, _ = degrees_and_indices(self._order)
        gains = degree_gains(self._pattern, self._order)[degree].astype(x.dtype)
        even = np.ones(x.shape[-1], x.dtype)
        for beam in np.ndindex(self._shape):
            way = azimuth[:, *beam], elevation[:, *beam]
            waves = encode(even, *way, order=self._order, times=times)
            out[..., *beam, :] = np.einsum("c,ct,...ct->...t", gains, waves, x)

    def reset(self) -> None:
        """Return to the directions of the beginning."""
        self._course.reset()
        self._weights = None


def _between(here: FloatArray, there: FloatArray, share: float) -> FloatArray:
    """Return unit vectors (..., 3) after a share of the great circles from here to there."""
    ends = here.reshape(-1, 3), there.reshape(-1, 3)
    return _motion.between(*ends, share).reshape(here.shape)


def _vector(azimuth: float, elevation: float, degrees: bool) -> FloatArray:
    """Return one unit vector (3,)."""
    az, el = checks.direction(azimuth, elevation, degrees=degrees)
    return angles_to_vector(checks.single(az, "azimuth"), checks.single(el, "elevation"))


def _vectors(azimuth: ArrayLike, elevation: ArrayLike, degrees: bool) -> FloatArray:
    """Return unit vectors (3,) or (directions, 3)."""
    az, el = checks.direction(azimuth, elevation, degrees=degrees)
    return angles_to_vector(checks.at_most_1d(az, "azimuth and elevation", "directions"), el)
