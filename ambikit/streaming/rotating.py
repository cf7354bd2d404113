"""A sound field that is turned from target to target."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ambikit import _mixing, _motion, checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.rotation import (
    key_matrices,
    matrices_of_quaternions,
    quaternions,
    rotate_along,
    sh_rotation_matrix,
)
from ambikit.streaming._blocks import Known, output, plain
from ambikit.streaming._course import Course

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
        self._course = Course(_quaternion(yaw, pitch, roll, rotation, degrees), _between)
        self._known = Known()
        self._order = 0
        self._matrix: FloatArray | None = None
        self._scratch = np.empty((2, 3, 3))

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
        self._course.turn_to(_quaternion(yaw, pitch, roll, rotation, degrees), over)
        self._matrix = None

    def process(self, block: ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
        """Return the next block, rotated.

        Parameters
        ----------
        block : array_like, shape (..., channels, samples)
            Ambisonic signals in ACN order, float32 or float64.
        out : ndarray, shape (..., channels, samples), optional
            Array to write to, of the dtype of `block`, or `block` itself.

        Returns
        -------
        ndarray, shape (..., channels, samples)
            The rotated signals; float32 stays float32.

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
            self._matrix = None
        target = output(out, x.shape, x, in_place=True)
        if self._course.resting or not x.size:
            self._rest(x, target)
        elif self._order == 1 and plain(x) and plain(target):
            self._turn(x, target)
        else:
            self._turn_any(x, target)
        return target

    def reset(self) -> None:
        """Return to the rotation of the beginning."""
        self._course.reset()
        self._matrix = None

    def _rest(self, x: FloatArray, out: FloatArray) -> None:
        """Rotate by a matrix that is kept."""
        if self._matrix is None:
            rotation = matrices_of_quaternions(self._course.to[None])[0]
            rotation = rotation.T if self._inverse else rotation
            self._matrix = sh_rotation_matrix(rotation, self._order).astype(x.dtype)
        if x.size > _mixing.CACHES:
            _mixing.mix(x, self._matrix, _mixing.degree_blocks(self._order), out)
        else:
            np.matmul(self._matrix, x.copy() if out is x else x, out=out)

    def _turn(self, x: FloatArray, out: FloatArray) -> None:
        """Rotate along the way, at first order."""
        from ambikit._kernels import turning as kernels

        here, there = self._course.start, self._course.to
        begin, length = self._course.advance(x.shape[-1])
        angle, aside = _way(here, there)
        kernels.turn(
            x.reshape(-1, 4, x.shape[-1]),
            here,
            aside,
            angle,
            -1.0 if self._inverse else 1.0,
            _motion.CHORD / 2,
            float(_motion.LONGEST),
            begin,
            length,
            self._scratch,
            out.reshape(-1, 4, x.shape[-1]),
        )

    def _turn_any(self, x: FloatArray, out: FloatArray) -> None:
        """Rotate along the way, at any order."""
        keys = matrices_of_quaternions(np.stack([self._course.start, self._course.to]))
        begin, length = self._course.advance(x.shape[-1])
        position = np.array([-begin, length - begin], np.float64)
        rotate_along(x, keys, position, self._order, out, inverse=self._inverse)


def _quaternion(
    yaw: float, pitch: float, roll: float, rotation: ArrayLike | Rotation | None, degrees: bool
) -> FloatArray:
    """Return one rotation as a unit quaternion (4,), scalar last."""
    if rotation is not None or not _plain(yaw) or not _plain(pitch) or not _plain(roll):
        keys = key_matrices(yaw, pitch, roll, rotation, degrees)
        one: FloatArray = quaternions(checks.one_rotation(keys)[None])[0]
        return one
    half = math.pi / 360 if degrees else 0.5
    cy, sy = math.cos(half * yaw), math.sin(half * yaw)
    cp, sp = math.cos(half * pitch), math.sin(half * pitch)
    cr, sr = math.cos(half * roll), math.sin(half * roll)
    return np.array(
        (
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
            cr * cp * cy + sr * sp * sy,
        )
    )


def _plain(angle: object) -> bool:
    """Whether an angle is a finite number that needs no further look."""
    return type(angle) in (float, int) and math.isfinite(angle)  # type: ignore[arg-type]


def _way(here: FloatArray, there: FloatArray) -> tuple[float, FloatArray]:
    """Return the angle between quaternions, the short way, and its direction at the begin."""
    cosine = float(here @ there)
    aside = (there if cosine >= 0 else -there) - abs(cosine) * here
    sine = math.sqrt(float(aside @ aside))
    if sine > 1e-9:
        aside /= sine
    return math.atan2(sine, abs(cosine)), aside


def _between(here: FloatArray, there: FloatArray, share: float) -> FloatArray:
    """Return the quaternion after a share of the short way."""
    angle, aside = _way(here, there)
    return np.asarray(math.cos(share * angle) * here + math.sin(share * angle) * aside)
