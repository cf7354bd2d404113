"""Files that are complete or not there: written under another name, then renamed."""

from __future__ import annotations

import os
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
    """
    real = check_target(target)
    with tempfile.TemporaryDirectory(prefix=".ambikit-", dir=real.parent) as folder:
        temporary = Path(folder) / f"new{target.suffix}"
        yield temporary
        if real.exists():
            temporary.chmod(stat.S_IMODE(real.stat().st_mode))
        temporary.replace(real)
