"""Sound files, whatever their channels are: decoders, and what containers say of themselves.

`libsndfile` and `ffmpeg` decode, both by the same three functions: ``tracks(source)`` lists what a
file holds, ``length(source, track)`` says where a track ends, ``channels(source, track, start,
stop)`` decodes exactly those samples as (channels, samples) float32, without mixing or reordering.
Their ``save`` writes. The other files here read the headers of one kind of container each: what
they state about the channels, and whether their sizes fit the file.
"""

from __future__ import annotations

from ambikit._codecs.source import Source as Source
from ambikit._codecs.statement import Statement as Statement
from ambikit._codecs.statement import Track as Track
