"""What may be read: a path, bytes, an open file, or several that are parts of one recording."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any, BinaryIO, TypeAlias

from ambikit import checks
from ambikit._codecs import Source
from ambikit._errors import InputError

Readable: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO


def sources(file: Readable | Sequence[Readable]) -> list[Source]:
    """Return where the bytes of a recording are, part by part."""
    parts = list(file) if isinstance(file, list | tuple) else [file]
    if not parts:
        raise InputError("there is nothing to read: the list of files is empty")
    return [_source(part) for part in parts]


def _source(file: Any) -> Source:
    """Return where the bytes of one file are."""
    if isinstance(file, bytes | bytearray | memoryview):
        return _in_memory(bytes(file), "the bytes")
    if isinstance(file, str | os.PathLike):
        path = checks.input_file(file)
        if path.is_file():
            return Source(str(path), path=path)
        return _in_memory(path.read_bytes(), str(path))  # a pipe, which can be read once
    if hasattr(file, "read"):
        return _open_file(file)
    raise TypeError(
        f"a file must be a path, bytes, an open binary file or a list of these, got "
        f"{type(file).__name__}"
    )


def _open_file(file: Any) -> Source:
    """Return the bytes of an open file, from its beginning."""
    name = getattr(file, "name", None)
    name = name if isinstance(name, str) else "the open file"
    if isinstance(file, io.TextIOBase):
        raise TypeError(f"{name} is open for text: open it with mode 'rb'")
    if not (hasattr(file, "seekable") and file.seekable()):
        if not hasattr(file, "seekable") and hasattr(file, "seek"):  # mmap before Python 3.13
            file.seek(0)
        return _in_memory(file.read(), name)
    if file.seek(0, io.SEEK_END) == 0:
        raise InputError(f"{name} is empty (0 bytes)")
    return Source(name, data=file)


def _in_memory(data: bytes, name: str) -> Source:
    """Return bytes that were read."""
    if not data:
        raise InputError(f"{name} gave no bytes: it is empty, or was read before")
    return Source(name, data=io.BytesIO(data))


def named(parts: Sequence[Source]) -> str:
    """Return what messages call a recording."""
    return str(parts[0].path or parts[0]) if len(parts) == 1 else " + ".join(map(str, parts))
