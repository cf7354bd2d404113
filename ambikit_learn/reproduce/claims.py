"""Claims to pieces of work, in a folder that processes of several machines share.

A piece has numbered claims, of which the last one counts. A claim is made by creating the file of
the next number, which only one process can. Its owner renews it regularly; when that ends without a
release, another process makes the next claim. Clocks of different machines are never compared: a
claim is stale if it has not changed for a while, by the clock of whoever waits for that.
"""

from __future__ import annotations

import _thread
import json
import os
import platform
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ambikit_learn._files import atomic_write

BEAT = 10.0
"""Seconds between two renewals of a claim."""
STALE = 120.0
"""Seconds without a renewal after which a claim is taken over."""


class Claims:
    """Claims in a folder.

    Parameters
    ----------
    folder : Path
        Folder, which every process sees; it is made if missing.
    beat, stale : float
        Seconds between renewals, and without one until a claim is taken over.
    """

    def __init__(self, folder: Path, *, beat: float = BEAT, stale: float = STALE) -> None:
        self.folder, self.beat, self.stale = folder, beat, stale
        self._seen: dict[Path, tuple[str, float]] = {}

    @contextmanager
    def claim(self, piece: str) -> Iterator[bool]:
        """Hold a piece for the duration of a block, if no other process holds it.

        If this process was suspended for so long that another one has taken the piece over, it is
        interrupted as by Ctrl-C, or as by SIGTERM if it ignores Ctrl-C.

        Parameters
        ----------
        piece : str
            Name of the piece, which can be that of a file.

        Yields
        ------
        bool
            Whether this process holds the piece now.
        """
        path = self._next(piece)
        if path is None or not (held := _Held.create(path, self.beat)):
            yield False
            return
        try:
            yield True
        finally:
            held.release()

    def seconds(self, piece: str) -> float:
        """Return for how long all owners of a piece have held it, together."""
        return sum(float(_read(path).get("seconds", 0.0)) for path in self._of(piece))

    def _of(self, piece: str) -> list[Path]:
        """Return the claims to a piece, the last one that counts last."""
        return sorted((self.folder / piece).glob("[0-9]*.json"))

    def _next(self, piece: str) -> Path | None:
        """Return the file by which to claim a piece, or nothing if it is held."""
        claims = self._of(piece)
        if claims and not self._is_free(claims[-1]):
            return None
        return self.folder / piece / f"{len(claims) + 1:04d}.json"

    def _is_free(self, path: Path) -> bool:
        """Return whether a claim was released, or its owner is gone."""
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            text = ""
        claim = _parsed(text)
        if claim.get("released") or _is_dead(claim):
            return True
        now = time.monotonic()
        before, since = self._seen.setdefault(path, (text, now))
        if text != before:
            self._seen[path] = text, now
            return False
        return now - since > self.stale


class _Held:
    """A claim that this process holds, and the thread that renews it."""

    def __init__(self, path: Path, beat: float) -> None:
        self.path, self.beat = path, beat
        self.begin = time.monotonic()
        self.owner = {"machine": _machine(), "process": os.getpid(), "token": secrets.token_hex(8)}
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._renew_regularly, daemon=True)

    @classmethod
    def create(cls, path: Path, beat: float) -> _Held | None:
        """Return a new claim, or nothing if another process was faster."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.open("x").close()
        except FileExistsError:
            return None
        held = cls(path, beat)
        held._write()
        held.thread.start()
        return held

    def release(self) -> None:
        """Let others claim the piece."""
        self.done.set()
        self.thread.join()
        self._write(released=True)

    def _renew_regularly(self) -> None:
        successor = self.path.with_name(f"{int(self.path.stem) + 1:04d}.json")
        while not self.done.wait(self.beat):
            if successor.exists():
                print(
                    f"{self.path.parent.name}: another process has taken this run over, since "
                    "this one had stopped for too long",
                    file=sys.stderr,
                )
                _thread.interrupt_main(_heeded_signal())
                return
            try:
                self._write()
            except OSError as error:  # of a file system that is away for a moment
                print(f"{self.path}: {error.strerror}", file=sys.stderr)

    def _write(self, **more: Any) -> None:
        claim = {**self.owner, "seconds": round(time.monotonic() - self.begin, 1), **more}
        with atomic_write(self.path) as temporary:
            temporary.write_text(json.dumps(claim), encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    return _parsed(path.read_text(encoding="utf-8"))


def _parsed(text: str) -> dict[str, Any]:
    """Return a claim; an empty one while its file is being made."""
    try:
        claim = json.loads(text)
    except ValueError:
        return {}
    return claim if isinstance(claim, dict) else {}


def _is_dead(claim: dict[str, Any]) -> bool:
    """Return whether the owner ran on this machine and has ended."""
    if claim.get("machine") != _machine() or sys.platform == "win32":
        return False
    try:
        os.kill(claim["process"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def _machine() -> str:
    """Return a name of what numbers the processes: a machine since its start, or a container."""
    parts = [platform.node()]
    if sys.platform == "linux":
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _heeded_signal() -> signal.Signals:
    """Return SIGINT, or SIGTERM where a shell has started this process in the background."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    return signal.SIGTERM if ignored else signal.SIGINT
