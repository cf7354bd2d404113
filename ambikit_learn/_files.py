"""What files are read, and atomic writing with messages about what cannot be written."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ambikit import InputError, checks
from ambikit.io.reading import RAW, READABLE

if sys.platform != "win32":
    import fcntl

VIDEO = (
    *(".mp4", ".mkv", ".mov", ".webm", ".m4v", ".360", ".insv", ".ts", ".m2ts", ".mts", ".avi"),
    *(".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".3gp", ".mxf"),
)
"""Suffixes of video files, the preferred first. Not all can be read: what cannot is then reported
with its reason, not passed over."""
AUDIO = (
    *(".wav", ".flac", ".m4a", ".opus", ".ogg", ".caf", ".mka", ".mkv", ".webm", ".amb"),
    *(".w64", ".rf64", ".aif", ".aiff", ".oga", ".mp4", ".mov"),
)
"""Suffixes of files of sound, the preferred first."""

_LONGEST = 200
"""Bytes of a file's name, of at most 255, to which the marks of a partial file are added."""

_MENDS = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the disk quota is used up: free some space",
    errno.EFBIG: "a file is larger than may be written there: raise the limit",
    errno.EACCES: "may not be written to: change its permissions",
    errno.EPERM: "may not be written to: change its permissions",
    errno.EROFS: "lies on a disk that is mounted read-only: mount it for writing",
}


def reading_options(convention: str | None, track: int | None) -> tuple[str | None, int | None]:
    """Check how the sound of files is to be read, before the first of them is.

    Parameters
    ----------
    convention : str or None
        As for `ambikit.read`, in any case.
    track : int or None
        Number of a track of sound.

    Returns
    -------
    tuple
        Both, the convention by its name.

    Raises
    ------
    InputError
        There is no such convention or track, or the channels would not become Ambisonic sound.
    """
    if convention is not None:
        convention = checks.name_of(convention, READABLE, "convention")
        if convention == RAW:
            raise InputError(
                f"convention {RAW!r} leaves the channels as they are, and Ambisonic sound is "
                "needed: convert it first, for example with `ambikit a2b`"
            )
    return convention, None if track is None else checks.nonnegative_int(track, "track")


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to; it becomes `path` if the block succeeds.

    The temporary name keeps the suffix, since writers choose their format by it, and begins with
    a dot, since readers of folders skip hidden files. Of a symbolic link, the file that it leads to
    is replaced, and the link stays.
    """
    target = Path(path)
    target = target.resolve() if target.is_symlink() else target
    # A name may be as long as names can be, which leaves nothing to add to it.
    raw = os.fsencode(target.stem)
    stem = target.stem if len(raw) <= _LONGEST else hashlib.sha256(raw).hexdigest()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{stem}.{os.getpid()}.part{target.suffix}")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def remove_partial(*folders: Path) -> None:
    """Delete what killed runs left of files that were being written, directly in some folders.

    To be called while no other run can write there.
    """
    for folder in filter(Path.is_dir, folders):
        for path in folder.glob(".*.part.*"):
            with suppress(OSError):
                path.unlink()
        # `ambikit.write` writes into a folder of its own.
        for path in folder.glob(".ambikit-*"):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """State in one line why `folder` cannot be written to, and the remedy."""
    try:
        yield
    except OSError as error:
        elsewhere = error.filename and not Path(os.fsdecode(error.filename)).is_relative_to(folder)
        if elsewhere or error.errno not in _MENDS:
            raise
        raise InputError(
            f"{folder}: {_MENDS[error.errno]}, and run the same command again, which resumes "
            "the work"
        ) from error


def check_writable(folder: Path, remedy: str) -> None:
    """Refuse a folder into which nothing can be written, before hours of work.

    Parameters
    ----------
    folder : Path
        It may be missing, and is then missing afterwards too.
    remedy : str
        What to do then, for the message.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"writable")
    except OSError as error:
        raise InputError(f"{folder} cannot be written to ({error.strerror}): {remedy}") from None
    finally:
        for path in made:
            with suppress(OSError):
                path.rmdir()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock on a file, which ends with this process; refuse if another one holds it."""
    with path.open("r+b") as file:
        if sys.platform != "win32":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"another run is writing to {path.parent}: wait until it ends"
                ) from None
            except OSError:
                pass  # a file system without locks
        yield


def as_text(name: str) -> str:
    """Return a file's name in a form that any text file can hold, whatever its bytes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def files_below(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield each folder from `root` down, linked ones too, and the sorted names of its files.

    Hidden files and folders are passed over. A link may lead back to a folder that holds it: each
    folder is entered once on its own path.

    Raises
    ------
    OSError
        A folder cannot be listed, or a link leads to a folder that is not there.
    """

    def refuse(error: OSError) -> None:
        raise OSError(
            error.errno, f"cannot be listed ({error.strerror}): change it", error.filename
        )

    above: dict[str, frozenset[tuple[int, int]]] = {str(root): frozenset()}
    for place, folders, names in os.walk(root, followlinks=True, onerror=refuse):
        status = os.stat(place)
        held = above.pop(place)
        here = (status.st_dev, status.st_ino)
        if here in held:
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        above |= {os.path.join(place, name): held | {here} for name in folders}
        seen = sorted(name for name in names if not name.startswith("."))
        for path in (os.path.join(place, name) for name in seen if not Path(name).suffix):
            if os.path.islink(path) and not os.path.exists(path):
                raise FileNotFoundError(
                    errno.ENOENT,
                    "is a link to what is not there: mount its disk, or delete the link",
                    path,
                )
        yield Path(place), seen


def fingerprint(path: str | Path) -> str:
    """Return a hash of what a file, or all files of a folder, hold.

    Parameters
    ----------
    path : path
        A file, or a folder whose linked folders count too.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for file, name in _with_names(Path(path)):
        digest.update(f"{name}:{file.stat().st_size}:".encode("utf-8", "surrogateescape"))
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()[:16]


def quick_fingerprint(path: str | Path, *, timed: bool = True) -> str:
    """Return a hash of what a file, or all files of a folder, hold that costs little to renew.

    Parameters
    ----------
    path : path
        Files of up to 16 MiB count whole. Of larger ones, 64 pieces count, and the time of the last
        change, which what was changed between the pieces has altered.
    timed : bool
        Without these times, copies of a folder have one hash.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    digest, target = hashlib.sha256(), Path(path)
    for file, name in _with_names(target):
        status = file.stat()
        time = f"{status.st_mtime_ns}:" if timed and status.st_size > _WHOLE else ""
        digest.update(f"{name}:{status.st_size}:{time}".encode("utf-8", "surrogateescape"))
        with file.open("rb") as stream:
            if status.st_size <= _WHOLE:
                digest.update(stream.read())
                continue
            for number in range(_PIECES):
                stream.seek((status.st_size - _PIECE) * number // (_PIECES - 1))
                digest.update(stream.read(_PIECE))
    return digest.hexdigest()[:16]


def _with_names(target: Path) -> list[tuple[Path, str]]:
    """Return a file, or all files of a folder, with their names below it."""
    if not target.is_dir():
        return [(target, "")]
    files = sorted(folder / name for folder, names in files_below(target) for name in names)
    return [(file, file.relative_to(target).as_posix()) for file in files]


_WHOLE, _PIECES, _PIECE = 1 << 24, 64, 1 << 16
_BLOCK = 1 << 20
