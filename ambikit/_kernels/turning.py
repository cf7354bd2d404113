"""First-order sound that turns from one rotation to another, in one call a block."""

from __future__ import annotations

import math
from typing import Any

from ambikit._kernels.compiling import compiled


@compiled(error_model="numpy", forceinline=True)
def _matrix(here: Any, aside: Any, angle: float, sign: float, out: Any) -> None:
    """Fill out (3, 3), in the order y, z, x, with the rotation at an angle from a quaternion."""
    c, s = math.cos(angle), math.sin(angle)
    x, y = sign * (c * here[0] + s * aside[0]), sign * (c * here[1] + s * aside[1])
    z, w = sign * (c * here[2] + s * aside[2]), c * here[3] + s * aside[3]
    out[0, 0] = 1 - 2 * (x * x + z * z)
    out[0, 1] = 2 * (y * z - x * w)
    out[0, 2] = 2 * (x * y + z * w)
    out[1, 0] = 2 * (y * z + x * w)
    out[1, 1] = 1 - 2 * (x * x + y * y)
    out[1, 2] = 2 * (x * z - y * w)
    out[2, 0] = 2 * (x * y - z * w)
    out[2, 1] = 2 * (x * z + y * w)
    out[2, 2] = 1 - 2 * (y * y + z * z)


@compiled(error_model="numpy", fastmath={"contract"})
def turn(
    x: Any,
    here: Any,
    aside: Any,
    angle: float,
    sign: float,
    chord: float,
    longest: float,
    passed: int,
    length: int,
    matrices: Any,
    out: Any,
) -> None:
    """Fill out (B, 4, n) with x (B, 4, n), `passed` samples into a way of `length` samples.

    The way leads from a quaternion (4,), at right angles to which `aside` lies, by an angle, the
    rotation's half. It is cut as _motion.runs cuts it. sign -1 inverts the rotations.
    matrices (2, 3, 3) is scratch.
    """
    samples = x.shape[2]
    parts = min(max(math.ceil(max(angle / chord, length / longest)), 1), length)
    spacing = length / parts
    here_matrix, there_matrix = matrices[0], matrices[1]
    done = 0
    part = -1
    while done < samples:
        t = passed + done
        if t >= length:
            end = samples
            _matrix(here, aside, angle, sign, here_matrix)
            there_matrix[:, :] = here_matrix
            first, slope = 0.0, 0.0
        else:
            # the first sample at or after a control point belongs to the part that begins there
            now = min(int(t / spacing), parts - 1)
            if math.ceil((now + 1) * spacing) <= t:
                now += 1
            elif math.ceil(now * spacing) > t:
                now -= 1
            if now == part + 1 and part >= 0:
                here_matrix[:, :] = there_matrix
            else:
                _matrix(here, aside, angle * (now / parts), sign, here_matrix)
            _matrix(here, aside, angle * ((now + 1) / parts), sign, there_matrix)
            part = now
            end = min(samples, max(math.ceil((now + 1) * spacing) - passed, done + 1))
            slope = 1.0 / spacing
            first = (t - now * spacing) * slope
        number = out.dtype.type
        for b in range(x.shape[0]):
            w, y, z, f = x[b, 0], x[b, 1], x[b, 2], x[b, 3]
            out[b, 0, done:end] = w[done:end]
            for row in range(3):
                target = out[b, 1 + row]
                a0, a1, a2 = here_matrix[row, 0], here_matrix[row, 1], here_matrix[row, 2]
                d0 = number((there_matrix[row, 0] - a0) * slope)
                d1 = number((there_matrix[row, 1] - a1) * slope)
                d2 = number((there_matrix[row, 2] - a2) * slope)
                g0 = number(a0 + (there_matrix[row, 0] - a0) * first)
                g1 = number(a1 + (there_matrix[row, 1] - a1) * first)
                g2 = number(a2 + (there_matrix[row, 2] - a2) * first)
                for i in range(done, end):
                    k = number(i - done)
                    target[i] = y[i] * (g0 + k * d0) + z[i] * (g1 + k * d1) + f[i] * (g2 + k * d2)
        done = end
