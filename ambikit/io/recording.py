"""A recording: the tracks that hold it, in one file or several, decoded together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ambikit import checks
from ambikit._codecs import Source, Statement, Track, ffmpeg, libsndfile
from ambikit._errors import InputError
from ambikit._typing import FloatArray
from ambikit.io.inputs import named

# Samples of context on both sides of a span, so that resampling it equals resampling the file.
_CONTEXT = 512
_POINTER = b"version https://git-lfs"


class _Codec(Protocol):
    """A module of `_codecs` that decodes."""

    def tracks(self, source: Source) -> list[Track]:
        """List the tracks of sound."""
        ...

    def length(self, source: Source, track: Track) -> int:
        """Return how many samples a track has."""
        ...

    def channels(self, source: Source, track: Track, start: int, stop: int) -> FloatArray:
        """Decode a span."""
        ...


@dataclass(frozen=True)
class _Part:
    """One track of one file."""

    source: Source
    codec: _Codec
    track: Track
    tracks: tuple[Track, ...]


class Recording:
    """Sound in one track, or in one track of each of several files.

    Parameters
    ----------
    parts : sequence of Source
        The files.
    track : int or None
        Which track of sound; by default the first that is Ambisonic.
    """

    def __init__(self, parts: Sequence[Source], track: int | None):
        self.name = named(parts)
        self._parts = [_part(source, track) for source in parts]
        first = self._parts[0]
        self.tracks = first.tracks
        self.track = first.track.number
        self.sample_rate = first.track.sample_rate
        rates = {part.track.sample_rate for part in self._parts}
        if len(rates) > 1:
            raise InputError(f"{self.name} have different sample rates: {sorted(rates)}")
        self.channels = sum(part.track.channels for part in self._parts)
        lengths = {part.codec.length(part.source, part.track) for part in self._parts}
        if len(lengths) > 1:
            raise InputError(
                f"{self.name} are of different lengths, {sorted(lengths)} samples, so they are no "
                "parts of one recording: cut them to one length first"
            )
        self.frames = lengths.pop()

    @property
    def codec(self) -> str:
        """Codec or sample type; of several, joined by +."""
        return "+".join(dict.fromkeys(part.track.codec for part in self._parts))

    @property
    def channel_layout(self) -> str:
        """The container's own name of the channels."""
        return self._parts[0].track.channel_layout if len(self._parts) == 1 else ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever reads it should know."""
        return tuple(dict.fromkeys(note for part in self._parts for note in part.track.notes))

    @property
    def statement(self) -> Statement | None:
        """What the file says; of several files, what they agree on."""
        said = [part.track.statement for part in self._parts]
        if len(said) == 1:
            return said[0]
        firm = [s for s in said if s is not None and s.firm]
        agreed = {(s.convention, s.what) for s in firm}
        if not firm or (len(agreed) == 1 and all(s.matrix is None for s in firm)):
            return firm[0] if firm else None
        return Statement("the parts", None, what="parts that say different things of themselves")

    def decode(self, rate: int, first: int, last: int) -> FloatArray:
        """Decode the samples first to last at `rate`, resampled as if the whole file were."""
        if rate == self.sample_rate:
            return self._raw(first, last)
        import soxr

        # Both rates meet on a sample every `down` of the file's samples, `up` of the result's.
        common = math.gcd(rate, self.sample_rate)
        up, down = rate // common, self.sample_rate // common
        context = _CONTEXT * max(1, math.ceil(up / down))
        begin = max(0, (first - context) // up)
        stop = min(self.frames, math.ceil((last + context) / up) * down)
        raw = self._raw(begin * down, stop)
        x: FloatArray = soxr.resample(raw.T, self.sample_rate, rate).T
        skip = first - begin * up
        return np.ascontiguousarray(x[:, skip : skip + last - first])

    def _raw(self, start: int, stop: int) -> FloatArray:
        """Decode a span at the file's own rate."""
        decoded = [
            part.codec.channels(part.source, part.track, start, stop) for part in self._parts
        ]
        return decoded[0] if len(decoded) == 1 else np.concatenate(decoded)


def describe(track: Track) -> str:
    """Return a track in words."""
    layout = f" ({track.channel_layout})" if track.channel_layout else ""
    plural = "s" * (track.channels != 1)
    rate = f", {track.sample_rate} Hz" if track.sample_rate else ""
    return f"{track.codec}, {track.channels} channel{plural}{layout}{rate}"


def listed(tracks: Sequence[Track]) -> str:
    """Return tracks in words, by number."""
    return "; ".join(f"{track.number}: {describe(track)}" for track in tracks)


def is_ambisonic(channels: int) -> bool:
    """Tell whether so many channels are a full sphere of first or higher order."""
    return channels >= 4 and math.isqrt(channels) ** 2 == channels


def assumed(codec: str, channels: int) -> str | None:
    """Return the convention that so many channels suggest where nothing says it."""
    if codec == "aac" and channels == 6:
        return "youtube51"
    return "ambix" if is_ambisonic(channels) else None


def _part(source: Source, number: int | None) -> _Part:
    """Choose the library by content, for extensions lie, and the track."""
    codec = _codec(source)
    tracks = codec.tracks(source)
    if number is not None and checks.nonnegative_int(number, "track") >= len(tracks):
        raise InputError(f"{source} has no track {number}; its tracks of sound: {listed(tracks)}")
    track = _ambisonic_track(tracks) if number is None else tracks[number]
    if not track.channels or not track.sample_rate:
        raise InputError(f"{source}: track {track.number} cannot be decoded: {track.codec}")
    return _Part(source, codec, track, tuple(tracks))


def _codec(source: Source) -> _Codec:
    """Return the library that decodes a file."""
    head = source.head(64)
    if head.startswith(_POINTER):
        raise InputError(f"{source} only points to a file in Git LFS: fetch it with git lfs pull")
    return libsndfile if libsndfile.recognises(head) else ffmpeg


def _ambisonic_track(tracks: Sequence[Track]) -> Track:
    """Return the first track that is Ambisonic by what is said of it, or by its channels."""

    def rank(track: Track) -> int:
        said = track.statement
        if said is not None and said.convention:
            return 0
        if said is not None and said.firm:
            return 3
        convention = assumed(track.codec, track.channels)
        ranks = {"ambix": 1, "youtube51": 2}
        return ranks.get(convention or "", 3 if track.channels and track.sample_rate else 4)

    return min(tracks, key=rank)
