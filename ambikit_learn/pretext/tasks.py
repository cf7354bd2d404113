"""The pretext tasks by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor, nn

from ambikit_learn._distributed import gather
from ambikit_learn.pretext.avc import CorrespondenceHeads, avc
from ambikit_learn.pretext.avsa import AlignmentHeads, avsa
from ambikit_learn.pretext.both import Agreements, BothHeads, both
from ambikit_learn.pretext.contrast import Agreement, ContrastiveSettings
from ambikit_learn.pretext.flip import FlipHeads, FlipLogits, flip

Output = Agreement | Agreements | FlipLogits


HEADS: dict[str, Callable[[int, int, float], nn.Module]] = {
    "avc": lambda dim, hidden, dropout: CorrespondenceHeads(dim),
    "avsa": AlignmentHeads,
    "both": BothHeads,
    "flip": lambda dim, hidden, dropout: FlipHeads(dim),
}
"""Width of encodings, feed-forward width and dropout of translators -> heads, by objective."""


OBJECTIVES: dict[str, Callable[[Any, Any, ContrastiveSettings], Tensor]] = {
    "avc": lambda output, flipped, rules: avc(output, rules),
    "avsa": lambda output, flipped, rules: avsa(output, rules),
    "both": lambda output, flipped, rules: both(output, rules),
    "flip": lambda output, flipped, rules: flip(output, flipped),
}
"""(what the heads say, which clips' sound was flipped, rules) -> loss, by name."""


def gathered(output: Any) -> Any:
    """Return the output of the heads for the batches of all ranks, with gradients."""
    if isinstance(output, Tensor):
        return gather(output)
    return type(output)(*map(gathered, output))


Objective = Literal["avc", "avsa", "both", "flip"]
