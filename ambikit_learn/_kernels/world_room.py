"""The room seen from the camera: one ray a sample, textured walls, a lamp or the sun."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Colour = tuple[float, float, float]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Frame = npt.NDArray[np.float32]


@njit(cache=True, nogil=True)
def _random(i: int, j: int, seed: int) -> float:
    """Return a number in 0 to 1 fixed by a cell of a grid."""
    h = (i * 374761393 + j * 668265263 + seed * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((h ^ (h >> 16)) & 0xFFFFFF) / 16777216.0


@njit(cache=True, nogil=True)
def _noise(u: float, v: float, seed: int) -> float:
    """Return smooth noise in 0 to 1 with cells of size 1."""
    i, j = math.floor(u), math.floor(v)
    x, y = u - i, v - j
    i, j = int(i), int(j)
    x, y = x * x * (3.0 - 2.0 * x), y * y * (3.0 - 2.0 * y)
    low = _random(i, j, seed) * (1.0 - x) + _random(i + 1, j, seed) * x
    high = _random(i, j + 1, seed) * (1.0 - x) + _random(i + 1, j + 1, seed) * x
    return low * (1.0 - y) + high * y


@njit(cache=True, nogil=True)
def _cloud(u: float, v: float, seed: int) -> float:
    """Return three octaves of noise in 0 to 1."""
    return (
        0.57 * _noise(u, v, seed)
        + 0.29 * _noise(2.1 * u, 2.1 * v, seed + 1)
        + 0.14 * _noise(4.3 * u, 4.3 * v, seed + 2)
    )


@njit(cache=True, nogil=True)
def _material(kind: int, u: float, v: float, seed: int) -> float:
    """Brightness of a surface at (u, v) metres.

    0 plaster, 1 brick, 2 striped paper, 3 panels, 4 hedge, 5 stone; 6 planks, 7 tiles, 8 carpet,
    9 grass, 10 paving.
    """
    if kind == 0:
        return 0.94 + 0.1 * _cloud(2.0 * u, 2.0 * v, seed)
    if kind == 1 or kind == 5:
        tall, wide = (0.14, 0.42) if kind == 1 else (0.4, 0.75)
        row = math.floor(v / tall)
        x = u / wide + 0.5 * (row % 2)
        cell = math.floor(x)
        edge = min(min(x - cell, cell + 1 - x) * wide, min(v - row * tall, (row + 1) * tall - v))
        if edge < 0.012:
            return 0.55 if kind == 5 else 1.25
        return 0.72 + 0.3 * _random(int(cell), int(row), seed) + 0.15 * _cloud(8 * u, 8 * v, seed)
    if kind == 2:
        return 1.0 if (u * 2.2) % 1.0 < 0.5 else 0.82
    if kind == 3:
        x = (u / 0.9) % 1.0
        groove = min(x, 1.0 - x) < 0.03 or abs(v + 0.3) < 0.025
        return 0.6 if groove else 0.85 + 0.2 * _noise(14.0 * u, 0.8 * v, seed)
    if kind == 4:
        return 0.35 + 0.9 * _cloud(5.0 * u, 5.0 * v, seed) * _cloud(17.0 * u, 17.0 * v, seed + 7)
    if kind == 6:
        row = math.floor(u / 0.16)
        shift = v + 1.7 * _random(int(row), 5, seed)
        if u - row * 0.16 < 0.01 or shift % 1.6 < 0.012:
            return 0.55
        tone = _random(int(row), int(shift // 1.6), seed)
        return 0.75 + 0.25 * tone + 0.15 * _noise(20.0 * u, 1.5 * v, seed)
    if kind == 7 or kind == 10:
        side = 0.5 if kind == 7 else 0.8
        i, j = math.floor(u / side), math.floor(v / side)
        x, y = u - i * side, v - j * side
        if min(x, y) < 0.015:
            return 0.5
        if kind == 7:
            return 1.05 if (i + j) % 2 == 0 else 0.7
        return 0.8 + 0.2 * _random(int(i), int(j), seed) + 0.1 * _cloud(6.0 * u, 6.0 * v, seed)
    if kind == 8:
        ring = math.hypot(u, v)
        pile = 0.9 + 0.15 * _noise(25.0 * u, 25.0 * v, seed)
        return pile * (0.7 if 1.25 < ring < 1.4 else 1.0)
    return 0.55 + 0.5 * _cloud(1.5 * u, 1.5 * v, seed) + 0.25 * _noise(18.0 * u, 18.0 * v, seed)


@njit(cache=True, nogil=True)
def _sky(x: float, y: float, z: float, sun: Floats, seed: int) -> Colour:
    """Colour of the sky in direction (x, y, z), with hills along the horizon."""
    flat = math.hypot(x, y) + 1e-9
    hill = 0.10 + 0.22 * _cloud(2.0 * x / flat + 9.0, 2.0 * y / flat + 9.0, seed + 20)
    if z / flat < hill:
        haze = 0.5 + 0.5 * _cloud(9.0 * x / flat, 9.0 * z + 9.0 * y / flat, seed + 30)
        return 0.34 + 0.12 * haze, 0.44 + 0.14 * haze, 0.42 + 0.1 * haze
    up = max(z, 0.0)
    r, g, b = 0.78 - 0.5 * up, 0.87 - 0.35 * up, 0.97 - 0.12 * up
    cover = _cloud(2.2 * x / (up + 0.15) + 50.0, 2.2 * y / (up + 0.15) + 50.0, seed + 40)
    white = min(max(3.2 * (cover - 0.5), 0.0), 0.9)
    r, g, b = r + (0.97 - r) * white, g + (0.97 - g) * white, b + (0.98 - b) * white
    glow = max(x * sun[0] + y * sun[1] + z * sun[2], 0.0)
    shine = 0.35 * glow**30 + (1.0 if glow > 0.9985 else 0.0)
    return min(r + shine, 1.0), min(g + shine, 1.0), min(b + 0.6 * shine, 1.0)


@njit(cache=True, nogil=True)
def _window(u: float, v: float, centre: float, wide: float) -> int:
    """Return 0 outside a window, 1 on its frame, 2 on its glass."""
    x, y = abs(u - centre), abs(v - 0.35)
    if x > wide or y > 0.75:
        return 0
    if x > wide - 0.08 or y > 0.67 or x < 0.03 or abs(v - 0.45) < 0.03:
        return 1
    return 2


@njit(cache=True, nogil=True)
def _ray(
    x: float,
    y: float,
    z: float,
    walls: Floats,
    open_sky: bool,
    kinds: Integers,
    colours: Floats,
    lamp: Floats,
    windows: Floats,
    seed: int,
) -> Colour:
    """Colour seen along a unit vector of the world."""
    tx = walls[0] / x if x > 1e-9 else walls[1] / max(-x, 1e-9)
    ty = walls[2] / y if y > 1e-9 else walls[3] / max(-y, 1e-9)
    tz = walls[4] / z if z > 1e-9 else walls[5] / max(-z, 1e-9)
    t = min(tx, min(ty, tz))
    px, py, pz = t * x, t * y, t * z
    if t == tz:
        side = 4 if z > 0 else 5
        u, v, nx, ny, nz = px, py, 0.0, 0.0, (-1.0 if z > 0 else 1.0)
    elif t == tx:
        side = 0 if x > 0 else 1
        u, v, nx, ny, nz = py, pz, (-1.0 if x > 0 else 1.0), 0.0, 0.0
    else:
        side = 2 if y > 0 else 3
        u, v, nx, ny, nz = px, pz, 0.0, (-1.0 if y > 0 else 1.0), 0.0
    # Outdoors the walls end above the eye, as garden walls do.
    if open_sky and (side == 4 or (side < 4 and pz > 0.28 * walls[4])):
        return _sky(x, y, z, lamp, seed)
    layer = 0 if side < 4 else side - 3
    kind = kinds[layer]
    tone = _material(kind, u, v, seed + 100 * side)
    r, g, b = colours[layer, 0] * tone, colours[layer, 1] * tone, colours[layer, 2] * tone
    if side < 4 and not open_sky:
        pane = _window(u, v, windows[side, 0], windows[side, 1])
        if pane == 2:
            return _sky(x, y, z, lamp, seed)
        if pane == 1:
            r, g, b = 0.92, 0.92, 0.9
        elif pz < 0.12 - walls[5]:  # skirting board
            r, g, b = 0.85, 0.83, 0.8
    if open_sky:
        light = 0.6 + 0.5 * max(nx * lamp[0] + ny * lamp[1] + nz * lamp[2], 0.0)
    else:
        lx, ly, lz = lamp[0] - px, lamp[1] - py, lamp[2] - pz
        far = math.sqrt(lx * lx + ly * ly + lz * lz) + 1e-9
        if side == 4 and far < 0.45:
            return 1.0, 0.98, 0.9
        facing = max((nx * lx + ny * ly + nz * lz) / far, 0.0)
        # The ceiling lives on what floor and walls send up.
        light = (0.78 if side == 4 else 0.5) + 0.75 * facing / (1.0 + 0.05 * far * far)
    # Corners see less of the light that the other walls send back.
    gap = 9.0
    if side > 1:
        gap = min(gap, min(walls[0] - px, walls[1] + px))
    if side < 2 or side > 3:
        gap = min(gap, min(walls[2] - py, walls[3] + py))
    if side < 4:
        gap = min(gap, walls[5] + pz)
        if not open_sky:
            gap = min(gap, walls[4] - pz)
    light *= 1.0 - 0.35 * math.exp(-gap / 0.35)
    return min(r * light, 1.0), min(g * light, 1.0), min(b * light, 1.0)


@njit(cache=True, nogil=True)
def paint_room(
    frame: Frame,
    axes: Floats,
    heading: float,
    walls: Floats,
    open_sky: bool,
    kinds: Integers,
    colours: Floats,
    lamp: Floats,
    windows: Floats,
    seed: int,
    fine: int,
) -> None:
    """Paint `frame` (H, W, 3) float32 in 0 to 1 with fine × fine rays a pixel.

    The frame is a view whose forward, leftward and upward vectors are the rows of `axes` (3, 3),
    the last two as long as half of the view on the plane that touches the sphere; or all of the
    sphere if `axes` is (0, 3). `walls` (6,) metres; `kinds` (3,) and `colours` (3, 3) of walls,
    ceiling and floor; `lamp` (3,) a place, or the sun's direction under the open sky; `windows`
    (4, 2) centre and half width in each wall (0: none).
    """
    height, width = frame.shape[0], frame.shape[1]
    sphere = axes.shape[0] == 0
    sin_h, cos_h = math.sin(heading), math.cos(heading)
    for i in range(height):
        for j in range(width):
            r = g = b = 0.0
            for p in range(fine):
                up = 1.0 - 2.0 * (i + (p + 0.5) / fine) / height
                for q in range(fine):
                    left = 1.0 - 2.0 * (j + (q + 0.5) / fine) / width
                    if sphere:
                        e, a = 0.5 * math.pi * up, math.pi * left
                        u, v, z = math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e)
                    else:
                        u = axes[0, 0] + left * axes[1, 0] + up * axes[2, 0]
                        v = axes[0, 1] + left * axes[1, 1] + up * axes[2, 1]
                        z = axes[0, 2] + left * axes[1, 2] + up * axes[2, 2]
                        far = math.sqrt(u * u + v * v + z * z)
                        u, v, z = u / far, v / far, z / far
                    x, y = cos_h * u - sin_h * v, sin_h * u + cos_h * v
                    c = _ray(x, y, z, walls, open_sky, kinds, colours, lamp, windows, seed)
                    r += c[0]
                    g += c[1]
                    b += c[2]
            frame[i, j, 0] = r / (fine * fine)
            frame[i, j, 1] = g / (fine * fine)
            frame[i, j, 2] = b / (fine * fine)
