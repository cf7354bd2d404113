"""What a picture that states nothing shows: a sphere, a cubemap, two eyes, or none of these."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ambikit import InputError
from ambikit_learn._typing import Floats, Frames
from ambikit_learn.sphere.equirect import direction_to_pixel
from ambikit_learn.sphere.projection import (
    AXES,
    EAC_PADDING,
    FrameLayout,
    columns_of,
    cubemap_places,
    first_eye,
)

CUBES = ("eac", "cubemap", "c3x2", "c6x1", "c1x6")
"""Layouts of six faces that are recognised."""

# Ratios of differences: where the sphere is cut, over places that have nothing in common. Of 33
# pictures (14 real clips, a photograph, 18 rendered scenes) and what FFmpeg's v360 made of them,
# the right cubemap had 0.05 to 0.61 and no other below 0.64 and 0.8 of it; the eyes of a stereo
# pair 0.04 to 0.46 (one above the other) and 0.13 to 0.56, of one picture's halves 0.65 and 0.50 at
# least.
_CUBE, _CLEARLY = 0.62, 0.8
_UPPER_LOWER, _LEFT_RIGHT = 0.5, 0.4
# What contradicts a sphere was chosen on 514 pictures and views of them, and tried on 200 others,
# cut at ten places each: none of 2,000 was refused, and 77 % of 200 perspective views of 60 to 110
# degrees were (79 % of 196 views of 14 real clips). A test picture of straight lines was refused
# where it was cut along one of them.
_SEAM, _NO_SEAM, _HALF_A_SEAM = 0.45, 0.7, 0.5
_MOST_ROWS, _RARE, _POLE, _NO_POLE = 0.4, 0.05, 0.5, 0.3
_CONTRAST = 5.0
"""Mean difference, in grey levels, of places that have nothing in common, to tell anything."""
_INFORMED = 0.4
"""Share of the places along the cuts of a cubemap that must differ from others by as much: of those
that were recognised 0.54 to 0.99. A stripe or a box on plain ground differs in few places, and fits
anything."""
# Width over height: of a sphere, from 4:3 to a little beyond 2:1; of what only two eyes or a row or
# column of faces have.
_SPHERE = (1.3, 2.2)
_SQUARE, _WIDE, _ROW, _COLUMN = (0.9, 1.1), (3.4, 4.4), 5.0, 0.2
# Frames, and rows or columns of each, that tell what all of them would.
_ENOUGH, _ROWS = 4, 40
# Distance from a cut at which its sides are compared, in radians.
_BESIDE = 0.015
_BLACK = 24.0


class NotASphereError(InputError):
    """The picture contradicts that it shows the whole sphere."""


def recognise(frames: Frames, shape: tuple[int, int], stereo: str | None = None) -> FrameLayout:
    """Tell how frames of a file that states nothing show the sphere.

    Parameters
    ----------
    frames : (T, H, W, 3) uint8 array
        Some frames, at whatever size.
    shape : (height, width)
        Of the frames in the file.
    stereo : {"mono", "top-bottom", "left-right"}, optional
        Eyes in the frames of the file, if that is known: `frames` are then of one eye.

    Returns
    -------
    FrameLayout
        With ``assumed`` where the picture does not show that it is equirectangular.

    Raises
    ------
    NotASphereError
        The frame's shape, or what its halves or sides show, is not that of a sphere.

    Notes
    -----
    Where a layout cuts the sphere, the two sides of the cut look alike. Their mean difference is
    divided by that of the same places in another order, which have nothing in common. What has no
    contrast there, such as black bars, tells nothing.
    """
    height, width = shape
    ratio = width / height
    frames = frames[np.linspace(0, len(frames) - 1, min(len(frames), _ENOUGH)).astype(int)]
    if stereo is None:
        cube = _cube(frames, _possible_cubes(ratio))
        if cube is not None:
            return cube
        if _is_dual_fisheye(frames):
            raise NotASphereError(
                "it shows two round pictures (dual fisheye) on black: stitch them in the camera's "
                "own program"
            )
        stereo = _eyes(frames, ratio)
        if stereo == "mono" and not _SPHERE[0] <= ratio <= _SPHERE[1]:
            raise NotASphereError(
                f"frames of {width} × {height} are neither one picture of the sphere, nor a "
                f"cubemap, nor two eyes that look alike: {_REMEDY}"
            )
        frames = first_eye(frames, stereo)
    elif cube := _cube(frames, CUBES[:3]):
        return replace(cube, stereo=stereo)
    seam = _seam(frames)
    if _is_cut_off(frames, seam, half=stereo == "left-right"):
        like = "VR180" if stereo == "left-right" else "a flat picture"
        raise NotASphereError(
            f"the left and right side of its picture do not meet, as in {like}: {_REMEDY}"
        )
    shown = seam.told and not seam.plain and seam.mean < _SEAM and _has_poles(frames)
    return FrameLayout(stereo=stereo, assumed=not shown)


_REMEDY = (
    "convert it to an equirectangular picture, or state with --projection and --stereo what it is"
)


def _possible_cubes(ratio: float) -> tuple[str, ...]:
    """Name the cubemaps whose frames may have this ratio of width to height."""
    if ratio >= _ROW:
        return ("c6x1",)
    return ("c1x6",) if ratio <= _COLUMN else CUBES[:3]


def _cube(frames: Frames, allowed: tuple[str, ...]) -> FrameLayout | None:
    """Return the cubemap that frames fit together as, clearly better than as anything else."""
    found = {name: _apart(frames, name) for name in ("equirectangular", *allowed)}
    name = min(allowed, key=lambda one: found[one][0])
    apart, contrast, share = found[name]
    rivals = [other for one, (other, *_) in found.items() if one != name]
    if contrast < _CONTRAST or share < _INFORMED:
        return None
    if apart > _CUBE or apart > _CLEARLY * min(rivals):
        return None
    return FrameLayout(name, padding=EAC_PADDING if name == "eac" else 0)


def _eyes(frames: Frames, ratio: float) -> str:
    """Tell whether two halves of a frame look alike, where its shape may be that of two eyes."""
    height, width = frames.shape[1] // 2, frames.shape[2] // 2
    squeezed = _SPHERE[0] <= ratio <= _SPHERE[1]
    if squeezed or _SQUARE[0] <= ratio <= _SQUARE[1]:
        halves = frames[:, :height], frames[:, height : 2 * height]
        if _alike(*halves, axis=1) < _UPPER_LOWER * (0.6 if squeezed else 1.0):
            return "top-bottom"
    if squeezed or _WIDE[0] <= ratio <= _WIDE[1]:
        halves = frames[:, :, :width], frames[:, :, width : 2 * width]
        if _alike(*halves, axis=2) < _LEFT_RIGHT * (1.0 if squeezed else 1.5):
            return "left-right"
    return "mono"


def _alike(first: Frames, second: Frames, axis: int) -> float:
    """Difference of two pictures, over that of the first and the second moved along an axis."""
    step = max(1, first.shape[3 - axis] // _ROWS)
    lines = (slice(None),) * (3 - axis) + (slice(None, None, step),)
    one, other = first[lines].astype(np.float32), second[lines].astype(np.float32)
    count = one.shape[axis]
    moves = range(count // 6, count - count // 6 + 1, max(1, count // 6))
    moved = np.mean([np.abs(one - np.roll(other, move, axis)).mean() for move in moves])
    return float(np.abs(one - other).mean() / moved) if moved > _CONTRAST else np.inf


class _Seam(NamedTuple):
    """How the left and the right side of frames differ.

    Attributes
    ----------
    mean : float
        Their difference over that of columns far apart.
    median : float
        The median of this over the rows.
    rank : float
        Share of neighbouring columns that differ as much.
    told : bool
        Whether there is enough contrast in the picture to tell anything.
    plain : bool
        Whether there is little along the sides, such as black bars: then they may meet by chance.
    """

    mean: float
    median: float
    rank: float
    told: bool
    plain: bool


def _seam(frames: Frames) -> _Seam:
    """Compare the left and the right side of frames."""
    picture = frames[:, :: max(1, frames.shape[1] // _ROWS)].astype(np.float32)
    width = picture.shape[2]
    moves = range(width // 8, width - width // 8, max(1, width // 20))
    far = [np.abs(picture - np.roll(picture, move, 2)).mean(axis=(0, 2, 3)) for move in moves]
    apart = np.mean(far, axis=0)
    sides = picture[:, :, [0, -1]]
    across = np.abs(sides[:, :, 0] - sides[:, :, 1]).mean(axis=(0, 2))
    beside = np.abs(np.diff(picture, axis=2)).mean(axis=(0, 1, 3))
    plain = sides.std(axis=1).mean() < 0.15 * picture.std(axis=(1, 2)).mean()
    return _Seam(
        float(across.mean() / max(apart.mean(), 1e-9)),
        float(np.median(across / np.maximum(apart, 1.0))),
        float(np.mean(beside >= across.mean())),
        bool(apart.mean() > _CONTRAST),
        bool(plain),
    )


def _is_cut_off(frames: Frames, seam: _Seam, half: bool) -> bool:
    """Tell a picture whose sides do not meet from one that has an edge where the sphere is cut.

    Such an edge takes some rows of many, or there are others like it in the picture; and the poles
    of a sphere, but not of half of one, are of one colour each.
    """
    if not seam.told or seam.median < _MOST_ROWS or seam.rank > _RARE:
        return False
    return seam.mean > _HALF_A_SEAM if half else seam.mean > _NO_SEAM and _poles(frames) > _NO_POLE


def _has_poles(frames: Frames) -> bool:
    """Tell whether the first and the last row are of one colour each, and not black bars."""
    lit = frames[:, [0, -1]].mean(axis=(0, 2, 3)).min() > 4.0
    return bool(lit and _poles(frames) < _POLE)


def _poles(frames: Frames) -> float:
    """Variation along the first and the last row over that along all."""
    some = frames[:, :: max(1, frames.shape[1] // _ROWS)].astype(np.float32)
    varies = frames[:, [0, -1]].astype(np.float32).std(axis=2).mean()
    return float(varies / max(some.std(axis=2).mean(), 1e-9))


def _is_dual_fisheye(frames: Frames) -> bool:
    """Tell two round pictures side by side from the black around them."""
    grey = frames[:, ::2, ::2].mean(axis=-1, dtype=np.float32)
    height, width = grey.shape[1:]
    down = (np.arange(height) + 0.5) / height * 2 - 1
    across = (np.arange(width) + 0.5) / width * 2 % 1 * 2 - 1
    radius = np.hypot(*np.meshgrid(across, down))
    outside, inside = grey[:, radius > 1.05], grey[:, radius < 0.95]
    return bool(outside.max() < _BLACK and inside.mean() > 2 * _BLACK)


def _apart(frames: Frames, projection: str) -> tuple[float, float, float]:
    """Compare the two sides of a layout's cuts.

    Returns their difference relative to the contrast there, the contrast, and the share of places
    that have any.
    """
    near, far = (_look(frames, side, projection) for side in _cuts(projection))
    generator = np.random.default_rng(0)
    orders = [generator.permutation(far.shape[1]) for _ in range(4)]
    mixed = np.stack([np.abs(near - far[:, order]) for order in orders])
    contrast, share = float(mixed.mean()), float((mixed.mean(-1) > _CONTRAST).mean())
    return float(np.abs(near - far).mean()) / max(contrast, 1e-9), contrast, share


def _look(frames: Frames, directions: Floats, projection: str) -> npt.NDArray[np.float32]:
    """Colours (T, N, 3) that frames of a projection show in directions (N, 3)."""
    height, width = frames.shape[1:3]
    if projection == "equirectangular":
        x, y, z = directions.T
        u, v = direction_to_pixel(np.arctan2(y, x), np.arctan2(z, np.hypot(x, y)))
        columns, rows = np.floor(u * width), np.floor(v * height)
    else:
        columns, rows = cubemap_places(directions, FrameLayout(projection), height, width)
    return frames[:, np.rint(rows).astype(int), np.rint(columns).astype(int)].astype(np.float32)


@lru_cache
def _cuts(projection: str) -> tuple[Floats, Floats]:
    """Directions (N, 3) on the two sides of where a layout cuts the sphere."""
    if projection == "equirectangular":
        rise, turn = np.linspace(-1.4, 1.4, 96), np.linspace(0.0, np.pi, 64)
        seam = np.stack([-np.cos(rise), np.full(96, _BESIDE), np.sin(rise)], axis=-1)
        pole = np.stack([_BESIDE * np.cos(turn), _BESIDE * np.sin(turn), np.ones(64)], axis=-1)
        across = seam * (1, -1, 1), pole * (-1, -1, 1), -pole * (-1, -1, 1)
        return np.concatenate([seam, pole, -pole]), np.concatenate(across)
    along = np.linspace(-0.9, 0.9, 32)[:, None]
    sides = []
    for p, q in combinations(np.array(list(AXES.values()), float), 2):
        if p @ q == 0:
            edge = p + q + along * np.cross(p, q)
            sides.append([edge + _BESIDE * (p - q), edge - _BESIDE * (p - q)])
    near, far = np.concatenate(sides, axis=1)
    layout, columns = FrameLayout(projection), columns_of(projection)
    height, width = 100 * (6 // columns), 100 * columns
    here, there = (np.stack(cubemap_places(side, layout, height, width)) for side in (near, far))
    cut = np.hypot(*(there - here)) > 20  # the other edges lie within a row of faces
    return near[cut], far[cut]
