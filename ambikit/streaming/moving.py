"""Rotations, sources and beams that move from target to target."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ambikit import _motion, checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.beamforming import beamform, degree_gains
from ambikit.conventions import degrees_and_indices
from ambikit.directions import angles_to_vector, vector_to_angles
from ambikit.encoding import encode
from ambikit.rotation import key_matrices, rotate, rotation_between

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation


class Rotator:
    """Rotate a sound field: `rotate`, block by block.

    Parameters
    ----------
    yaw, pitch, roll : float, optional
        Angles in radians to begin with, as for `rotate`.
    rotation : array_like, shape (3, 3), or scipy Rotation, optional
        The rotation of (x, y, z) to begin with, instead of angles.
    degrees : bool, optional
        Take the angles in degrees.
    inverse : bool, optional
        Undo the rotations: what a listener hears who turns by them (head tracking).

    Raises
    ------
    InputError
        If there is more than one rotation, an angle is not finite, or `rotation` is no rotation.

    Examples
    --------
    A listener turns to the left during the second block, and stays there:

    >>> import numpy as np
    >>> import ambikit
    >>> front = ambikit.encode(np.ones(4), 0.0)
    >>> head = ambikit.streaming.Rotator(inverse=True)
    >>> blocks = [head.process(front)]
    >>> head.turn_to(90, degrees=True)
    >>> blocks += [head.process(front), head.process(front)]
    >>> np.concatenate(blocks, axis=-1)[1].round(2) + 0.0  # Y: the source comes to the right
    array([ 0.  ,  0.  ,  0.  ,  0.  ,  0.  , -0.38, -0.71, -0.92, -1.  ,
           -1.  , -1.  , -1.  ])
    """

    def __init__(
        self,
        yaw: float = 0.0,
        pitch: float = 0.0,
        roll: float = 0.0,
        *,
        rotation: ArrayLike | Rotation | None = None,
        degrees: bool = False,
        inverse: bool = False,
    ) -> None:
        self._inverse = inverse
        self._course = _Course(_matrix(yaw, pitch, roll, rotation, degrees), rotation_between)

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
        """Turn to another rotation, the short way at constant speed, from the next block on.

        Parameters
        ----------
        yaw, pitch, roll, rotation, degrees
            The rotation, as for `Rotator`.
        over : int, optional
            Samples that the way takes; by default the next block. A way that has not ended is
            left where it is.

        Raises
        ------
        InputError
            As `Rotator`, or if `over` is not positive.
        """
        self._course.turn_to(_matrix(yaw, pitch, roll, rotation, degrees), over)

    def process(self, block: ArrayLike) -> FloatArray:
        """Return the next block, rotated.

        Parameters
        ----------
        block : array_like, shape (..., channels, samples)
            Ambisonic signals in ACN order, float32 or float64.

        Returns
        -------
        ndarray, shape (..., channels, samples)
            The rotated signals; float32 stays float32.

        Raises
        ------
        InputError
            If `block` is not (..., channels, samples).
        TypeError
            If `block` is not real floating point.
        """
        x, _ = checks.ambisonic(block, name="block")
        keys, times = self._course.advance(x.shape[-1])
        return rotate(x, rotation=keys, inverse=self._inverse, times=times)

    def reset(self) -> None:
        """Return to the rotation of the beginning."""
        self._course.reset()


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
        self._course = _Course(_vector(azimuth, elevation, degrees), _between)

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

    def process(self, block: ArrayLike) -> FloatArray:
        """Return the next block, encoded.

        Parameters
        ----------
        block : array_like, shape (..., samples)
            Sound of the source, float32 or float64.

        Returns
        -------
        ndarray, shape (..., (order + 1)**2, samples)
            AmbiX signals (ACN, SN3D); float32 stays float32.

        Raises
        ------
        InputError
            If `block` is a single number.
        TypeError
            If `block` is not real floating point.
        """
        signal = checks.samples(block, "block")
        keys, times = self._course.advance(signal.shape[-1])
        angles = vector_to_angles(keys)
        return encode(signal, *angles, order=self._order, spread=self._spread, times=times)

    def reset(self) -> None:
        """Return to the direction of the beginning."""
        self._course.reset()


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
        self._course = _Course(beams, _between)

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

    def process(self, block: ArrayLike) -> FloatArray:
        """Return the next block of the beams.

        Parameters
        ----------
        block : array_like, shape (..., channels, samples)
            AmbiX signals (ACN, SN3D), float32 or float64.

        Returns
        -------
        ndarray, shape (..., directions, samples), or (..., samples) for one number
            The beams' signals; float32 stays float32.

        Raises
        ------
        InputError
            If `block` is not (..., channels, samples).
        TypeError
            If `block` is not real floating point.
        """
        x, order = checks.ambisonic(block, name="block")
        keys, times = self._course.advance(x.shape[-1])
        azimuth, elevation = vector_to_angles(keys)
        if times is None:
            return beamform(x, azimuth, elevation, pattern=self._pattern)
        gains = degree_gains(self._pattern, order)[degrees_and_indices(order)[0]].astype(x.dtype)
        even = np.ones(x.shape[-1], x.dtype)
        out = np.empty((*x.shape[:-2], *azimuth.shape[1:], x.shape[-1]), x.dtype)
        for beam in np.ndindex(azimuth.shape[1:]):
            way = azimuth[:, *beam], elevation[:, *beam]
            waves = encode(even, *way, order=order, times=times)
            out[..., *beam, :] = np.einsum("c,ct,...ct->...t", gains, waves, x)
        return out

    def reset(self) -> None:
        """Return to the directions of the beginning."""
        self._course.reset()


class _Course:
    """The way from where something is to where it is to be, in keys of any kind."""

    def __init__(self, key: FloatArray, between: Callable[..., FloatArray]) -> None:
        self._origin = key
        self._between = between
        self.reset()

    def reset(self) -> None:
        """Return to the beginning."""
        self._from = self._to = self._origin
        self._passed = 0
        self._length: int | None = 0  # None: as long as the next block

    def turn_to(self, key: FloatArray, over: int | None) -> None:
        """Leave for another key."""
        length = None if over is None else checks.positive_int(over, "over")
        self._from = self._here()
        self._to, self._passed, self._length = key, 0, length

    def advance(self, samples: int) -> tuple[FloatArray, ArrayLike | None]:
        """Return the keys of the next samples: one at rest, or two and their times."""
        if self._length is None and samples:
            self._length = samples
        begin, length = self._passed, self._length or 0
        if begin >= length:
            return self._to, None
        self._passed = min(begin + samples, length)
        return np.stack([self._from, self._to]), (-begin, length - begin)

    def _here(self) -> FloatArray:
        """Return the key of the next sample."""
        if self._length is None:
            return self._from
        if self._passed >= self._length:
            return self._to
        return self._between(self._from, self._to, self._passed / self._length)


def _between(here: FloatArray, there: FloatArray, share: float) -> FloatArray:
    """Return unit vectors (..., 3) after a share of the great circles from here to there."""
    ends = here.reshape(-1, 3), there.reshape(-1, 3)
    return _motion.between(*ends, share).reshape(here.shape)


def _matrix(
    yaw: float, pitch: float, roll: float, rotation: ArrayLike | Rotation | None, degrees: bool
) -> FloatArray:
    """Return one rotation matrix (3, 3)."""
    return checks.one_rotation(key_matrices(yaw, pitch, roll, rotation, degrees))


def _vector(azimuth: float, elevation: float, degrees: bool) -> FloatArray:
    """Return one unit vector (3,)."""
    az, el = checks.direction(azimuth, elevation, degrees=degrees)
    return angles_to_vector(checks.single(az, "azimuth"), checks.single(el, "elevation"))


def _vectors(azimuth: ArrayLike, elevation: ArrayLike, degrees: bool) -> FloatArray:
    """Return unit vectors (3,) or (directions, 3)."""
    az, el = checks.direction(azimuth, elevation, degrees=degrees)
    return angles_to_vector(checks.at_most_1d(az, "azimuth and elevation", "directions"), el)
