"""From a folder of clips to training shards, in a run that can be taken up where it ended."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from ambikit import InputError, _validate
from ambikit_learn._files import replacing
from ambikit_learn._progress import tracked
from ambikit_learn.clips import NOTES, LeftOut, Prepared, check_clip, prepare_clip
from ambikit_learn.detection import load_detector
from ambikit_learn.manifest import FORMAT, MEMBERS, Settings, write_manifest
from ambikit_learn.sources import Clip, open_source
from ambikit_learn.workers import cores, map_in_order

Outcome = Prepared | LeftOut
Row = dict[str, Any]


@dataclass(frozen=True)
class Summary:
    """What came of a preparation.

    Parameters
    ----------
    clips : int
        Clips of the source.
    prepared : int
        Those that can be used.
    hours : float
        Their length.
    left_out : dict
        The others, counted by reason, the most frequent first.
    notes : dict
        What was noted of clips that are used, counted.
    """

    clips: int
    prepared: int
    hours: float
    left_out: dict[str, int]
    notes: dict[str, int]

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Summary:
        """Summarise rows of a manifest."""
        used = [row for row in rows if row["status"] == "ok"]
        return cls(
            clips=len(rows),
            prepared=len(used),
            hours=sum(row["duration"] for row in used) / 3600.0,
            left_out=dict(Counter(r["reason"] for r in rows if r["status"] != "ok").most_common()),
            notes=dict(Counter(note for row in used for note in row["notes"]).most_common()),
        )

    def __str__(self) -> str:
        """Format for a terminal."""
        lines = [f"{self.prepared} of {self.clips} clips prepared, {self.hours:.2f} hours"]
        lines += [f"  left out: {count} ({reason})" for reason, count in self.left_out.items()]
        lines += [f"  noted: {count} ({note})" for note, count in self.notes.items()]
        return "\n".join(lines)


@dataclass(frozen=True)
class _Shard:
    """A unit of work: clips of one split, in the order of the source."""

    name: str
    clips: tuple[Clip, ...]
    digest: str


def prepare(
    source: str | Path,
    out: str | Path,
    *,
    adapter: str = "yt360",
    detector: str = "none",
    detection_rate: float = 2.0,
    frame_rate: float = 8.0,
    frame_size: tuple[int, int] = (160, 320),
    sample_rate: int = 24000,
    clips_per_shard: int = 128,
    leave_out: Sequence[str] = ("W only",),
    workers: int | None = None,
    check: bool = False,
) -> Summary:
    """Check clips, look for objects, and write shards that `AlignmentDataset` reads.

    Parameters
    ----------
    source : path
        Folder of clips.
    out : path
        Folder to write: a new one, or that of the same preparation which did not end. What is
        finished is kept.
    adapter : str
        Layout of `source`, a name of `ambikit_learn.sources`.
    detector : str
        ``"none"``, ``"file"`` (the source's own boxes), ``"yolo:PATH"`` or
        ``"package.module:factory"``.
    detection_rate : float
        Times per second at which objects are looked for.
    frame_rate : float
        Frames per second to keep.
    frame_size : (height, width)
        Size of the equirectangular frames to keep, even numbers.
    sample_rate : int
        Of the sound to keep, in Hz.
    clips_per_shard : int
        Clips of the source to a shard. A run that is killed loses at most its current shard.
    leave_out : sequence of str
        Which of the notes leave a clip out: ``"still picture"``, ``"Z is silent"``,
        ``"W only"``, ``"lengths differ"``; and of those that are converted ``"cubemap"``,
        ``"equi-angular cubemap"``, ``"two eyes"``.
    workers : int, optional
        Processes, by default one a core; 0 works in this one.
    check : bool
        Only say which clips could be used; `out` is not touched.

    Returns
    -------
    Summary

    Raises
    ------
    InputError
        A setting is wrong, `out` holds something else, or `source` has no clips.
    FileNotFoundError
        There is no such `source`.

    Notes
    -----
    Every clip of the source has its row in ``manifest.parquet``; one that cannot be used is left
    out with its reason and costs nothing else. Which clips belong to a shard depends on the source
    alone, so each shard can be made, and made again, by itself: the output is the same bytes
    whatever the number of workers and however often the run was killed. A shard is made again when
    its clips' files change.
    """
    root, folder = Path(out), Path(source)
    settings = Settings(
        source=folder.resolve().name,
        adapter=adapter,
        detector=detector,
        detection_rate=_validate.positive(detection_rate, "detection_rate", "Hz"),
        frame_rate=_validate.positive(frame_rate, "frame_rate", "Hz"),
        frame_size=_validate.frame_size(frame_size),
        sample_rate=_validate.count(sample_rate, "sample_rate"),
        clips_per_shard=_validate.count(clips_per_shard, "clips_per_shard"),
        leave_out=tuple(_validate.choice(note, NOTES, "leave_out") for note in leave_out),
    )
    clips = list(open_source(adapter, folder).clips())
    load_detector(detector)  # a wrong name or path is told before hours of work
    hands = cores() if workers is None else workers
    if check:
        outcomes = _outcomes(clips, partial(check_clip, settings=settings), hands)
        return Summary.of([_row(*pair, folder) for pair in zip(clips, outcomes, strict=True)])
    _claim(root, settings)
    shards = _plan(clips, folder, settings)
    todo = [shard for shard in shards if not _is_finished(root, shard)]
    if todo:
        # Its byte offsets would no longer fit the shards.
        (root / "manifest.parquet").unlink(missing_ok=True)
    work = partial(prepare_clip, settings=settings)
    with closing(_outcomes([c for shard in todo for c in shard.clips], work, hands)) as outcomes:
        for shard in todo:
            _write(root, shard, islice(outcomes, len(shard.clips)), folder)
    return Summary.of(_finish(root, shards))


def _outcomes(
    clips: list[Clip], work: Callable[[Clip], Outcome], workers: int
) -> Generator[Outcome, None, None]:
    """Work the clips, in order, showing progress."""
    lost = LeftOut("decoder crash", "the worker process died, and died again on this clip alone")
    workers = min(workers, len(clips))
    results = map_in_order(work, clips, workers=workers, lost=lambda _: lost)
    yield from tracked(results, len(clips), "prepare")


def _claim(root: Path, settings: Settings) -> None:
    """Make `root` the folder of this preparation, or check that it already is."""
    root.mkdir(parents=True, exist_ok=True)
    if not (root / "dataset.json").exists():
        if any(not path.name.startswith(".") for path in root.iterdir()):
            raise InputError(f"{root} holds something else: choose a new folder")
        settings.save(root)
        return
    found, wanted = asdict(Settings.load(root)), asdict(settings)
    changed = [f"{k} {found[k]!r}, not {wanted[k]!r}" for k in wanted if found[k] != wanted[k]]
    if changed:
        raise InputError(
            f"{root} was prepared with {'; '.join(changed)}: choose a new folder, or the same "
            "settings to take up that preparation"
        )


def _plan(clips: Sequence[Clip], folder: Path, settings: Settings) -> list[_Shard]:
    """Deal the clips of each split, in order, to shards."""
    shards = []
    for split in sorted({clip.split for clip in clips}):
        members = tuple(clip for clip in clips if clip.split == split)
        for number, start in enumerate(range(0, len(members), settings.clips_per_shard)):
            some = members[start : start + settings.clips_per_shard]
            text = json.dumps([FORMAT, asdict(settings), [_identity(c, folder) for c in some]])
            digest = hashlib.sha256(text.encode()).hexdigest()
            shards.append(_Shard(f"{split}-{number:05d}", some, digest))
    return shards


def _identity(clip: Clip, folder: Path) -> list[Any]:
    """Return what a clip's content depends on; its files by name, size and time of change."""
    identity: list[Any] = [clip.key, clip.split, clip.start, clip.duration]
    for path in (clip.video, clip.audio, clip.boxes):
        if path is not None and path.exists():
            status = path.stat()
            identity.append([_relative(path, folder), status.st_size, status.st_mtime_ns])
        else:
            identity.append(None)
    return identity


def _relative(path: Path, folder: Path) -> str:
    """Path below the source's folder, so that the same data elsewhere gives the same manifest."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def _tar(root: Path, shard: _Shard) -> Path:
    """Path of a shard."""
    return root / "shards" / f"{shard.name}.tar"


def _journal(root: Path, shard: _Shard) -> Path:
    """Path of the file that declares a shard finished."""
    return root / "journal" / f"{shard.name}.json"


def _size(path: Path) -> int:
    """Bytes of a file, 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


def _is_finished(root: Path, shard: _Shard) -> bool:
    """Tell whether a shard was made, of these very clips, and is still whole."""
    try:
        journal = json.loads(_journal(root, shard).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    made = journal["bytes"], journal["digest"]
    return bool(made == (_size(_tar(root, shard)), shard.digest))


def _write(root: Path, shard: _Shard, outcomes: Iterable[Outcome], folder: Path) -> None:
    """Write a shard, then the journal that declares it finished."""
    tar = _tar(root, shard)
    with replacing(tar) as temporary:
        rows = _fill(temporary, shard, outcomes, folder)
    if not any(row["status"] == "ok" for row in rows):
        tar.unlink()
    with replacing(_journal(root, shard)) as temporary:
        journal = {"digest": shard.digest, "bytes": _size(tar), "rows": rows}
        temporary.write_text(json.dumps(journal, ensure_ascii=False), encoding="utf-8")


def _fill(path: Path, shard: _Shard, outcomes: Iterable[Outcome], folder: Path) -> list[Row]:
    """Write the tar of a shard as its clips come; return their rows of the manifest."""
    from webdataset import TarWriter  # imports torch, which workers do without

    rows = []
    owner = {"user": "ambikit", "group": "ambikit", "mtime": 0}
    with path.open("wb") as stream, TarWriter(stream, encoder=False, **owner) as writer:
        for clip, outcome in zip(shard.clips, outcomes, strict=True):
            rows.append(_row(clip, outcome, folder))
            if isinstance(outcome, Prepared):
                parts = {MEMBERS[part]: data for part, data in outcome.members.items()}
                writer.write({"__key__": clip.key, **parts})
    with tarfile.open(path) as tar:
        places = {member.name: member for member in tar}
    for row in rows:
        if row["status"] == "ok":
            row["shard"] = f"{shard.name}.tar"
            for part, suffix in MEMBERS.items():
                member = places[f"{row['key']}.{suffix}"]
                row[f"{part}_offset"], row[f"{part}_bytes"] = member.offset_data, member.size
    return rows


def _row(clip: Clip, outcome: Outcome, folder: Path) -> Row:
    """Row of the manifest for a clip."""
    row = {
        "key": clip.key,
        "split": clip.split,
        "video": _relative(clip.video, folder),
        "audio": _relative(clip.audio, folder),
    }
    if isinstance(outcome, Prepared):
        return row | {"status": "ok"} | outcome.facts
    detail = outcome.detail.replace(f"{folder}/", "")
    return row | {"status": "left out", "reason": outcome.reason, "detail": detail}


def _finish(root: Path, shards: Sequence[_Shard]) -> list[Row]:
    """Write the manifest of all shards; sweep away those of a larger source and half-made files."""
    rows: list[Row] = []
    for shard in shards:
        rows += json.loads(_journal(root, shard).read_text(encoding="utf-8"))["rows"]
    write_manifest(root, rows)
    kept = {f(root, shard) for shard in shards for f in (_tar, _journal)}
    for part in ("shards", "journal"):
        for path in (root / part).iterdir():
            if path not in kept:
                path.unlink()
    return rows
