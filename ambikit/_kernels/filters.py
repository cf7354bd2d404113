"""Second-order sections, one after the other, with a state that goes from block to block."""

from __future__ import annotations

from typing import Any

from ambikit._kernels.compiling import compiled


@compiled(fastmath={"contract"})
def crossover(x: Any, sections: Any, state: Any, out: Any) -> None:
    """Fill out (2, C, n) with x (C, n) below and above a crossover.

    sections (2, S, 5) hold b0, b1, b2, a1, a2; state (2, C, S, 2), transposed direct form II.
    """
    number = out.dtype.type
    for band in range(2):
        for channel in range(x.shape[0]):
            target = out[band, channel]
            target[:] = x[channel]
            for s in range(sections.shape[1]):
                b0, b1, b2, a1, a2 = sections[band, s]
                first, second = state[band, channel, s]
                for i in range(target.shape[0]):
                    value = float(target[i])
                    result = b0 * value + first
                    first = b1 * value - a1 * result + second
                    second = b2 * value - a2 * result
                    target[i] = number(result)
                state[band, channel, s, 0] = first
                state[band, channel, s, 1] = second
