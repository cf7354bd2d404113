"""Where the bytes of a file come from: a name on disk, or memory."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


class Source:
    """A file to read, by its path or by its bytes.

    Parameters
    ----------
    name : str
        What messages call it.
    path : Path or None
        Where it is, if it is a file on disk.
    data : binary file or None
        Its bytes otherwise, seekable.
    """

    def __init__(self, name: str, *, path: Path | None = None, data: BinaryIO | None = None):
        self.name = name
        self.path = path
        self._data = data

    def __str__(self) -> str:
        return self.name

    @property
    def suffix(self) -> str:
        """The extension of the name, in lower case."""
        return Path(self.name).suffix.lower()

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the bytes at their beginning."""
        if self.path is None:
            yield io.BufferedReader(self.window())
        else:
            with self.path.open("rb") as stream:
                yield stream

    def head(self, count: int) -> bytes:
        """Return the first bytes."""
        with self.open() as stream:
            return stream.read(count)

    def for_ffmpeg(self) -> str | Window:
        """Return what PyAV opens; the prefix keeps it from taking ``12:30.mkv`` for a protocol."""
        return self.window() if self.path is None else f"file:{self.path}"

    def for_libsndfile(self) -> str | bytes | Window:
        """Return what soundfile opens."""
        return self.window() if self.path is None else native_name(self.path)

    def window(self) -> Window:
        """Return the bytes in memory, with a position of their own: more than one may read them."""
        assert self._data is not None
        return Window(self._data, 0, self._data.seek(0, io.SEEK_END))


def native_name(path: Path) -> str | bytes:
    """Return a path as libsndfile takes any: as bytes, except on Windows, whose names are text.

    soundfile would encode text strictly, and refuse names that the system allows.
    """
    return str(path) if sys.platform == "win32" else os.fsencode(path)


class Window(io.RawIOBase):
    """A part of a stream as a file of its own.

    Parameters
    ----------
    stream : binary file
        Seekable.
    start, size : int
        Where the part begins, and how many bytes it has.
    """

    def __init__(self, stream: BinaryIO, start: int, size: int):
        self._stream, self._start, self._size = stream, start, size
        self._at = 0

    def readable(self) -> bool:
        """Whether there is something to read: yes."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read in any order: yes."""
        return True

    def tell(self) -> int:
        """Return the position within the part."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position within the part."""
        origins = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}
        if whence not in origins:  # FFmpeg asks for the size so, and takes a refusal
            raise ValueError(f"whence must be 0, 1 or 2, got {whence}")
        self._at = max(0, origins[whence] + offset)
        return self._at

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # any writeable buffer
        """Fill a buffer, as far as the part reaches."""
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self._size - self._at))
        self._stream.seek(self._start + self._at)
        filled = 0
        while filled < count:  # a read may give less, which libraries take for the end
            data = self._stream.read(count - filled)
            if not data:
                break
            view[filled : filled + len(data)] = data
            filled += len(data)
        self._at += filled
        return filled


class Overlaid(Window):
    """A file whose first bytes are others.

    Parameters
    ----------
    source : Source
        The file.
    head : bytes
        What is read in place of as many bytes at its beginning.
    """

    def __init__(self, source: Source, head: bytes):
        if source.path is None:
            stream: BinaryIO = io.BufferedReader(source.window())
        else:
            stream = source.path.open("rb")
        super().__init__(stream, 0, stream.seek(0, io.SEEK_END))
        self._head = head

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # any writeable buffer
        """Fill a buffer, as far as the file reaches."""
        at = self._at
        count = super().readinto(buffer)
        replaced = self._head[at : at + count]
        memoryview(buffer).cast("B")[: len(replaced)] = replaced
        return count

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        super().close()
