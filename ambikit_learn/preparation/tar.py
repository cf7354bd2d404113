"""Tar files that grow by clips and can be resumed after a kill of the process that writes them."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

Row = dict[str, Any]


@dataclass(frozen=True)
class PartialTar:
    """The complete part of an unfinished tar.

    Parameters
    ----------
    header : dict
        Header with which it was begun.
    rows : list of dict
        Rows of its complete clips.
    tar_bytes, log_bytes : int
        Complete bytes of the tar, and of the log beside it.
    """

    header: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    tar_bytes: int = 0
    log_bytes: int = 0


def partial_tar(target: Path) -> PartialTar:
    """Return the complete part of an unfinished tar.

    Parameters
    ----------
    target : Path
        Path of the finished tar.

    Returns
    -------
    PartialTar
    """
    tar, log = _parts(target)
    if not (tar.is_file() and log.is_file()):
        return PartialTar()
    size = tar.stat().st_size
    whole = PartialTar()
    for line in log.read_bytes().splitlines(keepends=True):
        header, rows, end = whole.header, whole.rows, whole.tar_bytes
        try:
            if whole.log_bytes == 0:
                header = dict(json.loads(line))
            else:
                end, row = json.loads(line)
                rows = [*rows, dict(row)]
            if end > size or not line.endswith(b"\n"):
                break
        except (ValueError, TypeError):
            break
        whole = PartialTar(header, rows, end, whole.log_bytes + len(line))
    return whole


class GrowingTar:
    """An unfinished tar, hidden beside its final path, and a log of its complete clips.

    Both are kept when writing fails, and truncated to their complete part when they are resumed.

    Parameters
    ----------
    target : Path
        Path of the finished tar.
    header : dict
        Facts that decide whether it can be resumed.
    known : PartialTar
        The part of existing files to keep.
    """

    def __init__(self, target: Path, header: Mapping[str, Any], known: PartialTar) -> None:
        self._target = target
        self.rows = list(known.rows)
        target.parent.mkdir(parents=True, exist_ok=True)
        tar, log = _parts(target)
        self._tar, self._log = _cut(tar, known.tar_bytes), _cut(log, known.log_bytes)
        if not known.log_bytes:
            self._line(dict(header))

    def add(self, members: Mapping[str, bytes]) -> dict[str, int]:
        """Add the members of a clip; they are kept if `note` is called next.

        Parameters
        ----------
        members : dict
            Bytes by file name.

        Returns
        -------
        dict
            Offsets of these bytes in the tar by file name.
        """
        places = {}
        for name, data in members.items():
            self._tar.write(_header(name, len(data)))
            places[name] = self._tar.tell()
            self._tar.write(data)
            self._tar.write(bytes(-len(data) % tarfile.BLOCKSIZE))
        return places

    def note(self, row: Row) -> None:
        """Record that a clip is complete.

        Parameters
        ----------
        row : dict
            Row of the clip.
        """
        self._tar.flush()
        self._line((self._tar.tell(), row))
        self.rows.append(row)

    def finish(self) -> int:
        """Write the end of the tar.

        Returns
        -------
        int
            Size of the tar in bytes.
        """
        end = 2 * tarfile.BLOCKSIZE
        self._tar.write(bytes(end + -(self._tar.tell() + end) % tarfile.RECORDSIZE))
        self._tar.flush()
        return self._tar.tell()

    def close(self) -> None:
        """Close the files, which are kept."""
        try:
            self._tar.close()
        finally:
            self._log.close()

    def _line(self, document: Any) -> None:
        """Add a line to the log."""
        self._log.write(json.dumps(document).encode() + b"\n")
        self._log.flush()


def commit_tar(target: Path, *, keep: bool) -> None:
    """Give a finished tar its place.

    Parameters
    ----------
    target : Path
        Its final path.
    keep : bool
        False discards it.
    """
    tar, log = _parts(target)
    if keep:
        tar.replace(target)
    tar.unlink(missing_ok=True)
    log.unlink()


def unfinished_tars(folder: Path) -> list[Path]:
    """Return the final paths of all unfinished tars in a folder."""
    logs = sorted(folder.glob(".*.log"))
    return [path.with_name(f"{path.name[1:-4]}.tar") for path in logs]


def tar_to_read(target: Path) -> Path:
    """Return where the members of an unfinished tar lie."""
    return _parts(target)[0]


def set_aside(target: Path) -> Path:
    """Rename an unfinished tar, so that another can be written; return its new final path."""
    number = 1
    while _parts(aside := target.with_name(f"{target.stem}~{number}.tar"))[1].exists():
        number += 1
    for old, new in zip(_parts(target), _parts(aside), strict=True):
        old.replace(new)
    return aside


def _parts(target: Path) -> tuple[Path, Path]:
    """Return the paths of an unfinished tar and its log; readers of folders skip hidden files."""
    return target.with_name(f".{target.stem}.part.tar"), target.with_name(f".{target.stem}.log")


def _cut(path: Path, count: int) -> BinaryIO:
    """Open a file to continue after its first `count` bytes."""
    path.touch()
    stream = path.open("r+b")
    stream.truncate(count)
    stream.seek(count)
    return stream


def _header(name: str, size: int) -> bytes:
    """Return the header of a member, which depends only on its name and size."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.uname, info.gname = size, 0o444, "ambikit", "ambikit"
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
