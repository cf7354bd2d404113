"""Clips that earlier runs prepared, in finished shards and unfinished ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ambikit_learn._files import as_text
from ambikit_learn.data.format import MEMBERS
from ambikit_learn.data.record import with_facts
from ambikit_learn.preparation.clip import FAILED
from ambikit_learn.preparation.identity import Identity, outline_of, place_of
from ambikit_learn.preparation.tar import Row

AGAIN = (FAILED, "detector failed", "decoder crash")
"""Reasons that may lie in the surroundings, such as memory that ran out: the same command tries
these clips again."""
HANG = "decoder hang"
"""Reason of a clip that took too long; with a longer timeout it is tried again."""


@dataclass(frozen=True)
class Stored:
    """A shard that an earlier run left.

    Parameters
    ----------
    tar : Path
        Where its members lie.
    rows : list of dict
        Its clips, in order.
    whole : bool
        False if the tar is missing or cut short: all its clips are to be prepared again.
    """

    tar: Path
    rows: list[Row]
    whole: bool = True


class Entry(NamedTuple):
    """A clip in a stored shard."""

    tar: Path
    row: Row

    def members(self, identity: Identity) -> dict[str, bytes]:
        """Read the members of the clip, with the names of `identity` in its record."""
        data = {}
        if self.row["status"] == "ok":
            with self.tar.open("rb") as file:
                for part in MEMBERS:
                    file.seek(self.row[f"{part}_offset"])
                    data[part] = file.read(self.row[f"{part}_bytes"])
            if place_of(self.row) != identity.place:
                clip = identity.clip
                names = {"video": as_text(clip.video.name), "audio": as_text(clip.audio.name)}
                facts = {"key": as_text(clip.key), "split": clip.split, **names}
                data["record"] = with_facts(data["record"], facts)
        return data


def read_journal(journal: Path, tar: Path) -> Stored | None:
    """Return the shard that a journal declares finished; None if the journal is damaged."""
    try:
        document = json.loads(journal.read_text(encoding="utf-8"))
        rows = [dict(row) for row in document["rows"]]
        return Stored(tar, rows, document["bytes"] == size_of(tar))
    except (ValueError, TypeError, KeyError):
        return None


class Stock:
    """The stored clips that can be used again, by their place and by their content.

    Parameters
    ----------
    shards : iterable of Stored
    clip_timeout : float
        Timeout of this run: a clip that hung is tried again if it is longer.
    """

    def __init__(self, shards: Iterable[Stored], clip_timeout: float) -> None:
        self._clip_timeout = clip_timeout
        self._by_place: dict[tuple[str, ...], list[Entry]] = {}
        self._by_outline: dict[tuple[object, ...] | None, list[Entry]] = {}
        for entry in _entries(shards):
            self._by_place.setdefault(place_of(entry.row), []).append(entry)
            if entry.row["status"] == "ok":
                self._by_outline.setdefault(outline_of(entry.row), []).append(entry)

    def find(self, identity: Identity) -> Entry | None:
        """Return the stored clip of this identity, or else one of the same content."""
        for entry in self._by_place.get(identity.place, ()):
            if self.is_done(identity, entry.row):
                return entry
        if identity.clip.split == "unlisted":  # rejected, whatever its content
            return None
        for entry in self._by_outline.get(identity.outline, ()):
            if identity.has_content_of(entry.row):
                return entry
        return None

    def is_done(self, identity: Identity, row: Row) -> bool:
        """Return whether a row is the result of a clip, and need not be tried again."""
        reason = row.get("reason")
        if reason in AGAIN or (reason == HANG and row["clip_timeout"] < self._clip_timeout):
            return False
        return identity.is_of(row)

    def are_done(self, identities: list[Identity], rows: list[Row]) -> bool:
        """Return whether rows are the results of clips, in the same order."""
        return len(identities) == len(rows) and all(map(self.is_done, identities, rows))


def size_of(path: Path) -> int:
    """Return the size of a file in bytes, 0 if it does not exist."""
    return path.stat().st_size if path.exists() else 0


def _entries(shards: Iterable[Stored]) -> Iterator[Entry]:
    for shard in shards:
        if shard.whole:
            yield from (Entry(shard.tar, row) for row in shard.rows)
