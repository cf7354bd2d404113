"""The room seen from the camera: ray casting of textured walls, with a lamp or the sun.

Textures are averaged over the width of a ray where it meets a surface, so that one ray per pixel
shows what many would.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ambikit._kernels.compiling import compiled
from ambikit_learn._typing import Floats

Colour = tuple[float, float, float]
Frame = npt.NDArray[np.uint8]

_LATTICE = np.random.default_rng(0).random((128, 128), np.float32)
"""Random numbers of the cells of a grid; a table is twice as fast as hashing their indices."""


class Decor(NamedTuple):
    """The looks of a room, in tuples: numba would count references to arrays for each ray.

    `walls`: distances to +x, -x, +y, -y, +z, -z in metres; `kinds` and `colours` of walls, ceiling
    and floor; `lamp`: its place, or the sun's direction under the open sky; `windows`: centre and
    half width in each wall (0: none); `seed` of the textures.
    """

    walls: tuple[float, ...]
    open_sky: bool
    kinds: tuple[int, ...]
    colours: tuple[Colour, ...]
    lamp: Colour
    windows: tuple[tuple[float, float], ...]
    seed: int


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _random(u: float, v: float, seed: int) -> float:
    """Return a number of −½ to ½ that is fixed by a cell of the unit grid."""
    i, j = math.floor(u) + 37 * seed, math.floor(v) + 59 * seed
    return float(_LATTICE[i & 127, j & 127]) - 0.5


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _kept(blur: float) -> float:
    """Return the fraction of a contrast between cells of size 1 that remains after averaging."""
    return min(max(1.5 - blur, 0.0), 1.0)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _noise(u: float, v: float, blur: float, seed: int) -> float:
    """Return smooth noise of −½ to ½ with cells of size 1."""
    kept = _kept(blur)
    if kept == 0.0:
        return 0.0
    i, j = math.floor(u), math.floor(v)
    x, y = u - i, v - j
    x, y = x * x * (3.0 - 2.0 * x), y * y * (3.0 - 2.0 * y)
    low = _random(i, j, seed) * (1.0 - x) + _random(i + 1, j, seed) * x
    high = _random(i, j + 1, seed) * (1.0 - x) + _random(i + 1, j + 1, seed) * x
    return kept * (low * (1.0 - y) + high * y)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _cloud(u: float, v: float, blur: float, seed: int) -> float:
    """Return three octaves of noise of −½ to ½."""
    return (
        0.57 * _noise(u, v, blur, seed)
        + 0.29 * _noise(2.1 * u, 2.1 * v, 2.1 * blur, seed + 1)
        + 0.14 * _noise(4.3 * u, 4.3 * v, 4.3 * blur, seed + 2)
    )


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _line(gap: float, half: float, blur: float) -> float:
    """Return the fraction of a ray on a line of half width `half`, at `gap` from its middle."""
    b = 0.5 * blur
    return max(min(gap + b, half) - max(gap - b, -half), 0.0) / blur


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _joint(x: float, period: float, half: float, blur: float) -> float:
    """Return the fraction of a ray that falls on lines at all multiples of a period."""
    cell = x / period + 0.5
    return _line(abs(cell - math.floor(cell) - 0.5) * period, half, blur)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _square(x: float, blur: float) -> float:
    """Return a square wave of ±1 with period 1, averaged over `blur`."""
    a, b = x + 0.5 * blur, x - 0.5 * blur
    return (abs(b - math.floor(b) - 0.5) - abs(a - math.floor(a) - 0.5)) / blur


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _material(kind: int, u: float, v: float, du: float, dv: float, seed: int) -> float:
    """Return the brightness of a surface at (u, v), averaged over (du, dv), all in metres.

    0 plaster, 1 brick, 2 striped paper, 3 panels, 4 hedge, 5 stone; 6 planks, 7 tiles, 8 carpet,
    9 grass, 10 paving.
    """
    blur = max(du, dv)
    if kind == 0:
        return 0.99 + 0.1 * _cloud(2.0 * u, 2.0 * v, 2.0 * blur, seed)
    if kind == 1 or kind == 5:
        tall, wide, joint = (0.14, 0.42, 1.25) if kind == 1 else (0.4, 0.75, 0.55)
        row = math.floor(v / tall)
        x = u + 0.5 * wide * (int(row) & 1)
        open_, bed = _joint(x, wide, 0.012, du), _joint(v, tall, 0.012, dv)
        tone = 0.945 + 0.3 * _kept(blur / tall) * _random(x / wide, row, seed)
        tone += 0.15 * _cloud(8.0 * u, 8.0 * v, 8.0 * blur, seed)
        return joint + (tone - joint) * (1.0 - open_) * (1.0 - bed)
    if kind == 2:
        return 0.91 + 0.09 * _square(2.2 * u, 2.2 * du)
    if kind == 3:
        groove = (1.0 - _joint(u, 0.9, 0.027, du)) * (1.0 - _line(abs(v + 0.3), 0.025, dv))
        tone = 0.95 + 0.2 * _noise(14.0 * u, 0.8 * v, 14.0 * du, seed)
        return 0.6 + (tone - 0.6) * groove
    if kind == 4:
        leaves = 0.5 + _cloud(17.0 * u, 17.0 * v, 17.0 * blur, seed + 7)
        return 0.35 + 0.9 * (0.5 + _cloud(5.0 * u, 5.0 * v, 5.0 * blur, seed)) * leaves
    if kind == 6:
        row = math.floor(u / 0.16)
        along = v + 1.7 * _random(row, 5.0, seed)
        groove = (1.0 - _joint(u, 0.16, 0.005, du)) * (1.0 - _joint(along, 1.6, 0.006, dv))
        tone = 0.95 + 0.25 * _kept(du / 0.16) * _random(row, along / 1.6, seed)
        tone += 0.15 * _noise(20.0 * u, 1.5 * v, 20.0 * du, seed)
        return 0.55 + (tone - 0.55) * groove
    if kind == 7 or kind == 10:
        side = 0.5 if kind == 7 else 0.8
        joint = (1.0 - _joint(u, side, 0.0075, du)) * (1.0 - _joint(v, side, 0.0075, dv))
        if kind == 7:
            tone = 0.875 + 0.175 * _square(u, du) * _square(v, dv)
        else:
            tone = 0.95 + 0.2 * _kept(blur / side) * _random(u / side, v / side, seed)
            tone += 0.1 * _cloud(6.0 * u, 6.0 * v, 6.0 * blur, seed)
        return 0.5 + (tone - 0.5) * joint
    if kind == 8:
        pile = 0.975 + 0.15 * _noise(25.0 * u, 25.0 * v, 25.0 * blur, seed)
        return pile * (1.0 - 0.3 * _line(abs(math.sqrt(u * u + v * v) - 1.325), 0.075, blur))
    field = 0.925 + 0.5 * _cloud(1.5 * u, 1.5 * v, 1.5 * blur, seed)
    return field + 0.25 * _noise(18.0 * u, 18.0 * v, 18.0 * blur, seed)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _sky(x: float, y: float, z: float, grain: float, sun: Colour, seed: int) -> Colour:
    """Return the colour of the sky in direction (x, y, z), with hills along the horizon."""
    flat = math.sqrt(x * x + y * y) + 1e-9
    cos, sin = x / flat, y / flat
    if z < 0.32 * flat:
        hill = 0.21 + 0.22 * _cloud(2.0 * cos + 9.0, 2.0 * sin + 9.0, 2.0 * grain, seed + 20)
        if z < hill * flat:
            haze = 1.0 + 0.5 * _cloud(9.0 * cos, 9.0 * (z + sin), 9.0 * grain, seed + 30)
            return 0.315 + 0.12 * haze, 0.405 + 0.14 * haze, 0.395 + 0.1 * haze
    up = max(z, 0.0)
    near = 1.0 / (up + 0.15)
    r, g, b = 0.78 - 0.5 * up, 0.87 - 0.35 * up, 0.97 - 0.12 * up
    scale = 2.2 * near
    cover = _cloud(scale * x + 50.0, scale * y + 50.0, scale * near * grain, seed + 40)
    white = min(max(3.2 * cover, 0.0), 0.9)
    r, g, b = r + (0.97 - r) * white, g + (0.97 - g) * white, b + (0.98 - b) * white
    glow = max(x * sun[0] + y * sun[1] + z * sun[2], 0.0)
    shine = 0.35 * glow**30 + (1.0 if glow > 0.9985 else 0.0)
    return min(r + shine, 1.0), min(g + shine, 1.0), min(b + 0.6 * shine, 1.0)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _window(u: float, v: float, window: tuple[float, float]) -> int:
    """Return 0 outside a window, 1 on its frame, 2 on its glass."""
    wide = window[1]
    x, y = abs(u - window[0]), abs(v - 0.35)
    if x > wide or y > 0.75:
        return 0
    if x > wide - 0.08 or y > 0.67 or x < 0.03 or abs(v - 0.45) < 0.03:
        return 1
    return 2


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _ray(x: float, y: float, z: float, grain: float, decor: Decor) -> Colour:
    """Return the colour along a unit vector, for a ray that widens by `grain` per metre."""
    walls, lamp, open_sky = decor.walls, decor.lamp, decor.open_sky
    tx = walls[0] / x if x > 1e-9 else walls[1] / max(-x, 1e-9)
    ty = walls[2] / y if y > 1e-9 else walls[3] / max(-y, 1e-9)
    tz = walls[4] / z if z > 1e-9 else walls[5] / max(-z, 1e-9)
    t = min(tx, min(ty, tz))
    px, py, pz = t * x, t * y, t * z
    if t == tz:
        side = 4 if z > 0 else 5
        u, v, depth, nx, ny, nz = px, py, pz, 0.0, 0.0, (-1.0 if z > 0 else 1.0)
    elif t == tx:
        side = 0 if x > 0 else 1
        u, v, depth, nx, ny, nz = py, pz, px, (-1.0 if x > 0 else 1.0), 0.0, 0.0
    else:
        side = 2 if y > 0 else 3
        u, v, depth, nx, ny, nz = px, pz, py, 0.0, (-1.0 if y > 0 else 1.0), 0.0
    # Outdoors the walls end above the eye, as garden walls do.
    if open_sky and (side == 4 or (side < 4 and pz > 0.28 * walls[4])):
        return _sky(x, y, z, grain, lamp, decor.seed)
    layer = 0 if side < 4 else side - 3
    du = grain * t * math.sqrt(1.0 + (u / depth) ** 2)
    dv = grain * t * math.sqrt(1.0 + (v / depth) ** 2)
    tone = _material(decor.kinds[layer], u, v, du, dv, decor.seed + 100 * side)
    colour = decor.colours[layer]
    r, g, b = colour[0] * tone, colour[1] * tone, colour[2] * tone
    if side < 4 and not open_sky:
        pane = _window(u, v, decor.windows[side])
        if pane == 2:
            return _sky(x, y, z, grain, lamp, decor.seed)
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
        # The ceiling is lit by reflections from floor and walls.
        light = (0.78 if side == 4 else 0.5) + 0.75 * facing / (1.0 + 0.05 * far * far)
    # Corners receive less of the light that the other walls reflect.
    gap = 9.0
    if side > 1:
        gap = min(gap, min(walls[0] - px, walls[1] + px))
    if side < 2 or side > 3:
        gap = min(gap, min(walls[2] - py, walls[3] + py))
    if side < 4:
        gap = min(gap, walls[5] + pz)
        if not open_sky:
            gap = min(gap, walls[4] - pz)
    light *= 1.0 - 0.35 * max(1.0 - gap / 1.2, 0.0) ** 3
    return min(r * light, 1.0), min(g * light, 1.0), min(b * light, 1.0)


@compiled(error_model="numpy", fastmath=True)
def paint_room(frame: Frame, rows: Floats, columns: Floats, grain: float, decor: Decor) -> None:
    """Paint `frame` (H, W, 3), each pixel with the mean of its fine × fine rays.

    Ray (i, j) is along ``rows[i, :3] + rows[i, 3] * columns[j]`` in the world, for `rows`
    (fine · H, 4) and `columns` (fine · W, 3); `grain` is the angle between neighbours.
    """
    height, width = frame.shape[0], frame.shape[1]
    fine = rows.shape[0] // height
    share = 255.0 / (fine * fine)
    for i in range(height):
        for j in range(width):
            r = g = b = 0.5
            for p in range(i * fine, (i + 1) * fine):
                wide = rows[p, 3]
                for q in range(j * fine, (j + 1) * fine):
                    x = rows[p, 0] + wide * columns[q, 0]
                    y = rows[p, 1] + wide * columns[q, 1]
                    z = rows[p, 2] + wide * columns[q, 2]
                    one = 1.0 / math.sqrt(x * x + y * y + z * z)
                    c = _ray(one * x, one * y, one * z, grain, decor)
                    r += share * c[0]
                    g += share * c[1]
                    b += share * c[2]
            frame[i, j, 0] = np.uint8(r)
            frame[i, j, 1] = np.uint8(g)
            frame[i, j, 2] = np.uint8(b)
