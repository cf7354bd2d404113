"""Sound that arrives block by block: the same results as for the whole, from any blocks.

A processor keeps what the next block needs. Blocks may have any length, 1 and 0 included; the
outputs, put one after the other, are the output of the function of the same name for the whole
sound. What moves is given targets; the way to a target begins with the next block, ends after as
many samples as are asked for, and takes the course of keys at these times: it does not click.
"""

from __future__ import annotations

from ambikit.streaming.listening import Binauralizer, Decoder
from ambikit.streaming.measuring import Diffuseness, Features
from ambikit.streaming.moving import Beamformer, Encoder
from ambikit.streaming.rotating import Rotator

__all__ = [
    "Beamformer",
    "Binauralizer",
    "Decoder",
    "Diffuseness",
    "Encoder",
    "Features",
    "Rotator",
]
