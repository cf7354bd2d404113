"""Objects painted into views of the sphere: flat figures that face the camera.

A figure is a function of the position (x, y) on the tangent plane at the object's centre, with x to
the right, y up and the object's radius as unit. It is composed of signed distance fields whose
edges are softened over one pixel, so that one sample per pixel is enough.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ambikit._kernels.compiling import compiled
from ambikit_learn._typing import Floats, Frames, Integers

Colour = tuple[float, float, float]
Paint = tuple[float, float, float, float]

NOTHING = (0.0, 0.0, 0.0, 0.0)
BLACK = (0.07, 0.06, 0.08)
IRON = (0.2, 0.2, 0.22)
CREAM = (0.96, 0.94, 0.86)
WHITE = (1.0, 1.0, 1.0)
GOLD = (0.98, 0.85, 0.35)
RED = (0.8, 0.16, 0.16)
WOOD = (0.5, 0.3, 0.14)


class Look(NamedTuple):
    """An individual at one moment.

    `active` in 0 to 1 follows the sound; `swing` in -1 to 1 oscillates at the rate of the class;
    `turn` is the running sum of the activity, and (`cos`, `sin`) an angle proportional to it;
    `sharp` is the number of pixels per unit.
    """

    main: Colour
    second: Colour
    texture: float
    frequency: float
    contrast: float
    detail: float
    active: float
    swing: float
    cos: float
    sin: float
    turn: float
    time: float
    sharp: float


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _tint(colour: Colour, light: float) -> Colour:
    return light * colour[0], light * colour[1], light * colour[2]


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _over(under: Paint, distance: float, look: Look, colour: Colour) -> Paint:
    """Composite a colour over `under` (premultiplied r, g, b, coverage) at negative distances."""
    a = min(max(0.5 - distance * look.sharp, 0.0), 1.0)
    k = 1.0 - a
    return (
        under[0] * k + a * colour[0],
        under[1] * k + a * colour[1],
        under[2] * k + a * colour[2],
        under[3] * k + a,
    )


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _rimmed(under: Paint, distance: float, look: Look, colour: Colour) -> Paint:
    """Composite a colour with a dark rim."""
    return _over(_over(under, distance, look, _tint(colour, 0.3)), distance + 0.05, look, colour)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _length(x: float, y: float) -> float:
    return math.sqrt(x * x + y * y)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _circle(x: float, y: float, cx: float, cy: float, radius: float) -> float:
    return _length(x - cx, y - cy) - radius


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _ellipse(x: float, y: float, cx: float, cy: float, rx: float, ry: float) -> float:
    u, v = (x - cx) / rx, (y - cy) / ry
    k = _length(u, v)
    return k * (k - 1.0) / (_length(u / rx, v / ry) + 1e-9)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _box(x: float, y: float, cx: float, cy: float, hx: float, hy: float) -> float:
    u, v = abs(x - cx) - hx, abs(y - cy) - hy
    return _length(max(u, 0.0), max(v, 0.0)) + min(max(u, v), 0.0)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _line(x: float, y: float, ax: float, ay: float, bx: float, by: float, radius: float) -> float:
    px, py, dx, dy = x - ax, y - ay, bx - ax, by - ay
    t = min(max((px * dx + py * dy) / (dx * dx + dy * dy), 0.0), 1.0)
    return _length(px - t * dx, py - t * dy) - radius


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _nearest(x: float, step: float) -> float:
    """Return the distance of x from the nearest multiple of a step."""
    return x - step * math.floor(x / step + 0.5)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _around(x: float, y: float, count: int) -> tuple[float, float]:
    """Turn (x, y) by a multiple of 1 / `count` of a circle, to lie near the x axis."""
    angle, radius = _nearest(math.atan2(y, x), 2.0 * math.pi / count), _length(x, y)
    return radius * math.cos(angle), radius * math.sin(angle)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _gleam(x: float) -> float:
    """Return a bump of width 1 and height 1."""
    return max(0.0, 1.0 - 0.25 * x * x) ** 4


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _textured(x: float, y: float, look: Look) -> Colour:
    """Return the main colour under a pattern: 0 plain, 1 bands, 2 dots, 3 checks, 4 slanted."""
    kind, f = look.texture, look.frequency
    wave = 0.0
    if kind == 1:
        wave = math.sin(f * y)
    elif kind == 2:
        wave = 1.0 - 4.0 * max(0.0, math.sin(f * x) * math.sin(f * y) - 0.25)
    elif kind == 3:
        wave = 1.0 if math.sin(f * x) * math.sin(f * y) > 0.0 else -1.0
    elif kind == 4:
        wave = math.sin(0.7 * f * (x + y))
    return _tint(look.main, 1.0 + 0.5 * look.contrast * wave)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _accordion(x: float, y: float, look: Look) -> Paint:
    fold = math.sin((14.0 + look.detail) * x + 5.0 * look.turn)
    bellows = max(abs(x) - 0.5, abs(y) - 0.54 - 0.04 * fold)
    out = _over(NOTHING, bellows, look, BLACK)
    out = _over(out, bellows + 0.06, look, _tint(look.second, 0.55 + 0.45 * fold))
    out = _rimmed(out, _box(abs(x), y, 0.68, 0.0, 0.16, 0.6) - 0.06, look, look.main)
    if x > 0.0:
        keys = _box(x, y, 0.72, 0.0, 0.11, 0.52)
        out = _over(out, keys, look, CREAM)
        gap = abs(_nearest(y, 0.2)) - 0.045
        out = _over(out, max(gap, _box(x, y, 0.67, 0.0, 0.07, 0.5)), look, BLACK)
        press = max(abs(y - 0.4 * look.swing) - 0.1, keys)
        return _over(out, press + 0.1 * (1.0 - look.active), look, GOLD)
    column, row = abs(2.0 * x + 1.36) - 0.14, 2.0 * _nearest(y, 1.0 / 4.5)
    return _over(out, max(_length(column, row) - 0.1, abs(y) - 0.55), look, CREAM)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _bell(x: float, y: float, look: Look) -> Paint:
    swing = look.active * look.swing
    lean, y = 0.28 * swing, y - 0.05
    c = 1.0 / _length(1.0, lean)
    x, y = c * (x + lean * y), c * (y - lean * x)
    colour = _textured(x, y, look)
    down = min(max((0.78 - y) / 1.4, 0.0), 1.0)
    half = (0.42 + 0.12 * down + 0.34 * down**5) * min(1.0, math.sqrt(5.0 * down))
    body = max(0.8 * (abs(x) - half), max(y - 0.78, -0.62 - y))
    lip = _box(x, y, 0.0, -0.6, 0.82, 0.03) - 0.06
    out = _over(NOTHING, _circle(x, y, -0.45 * swing, -0.78, 0.2), look, (0.25, 0.2, 0.15))
    out = _over(out, abs(_circle(x, y, 0.0, 0.84, 0.1)) - 0.06, look, _tint(colour, 0.4))
    out = _over(out, min(body, lip), look, _tint(colour, 0.35))
    shine = 0.75 + 0.5 * _gleam((x + 0.22) / 0.16) - 0.25 * max(x, 0.0)
    out = _over(out, body + 0.05, look, _tint(colour, shine))
    out = _over(out, max(body + 0.05, abs(y + 0.3) - 0.06), look, look.second)
    return _over(out, lip + 0.04, look, _tint(colour, 1.1))


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _bird(x: float, y: float, look: Look) -> Paint:
    colour = _textured(x, y, look)
    y = y - 0.06 * look.active * look.swing
    body = _ellipse(x, y, -0.08, -0.12, 0.66, 0.5)
    head = _circle(x, y, 0.42, 0.38, 0.37)
    tail = max(_line(x, y, -0.55, 0.0, -0.95, 0.32, 0.13), -1.0 - x)
    whole = min(min(body, head), tail)
    gape = 0.03 + 0.17 * look.active
    beak = _line(x, abs(y - 0.36), 0.74, 0.02, 0.98, gape, 0.05)
    legs = min(
        _line(x, y, -0.1, -0.5, -0.14, -0.86, 0.04), _line(x, y, 0.14, -0.5, 0.18, -0.86, 0.04)
    )
    out = _over(NOTHING, legs, look, (0.75, 0.45, 0.1))
    out = _over(out, beak, look, (0.95, 0.6, 0.1))
    out = _rimmed(out, whole, look, colour)
    belly = max(_ellipse(x, y, 0.08, -0.3, 0.42, 0.26), whole + 0.05)
    r, g, b = _tint(colour, 0.55)
    out = _over(out, belly, look, (r + 0.42, g + 0.42, b + 0.38))
    lift = 0.25 * look.active * (1.0 + look.swing)
    wing = _ellipse(x, y - lift * (0.2 - x) * 0.6, -0.2, 0.02, 0.4, 0.22 + 0.1 * lift)
    out = _rimmed(out, wing, look, look.second)
    out = _over(out, _circle(x, y, 0.5, 0.45, 0.12), look, WHITE)
    return _over(out, _circle(x, y, 0.53, 0.45, 0.07), look, BLACK)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _clock(x: float, y: float, look: Look) -> Paint:
    shake = 0.03 * look.active * look.swing
    feet = _line(abs(x), y, 0.3, -0.5, 0.56, -0.86, 0.08)
    hammer = _line(x, y, 0.0, 0.6, 4.0 * shake, 0.84, 0.06)
    y = y + 0.04
    rim = _circle(x, y, 0.0, 0.0, 0.78)
    out = _over(NOTHING, min(feet, hammer), look, IRON)
    out = _rimmed(out, _circle(abs(x), y, 0.44 + shake, 0.68, 0.27), look, look.second)
    out = _rimmed(out, rim, look, look.main)
    out = _over(out, rim + 0.2, look, CREAM)
    along, across = _around(x, y, 12)
    out = _over(out, max(abs(along - 0.48) - 0.06, abs(across) - 0.025), look, IRON)
    minutes = _line(look.cos * x + look.sin * y, look.cos * y - look.sin * x, 0, 0, 0.42, 0, 0.035)
    hours = _line(x, y, 0.0, 0.0, 0.032 * (look.detail - 10.0), -0.2, 0.05)
    out = _over(out, min(minutes, hours), look, BLACK)
    return _over(out, _circle(x, y, 0.0, 0.0, 0.07), look, RED)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _dog(x: float, y: float, look: Look) -> Paint:
    y = y - 0.05 * look.active * look.swing
    colour, side = _textured(x, y, look), abs(x)
    drop = 0.2 * look.active
    jaw = _ellipse(x, y, 0.0, -0.5 - drop, 0.34, 0.26)
    head = _ellipse(x, y, 0.0, 0.16, 0.6, 0.62)
    ears = _ellipse(side + 0.25 * (y - 0.2), y, 0.62, 0.14, 0.22, 0.6)
    out = _over(NOTHING, jaw, look, _tint(colour, 0.33))
    tongue = max(_ellipse(x, y, 0.0, -0.5 - drop, 0.2, 0.2), jaw + 0.05)
    out = _over(out, tongue, look, (0.92, 0.35, 0.4))
    out = _rimmed(out, head, look, colour)
    blaze = max(_ellipse(x, y, 0.0, 0.3, 0.14, 0.5), head + 0.05)
    out = _over(out, blaze, look, CREAM)
    out = _rimmed(out, _ellipse(x, y, 0.0, -0.34, 0.42, 0.36), look, CREAM)
    out = _over(out, _ellipse(x, y, 0.0, -0.2, 0.17, 0.12), look, BLACK)
    out = _over(out, _line(x, y, 0.0, -0.3, 0.0, -0.6, 0.03), look, IRON)
    out = _over(out, _circle(side, y, 0.27, 0.2, 0.12), look, WHITE)
    out = _over(out, _circle(side, y, 0.26, 0.19, 0.085), look, BLACK)
    return _rimmed(out, ears, look, look.second)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _drum(x: float, y: float, look: Look) -> Paint:
    colour = _textured(x, y, look)
    y = y - 0.06
    shell = min(_box(x, y, 0.0, -0.2, 0.84, 0.5), _ellipse(x, y, 0.0, -0.68, 0.84, 0.24))
    top = _ellipse(x, y, 0.0, 0.32, 0.86, 0.27 + 0.05 * look.active * look.swing)
    out = _over(NOTHING, min(shell, top), look, _tint(colour, 0.3))
    out = _over(out, shell + 0.05, look, _tint(colour, 1.1 - 0.5 * x * x - 0.15 * x))
    hoop = y + 0.62 + 0.24 * math.sqrt(max(0.0, 1.0 - (x / 0.84) ** 2))
    rope = abs(hoop - 1.3 * abs(_nearest(0.5 * look.detail * x, 1.0))) * 0.8 - 0.06
    out = _over(out, max(rope, shell + 0.05), look, look.second)
    out = _over(out, max(abs(hoop) - 0.07, shell + 0.03), look, (0.9, 0.8, 0.5))
    out = _over(out, top + 0.02, look, (0.85, 0.72, 0.42))
    out = _over(out, top + 0.1, look, CREAM)
    beaten = _ellipse(x, y, 0.0, 0.3, 0.3 * look.active + 0.02, 0.09)
    out = _over(out, beaten, look, (0.8, 0.7, 0.55))
    # The left stick is lifted higher.
    tip = 0.36 + (0.38 if x < 0.0 else 0.19) * (1.0 - look.active)
    stick = min(_line(abs(x), y, 0.3, tip, 0.92, 0.84, 0.05), _circle(abs(x), y, 0.3, tip, 0.1))
    return _over(out, stick, look, WOOD)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _engine(x: float, y: float, look: Look) -> Paint:
    x = x + 0.03 * look.active * look.swing
    colour, radius = _textured(x, y, look), _length(x, y)
    glint = 0.9 + 0.2 * (x * y * 2.0) / (radius * radius + 1e-9)
    x, y = look.cos * x - look.sin * y, look.cos * y + look.sin * x
    teeth = min(max(2.5 * math.cos(look.detail * math.atan2(y, x)), -1.0), 1.0)
    gear = 0.85 * (radius - 0.86 - 0.11 * teeth)
    out = _rimmed(NOTHING, gear, look, _tint(colour, glint))
    out = _over(out, radius - 0.58, look, _tint(colour, 0.3))
    out = _over(out, radius - 0.53, look, look.second)
    along, across = _around(x, y, 5)
    out = _over(out, _circle(along, across, 0.37, 0.0, 0.09), look, BLACK)
    out = _over(out, radius - 0.17, look, BLACK)
    return _over(out, radius - 0.08, look, (0.75, 0.77, 0.8))


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _knock(x: float, y: float, look: Look) -> Paint:
    x = x + 0.035 * look.active * look.swing
    grain = _textured(x, y + 0.06 * math.sin(5.0 * x), look)
    leaf = _box(x, y, 0.0, -0.05, 0.54, 0.93)
    out = _rimmed(NOTHING, _box(x, y, 0.0, 0.0, 0.66, 1.0), look, look.second)
    out = _rimmed(out, leaf, look, grain)
    side = abs(x) - 0.25
    panel = min(_box(side, y, 0.0, 0.55, 0.16, 0.22), _box(side, y, 0.0, -0.5, 0.16, 0.34))
    out = _over(out, panel, look, _tint(grain, 0.45))
    out = _over(out, panel + 0.06, look, _tint(grain, 0.85))
    lift = 0.16 * look.active * abs(look.swing)
    ring = abs(_circle(x, y, 0.0, 0.08 + lift, 0.17)) - 0.055
    out = _over(out, ring, look, GOLD)
    out = _over(out, _circle(x, y, 0.0, 0.25, 0.08), look, (0.9, 0.75, 0.25))
    return _over(out, _circle(x, y, 0.42, -0.06, 0.09), look, GOLD)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _siren(x: float, y: float, look: Look) -> Paint:
    y = y - 0.06
    dome = max(_ellipse(x, y, 0.0, -0.1, 0.76, 0.94), -0.6 - y)
    base = _box(x, y, 0.0, -0.72, 0.84, 0.12) - 0.06
    lit = 0.25 + 0.75 * look.active
    glow = 0.6 * lit * _gleam((x - 0.5 * look.swing) / 0.3)
    r, g, b = _tint(_textured(x, y, look), 0.75 + 0.25 * lit)
    out = _over(NOTHING, dome, look, _tint(look.main, 0.3))
    out = _over(out, dome + 0.05, look, (r + glow, g + glow, b + 0.6 * glow))
    out = _over(out, _ellipse(x, y, -0.34, 0.36, 0.09, 0.2), look, (1.0, 0.92, 0.92))
    out = _over(out, base, look, BLACK)
    slanted = _nearest(x + y, 0.52)
    out = _over(out, base + 0.06, look, look.second)
    return _over(out, max(base + 0.06, 0.7 * (abs(slanted) - 0.13)), look, IRON)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _speech(x: float, y: float, look: Look) -> Paint:
    y = y - 0.03 * look.active * look.swing
    side, skin = abs(x), look.main
    strands = 1.0 + 0.5 * look.contrast * math.sin(0.7 * look.frequency * (x + y))
    hair = _tint(look.second, strands)
    face = _ellipse(x, y, 0.0, -0.12, 0.7, 0.84)
    ears = _circle(side, y, 0.72, -0.1, 0.14)
    out = _over(NOTHING, _ellipse(x, y, 0.0, 0.12, 0.84, 0.86), look, hair)
    out = _over(out, min(face, ears), look, _tint(skin, 0.5))
    out = _over(out, max(face, 0.3 - y), look, hair)
    out = _over(out, min(max(face, y - 0.5 + 0.25 * x * x), ears) + 0.04, look, skin)
    out = _over(out, _ellipse(side, y, 0.29, 0.06, 0.16, 0.13), look, WHITE)
    out = _over(out, _circle(side, y, 0.29, 0.05, 0.08), look, (0.08, 0.12, 0.25))
    raised = 0.06 * look.active
    brow = _line(side, y, 0.15, 0.26 + raised, 0.44, 0.28 + raised, 0.04)
    out = _over(out, brow, look, _tint(look.second, 0.6))
    out = _over(out, _line(x, y, 0.0, 0.0, 0.05, -0.24, 0.04), look, _tint(skin, 0.77))
    lips = _ellipse(x, y, 0.0, -0.52, 0.32, 0.09 + 0.2 * look.active)
    out = _over(out, lips, look, (0.8, 0.2, 0.22))
    return _over(out, lips + 0.07, look, (0.2, 0.02, 0.04))


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _telephone(x: float, y: float, look: Look) -> Paint:
    colour = _textured(x, y, look)
    y = y - 0.1
    up = min(max((y + 0.7) / 0.9, 0.0), 1.0)
    half = 0.82 - 0.36 * up * (1.2 - 0.2 * up)
    base = max(0.85 * (abs(x) - half), max(y - 0.24, -0.72 - y)) - 0.04
    tilt = y - look.active * (0.025 * (1.0 + look.swing) + 0.08 * x * look.swing)
    handle = _line(x, tilt, -0.66, 0.44, 0.66, 0.44, 0.12)
    cups = _ellipse(abs(x), tilt, 0.7, 0.32, 0.25, 0.22)
    fork = _box(abs(x), y, 0.32, 0.3, 0.07, 0.1)
    out = _over(NOTHING, fork, look, (0.75, 0.75, 0.78))
    shade = 0.85 + 0.3 * y + 0.25 * _gleam((x + 0.35) / 0.15)
    out = _rimmed(out, base, look, _tint(colour, shade))
    dial = y + 0.26
    out = _over(out, _circle(x, dial, 0.0, 0.0, 0.38), look, CREAM)
    u, v = look.cos * x + look.sin * dial, look.cos * dial - look.sin * x
    along, across = _around(u, v, 10)
    out = _over(out, _circle(along, across, 0.28, 0.0, 0.06), look, BLACK)
    out = _over(out, _circle(x, dial, 0.0, 0.0, 0.15), look, look.second)
    return _rimmed(out, min(handle, cups), look, _tint(colour, 0.8))


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _water(x: float, y: float, look: Look) -> Paint:
    wobble = 0.05 * look.active * look.swing
    x, y = x * (1.0 + wobble), y * (1.0 - wobble) - 0.08
    # The cone touches the circle where its slope meets: sin = radius / (apex - centre) = 0.567.
    drop = _circle(x, y, 0.0, -0.28, 0.68)
    if y > 0.131:
        drop = 0.824 * abs(x) - 0.567 * (0.92 - y)
    bent = y + 0.12 * math.sin(5.0 * x + 4.0 * look.time)
    wave = math.sin(look.frequency * bent + 6.0 * look.turn)
    light = 1.0 + 0.5 * look.contrast * wave - 0.25 * (y + 0.3)
    out = _rimmed(NOTHING, drop, look, _tint(look.main, light))
    crest = max(abs(y + 0.3 + 0.1 * math.sin(6.0 * x + 8.0 * look.turn)) - 0.05, drop + 0.08)
    out = _over(out, crest, look, look.second)
    for k in range(3):
        rise = 0.9 * look.turn + 0.4 * look.time + 0.37 * k
        bubble = _circle(x, y, 0.3 * (k - 1), -0.8 + 0.75 * (rise - math.floor(rise)), 0.09)
        out = _over(out, max(bubble, drop + 0.08), look, (0.9, 0.97, 1.0))
    return _over(out, _ellipse(x, y, -0.28, -0.1, 0.09, 0.2), look, WHITE)


@compiled(error_model="numpy", fastmath=True, forceinline=True)
def _figure(kind: int, x: float, y: float, look: Look) -> Paint:
    """Colour and coverage of class `kind`, numbered as in the list of classes."""
    if kind == 0:
        return _accordion(x, y, look)
    if kind == 1:
        return _bell(x, y, look)
    if kind == 2:
        return _bird(x, y, look)
    if kind == 3:
        return _clock(x, y, look)
    if kind == 4:
        return _dog(x, y, look)
    if kind == 5:
        return _drum(x, y, look)
    if kind == 6:
        return _engine(x, y, look)
    if kind == 7:
        return _knock(x, y, look)
    if kind == 8:
        return _siren(x, y, look)
    if kind == 9:
        return _speech(x, y, look)
    if kind == 10:
        return _telephone(x, y, look)
    return _water(x, y, look)


@compiled(error_model="numpy", fastmath=True)
def paint_objects(
    frames: Frames,
    rows: Floats,
    columns: Floats,
    grain: float,
    windows: Integers,
    poses: Floats,
    gestures: Floats,
    kinds: Integers,
    styles: Floats,
) -> None:
    """Paint N objects over `frames` (T, H, W, 3), in place.

    Pixel (i, j) is seen along ``rows[i, :3] + rows[i, 3] * columns[j]``, for `rows` (H, 4) and
    `columns` (W, 3), and `grain` is the angle between neighbours. An object at a moment lies
    within its `windows` (T, N, 4): rows from, to, columns from, to, which may extend beyond the
    seam on either side. Its `poses` (T, N, 3, 3) are rows that take a ray to (forward, x, y), the
    figure lying at forward = 1. `gestures` (T, N, 6) and `styles` (N, 10) are the numbers of a
    `Look`, `kinds` (N,) of the classes.
    """
    width = frames.shape[2]
    for t in range(frames.shape[0]):
        for n in range(kinds.shape[0]):
            top, bottom, first, last = windows[t, n]
            m, s, g = poses[t, n], styles[n], gestures[t, n]
            unit = 1.0 / _length(m[2, 0], _length(m[2, 1], m[2, 2]))
            look = Look(
                (s[0], s[1], s[2]),
                (s[3], s[4], s[5]),
                s[6],
                s[7],
                s[8],
                s[9],
                g[0],
                g[1],
                g[2],
                g[3],
                g[4],
                g[5],
                unit / grain,
            )
            light = 0.9 + 0.25 * look.active
            for i in range(top, bottom):
                wide = rows[i, 3]
                for k in range(first, last):
                    j = k + width if k < 0 else (k - width if k >= width else k)
                    a = rows[i, 0] + wide * columns[j, 0]
                    b = rows[i, 1] + wide * columns[j, 1]
                    c = rows[i, 2] + wide * columns[j, 2]
                    forward = m[0, 0] * a + m[0, 1] * b + m[0, 2] * c
                    x = m[1, 0] * a + m[1, 1] * b + m[1, 2] * c
                    y = m[2, 0] * a + m[2, 1] * b + m[2, 2] * c
                    if max(abs(x), abs(y)) > 1.1 * forward:
                        continue
                    x, y = x / forward, y / forward
                    paint = _figure(kinds[n], x, y, look)
                    if paint[3] == 0.0:
                        continue
                    shade, under = light * (1.0 + 0.12 * y - 0.05 * x), 1.0 - paint[3]
                    for channel in range(3):
                        seen = 255.0 * min(paint[channel] * shade, paint[3]) + 0.5
                        seen += frames[t, i, j, channel] * under
                        frames[t, i, j, channel] = np.uint8(seen)
