"""Files that are complete or not there: written under another name, then renamed."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ambikit._errors import InputError


def check_target(target: Path) -> Path:
    """Return where a file is to be written, once it can be: before anything is computed for it.

    Parameters
    ----------
    target : Path
        The file to make or replace.

    Returns
    -------
    Path
        The same, or what it leads to if it is a symbolic link.

    Raises
    ------
    FileNotFoundError
        If its folder does not exist.
    PermissionError
        If nothing can be written to that folder.
    InputError
        If it is a folder, a device or a pipe.
    """
    real = target.resolve() if target.is_symlink() else target.absolute()
    if not real.parent.is_dir():
        raise FileNotFoundError(f"the folder of {target} does not exist: make it first")
    if real.exists() and not real.is_file():
        kind = "a folder" if real.is_dir() else "a device or a pipe"
        raise InputError(f"{target} is {kind}: give the name of a file")
    if not os.access(real.parent, os.W_OK | os.X_OK):
        raise PermissionError(f"{target} cannot be written: the folder {real.parent} is read-only")
    return real


_FULL = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the disk quota is used up: free some space",
    errno.EFBIG: "it is larger than a file may be there: raise the limit",
    errno.EIO: "the system refuses more: is there room, or a limit on the size of files?",
}
_LEAST = 1 << 16
"""Bytes below which a disk counts as full, where a library does not state why it failed."""


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Give a name beside `target` to write to, and put that file in its place when done.

    Parameters
    ----------
    target : Path
        The file to make or replace. Of a symbolic link, the file that it leads to is replaced, and
        the link stays. A file that was there keeps its permissions.

    Yields
    ------
    Path
        A file with the extension of `target` in a folder of its own, which is gone afterwards.

    Raises
    ------
    FileNotFoundError
        If the folder of `target` does not exist.
    PermissionError
        If nothing can be written to that folder.
    InputError
        If `target` is a folder, a device or a pipe.
    OSError
        If the disk is full, naming `target`.
    """
    real = check_target(target)
    with tempfile.TemporaryDirectory(prefix=".ambikit-", dir=real.parent) as folder:
        temporary = Path(folder) / f"new{target.suffix}"
        try:
            yield temporary
        except OSError as error:
            number = _failure(error, temporary)
            if number is None:
                raise
            text = f"{target} cannot be written to {real.parent}: {_FULL[number]}"
            raise OSError(number, text) from error
        if real.exists():
            temporary.chmod(stat.S_IMODE(real.stat().st_mode))
        temporary.replace(real)


def _failure(error: OSError, temporary: Path) -> int | None:
    """Return the number of an error in writing a file for lack of room, None for other errors."""
    if error.errno == errno.EIO and str(temporary) in str(error):
        # libsndfile only states that the system failed; the file is still there and fills the disk
        full = shutil.disk_usage(temporary.parent).free < _LEAST
        return errno.ENOSPC if full else errno.EIO
    return error.errno if error.errno in _FULL else None
