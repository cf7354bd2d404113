"""The clips of a prepared folder and their members, read by the byte offsets of the manifest.

No tar is unpacked, so that links and names within it have no effect.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ambikit import InputError
from ambikit_learn.data.format import MEMBERS, read_manifest

_FEWEST_VIDEOS = 5
"""Smallest number of training videos of which some are held out for validation."""


def usable_clips(root: Path, split: str, span: float, validation_share: float = 0.0) -> pa.Table:
    """Return the rows of the clips of a split that are long enough for a span.

    Parameters
    ----------
    root : Path
        Prepared folder.
    split : str
        ``"train"``, ``"validation"`` or ``"test"``.
    span : float
        Length of the span in seconds.
    validation_share : float
        Fraction of the training videos that is the validation split, if the data have none.

    Returns
    -------
    pyarrow.Table
        Rows of the manifest.

    Raises
    ------
    FileNotFoundError
        Preparation has not finished.
    InputError
        There is no such clip, a shard is missing or truncated, or the manifest does not match.
    """
    rows = _of_split(read_manifest(root), split, validation_share)
    if not len(rows):
        splits = sorted(set(read_manifest(root)["split"].to_pylist()))
        raise InputError(
            f"{root} has no clip in the split {split!r}, only in {', '.join(splits) or 'none'}: "
            "name one of these, or prepare clips of that split into a new folder"
        )
    prepared = rows.filter(pc.field("status") == "ok")
    if not len(prepared):
        raise InputError(
            f"{root} has no usable clip in the split {split!r} ({len(rows)} left out): "
            "manifest.parquet says why"
        )
    usable = prepared.filter(pc.field("duration") >= span)
    if not len(usable):
        longest = pc.max(prepared["duration"])
        raise InputError(f"span is {span:g} s, the longest clip {longest} s: ask for less")
    check_places(root, usable)
    return usable


def videos_of(clips: pa.Table) -> Sequence[str]:
    """Return the video of each clip; keys of its clips differ in the number at their end."""
    names: list[str] = pc.replace_substring_regex(clips["key"], "-[0-9]+$", "").to_pylist()
    return names


def _of_split(rows: pa.Table, split: str, validation_share: float) -> pa.Table:
    """Return the rows of a split; validation may be a fraction of the training videos.

    All clips of a video are in the same split. The choice depends only on the names of videos, so
    that it hardly changes when others are added.
    """
    own = rows.filter((pc.field("status") == "ok") & (pc.field("split") == "validation"))
    if split not in ("train", "validation") or not validation_share or len(own):
        return rows.filter(pc.field("split") == split)
    train = rows.filter(pc.field("split") == "train")
    videos = videos_of(train)
    names = sorted(set(videos), key=lambda name: hashlib.sha256(name.encode()).digest())
    count = math.ceil(validation_share * len(names)) if len(names) >= _FEWEST_VIDEOS else 0
    held = set(names[:count])
    return train.filter(pa.array([(name in held) == (split == "validation") for name in videos]))


def contents_of(root: Path, splits: Sequence[str]) -> tuple[int, str]:
    """Return the number of usable clips of some splits, and a hash of what they are.

    Parameters
    ----------
    root : Path
        Prepared folder.
    splits : sequence of str

    Returns
    -------
    (int, str)
        The hash covers the keys of clips, their order, lengths, gains, and the sizes of their
        members in bytes. It does not depend on the shards in which they lie.

    Raises
    ------
    FileNotFoundError
        Preparation has not finished.
    InputError
        The manifest is damaged.
    """
    rows = read_manifest(root)
    chosen = pc.and_(pc.equal(rows["status"], "ok"), pc.is_in(rows["split"], pa.array(splits)))
    clips = rows.filter(chosen).select([*_FACTS, *(f"{part}_bytes" for part in MEMBERS)])
    text = json.dumps(clips.to_pydict(), sort_keys=True)
    return len(clips), hashlib.sha256(text.encode()).hexdigest()[:16]


_FACTS = ("key", "split", "start", "duration", "frames", "samples", "gain")


@contextmanager
def member(root: Path, clip: Mapping[str, Any], part: str) -> Iterator[bytes]:
    """Read a member of a clip from its shard; errors of its content name that shard.

    Parameters
    ----------
    root : Path
        Prepared folder.
    clip : mapping
        Row of the manifest.
    part : {"frames", "sound", "record"}

    Yields
    ------
    bytes

    Raises
    ------
    InputError
        The shard is missing or truncated, or its content is damaged.
    """
    path = root / "shards" / clip["shard"]
    offset, count = clip[f"{part}_offset"], clip[f"{part}_bytes"]
    try:
        with path.open("rb", buffering=0) as file:
            data = os.pread(file.fileno(), count, offset)
    except FileNotFoundError:
        data = b""
    if len(data) < count:
        raise InputError(_cut(path, offset + count))
    try:
        yield data
    except InputError as error:
        raise InputError(
            f"{path}, {part} of clip {clip['key']!r}: {error}; delete this shard and run the same "
            "`ambikit-learn prepare` again"
        ) from error


def check_places(root: Path, clips: pa.Table) -> None:
    """Refuse clips whose byte ranges in the manifest no shard has. Nothing else is opened.

    Parameters
    ----------
    root : Path
        Prepared folder.
    clips : pyarrow.Table
        Rows of its manifest.

    Raises
    ------
    InputError
        There are such clips.
    """
    lost = InputError(
        f"{root / 'manifest.parquet'} places clips where no shard has them: delete it and run the "
        "same `ambikit-learn prepare` again"
    )
    places = [f"{part}_{end}" for part in MEMBERS for end in ("offset", "bytes")]
    needed = [clips[name] for name in ("key", "shard", "samples", "gain", *places)]
    if any(column.null_count for column in needed):
        raise lost
    if any((pc.min(clips[name]).as_py() or 0) < 0 for name in places):
        raise lost
    try:
        ends = [pc.add_checked(clips[f"{p}_offset"], clips[f"{p}_bytes"]) for p in MEMBERS]
    except pa.ArrowInvalid:  # beyond 64 bits
        raise lost from None
    table = pa.table({"shard": clips["shard"], "end": pc.max_element_wise(*ends)})
    for need in table.group_by("shard").aggregate([("end", "max")]).to_pylist():
        name, end = need["shard"], need["end_max"]
        if name != Path(name).name or not name.endswith(".tar"):
            raise lost
        path = root / "shards" / name
        if not path.is_file() or path.stat().st_size < end:
            raise InputError(_cut(path, end))


def _cut(path: Path, end: int) -> str:
    """Return the error that a shard is incomplete."""
    return (
        f"{path} should have at least {end} bytes and is missing or cut short: "
        "run the same `ambikit-learn prepare` again, which repairs the shard"
    )
