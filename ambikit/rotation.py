"""Rotation of sound fields.

Rotations are active: they turn the sound field while the listener stays, so yaw +90° moves a source
from the front to the left. Head tracking is the inverse.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ambikit import _mixing, _motion, checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.harmonics import spherical_harmonics

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

_YZX = np.array([1, 2, 0])
"""ACN order of the axes x, y, z at degree 1."""


def rotation_matrix(
    yaw: ArrayLike, pitch: ArrayLike = 0.0, roll: ArrayLike = 0.0, *, degrees: bool = False
) -> FloatArray:
    """Return the rotation matrices of yaw, pitch and roll.

    Parameters
    ----------
    yaw, pitch, roll : array_like
        Right-handed angles in radians about z (up), y (left) and x (front), broadcast against each
        other. Yaw turns the front to the left, positive pitch lowers the front, positive roll
        lifts the left.
    degrees : bool, optional
        Take the angles in degrees.

    Returns
    -------
    ndarray, shape (..., 3, 3)
        ``Rz(yaw) @ Ry(pitch) @ Rx(roll)``, acting on (x, y, z); float64.

    Raises
    ------
    InputError
        If an angle is not finite, or the shapes do not broadcast.

    Notes
    -----
    The same as ``scipy.spatial.transform.Rotation.from_euler("ZYX", [yaw, pitch, roll])``, the
    intrinsic Tait-Bryan angles of [1]_ in right-handed axes with z up. Other libraries turn the
    other way for the same three angles: docs/coming-from.md lists them.

    References
    ----------
    .. [1] J. Diebel, "Representing attitude: Euler angles, unit quaternions, and rotation vectors",
           Stanford University, 2006.

    Examples
    --------
    >>> import ambikit
    >>> (ambikit.rotation_matrix(90, degrees=True) @ [1, 0, 0]).round(12)  # the front, turned left
    array([0., 1., 0.])
    """
    y, p, r = (
        checks.angle(angle, name, degrees=degrees)
        for angle, name in ((yaw, "yaw"), (pitch, "pitch"), (roll, "roll"))
    )
    shape = checks.broadcast(yaw=y, pitch=p, roll=r)[0].shape
    cy, sy, cp, sp, cr, sr = np.cos(y), np.sin(y), np.cos(p), np.sin(p), np.cos(r), np.sin(r)
    out = np.empty((3, 3, *shape))
    out[0, 0], out[0, 1], out[0, 2] = cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr
    out[1, 0], out[1, 1], out[1, 2] = sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr
    out[2, 0], out[2, 1], out[2, 2] = -sp, cp * sr, cp * cr
    return np.moveaxis(out, (0, 1), (-2, -1))


def look_at(azimuth: ArrayLike, elevation: ArrayLike = 0.0, *, degrees: bool = False) -> Rotation:
    """Return the rotation that brings a direction to the front.

    Parameters
    ----------
    azimuth, elevation : float or array_like, shape (keys,)
        Direction in radians.
    degrees : bool, optional
        Take the angles in degrees.

    Returns
    -------
    scipy.spatial.transform.Rotation
        ``Ry(+elevation) @ Rz(-azimuth)``: first the azimuth is turned away, then the elevation.
        The horizon stays level.

    Raises
    ------
    InputError
        If an angle is not finite, or an elevation lies beyond ±90°.

    Examples
    --------
    >>> import ambikit
    >>> voice = ambikit.encode([1.0], -90, 30, degrees=True)
    >>> turned = ambikit.rotate(voice, rotation=ambikit.look_at(-90, 30, degrees=True))
    >>> abs(turned.ravel()).round(12)  # W and X: the front
    array([1., 0., 0., 1.])
    """
    from scipy.spatial.transform import Rotation

    az, el = checks.direction(azimuth, elevation, degrees=degrees)
    return Rotation.from_matrix(rotation_matrix(0.0, el) @ rotation_matrix(-az))


def sh_rotation_matrix(rotation: ArrayLike | checks.SupportsMatrix, order: int = 1) -> FloatArray:
    r"""Return the matrices that rotate Ambisonic signals.

    Parameters
    ----------
    rotation : array_like, shape (..., 3, 3), or scipy.spatial.transform.Rotation
        Rotations of (x, y, z).
    order : int, optional
        Ambisonic order.

    Returns
    -------
    ndarray, shape (..., (order + 1)**2, (order + 1)**2)
        Orthogonal matrices in ACN order, one block for each degree; float64. ``M @ x`` rotates x
        (channels, samples). SN3D and N3D signals rotate alike.

    Raises
    ------
    InputError
        If `rotation` is not made of proper rotations.

    Notes
    -----
    Degree 1 rotates like the axes: its block is the rotation itself with rows and columns in the
    order y, z, x. Each further block is read off the last two, as in [1]_: products of harmonics of
    degree 1 and l - 1 hold those of degree l exactly once, so with the coupling :math:`C_l`
    (constant, with orthonormal rows)

    .. math:: M_l = C_l (M_1 \otimes M_{l-1}) C_l^T .

    References
    ----------
    .. [1] J. Ivanic and K. Ruedenberg, "Rotation matrices for real spherical harmonics. Direct
           determination by recursion", J. Phys. Chem. 100 (1996), 6342-6347; additions and
           corrections: J. Phys. Chem. A 102 (1998), 9099-9100.

    Examples
    --------
    >>> import ambikit
    >>> quarter = ambikit.rotation_matrix(90, degrees=True)
    >>> ambikit.sh_rotation_matrix(quarter).round(12) + 0.0  # W, Y, Z, X
    array([[ 1.,  0.,  0.,  0.],
           [ 0.,  0.,  0.,  1.],
           [ 0.,  0.,  1.,  0.],
           [ 0., -1.,  0.,  0.]])
    """
    return _block_matrices(checks.rotation(rotation), checks.order(order))


def rotate(
    x: ArrayLike,
    yaw: ArrayLike = 0.0,
    pitch: ArrayLike = 0.0,
    roll: ArrayLike = 0.0,
    *,
    rotation: ArrayLike | Rotation | None = None,
    degrees: bool = False,
    inverse: bool = False,
    out: FloatArray | None = None,
    times: ArrayLike | None = None,
) -> FloatArray:
    """Rotate a sound field, by a fixed angle or along time.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        Ambisonic signals in ACN order, ``channels == (order + 1)**2``, float32 or float64.
    yaw, pitch, roll : float or array_like, shape (keys,)
        Right-handed angles in radians about z (up), y (left) and x (front); roll is applied first.
        Yaw +90° moves a source from the front to the left, positive pitch lowers the front,
        positive roll lifts the left. One number each: a fixed rotation. Lists: keys along time,
        the first at the first sample, the last at the last sample, the others evenly between.
    rotation : array_like, shape (3, 3) or (keys, 3, 3), or scipy Rotation, optional
        The rotation of (x, y, z), instead of angles.
    degrees : bool, optional
        Take the angles in degrees.
    inverse : bool, optional
        Invert the rotation, as for a listener who turns by these angles (head tracking).
    out : ndarray, shape (..., channels, samples), optional
        Array to write to, of the dtype of `x`; it may be `x` itself.
    times : array_like, shape (keys,), optional
        Times of the keys in samples, rising. Outside their range the nearest key holds.

    Returns
    -------
    ndarray, shape (..., channels, samples)
        The rotated signals; float32 stays float32.

    Raises
    ------
    InputError
        If shapes do not fit, an angle is not finite, `rotation` is no rotation, angles and
        `rotation` are both given, or `times` is given without keys.
    TypeError
        If `x` is not real floating point.

    Notes
    -----
    The matrix is ``sh_rotation_matrix(rotation_matrix(yaw, pitch, roll))``. Between keys the
    rotation takes the shorter way at constant speed (slerp of quaternions), in steps of at most
    0.02 / order radians between which the matrix is interpolated linearly: nothing clicks, and no
    plane wave is further than 5e-5 of its amplitude from its path.

    NaN in `x` stays in its sample.

    To rotate each clip of a batch differently, multiply:
    ``sh_rotation_matrix(rotations, order).astype(x.dtype) @ x``.

    References
    ----------
    .. [1] K. Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985, 245-254.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> front = ambikit.encode(np.ones(3), 0.0, order=3)
    >>> left = ambikit.encode(np.ones(3), 90, order=3, degrees=True)
    >>> np.allclose(ambikit.rotate(front, 90, degrees=True), left)
    True

    Along time, from the front over the left to the back:

    >>> moved = ambikit.rotate(front[:4], [0, 90, 180], degrees=True)
    >>> moved[1].round(12) + 0.0, moved[3].round(12) + 0.0  # Y, X
    (array([0., 1., 0.]), array([ 1.,  0., -1.]))
    """
    x, order = checks.ambisonic(x)
    keys: Keys
    if rotation is None:
        keys = _Angles(yaw, pitch, roll, degrees)
    else:
        keys = key_matrices(yaw, pitch, roll, rotation, degrees)
    count = 1 if keys.ndim == 2 else len(keys)
    position = None if times is None else checks.key_times(times, count)
    out = checks.output(out, x.shape, x.dtype, x, in_place=True)
    if count == 1:
        matrix = np.asarray(keys[...]).reshape(3, 3)
        _rotate_fixed(x, matrix.T if inverse else matrix, order, out)
    else:
        if position is None:
            position = _motion.key_positions(count, x.shape[-1])
        rotate_along(x, keys, position, order, out, inverse=inverse)
    return out


class _Angles:
    """Keys as angles, which become matrices where a slice is taken: a key a sample may be many."""

    def __init__(self, yaw: ArrayLike, pitch: ArrayLike, roll: ArrayLike, degrees: bool) -> None:
        angles = zip((yaw, pitch, roll), ("yaw", "pitch", "roll"), strict=True)
        radians = {name: checks.angle(angle, name, degrees=degrees) for angle, name in angles}
        self._angles = checks.broadcast(**radians)
        shape = self._angles[0].shape
        checks.keys_of_matrices(np.broadcast_to(np.float64(0), (*shape, 3, 3)))
        self.ndim = len(shape) + 2

    def __len__(self) -> int:
        return len(self._angles[0])

    def __getitem__(self, some: Any) -> FloatArray:
        return rotation_matrix(*(angle[some] for angle in self._angles))


Keys: TypeAlias = FloatArray | _Angles


def key_matrices(
    yaw: ArrayLike,
    pitch: ArrayLike,
    roll: ArrayLike,
    rotation: ArrayLike | Rotation | None,
    degrees: bool,
) -> FloatArray:
    """Return one rotation matrix (3, 3) or keys (K, 3, 3)."""
    angles = (yaw, pitch, roll)
    if rotation is None:
        matrices = rotation_matrix(*angles, degrees=degrees)
    else:
        checks.unused(angles, "yaw, pitch and roll", "rotation")
        matrices = checks.rotation(rotation)
    return checks.keys_of_matrices(matrices)


def _block_matrices(r: FloatArray, order: int, dtype: npt.DTypeLike = np.float64) -> FloatArray:
    """Return the matrices (..., C, C) of rotations (..., 3, 3)."""
    out = np.zeros((*r.shape[:-2], (order + 1) ** 2, (order + 1) ** 2), dtype)
    out[..., 0, 0] = 1.0
    block = first = r[..., _YZX[:, None], _YZX]
    for degree in range(1, order + 1):
        if degree > 1:
            product = first[..., :, None, :, None] * block[..., None, :, None, :]
            coupling = _coupling(degree)
            size = coupling.shape[1]
            block = coupling @ product.reshape(*r.shape[:-2], size, size) @ coupling.T
        channels = slice(degree**2, (degree + 1) ** 2)
        out[..., channels, channels] = block
    return out


def _rotate_fixed(x: FloatArray, rotation: FloatArray, order: int, out: FloatArray) -> None:
    """Fill out with x under one rotation."""
    _mixing.mix(x, _block_matrices(rotation, order), _mixing.degree_blocks(order), out)


def rotate_along(
    x: FloatArray,
    keys: Keys,
    position: FloatArray,
    order: int,
    out: FloatArray,
    *,
    inverse: bool = False,
) -> None:
    """Fill out, which may be x, with x under rotations (K, 3, 3) at positions (K,) in samples."""

    def unit(matrices: FloatArray) -> FloatArray:
        return quaternions(matrices.swapaxes(-1, -2) if inverse else matrices)

    # a quaternion turns by half the angle of its rotation
    chord = _motion.CHORD / (2 * max(order, 1))
    blocks, most = _mixing.degree_blocks(order), _mixing.points_at_once((order + 1) ** 4)
    for points, lines in _motion.runs(keys, position, x.shape[-1], chord, most, unit):
        # Not kept beyond the call: the next ones would be made beside them
        _mixing.mix_moving(
            x,
            lines,
            _block_matrices(matrices_of_quaternions(points), order, x.dtype),
            blocks,
            out,
        )


def quaternions(matrices: FloatArray) -> FloatArray:
    """Return unit quaternions (K, 4), scalar last, each in the half-sphere of the one before."""
    m = np.moveaxis(matrices, 0, -1)
    # four times the outer product of the quaternion with itself
    outer = np.empty((4, 4, len(matrices)))
    trace = m[0, 0] + m[1, 1] + m[2, 2]
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        outer[i, i] = 1.0 - trace + 2.0 * m[i, i]
        outer[i, j] = outer[j, i] = m[i, j] + m[j, i]
        outer[i, 3] = outer[3, i] = m[k, j] - m[j, k]
    outer[3, 3] = 1.0 + trace
    # any row is a multiple of the quaternion; the longest is the most exact
    longest = outer[range(4), range(4)].argmax(axis=0)
    q: FloatArray = outer[longest, :, np.arange(len(matrices))].T
    q = q / np.sqrt(np.einsum("ik,ik->k", q, q))
    flips = np.where(np.einsum("ik,ik->k", q[:, 1:], q[:, :-1]) < 0, -1.0, 1.0)
    q[:, 1:] *= np.cumprod(flips)
    return q.T


def matrices_of_quaternions(q: FloatArray) -> FloatArray:
    """Return the rotation matrices (K, 3, 3) of unit quaternions (K, 4), scalar last."""
    x, y, z, w = q.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


@lru_cache
def _coupling(degree: int) -> FloatArray:
    """Return C (2l + 1, 3 (2l - 1)): degree l out of the products of degrees 1 and l - 1.

    The integral over the sphere of the three harmonics, by a quadrature exact to degree 2l, with
    rows made orthonormal.
    """
    z, weight = np.polynomial.legendre.leggauss(degree + 1)
    azimuth = np.arange(2 * degree + 1) * (2 * np.pi / (2 * degree + 1))
    radius = np.sqrt(1.0 - z**2)[:, None]
    x, y, z = np.broadcast_arrays(radius * np.cos(azimuth), radius * np.sin(azimuth), z[:, None])
    harmonics = spherical_harmonics(np.stack([x, y, z], axis=-1), degree)
    coupling: FloatArray = np.einsum(
        "z,zpi,zpa,zpb->iab",
        weight,
        harmonics[..., degree**2 :],
        harmonics[..., 1:4],
        harmonics[..., (degree - 1) ** 2 : degree**2],
    ).reshape(2 * degree + 1, -1)
    coupling /= np.linalg.norm(coupling, axis=-1, keepdims=True)
    return coupling
