"""The clips of a prepared folder, and their members, read by the byte offsets of the manifest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ambikit import InputError
from ambikit_learn.manifest import MEMBERS, read_manifest


def usable_clips(root: Path, split: str, span: float) -> pa.Table:
    """Return the rows of the clips of a split that hold a span.

    Parameters
    ----------
    root : Path
        Prepared folder.
    split : str
        ``"train"`` or ``"test"``.
    span : float
        Seconds.

    Returns
    -------
    pyarrow.Table
        Rows of the manifest.

    Raises
    ------
    FileNotFoundError
        Preparation has not finished.
    InputError
        There is no such clip, or a shard is missing or cut short.
    """
    rows = read_manifest(root).filter(pc.field("split") == split)
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
    ends = [pc.add(usable[f"{part}_offset"], usable[f"{part}_bytes"]) for part in MEMBERS]
    needed = pa.table({"shard": usable["shard"], "end": pc.max_element_wise(*ends)})
    for need in needed.group_by("shard").aggregate([("end", "max")]).to_pylist():
        path = root / "shards" / need["shard"]
        if not path.is_file() or path.stat().st_size < need["end_max"]:
            raise InputError(_cut(path, need["end_max"]))
    return usable


def read_member(root: Path, clip: Mapping[str, Any], part: str) -> bytes:
    """Read a member of a clip from its shard.

    Parameters
    ----------
    root : Path
        Prepared folder.
    clip : mapping
        Row of the manifest.
    part : {"frames", "sound", "record"}

    Returns
    -------
    bytes

    Raises
    ------
    FileNotFoundError
        There is no such shard.
    InputError
        The shard is cut short.
    """
    path = root / "shards" / clip["shard"]
    offset, count = clip[f"{part}_offset"], clip[f"{part}_bytes"]
    with path.open("rb", buffering=0) as file:
        data = os.pread(file.fileno(), count, offset)
    if len(data) < count:
        raise InputError(_cut(path, offset + count))
    return data


def _cut(path: Path, end: int) -> str:
    """Say that a shard is not whole."""
    return (
        f"{path} should have at least {end} bytes and is missing or cut short: "
        "run the same `ambikit-learn prepare` again, it mends the shard"
    )
