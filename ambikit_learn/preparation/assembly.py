"""Assembly of shards: which clips belong to which shard, what is finished, and what remains."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ambikit_learn._files import atomic_write
from ambikit_learn.data.format import FORMAT, Settings, write_manifest
from ambikit_learn.preparation.clip import Prepared, Rejected
from ambikit_learn.preparation.tar import GrowingTar, PartialTar, Row, partial_tar
from ambikit_learn.sources import Clip

Outcome = Prepared | Rejected

AGAIN = ("failed", "detector failed", "decoder crash")
"""Reasons that may lie in the surroundings, such as memory that ran out: the same command tries
these clips again."""
HANG = "decoder hang"
"""Reason of a clip that took too long; with a longer timeout it is tried again."""


@dataclass(frozen=True)
class Shard:
    """A unit of the output: clips of one split, in the order of the source.

    Parameters
    ----------
    name : str
        Name of its files.
    clips : tuple of Clip
    digest : str
        Hash of everything on which its content depends.
    """

    name: str
    clips: tuple[Clip, ...]
    digest: str


@dataclass(frozen=True)
class Assembly:
    """The shards of a preparation, below a folder.

    Parameters
    ----------
    root : Path
        Folder to write to.
    source : Path
        Folder of the clips.
    settings : Settings
    clip_timeout : float
        Seconds that a clip may take, in addition to those for its length.
    """

    root: Path
    source: Path
    settings: Settings
    clip_timeout: float

    def plan(self, clips: Sequence[Clip]) -> list[Shard]:
        """Distribute the clips of each split, in order, over shards.

        Parameters
        ----------
        clips : sequence of Clip

        Returns
        -------
        list of Shard
        """
        shards = []
        size = self.settings.clips_per_shard
        for split in sorted({clip.split for clip in clips}):
            members = tuple(clip for clip in clips if clip.split == split)
            for number, start in enumerate(range(0, len(members), size)):
                some = members[start : start + size]
                content = [FORMAT, asdict(self.settings), [_identity(c, self.source) for c in some]]
                digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
                shards.append(Shard(f"{split}-{number:05d}", some, digest))
        return shards

    def make(
        self,
        shards: Sequence[Shard],
        work: Callable[[Sequence[Clip]], Generator[Outcome, None, None]],
    ) -> list[Row]:
        """Write the shards that are not finished, and the manifest of all.

        Parameters
        ----------
        shards : sequence of Shard
        work : callable
            Yields the outcomes of clips, in order.

        Returns
        -------
        list of dict
            Rows of the manifest.
        """
        todo = [
            (shard, self._partial_tar(shard)) for shard in shards if not self._is_finished(shard)
        ]
        if todo:
            # Its byte offsets would no longer match the shards.
            (self.root / "manifest.parquet").unlink(missing_ok=True)
        rest = [clip for shard, part in todo for clip in shard.clips[len(part.rows) :]]
        with closing(work(rest)) as outcomes:
            for shard, part in todo:
                self._make(shard, part, outcomes)
        return self._finish(shards)

    def _make(
        self, shard: Shard, part: PartialTar, outcomes: Generator[Outcome, None, None]
    ) -> None:
        """Write the rest of a shard, then the journal that declares it finished."""
        self._tar(shard).unlink(missing_ok=True)
        clips = shard.clips[len(part.rows) :]
        head = {"digest": shard.digest, "clip_timeout": self.clip_timeout}
        with closing(GrowingTar(self._tar(shard), head, part)) as tar:
            for clip, outcome in zip(clips, islice(outcomes, len(clips)), strict=True):
                self._add(tar, shard, clip, outcome)
            keep = any(row["status"] == "ok" for row in tar.rows)
            size = tar.finish()
            # First the journal: after a kill in between, the next run only has to move the tar.
            with atomic_write(self._journal(shard)) as temporary:
                journal = {**head, "bytes": size if keep else 0, "rows": tar.rows}
                temporary.write_text(json.dumps(journal), encoding="utf-8")
            tar.commit(keep=keep)

    def _add(self, tar: GrowingTar, shard: Shard, clip: Clip, outcome: Outcome) -> None:
        """Add a clip to its shard."""
        row = row_of(clip, outcome, self.source)
        if isinstance(outcome, Prepared):
            row["shard"] = f"{shard.name}.tar"
            suffixes = self.settings.suffixes
            names = {part: f"{row['key']}.{suffixes[part]}" for part in outcome.members}
            places = tar.add({names[part]: data for part, data in outcome.members.items()})
            for part, data in outcome.members.items():
                row[f"{part}_offset"], row[f"{part}_bytes"] = places[names[part]], len(data)
        tar.note(row)

    def _finish(self, shards: Sequence[Shard]) -> list[Row]:
        """Write the manifest; delete shards of a formerly larger source, and unfinished files."""
        rows: list[Row] = []
        for shard in shards:
            rows += json.loads(self._journal(shard).read_text(encoding="utf-8"))["rows"]
        write_manifest(self.root, rows)
        kept = {path(shard) for shard in shards for path in (self._tar, self._journal)}
        for part in ("shards", "journal"):
            for path in (self.root / part).iterdir():
                if path not in kept:
                    path.unlink()
        return rows

    def _tar(self, shard: Shard) -> Path:
        """Return the path of a shard."""
        return self.root / "shards" / f"{shard.name}.tar"

    def _journal(self, shard: Shard) -> Path:
        """Return the path of the file that declares a shard finished."""
        return self.root / "journal" / f"{shard.name}.json"

    def _is_finished(self, shard: Shard) -> bool:
        """Return whether a shard was finished, and is still whole."""
        try:
            journal = json.loads(self._journal(shard).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return False
        whole = journal["bytes"] == size_of(self._tar(shard))
        return whole and self._holds(journal, journal["rows"], shard)

    def _partial_tar(self, shard: Shard) -> PartialTar:
        """Return what an earlier run left of a shard."""
        found = partial_tar(self._tar(shard))
        return found if self._holds(found.header, found.rows, shard) else PartialTar()

    def _holds(self, head: Mapping[str, Any], rows: Sequence[Row], shard: Shard) -> bool:
        """Return whether rows are of the same clips, with a sufficient timeout for each."""
        if head.get("digest") != shard.digest:
            return False
        reasons = {row.get("reason") for row in rows}
        patient: bool = head["clip_timeout"] >= self.clip_timeout
        return not reasons & set(AGAIN) and (patient or HANG not in reasons)


def row_of(clip: Clip, outcome: Outcome, source: Path) -> Row:
    """Return the row of the manifest for a clip.

    Parameters
    ----------
    clip : Clip
    outcome : Prepared or Rejected
    source : Path
        Folder of the clips.

    Returns
    -------
    dict
    """
    row = {
        "key": _text(clip.key),
        "split": clip.split,
        "video": _text(_relative(clip.video, source)),
        "audio": _text(_relative(clip.audio, source)),
    }
    if isinstance(outcome, Prepared):
        return row | {"status": "ok"} | outcome.facts
    detail = _text(outcome.detail.replace(f"{source}/", ""))
    return row | {"status": "left out", "reason": outcome.reason, "detail": detail}


def size_of(path: Path) -> int:
    """Return the size of a file in bytes.

    Parameters
    ----------
    path : Path

    Returns
    -------
    int
        0 if the file does not exist.
    """
    return path.stat().st_size if path.exists() else 0


def _identity(clip: Clip, folder: Path) -> list[Any]:
    """Return what a clip's content depends on: its files by name, size and modification time."""
    identity: list[Any] = [clip.key, clip.split, clip.start, clip.duration]
    for path in (clip.video, clip.audio, clip.boxes):
        if path is not None and path.exists():
            status = path.stat()
            identity.append([_relative(path, folder), status.st_size, status.st_mtime_ns])
        else:
            identity.append(None)
    return identity


def _relative(path: Path, folder: Path) -> str:
    """Return the path below the source's folder: the manifest does not depend on its place."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def _text(name: str) -> str:
    """Return a file's name in a form that any text file can hold, whatever its bytes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
