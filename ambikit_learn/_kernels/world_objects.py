"""Objects painted into equirectangular frames: flat figures that face the camera.

A figure is a function of the place (x, y) on the plane that touches the sphere at the object's
centre, with x to the right, y up and the object's radius as unit. It is laid from signed distance
fields, whose edges are softened over one pixel, so one sample a pixel is enough.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Paint = tuple[float, float, float, float]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Frame = npt.NDArray[np.float32]


@njit(cache=True, nogil=True)
def _over(under: Paint, distance: float, pixel: float, r: float, g: float, b: float) -> Paint:
    """Lay a colour over `under` (premultiplied r, g, b, coverage) where the distance is below 0."""
    a = min(max(0.5 - distance / pixel, 0.0), 1.0)
    k = 1.0 - a
    return (under[0] * k + a * r, under[1] * k + a * g, under[2] * k + a * b, under[3] * k + a)


@njit(cache=True, nogil=True)
def _circle(x: float, y: float, cx: float, cy: float, radius: float) -> float:
    return math.hypot(x - cx, y - cy) - radius


@njit(cache=True, nogil=True)
def _ellipse(x: float, y: float, cx: float, cy: float, rx: float, ry: float) -> float:
    u, v = (x - cx) / rx, (y - cy) / ry
    k = math.hypot(u, v)
    return k * (k - 1.0) / (math.hypot(u / rx, v / ry) + 1e-9)


@njit(cache=True, nogil=True)
def _box(x: float, y: float, cx: float, cy: float, hx: float, hy: float) -> float:
    u, v = abs(x - cx) - hx, abs(y - cy) - hy
    return math.hypot(max(u, 0.0), max(v, 0.0)) + min(max(u, v), 0.0)


@njit(cache=True, nogil=True)
def _line(x: float, y: float, ax: float, ay: float, bx: float, by: float, radius: float) -> float:
    px, py, dx, dy = x - ax, y - ay, bx - ax, by - ay
    t = min(max((px * dx + py * dy) / (dx * dx + dy * dy), 0.0), 1.0)
    return math.hypot(px - t * dx, py - t * dy) - radius


@njit(cache=True, nogil=True)
def _texture(x: float, y: float, kind: int, frequency: float, contrast: float) -> float:
    """Brightness of a pattern: 0 plain, 1 bands, 2 dots, 3 checks, 4 slanted."""
    if kind == 1:
        wave = math.sin(frequency * y)
    elif kind == 2:
        wave = 1.0 - 4.0 * max(0.0, math.sin(frequency * x) * math.sin(frequency * y) - 0.25)
    elif kind == 3:
        wave = 1.0 if math.sin(frequency * x) * math.sin(frequency * y) > 0.0 else -1.0
    elif kind == 4:
        wave = math.sin(frequency * 0.7 * (x + y))
    else:
        wave = 0.0
    return 1.0 + 0.5 * contrast * wave


@njit(cache=True, nogil=True)
def _accordion(
    x: float, y: float, pixel: float, style: Floats, active: float, turn: float, time: float
) -> Paint:
    t = _texture(x, y, style[6], style[7], style[8])
    r, g, b = style[0] * t, style[1] * t, style[2] * t
    fold = math.sin((14.0 + style[10]) * x + 5.0 * turn)
    bellows = max(abs(x) - 0.5, abs(y) - 0.54 - 0.04 * fold)
    ends = _box(abs(x), y, 0.68, 0.0, 0.16, 0.6) - 0.06
    out = _over((0.0, 0.0, 0.0, 0.0), bellows, pixel, 0.08, 0.07, 0.08)
    tone = 0.55 + 0.45 * fold
    out = _over(out, bellows + 0.06, pixel, style[3] * tone, style[4] * tone, style[5] * tone)
    out = _over(out, ends, pixel, 0.25 * r, 0.25 * g, 0.25 * b)
    out = _over(out, ends + 0.05, pixel, r, g, b)
    if x > 0.0:
        keys = _box(x, y, 0.72, 0.0, 0.11, 0.52)
        out = _over(out, keys, pixel, 0.97, 0.96, 0.92)
        gap = abs((y * 5.0 + 0.5) % 1.0 - 0.5) / 5.0
        out = _over(
            out, max(gap - 0.045, _box(x, y, 0.67, 0.0, 0.07, 0.5)), pixel, 0.05, 0.05, 0.05
        )
        press = max(abs(y - 0.4 * math.sin(9.0 * time)) - 0.1, keys)
        return _over(out, press + 0.1 * (1.0 - active), pixel, 0.95, 0.75, 0.3)
    column = abs((x + 0.68) * 2.0) - 0.14
    row = abs((y * 4.5 + 0.5) % 1.0 - 0.5) / 2.25
    return _over(out, max(math.hypot(column, row) - 0.1, abs(y) - 0.55), pixel, 0.95, 0.93, 0.85)


@njit(cache=True, nogil=True)
def _bell(
    x: float, y: float, pixel: float, style: Floats, active: float, turn: float, time: float
) -> Paint:
    swing = active * math.sin(13.0 * time)
    y = y - 0.05
    c, s = math.cos(0.28 * swing), math.sin(0.28 * swing)
    x, y = c * x + s * y, c * y - s * x
    t = _texture(x, y, style[6], style[7], style[8])
    r, g, b = style[0] * t, style[1] * t, style[2] * t
    down = min(max((0.78 - y) / 1.4, 0.0), 1.0)
    half = (0.42 + 0.12 * down + 0.34 * down**5) * min(1.0, math.sqrt(5.0 * down))
    body = max(0.8 * (abs(x) - half), max(y - 0.78, -0.62 - y))
    lip = _box(x, y, 0.0, -0.6, 0.82, 0.03) - 0.06
    clapper = _circle(x, y, -0.45 * swing, -0.78, 0.2)
    crown = abs(_circle(x, y, 0.0, 0.84, 0.1)) - 0.06
    out = _over((0.0, 0.0, 0.0, 0.0), clapper, pixel, 0.25, 0.2, 0.15)
    out = _over(out, crown, pixel, 0.4 * r, 0.4 * g, 0.4 * b)
    out = _over(out, min(body, lip), pixel, 0.35 * r, 0.35 * g, 0.35 * b)
    shine = 0.75 + 0.5 * math.exp(-(((x + 0.22) / 0.16) ** 2)) - 0.25 * max(x, 0.0)
    out = _over(out, body + 0.05, pixel, r * shine, g * shine, b * shine)
    band = max(body + 0.05, abs(y + 0.3) - 0.06)
    out = _over(out, band, pixel, style[3], style[4], style[5])
    return _over(out, lip + 0.04, pixel, 1.1 * r, 1.1 * g, 1.1 * b)


@njit(cache=True, nogil=True)
def _bird(
    x: float, y: float, pixel: float, style: Floats, active: float, turn: float, time: float
) -> Paint:
    t = _texture(x, y, style[6], style[7], style[8])
    r, g, b = style[0] * t, style[1] * t, style[2] * t
    y = y - 0.06 * active * math.sin(25.0 * time)
    body = _ellipse(x, y, -0.08, -0.12, 0.66, 0.5)
    head = _circle(x, y, 0.42, 0.38, 0.37)
    tail = max(_line(x, y, -0.55, 0.0, -0.95, 0.32, 0.13), -1.0 - x)
    whole = min(min(body, head), tail)
    open_beak = 0.03 + 0.17 * active
    beak = min(
        _line(x, y, 0.74, 0.38, 0.98, 0.36 + open_beak, 0.05),
        _line(x, y, 0.74, 0.34, 0.98, 0.32 - open_beak, 0.05),
    )
    legs = min(
        _line(x, y, -0.1, -0.5, -0.14, -0.86, 0.04), _line(x, y, 0.14, -0.5, 0.18, -0.86, 0.04)
    )
    out = _over((0.0, 0.0, 0.0, 0.0), legs, pixel, 0.75, 0.45, 0.1)
    out = _over(out, beak, pixel, 0.95, 0.6, 0.1)
    out = _over(out, whole, pixel, 0.3 * r, 0.3 * g, 0.3 * b)
    out = _over(out, whole + 0.05, pixel, r, g, b)
    belly = max(_ellipse(x, y, 0.08, -0.3, 0.42, 0.26), whole + 0.05)
    out = _over(out, belly, pixel, 0.55 * r + 0.42, 0.55 * g + 0.42, 0.55 * b + 0.38)
    lift = 0.5 * active * (0.5 + 0.5 * math.sin(30.0 * time))
    wing = _ellipse(x, y - lift * (0.2 - x) * 0.6, -0.2, 0.02, 0.4, 0.22 + 0.1 * lift)
    out = _over(out, wing, pixel, 0.4 * style[3], 0.4 * style[4], 0.4 * style[5])
    out = _over(out, wing + 0.04, pixel, style[3], style[4], style[5])
    out = _over(out, _circle(x, y, 0.5, 0.45, 0.12), pixel, 1.0, 1.0, 1.0)
    return _over(out, _circle(x, y, 0.53, 0.45, 0.07), pixel, 0.02, 0.02, 0.02)


@njit(cache=True, nogil=True)
def _clock(
    x: float, y: float, pixel: float, style: Floats, active: float, turn: float, time: float
) -> Paint:
    r, g, b = style[0], style[1], style[2]
    shake = 0.03 * active * math.sin(70.0 * time)
    feet = _line(abs(x), y, 0.3, -0.5, 0.56, -0.86, 0.08)
    cups = _circle(abs(x), y, 0.44 + shake, 0.64, 0.27)
    hammer = _line(x, y, 0.0, 0.6, 4.0 * shake, 0.84, 0.06)
    rim = _circle(x, y, 0.0, -0.04, 0.78)
    out = _over((0.0, 0.0, 0.0, 0.0), min(feet, hammer), pixel, 0.2, 0.2, 0.22)
    out = _over(out, cups, pixel, 0.3 * style[3], 0.3 * style[4], 0.3 * style[5])
    out = _over(out, cups + 0.05, pixel, style[3], style[4], style[5])
    out = _over(out, rim, pixel, 0.25 * r, 0.25 * g, 0.25 * b)
    out = _over(out, rim + 0.05, pixel, r, g, b)
    face = rim + 0.2
    out = _over(out, face, pixel, 0.97, 0.96, 0.9)
    radius, angle = math.hypot(x, y + 0.04), math.atan2(y + 0.04, x)
    step = math.pi / 6.0
    part = (angle + 0.5 * step) % step - 0.5 * step
    mark = max(abs(radius - 0.48) - 0.06, abs(radius * math.sin(part)) - 0.025)
    out = _over(out, mark, pixel, 0.15, 0.15, 0.15)
    long, short = 1.2 - 8.0 * turn, 2.6 - style[10] - 0.7 * turn
    hands = min(
        _line(x, y, 0.0, -0.04, 0.42 * math.cos(long), 0.42 * math.sin(long) - 0.04, 0.035),
        _line(x, y, 0.0, -0.04, 0.26 * math.cos(short), 0.26 * math.sin(short) - 0.04, 0.05),
    )
    out = _over(out, hands, pixel, 0.05, 0.05, 0.08)
    return _over(out, radius - 0.07, pixel, 0.8, 0.15, 0.1)


@njit(cache=True, nogil=True)
def _dog(
    x: float, y: float, pixel: float, style: Floats, active: float, turn: float, time: float
) -> Paint:
    y = y - 0.05 * active * math.sin(16.0 * time)
    t = _texture(x, y, style[6], style[7], style[8])
    r, g, b = style[0] * t, style[1] * t, style[2] * t
    drop = 0.2 * active
    jaw = _ellipse(x, y, 0.0, -0.5 - drop, 0.34, 0.26)
    head = _ellipse(x, y, 0.0, 0.16, 0.6, 0.62)
    muzzle = _ellipse(x, y, 0.0, -0.34, 0.42, 0.36)
    ears = _ellipse(abs(x) + 0.25 * (y - 0.2), y, 0.62, 0.14, 0.22, 0.6)
    out = _over((0.0, 0.0, 0.0, 0.0), jaw, pixel, 0.35 * r, 0.3 * g, 0.3 * b)
    tongue = _ellipse(x, y, 0.0, -0.5 - drop, 0.2, 0.2)
    out = _over(out, max(tongue, jaw + 0.05), pixel, 0.92, 0.35, 0.4)
    out = _over(out, head, pixel, 0.3 * r, 0.3 * g, 0.3 * b)
    out = _over(out, head + 0.05, pixel, r, g, b)
    blaze = max(_ellipse(x, y, 0.0, 0.3, 0.14, 0.5), head + 0.05)
    out = _over(out, blaze, pixel, 0.95, 0.92, 0.86)
    out = _over(out, muzzle, pixel, 0.45, 0.42, 0.38)
    out = _over(out, muzzle + 0.05, pixel, 0.95, 0.92, 0.86)
    out = _over(out, _ellipse(x, y, 0.0, -0.2, 0.17, 0.12), pixel, 0.06, 0.05, 0.06)
    out = _over(out, _line(x, y, 0.0, -0.3, 0.0, -0.6, 0.03), pixel, 0.25, 0.2, 0.2)
    out = _over(out, _circle(abs(x), y, 0.27, 0.2, 0.12), pixel, 0.99, 0.98, 0.95)
    out = _over(out, _circle(abs(x), y, 0.26, 0.19, 0.085), pixel, 0.12, 0.07, 0.04)
    out = _over(out, ears, pixel, 0.3 * style[3], 0.3 * style[4], 0.3 * style[5])
    return _over(out, ears + 0.05, pixel, style[3], style[4], style[5])


@njit(cache=True, nogil=True)
def _drum(
    x: float, y: float, pixel: float, style: Floats, active: float, turn: float, time: float
) -> Paint:
    t = _texture(x, y, style[6], style[7], style[8])
    r, g, b = style[0] * t, style[1] * t, style[2] * t
    y = y - 0.06
    shell = min(_box(x, y, 0.0, -0.2, 0.84, 0.5), _ellipse(x, y, 0.0, -0.68, 0.84, 0.24))
    top = _ellipse(x, y, 0.0, 0.32, 0.86, 0.27 + 0.05 * active * math.sin(40.0 * time))
    whole = min(shell, top)
    out = _over((0.0, 0.0, 0.0, 0.0), whole, pixel, 0.3 * r, 0.3 * g, 0.3 * b)
    shade = 1.1 - 0.5 * x * x + 0.15 * (-x)
    out = _over(out, shell + 0.05, pixel, r * shade, g * shade, b * shade)
    bend = 0.24 * math.sqrt(max(0.0, 1.0 - (x / 0.84) ** 2))
    fold = abs((x * style[10] * 0.5) % 1.0 - 0.5) * 1.3
    rope = abs(y + bend + 0.62 - fold) * 0.8 - 0.06
    out = _over(out, max(rope, shell + 0.05), pixel, style[3], style[4], style[5])
    out = _over(out, max(abs(y + bend + 0.62) - 0.07, shell + 0.03), pixel, 0.9, 0.8, 0.5)
    out = _over(out, top + 0.02, pixel, 0.85, 0.72, 0.42)
    out = _over(out, top + 0.1, pixel, 0.96, 0.93, 0.84)
    out = _over(out, _ellipse(x, y, 0.0, 0.3, 0.3 * active + 0.02, 0.09), pixel, 0.8, 0.7, 0.55)
    rise = 0.38 * (1.0 - active)
    left = _line(x, y, -0.3, 0.36 + rise, -0.92, 0.84, 0.05)
    left = min(left, _circle(x, y, -0.3, 0.36 + rise, 0.1))
    right = _line(x, y, 0.3, 0.36 + 0.5 * rise, 0.92, 0.84, 0.05)
    right = min(right, _circle(x, y, 0.3, 0.36 + 0.5 * rise, 0.1))
    return _over(out, min(left, right), pixel, 0.5, 0.3, 0.14)


@njit(cache=True, nogil=True)
def _engine(
    x: float, y: float, pixel: float, style: Floats, active: float, turn: float, time: float
) -> Paint:
    x = x + 0.03 * active * math.sin(90.0 * time)
    t = _texture(x, y, style[6], style[7], style[8])
    r, g, b = style[0] * t, style[1] * t, style[2] * t
    radius, angle = math.hypot(x, y), math.atan2(y, x) + 5.0 * turn
    teeth = min(max(2.5 * math.cos(style[10] * angle), -1.0), 1.0)
    gear = 0.85 * (radius - 0.86 - 0.11 * teeth)
    out = _over((0.0, 0.0, 0.0, 0.0), gear, pixel, 0.25 * r, 0.25 * g, 0.25 * b)
    glint = 0.9 + 0.2 * math.cos(2.0 * math.atan2(y, x) - 1.6)
    out = _over(out, gear + 0.06, pixel, r * glint, g * glint, b * glint)
    out = _over(out, radius - 0.58, pixel, 0.3 * r, 0.3 * g, 0.3 * b)
    out = _over(out, radius - 0.53, pixel, style[3], style[4], style[5])
    step = math.pi / 2.5
    part = (angle + 0.5 * step) % step - 0.5 * step
    bolt = math.hypot(radius * math.cos(part) - 0.37, radius * math.sin(part)) - 0.09
    out = _over(out, bolt, pixel, 0.12, 0.12, 0.14)
    out = _over(out, radius - 0.17, pixel, 0.1, 0.1, 0.12)
    return _over(out, radius - 0.08, pixel, 0.75, 0.77, 0.8)


@njit(cache=True, nogil=True)
def _knock(
    x: float, y: float, pixel: float, style: Floats, active: float, turn: float, time: float
) -> Paint:
    x = x + 0.035 * active * math.sin(60.0 * time)
    grain = _texture(x + 0.06 * math.sin(5.0 * y), y, style[6], style[7], style[8])
    r, g, b = style[0] * grain, style[1] * grain, style[2] * grain
    frame = _box(x, y, 0.0, 0.0, 0.66, 1.0)
    leaf = _box(x, y, 0.0, -0.05, 0.54, 0.93)
    out = _over((0.0, 0.0, 0.0, 0.0), frame, pixel, 0.2 * r, 0.2 * g, 0.2 * b)
    out = _over(out, frame + 0.04, pixel, style[3], style[4], style[5])
    out = _over(out, leaf, pixel, 0.25 * r, 0.25 * g, 0.25 * b)
    out = _over(out, leaf + 0.04, pixel, r, g, b)
    side = abs(x) - 0.25
    panel = min(_box(side, y, 0.0, 0.55, 0.16, 0.22), _box(side, y, 0.0, -0.5, 0.16, 0.34))
    out = _over(out, panel, pixel, 0.45 * r, 0.45 * g, 0.45 * b)
    out = _over(out, panel + 0.06, pixel, 0.85 * r, 0.85 * g, 0.85 * b)
    lift = 0.16 * active * abs(math.sin(22.0 * time))
    ring = abs(_ellipse(x, y, 0.0, 0.08 + lift, 0.17, 0.17)) - 0.055
    out = _over(out, ring, pixel, 0.98, 0.85, 0.35)
    out = _over(out, _circle(x, y, 0.0, 0.25, 0.08), pixel, 0.9, 0.75, 0.25)
    return _over(out, _circle(x, y, 0.42, -0.06, 0.09), pixel, 0.98, 0.85, 0.35)


@njit(cache=True, nogil=True)
def _siren(
    x: float, y: float, pixel: float, style: Floats, active: float, turn: float, time: float
) -> Paint:
    t = _texture(x, y, style[6], style[7], style[8])
    r, g, b = style[0] * t, style[1] * t, style[2] * t
    y = y - 0.06
    dome = max(_ellipse(x, y, 0.0, -0.1, 0.76, 0.94), -0.6 - y)
    base = _box(x, y, 0.0, -0.72, 0.84, 0.12) - 0.06
    out = _over((0.0, 0.0, 0.0, 0.0), dome, pixel, 0.3 * r, 0.3 * g, 0.3 * b)
    beam = math.sin(9.0 * time)
    lit = 0.25 + 0.75 * active
    glow = math.exp(-(((x - 0.5 * beam) / 0.3) ** 2)) * lit
    out = _over(
        out,
        dome + 0.05,
        pixel,
        r * (0.75 + 0.25 * lit) + 0.6 * glow,
        g * (0.75 + 0.25 * lit) + 0.6 * glow,
        b * (0.75 + 0.25 * lit) + 0.35 * glow,
    )
    gleam = _ellipse(x, y, -0.34, 0.36, 0.09, 0.2)
    out = _over(out, gleam, pixel, 1.0, 0.92, 0.92)
    out = _over(out, base, pixel, 0.1, 0.1, 0.12)
    stripe = 0.5 if math.sin(12.0 * (x + y)) > 0.0 else 0.0
    dark = 1.0 - 2.0 * stripe
    return _over(
        out,
        base + 0.06,
        pixel,
        style[3] * (1.0 - dark) + 0.2 * dark,
        style[4] * (1.0 - dark) + 0.2 * dark,
        style[5] * (1.0 - dark) + 0.22 * dark,
    )


@njit(cache=True, nogil=True)
def _speech(
    x: float, y: float, pixel: float, style: Floats, active: float, turn: float, time: float
) -> Paint:
    y = y - 0.03 * active * math.sin(18.0 * time)
    t = _texture(x, y, style[6], style[7], style[8])
    r, g, b = style[0], style[1], style[2]
    hair = _ellipse(x, y, 0.0, 0.12, 0.84, 0.86)
    face = _ellipse(x, y, 0.0, -0.12, 0.7, 0.84)
    ears = _circle(abs(x), y, 0.72, -0.1, 0.14)
    out = _over((0.0, 0.0, 0.0, 0.0), hair, pixel, style[3] * t, style[4] * t, style[5] * t)
    skin = min(max(face, y - 0.5 + 0.25 * x * x), ears)
    out = _over(out, min(face, ears), pixel, 0.5 * r, 0.5 * g, 0.5 * b)
    out = _over(out, max(face, 0.3 - y), pixel, style[3] * t, style[4] * t, style[5] * t)
    out = _over(out, skin + 0.04, pixel, r, g, b)
    out = _over(out, _ellipse(abs(x), y, 0.29, 0.06, 0.16, 0.13), pixel, 1.0, 1.0, 1.0)
    out = _over(out, _circle(abs(x), y, 0.29, 0.05, 0.08), pixel, 0.08, 0.12, 0.25)
    brow = _line(abs(x), y, 0.15, 0.26 + 0.06 * active, 0.44, 0.28 + 0.06 * active, 0.04)
    out = _over(out, brow, pixel, 0.6 * style[3], 0.6 * style[4], 0.6 * style[5])
    out = _over(out, _line(x, y, 0.0, 0.0, 0.05, -0.24, 0.04), pixel, 0.8 * r, 0.75 * g, 0.7 * b)
    lips = _ellipse(x, y, 0.0, -0.52, 0.32, 0.09 + 0.2 * active)
    out = _over(out, lips, pixel, 0.8, 0.2, 0.22)
    return _over(out, lips + 0.07, pixel, 0.2, 0.02, 0.04)


@njit(cache=True, nogil=True)
def _telephone(
    x: float, y: float, pixel: float, style: Floats, active: float, turn: float, time: float
) -> Paint:
    t = _texture(x, y, style[6], style[7], style[8])
    r, g, b = style[0] * t, style[1] * t, style[2] * t
    y = y - 0.1
    half = 0.82 - 0.36 * min(max((y + 0.7) / 0.9, 0.0), 1.0) ** 0.8
    base = max(0.85 * (abs(x) - half), max(y - 0.24, -0.72 - y)) - 0.04
    lift = 0.05 * active * (0.5 + 0.5 * math.sin(50.0 * time))
    tilt = y - lift - 0.08 * active * x * math.sin(40.0 * time)
    handle = _line(x, tilt, -0.66, 0.44, 0.66, 0.44, 0.12)
    cups = _ellipse(abs(x), tilt, 0.7, 0.32, 0.25, 0.22)
    fork = _box(abs(x), y, 0.32, 0.3, 0.07, 0.1)
    out = _over((0.0, 0.0, 0.0, 0.0), fork, pixel, 0.75, 0.75, 0.78)
    out = _over(out, base, pixel, 0.25 * r, 0.25 * g, 0.25 * b)
    shade = 0.85 + 0.3 * y + 0.25 * math.exp(-(((x + 0.35) / 0.15) ** 2))
    out = _over(out, base + 0.05, pixel, r * shade, g * shade, b * shade)
    radius, angle = math.hypot(x, y + 0.26), math.atan2(y + 0.26, x) - 2.0 * turn
    out = _over(out, radius - 0.38, pixel, 0.95, 0.93, 0.86)
    step = math.pi / 5.0
    part = (angle + 0.5 * step) % step - 0.5 * step
    hole = math.hypot(radius * math.cos(part) - 0.28, radius * math.sin(part)) - 0.06
    out = _over(out, hole, pixel, 0.12, 0.11, 0.12)
    out = _over(out, radius - 0.15, pixel, style[3], style[4], style[5])
    out = _over(out, min(handle, cups), pixel, 0.2 * r, 0.2 * g, 0.2 * b)
    return _over(out, min(handle, cups) + 0.05, pixel, 0.8 * r, 0.8 * g, 0.8 * b)


@njit(cache=True, nogil=True)
def _water(
    x: float, y: float, pixel: float, style: Floats, active: float, turn: float, time: float
) -> Paint:
    r, g, b = style[0], style[1], style[2]
    wobble = 0.05 * active * math.sin(20.0 * time)
    x, y = x * (1.0 + wobble), y * (1.0 - wobble)
    # The cone touches the circle where its slope meets: sin = radius / (apex - centre) = 0.567.
    y = y - 0.08
    tip = 0.824 * abs(x) - 0.567 * (0.92 - y)
    drop = tip if y > 0.131 else _circle(x, y, 0.0, -0.28, 0.68)
    out = _over((0.0, 0.0, 0.0, 0.0), drop, pixel, 0.25 * r, 0.25 * g, 0.35 * b)
    wave = math.sin(style[7] * (y + 0.12 * math.sin(5.0 * x + 4.0 * time)) + 6.0 * turn)
    light = 1.0 + 0.5 * style[8] * wave - 0.25 * (y + 0.3)
    out = _over(out, drop + 0.06, pixel, r * light, g * light, b * light)
    crest = max(abs(y + 0.3 + 0.1 * math.sin(6.0 * x + 8.0 * turn)) - 0.05, drop + 0.08)
    out = _over(out, crest, pixel, style[3], style[4], style[5])
    for k in range(3):
        rise = (0.9 * turn + 0.4 * time + 0.37 * k) % 1.0
        bubble = _circle(x, y, 0.3 * math.sin(2.4 * k + 1.0), -0.8 + 0.75 * rise, 0.09)
        out = _over(out, max(bubble, drop + 0.08), pixel, 0.9, 0.97, 1.0)
    return _over(out, _ellipse(x, y, -0.28, -0.1, 0.09, 0.2), pixel, 0.97, 1.0, 1.0)


@njit(cache=True, nogil=True)
def _figure(
    kind: int,
    x: float,
    y: float,
    pixel: float,
    style: Floats,
    active: float,
    turn: float,
    time: float,
) -> Paint:
    """Colour and coverage of class `kind`, numbered as in the list of classes."""
    if kind == 0:
        return _accordion(x, y, pixel, style, active, turn, time)
    if kind == 1:
        return _bell(x, y, pixel, style, active, turn, time)
    if kind == 2:
        return _bird(x, y, pixel, style, active, turn, time)
    if kind == 3:
        return _clock(x, y, pixel, style, active, turn, time)
    if kind == 4:
        return _dog(x, y, pixel, style, active, turn, time)
    if kind == 5:
        return _drum(x, y, pixel, style, active, turn, time)
    if kind == 6:
        return _engine(x, y, pixel, style, active, turn, time)
    if kind == 7:
        return _knock(x, y, pixel, style, active, turn, time)
    if kind == 8:
        return _siren(x, y, pixel, style, active, turn, time)
    if kind == 9:
        return _speech(x, y, pixel, style, active, turn, time)
    if kind == 10:
        return _telephone(x, y, pixel, style, active, turn, time)
    return _water(x, y, pixel, style, active, turn, time)


@njit(cache=True, nogil=True)
def _span(
    height: int, width: int, azimuth: float, elevation: float, reach: float
) -> tuple[int, int, int, int]:
    """Rows and columns of an equirectangular frame within an angle of a direction.

    The columns may go on beyond the seam, on either side.
    """
    top = max(0, int((0.5 - (elevation + reach) / math.pi) * height))
    bottom = min(height, int((0.5 - (elevation - reach) / math.pi) * height) + 2)
    half = width // 2
    if abs(elevation) + reach < 0.5 * math.pi:
        span = math.asin(min(1.0, math.sin(reach) / math.cos(elevation)))
        half = min(half, int(span / (2.0 * math.pi) * width) + 2)
    first = int((0.5 - azimuth / (2.0 * math.pi)) * width) - half
    return top, bottom, first, min(first + 2 * half + 1, first + width)


@njit(cache=True, nogil=True)
def paint_objects(
    frame: Frame,
    axes: Floats,
    kinds: Integers,
    azimuth: Floats,
    elevation: Floats,
    radius: Floats,
    styles: Floats,
    active: Floats,
    turn: Floats,
    time: float,
) -> None:
    """Paint N objects over `frame` (H, W, 3) float32 in 0 to 1, in place.

    The frame is a view whose forward, leftward and upward vectors are the rows of `axes` (3, 3),
    the last two as long as half of the view on the plane that touches the sphere; or all of the
    sphere if `axes` is (0, 3). `azimuth`, `elevation`, `radius` (radians), `kinds`, `active` and
    `turn` are (N,); `styles` is (N, 11): main colour, second colour, texture, its frequency and
    contrast, aspect, detail.
    """
    height, width = frame.shape[0], frame.shape[1]
    sphere = axes.shape[0] == 0
    grain = math.pi / height
    if not sphere:
        grain = 2.0 * math.hypot(axes[2, 0], math.hypot(axes[2, 1], axes[2, 2])) / height
    for n in range(kinds.shape[0]):
        unit = math.tan(radius[n])
        pixel = grain / radius[n]
        sin_e, cos_e = math.sin(elevation[n]), math.cos(elevation[n])
        sin_a, cos_a = math.sin(azimuth[n]), math.cos(azimuth[n])
        top, bottom, first, last = 0, height, 0, width
        if sphere:
            # The figures keep within a square of side 2, whose corners are √2 away.
            reach = math.atan(1.45 * unit) + grain
            top, bottom, first, last = _span(height, width, azimuth[n], elevation[n], reach)
        light = 0.9 + 0.25 * active[n]
        for i in range(top, bottom):
            up = 1.0 - 2.0 * (i + 0.5) / height
            rise, flat = math.sin(0.5 * math.pi * up), math.cos(0.5 * math.pi * up)
            for j in range(first, last):
                left = 1.0 - 2.0 * (j + 0.5) / width
                if sphere:
                    dx, dy = flat * math.cos(math.pi * left), flat * math.sin(math.pi * left)
                    dz, far = rise, 1.0
                else:
                    dx = axes[0, 0] + left * axes[1, 0] + up * axes[2, 0]
                    dy = axes[0, 1] + left * axes[1, 1] + up * axes[2, 1]
                    dz = axes[0, 2] + left * axes[1, 2] + up * axes[2, 2]
                    far = math.sqrt(dx * dx + dy * dy + dz * dz)
                level = dx * cos_a + dy * sin_a
                forward = level * cos_e + dz * sin_e
                if forward < 0.3 * far:
                    continue
                x = (dx * sin_a - dy * cos_a) / (forward * unit * styles[n, 9])
                y = (dz * cos_e - level * sin_e) / (forward * unit)
                if abs(x) > 1.1 or abs(y) > 1.1:
                    continue
                r, g, b, a = _figure(kinds[n], x, y, pixel, styles[n], active[n], turn[n], time)
                if a == 0.0:
                    continue
                shade = light * (1.0 + 0.12 * y - 0.05 * x)
                column = j % width
                frame[i, column, 0] = frame[i, column, 0] * (1.0 - a) + min(r * shade, a)
                frame[i, column, 1] = frame[i, column, 1] * (1.0 - a) + min(g * shade, a)
                frame[i, column, 2] = frame[i, column, 2] * (1.0 - a) + min(b * shade, a)
