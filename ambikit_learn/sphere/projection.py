"""Frames that are not equirectangular: cubemaps, and two eyes in one frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ambikit import checks
from ambikit_learn._typing import Floats, Frames
from ambikit_learn.sphere.equirect import direction_to_pixel, pixel_to_direction

PROJECTIONS = ("equirectangular", "cubemap", "eac")
"""``cubemap`` is layout 0 of Spherical Video V2, ``eac`` YouTube's equi-angular cubemap."""
STEREO = ("mono", "top-bottom", "left-right")
"""Arrangements of the pictures for two eyes in a frame."""

EAC_PADDING = 2
"""Pixels by which YouTube pads each row of faces, as FFmpeg's v360 assumes."""

# Greatest number of samples along each side of a pixel, where the result is coarser.
_FINEST = 4


@dataclass(frozen=True)
class FrameLayout:
    """How a frame shows the sphere.

    Parameters
    ----------
    projection : {"equirectangular", "cubemap", "eac"}
        Projection of the picture of each eye.
    stereo : {"mono", "top-bottom", "left-right"}
        Arrangement of the eyes in a frame.
    padding : int
        Padding in pixels around each face of a cubemap, or row of faces of an equi-angular one.

    Raises
    ------
    InputError
        The projection or the arrangement of eyes is unknown.
    """

    projection: str = "equirectangular"
    stereo: str = "mono"
    padding: int = 0

    def __post_init__(self) -> None:
        checks.choice(self.projection, PROJECTIONS, "projection")
        checks.choice(self.stereo, STEREO, "stereo")


# Axes (forward, right, down) of the stored faces: x front, y left, z up.
_AXES = {
    "+x": (1, 0, 0),
    "-x": (-1, 0, 0),
    "+y": (0, 1, 0),
    "-y": (0, -1, 0),
    "+z": (0, 0, 1),
    "-z": (0, 0, -1),
}
_FACES = {
    # left, front, right; then down, back and up as a strip across the back
    "eac": ("+y +x -z", "+x -y -z", "-y -x -z", "-z -x +y", "-x +z +y", "+z +x +y"),
    # right, left, up (its top is forwards); down (its top is backwards), front, back
    "cubemap": ("-y -x -z", "+y +x -z", "+z +y -x", "-z +y +x", "+x -y -z", "-x +y -z"),
}


def first_eye(frames: Frames, stereo: str) -> Frames:
    """Crop frames to the picture of one eye, the upper or the left one.

    Parameters
    ----------
    frames : (..., H, W, 3) array
    stereo : {"mono", "top-bottom", "left-right"}

    Returns
    -------
    array
        A view of `frames`.

    Examples
    --------
    >>> first_eye(np.zeros((5, 64, 64, 3), np.uint8), "top-bottom").shape
    (5, 32, 64, 3)
    """
    height, width = frames.shape[-3:-1]
    rows = height // 2 if stereo == "top-bottom" else height
    columns = width // 2 if stereo == "left-right" else width
    return frames[..., :rows, :columns, :]


def equirectangular_size(height: int, width: int, layout: FrameLayout) -> tuple[int, int]:
    """Return the size at which an equirectangular frame keeps the detail of another layout.

    Parameters
    ----------
    height, width : int
        Size of the frame.
    layout : FrameLayout

    Returns
    -------
    height, width : int
        Size of one eye's picture if it is equirectangular; for a cubemap, four faces wide and two
        high.

    Examples
    --------
    >>> equirectangular_size(1080, 1920, FrameLayout("eac"))
    (1280, 2560)
    """
    height //= 2 if layout.stereo == "top-bottom" else 1
    width //= 2 if layout.stereo == "left-right" else 1
    if layout.projection == "equirectangular":
        return height, width
    return width // 3 * 2, width // 3 * 4


def cubemap_to_equirectangular(
    frames: npt.ArrayLike, layout: FrameLayout, size: tuple[int, int] | None = None
) -> Frames:
    """Convert frames of six faces, three by two, to equirectangular ones.

    Parameters
    ----------
    frames : (..., H, W, 3) uint8 array
        Pictures of one eye; the faces need not be square.
    layout : FrameLayout
        Layout with the projection ``"cubemap"`` or ``"eac"``.
    size : (height, width), optional
        Size of the result; by default `equirectangular_size`.

    Returns
    -------
    (..., height, width, 3) uint8 array

    Raises
    ------
    InputError
        The shape is wrong.
    TypeError
        The frames are not uint8.

    Notes
    -----
    A direction d falls on the face with the greatest d·f. With its right and downward axes r and
    e, it lies at ``a = d·r / d·f`` and ``b = d·e / d·f`` from the face's middle, in [−1, 1]; in an
    equi-angular cubemap at ``(4/π) atan a`` and ``(4/π) atan b``. Sampling is bilinear, within
    the face; where the result is coarser, up to 4 × 4 samples per pixel are averaged.

    References
    ----------
    .. [1] Google, "Spherical Video V2 RFC", github.com/google/spatial-media.
    .. [2] C. Brown, "Bringing pixels front and center in VR video", Google blog, 2017.

    Examples
    --------
    >>> frame = np.zeros((64, 96, 3), np.uint8)
    >>> frame[:32, 32:64] = 255  # the front face
    >>> cubemap_to_equirectangular(frame, FrameLayout("eac"))[32, ::16, 0].tolist()
    [0, 0, 0, 255, 255, 0, 0, 0]
    """
    from ambikit_learn.sphere._kernels import remap

    pictures = checks.frames(frames)
    flat = pictures.reshape(-1, *pictures.shape[-3:])
    _, given_height, given_width, _ = flat.shape
    eye = FrameLayout(layout.projection)
    height, width = size or equirectangular_size(given_height, given_width, eye)
    columns, rows = _samples(layout, given_height, given_width, height, width)
    out = np.empty((len(flat), height, width, 3), np.uint8)
    remap.sample(np.ascontiguousarray(flat), columns, rows, out)
    return out.reshape(*pictures.shape[:-3], height, width, 3)


@lru_cache(maxsize=4)
def _samples(
    layout: FrameLayout, height: int, width: int, out_height: int, out_width: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the positions (out_height, out_width, n) in a cubemap that each pixel samples."""
    # A bilinear sample covers two pixels of the frame, whose width is 3/4 of the circumference.
    n = int(np.clip(np.ceil(width * 4 / 3 / out_width / 2), 1, _FINEST))
    u = (np.arange(out_width * n) + 0.5) / (out_width * n)
    v = (np.arange(out_height * n) + 0.5) / (out_height * n)
    azimuth, elevation = pixel_to_direction(*np.meshgrid(u, v))
    level = np.cos(elevation)
    directions = np.stack(
        [level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)], axis=-1
    )

    def grouped(places: Floats) -> npt.NDArray[np.float32]:
        blocks = places.reshape(out_height, n, out_width, n).swapaxes(1, 2)
        return blocks.reshape(out_height, out_width, n * n).astype(np.float32)

    columns, rows = cubemap_places(directions, layout, height, width)
    return grouped(columns), grouped(rows)


def cubemap_places(
    directions: Floats, layout: FrameLayout, height: int, width: int
) -> tuple[Floats, Floats]:
    """Return the pixels that show directions in a frame of six faces.

    Parameters
    ----------
    directions : (..., 3) array
        Vectors in (x, y, z).
    layout : FrameLayout
        Of projection ``"cubemap"`` or ``"eac"``.
    height, width : int
        Size of the frame.

    Returns
    -------
    columns, rows : (...) arrays
        Pixels from the centre of the first one, clipped to half a pixel within the face.
    """
    faces = np.array(
        [[_AXES[a] for a in face.split()] for face in _FACES[layout.projection]], float
    )
    face = np.argmax(directions @ faces[:, 0].T, axis=-1)
    forward, right, down = np.moveaxis(
        np.einsum("...ij,...j->...i", faces[face], directions), -1, 0
    )
    a, b = right / forward, down / forward
    if layout.projection == "eac":
        a, b = np.arctan(a) * (4.0 / np.pi), np.arctan(b) * (4.0 / np.pi)
    row, column = np.divmod(face, 3)
    pad = layout.padding
    high = height / 2 - 2 * pad
    top = row * height / 2 + pad
    if layout.projection == "eac":  # a row of faces is continuous: only its ends are padded
        wide = (width - 2 * pad) / 3
        left = pad + column * wide
    else:
        wide = width / 3 - 2 * pad
        left = pad + column * width / 3

    def held(fraction: Floats, low: Floats, span: float) -> Floats:
        return np.clip(low + (fraction + 1.0) / 2.0 * span - 0.5, low, low + span - 1.0)

    return held(a, left, wide), held(b, top, high)


def detect_layout(frames: Frames) -> FrameLayout:
    """Distinguish an equi-angular cubemap from an equirectangular picture by its edges.

    Parameters
    ----------
    frames : (T, H, W, 3) uint8 array
        Frames of one eye, of any size, of a file that does not state its layout.

    Returns
    -------
    FrameLayout
        Equirectangular, unless the edges match clearly better as those of a cubemap.

    Notes
    -----
    The two sides of a cut of the sphere look alike in the right layout. The mean differences are
    compared: at eight edges of the cube, and at the seam and the poles. For 40 rendered scenes, two
    videos and a photograph, with 40 to 480 rows, the ratio was at least 2.9 for equirectangular
    pictures, and at most 0.6 for their equi-angular versions.
    """
    apart = {}
    for projection in ("equirectangular", "eac"):
        near, far = (_look(frames, side, projection) for side in _cuts(projection))
        apart[projection] = float(np.abs(near - far).mean())
    if apart["eac"] < _CLEARLY * apart["equirectangular"]:
        return FrameLayout("eac", padding=EAC_PADDING)
    return FrameLayout()


_CLEARLY = 0.8
# Distance from a cut at which its two sides are compared, in radians.
_BESIDE = 0.015


def _look(frames: Frames, directions: Floats, projection: str) -> Floats:
    """Return the colours (T, N, 3) of frames of a projection in directions (N, 3)."""
    height, width = frames.shape[1:3]
    if projection == "equirectangular":
        x, y, z = directions.T
        u, v = direction_to_pixel(np.arctan2(y, x), np.arctan2(z, np.hypot(x, y)))
        columns, rows = np.floor(u * width), np.floor(v * height)
    else:
        columns, rows = cubemap_places(directions, FrameLayout(projection), height, width)
    return frames[:, np.rint(rows).astype(int), np.rint(columns).astype(int)].astype(np.float64)


@lru_cache
def _cuts(projection: str) -> tuple[Floats, Floats]:
    """Return directions (N, 3) on the two sides of the cuts of a layout."""
    if projection == "equirectangular":
        rise, turn = np.linspace(-1.4, 1.4, 96), np.linspace(0.0, np.pi, 64)
        seam = np.stack([-np.cos(rise), np.full(96, _BESIDE), np.sin(rise)], axis=-1)
        pole = np.stack([_BESIDE * np.cos(turn), _BESIDE * np.sin(turn), np.ones(64)], axis=-1)
        across = seam * (1, -1, 1), pole * (-1, -1, 1), -pole * (-1, -1, 1)
        return np.concatenate([seam, pole, -pole]), np.concatenate(across)
    along = np.linspace(-0.9, 0.9, 32)[:, None]
    sides = []
    for p, q in combinations(np.array(list(_AXES.values()), float), 2):
        if p @ q == 0:
            edge = p + q + along * np.cross(p, q)
            sides.append([edge + _BESIDE * (p - q), edge - _BESIDE * (p - q)])
    near, far = np.concatenate(sides, axis=1)
    layout = FrameLayout(projection)
    here, there = (np.stack(cubemap_places(side, layout, 200, 300)) for side in (near, far))
    cut = np.hypot(*(there - here)) > 20  # the other edges lie within a row of faces
    return near[cut], far[cut]
