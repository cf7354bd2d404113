"""Assembly of shards: which clips belong to which shard, what is finished, and what remains.

A shard that is finished keeps its clips for as long as the source has them; clips that are new go
into new shards. So the shards of a folder that has grown depend on what came when, whereas its
manifest lists the clips in the order of the source. `Assembly.make` with ``repack`` distributes all
clips as a single run would have done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NamedTuple

from ambikit_learn._files import as_text, atomic_write
from ambikit_learn.data.format import FORMAT, Settings, write_manifest
from ambikit_learn.preparation.clip import Prepared, Rejected
from ambikit_learn.preparation.identity import Identity, place_of, relative
from ambikit_learn.preparation.stored import HANG, Entry, Stock, Stored, read_journal
from ambikit_learn.preparation.tar import (
    GrowingTar,
    PartialTar,
    Row,
    commit_tar,
    partial_tar,
    set_aside,
    tar_to_read,
    unfinished_tars,
)
from ambikit_learn.sources import Clip

Outcome = Prepared | Rejected
Plan = dict[str, list[Identity]]
"""Clips of each shard by its name."""


class _Task(NamedTuple):
    """A shard to write: what is there of it, and the clips that follow, with stored results."""

    name: str
    part: PartialTar
    rest: list[tuple[Identity, Entry | None]]


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

    def make(
        self,
        clips: Sequence[Clip],
        work: Callable[[Sequence[Clip]], Generator[Outcome, None, None]],
        *,
        repack: bool = False,
    ) -> list[Row]:
        """Write the shards that are not finished, and the manifest of all.

        Parameters
        ----------
        clips : sequence of Clip
            All clips of the source, in its order.
        work : callable
            Yields the outcomes of clips, in order.
        repack : bool
            Distribute all clips over shards anew.

        Returns
        -------
        list of dict
            Rows of the manifest.

        Notes
        -----
        A shard that takes the place of a finished one is given its name after all others are
        written, since these may copy clips from the finished one. Until then it is kept beside it.
        """
        for part in ("shards", "journal"):
            (self.root / part).mkdir(parents=True, exist_ok=True)
        known = [Identity.of(clip, self.source) for clip in clips]
        known.sort(key=lambda identity: identity.clip.split)
        finished = dict(self._finished())
        plan = self._plan(known, finished, repack=repack)
        tasks = self._tasks(plan, finished)
        if tasks:
            # Nobody should take what is there for all.
            (self.root / "manifest.parquet").unlink(missing_ok=True)
        missing = [who.clip for task in tasks for who, entry in task.rest if entry is None]
        later = []
        with closing(work(missing)) as outcomes:
            for task in tasks:
                journal = self._write(task, outcomes)
                if task.name in finished:
                    later.append((task.name, journal))
                else:
                    self._commit(task.name, journal)
        for name, journal in later:
            self._commit(name, journal)
        return self._finish(plan, known)

    def _finished(self) -> Iterator[tuple[str, Stored]]:
        """Yield the names of the shards that were finished, and what they hold."""
        for path in sorted((self.root / "journal").glob("[!.]*.json")):
            if shard := read_journal(path, self._tar(path.stem)):
                yield path.stem, shard

    def _plan(self, clips: list[Identity], finished: dict[str, Stored], *, repack: bool) -> Plan:
        """Distribute clips over shards: those of finished shards, and new ones for all others."""
        rest = {identity.place[:2]: identity for identity in clips}
        plan: Plan = {}
        for name, shard in finished.items() if not repack else ():
            places = [place_of(row)[:2] for row in shard.rows]
            if kept := [rest.pop(place) for place in places if place in rest]:
                plan[name] = kept
        size = self.settings.clips_per_shard
        for split in sorted({split for split, _ in rest}):
            some = [identity for place, identity in rest.items() if place[0] == split]
            names = (name for i in count() if (name := f"{split}-{i:05d}") not in plan)
            chunks = [some[start : start + size] for start in range(0, len(some), size)]
            plan |= dict(zip(names, chunks, strict=False))
        return dict(sorted(plan.items()))

    def _tasks(self, plan: Plan, finished: dict[str, Stored]) -> list[_Task]:
        """Return the shards to write, and set aside unfinished ones that the plan does not have."""
        stock = Stock(finished.values(), self.clip_timeout)
        todo = [
            name
            for name, clips in plan.items()
            if name not in finished
            or not finished[name].whole
            or not stock.are_done(clips, finished[name].rows)
        ]
        parts = dict.fromkeys(todo, PartialTar())
        shards = list(finished.values())
        for target in unfinished_tars(self.root / "shards"):
            name, part = target.stem, partial_tar(target)
            if name in parts and stock.are_done(plan[name][: len(part.rows)], part.rows):
                parts[name] = part
            elif part.rows:
                tar = tar_to_read(set_aside(target) if name in parts else target)
                shards.append(Stored(tar, part.rows))
        stock = Stock(shards, self.clip_timeout)
        return [
            _Task(name, part, [(who, stock.find(who)) for who in plan[name][len(part.rows) :]])
            for name, part in parts.items()
        ]

    def _write(self, task: _Task, outcomes: Generator[Outcome, None, None]) -> Row:
        """Write the rest of a shard beside its final path, and return its journal."""
        head = {"format": FORMAT}
        with closing(GrowingTar(self._tar(task.name), head, task.part)) as tar:
            for identity, entry in task.rest:
                if entry is None:
                    self._add(tar, task.name, identity, next(outcomes))
                else:
                    row = entry.row | dict(zip(_PLACE, identity.place, strict=True))
                    row |= identity.columns(tuple(row["contents"]))
                    self._note(tar, task.name, row, entry.members(identity))
            keep = any(row["status"] == "ok" for row in tar.rows)
            size = tar.finish()
            return {**head, "bytes": size if keep else 0, "rows": tar.rows}

    def _add(self, tar: GrowingTar, name: str, identity: Identity, outcome: Outcome) -> None:
        """Add a clip to its shard."""
        row = row_of(identity.clip, outcome, self.source)
        if isinstance(outcome, Prepared):
            row |= identity.columns(identity.contents())
            self._note(tar, name, row, outcome.members)
            return
        timeout = {"clip_timeout": self.clip_timeout} if outcome.reason == HANG else {}
        self._note(tar, name, row | identity.columns(()) | timeout, {})

    def _note(self, tar: GrowingTar, name: str, row: Row, members: dict[str, bytes]) -> None:
        """Add the members of a clip, and its row."""
        if members:
            suffixes = self.settings.suffixes
            names = {part: f"{row['key']}.{suffixes[part]}" for part in members}
            places = tar.add({names[part]: data for part, data in members.items()})
            row = row | {"shard": f"{name}.tar"}
            for part, data in members.items():
                row[f"{part}_offset"], row[f"{part}_bytes"] = places[names[part]], len(data)
        tar.note(row)

    def _commit(self, name: str, journal: Row) -> None:
        """Give a shard its name, and declare it finished."""
        # What a kill leaves at any of these steps is complete beside it: the next run goes through
        # the same steps. A journal must never stand beside the tar of another.
        self._journal(name).unlink(missing_ok=True)
        self._tar(name).unlink(missing_ok=True)
        self._save(name, journal)
        commit_tar(self._tar(name), keep=journal["bytes"] > 0)

    def _save(self, name: str, journal: Row) -> None:
        with atomic_write(self._journal(name)) as temporary:
            temporary.write_text(json.dumps(journal), encoding="utf-8")

    def _finish(self, plan: Plan, clips: list[Identity]) -> list[Row]:
        """Write the manifest, in the order of the source; delete all that does not belong to it."""
        found: dict[tuple[str, ...], Row] = {}
        for name in plan:
            journal = json.loads(self._journal(name).read_text(encoding="utf-8"))
            found |= {place_of(row)[:2]: row for row in journal["rows"]}
            times = [identity.times for identity in plan[name]]
            if times != [tuple(row["times"]) for row in journal["rows"]]:
                # So that no later run reads these files again.
                rows = [row | {"times": t} for row, t in zip(journal["rows"], times, strict=True)]
                self._save(name, journal | {"rows": rows})
        rows = [found[identity.place[:2]] for identity in clips]
        write_manifest(self.root, rows)
        kept = {path(name) for name in plan for path in (self._tar, self._journal)}
        for part in ("shards", "journal"):
            for path in (self.root / part).iterdir():
                if path not in kept and not path.is_dir():
                    path.unlink()
        return rows

    def _tar(self, name: str) -> Path:
        """Return the path of a shard."""
        return self.root / "shards" / f"{name}.tar"

    def _journal(self, name: str) -> Path:
        """Return the path of the file that declares a shard finished."""
        return self.root / "journal" / f"{name}.json"


_PLACE = ("split", "key", "video", "audio")


def holds_clips(root: Path) -> bool:
    """Return whether a run, finished or not, has prepared a clip into a folder."""
    journals = (root / "journal").glob("[!.]*.json")
    finished = [read_journal(path, root / "shards" / f"{path.stem}.tar") for path in journals]
    rows = [row for shard in finished if shard for row in shard.rows]
    for target in unfinished_tars(root / "shards"):
        rows += partial_tar(target).rows
    return any(row["status"] == "ok" for row in rows)


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
        "key": as_text(clip.key),
        "split": clip.split,
        "video": as_text(relative(clip.video, source)),
        "audio": as_text(relative(clip.audio, source)),
    }
    if isinstance(outcome, Prepared):
        return row | {"status": "ok"} | outcome.facts
    detail = as_text(outcome.detail.replace(f"{source}/", ""))
    return row | {"status": "left out", "reason": outcome.reason, "detail": detail}
