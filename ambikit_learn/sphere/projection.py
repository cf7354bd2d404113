"""Frames that are not equirectangular: cubemaps, and two eyes in one frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ambikit import checks
from ambikit_learn._typing import Floats, Frames
from ambikit_learn.sphere.equirect import pixel_to_direction

PROJECTIONS = ("equirectangular", "eac", "cubemap", "c3x2", "c6x1", "c1x6", "gopro-max")
"""``eac`` is YouTube's equi-angular cubemap, ``cubemap`` layout 0 of Spherical Video V2; ``c3x2``,
``c6x1`` and ``c1x6`` are FFmpeg's cubemaps of as many columns and rows, and ``gopro-max`` the two
streams of that camera, one above the other."""
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
    upright: bool = True
    assumed: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        checks.choice(self.projection, PROJECTIONS, "projection")
        checks.choice(self.stereo, STEREO, "stereo")


# Axes (forward, right, down) of the stored faces: x front, y left, z up.
AXES = {
    "+x": (1, 0, 0),
    "-x": (-1, 0, 0),
    "+y": (0, 1, 0),
    "-y": (0, -1, 0),
    "+z": (0, 0, 1),
    "-z": (0, 0, -1),
}
# left, front, right; then down, back and up as a strip across the back
_STRIPS = "+y +x -z", "+x -y -z", "-y -x -z", "-z -x +y", "-x +z +y", "+z +x +y"
# right, left, up, down, front, back, as a viewer sees them who turns and nods from the front
_VIEWS = "-y -x -z", "+y +x -z", "+z -y +x", "-z -y -x", "+x -y -z", "-x +y -z"
_FACES = {
    "eac": _STRIPS,
    "gopro-max": _STRIPS,
    # Up with its top forwards, down with its top backwards: both half a turn from the views
    "cubemap": (*_VIEWS[:2], "+z +y -x", "-z +y +x", *_VIEWS[4:]),
    "c3x2": _VIEWS,
    "c6x1": _VIEWS,
    "c1x6": _VIEWS,
}


def columns_of(projection: str) -> int:
    """Count the faces of a cubemap that lie side by side."""
    return {"c6x1": 6, "c1x6": 1}.get(projection, 3)


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
    side = width // columns_of(layout.projection)
    return side * 2, side * 4


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
    faces = np.array([[AXES[a] for a in face.split()] for face in _FACES[layout.projection]], float)
    face = np.argmax(directions @ faces[:, 0].T, axis=-1)
    forward, right, down = np.moveaxis(
        np.einsum("...ij,...j->...i", faces[face], directions), -1, 0
    )
    a, b = right / forward, down / forward
    if layout.projection in ("eac", "gopro-max"):
        a, b = np.arctan(a) * (4.0 / np.pi), np.arctan(b) * (4.0 / np.pi)
    across = columns_of(layout.projection)
    row, column = np.divmod(face, across)
    pad = layout.padding
    pitch = height / (6 // across)
    high = pitch - 2 * pad
    top = row * pitch + pad
    if layout.projection == "gopro-max":
        return _gopro_places(a, b, face, height, width)
    if layout.projection == "eac":  # a row of faces is continuous: only its ends are padded
        wide = (width - 2 * pad) / across
        left = pad + column * wide
    else:
        wide = width / across - 2 * pad
        left = pad + column * width / across

    def held(fraction: Floats, low: Floats, span: float) -> Floats:
        return np.clip(low + (fraction + 1.0) / 2.0 * span - 0.5, low, low + span - 1.0)

    return held(a, left, wide), held(b, top, high)


# Of the rows of both modes: pixels of a face at the side, of the middle one, and shown twice.
_GOPRO = {4096: (1376, 1344, 64), 2272: (768, 736, 32)}
GOPRO_RATIOS = (1.5, 1.56)
"""Bounds of width over height of its two streams, one above the other."""


def is_gopro_max(height: int, width: int) -> bool:
    """Tell whether one of the two streams of a GoPro MAX has this size."""
    return width in _GOPRO and height == _GOPRO[width][1]


def _gopro_places(
    a: Floats, b: Floats, face: npt.NDArray[np.intp], height: int, width: int
) -> tuple[Floats, Floats]:
    """Pixels of directions in the two streams of a GoPro MAX, one above the other.

    Two lenses meet in the middle of the faces at the sides. What both of them show is there twice,
    of which the halves farther from their own lens are left out.

    References
    ----------
    .. [1] P. Bourke, "Converting GoPro Max frames to equirectangular", paulbourke.net, 2020.
    """
    full = min(_GOPRO, key=lambda one: abs(_GOPRO[one][1] / one - height / 2 / width))
    side, middle, twice = _GOPRO[full]
    row, column = np.divmod(face, 3)
    across, down = (a + 1.0) / 2.0, (b + 1.0) / 2.0
    beside = across * (side - twice) + np.where(across > 0.5, twice, 0)
    low = np.choose(column, [0, side, side + middle])
    wide = np.choose(column, [side, middle, side])
    left = low + np.where(column == 1, across * middle, beside)
    unit = width / full
    columns = np.clip(left * unit - 0.5, low * unit, (low + wide) * unit - 1.0)
    high = height / 2
    return columns, np.clip((row + down) * high - 0.5, row * high, (row + 1) * high - 1.0)
