"""Embeddings of recordings, kept by content: probes share them, and a cut-off evaluation resumes.

An embedding depends on a recording and on an embedder. Both have a fingerprint, of bytes and of
weights and settings, so that a file of embeddings never goes stale: what has changed has another
name. Recordings are read ahead on a thread while others are embedded.
"""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import ambikit
from ambikit import InputError
from ambikit_learn import _files
from ambikit_learn._files import atomic_write
from ambikit_learn._progress import progress
from ambikit_learn._threads import cores_left
from ambikit_learn._typing import Sound
from ambikit_learn.sources import LabelledClip

AHEAD = 4
"""Recordings that are read while one is embedded."""
SAVE_EVERY = 20.0
"""Seconds of work that an interruption may cost."""


@dataclass(frozen=True)
class Recording:
    """What is embedded: a span of a file, or a rendered scene.

    Attributes
    ----------
    key : str
        Name for messages, unique in its data set.
    label : str
        Class.
    group : str
        Unit that is drawn for intervals and kept together in folds: recording, source or location.
    identity : callable
        Returns the fingerprint of the content.
    read : callable
        Returns the content, for example sound and its sample rate; raises `InputError` or
        `OSError` with the file and the reason.
    fold : int
        Number of the fold that tests on it, from 1; 0 if folds are made otherwise.
    """

    key: str
    label: str
    group: str
    identity: Callable[[], str]
    read: Callable[[], Any]
    fold: int = 0


@dataclass(frozen=True)
class Embedder:
    """A function from what a recording contains to an array, with its fingerprint.

    Attributes
    ----------
    name : str
        Name of its row.
    fingerprint : str
        Hash of all that its output depends on, see `fingerprint`.
    embed : callable
        Function of what `Recording.read` returns; returns an array, of float32 where memory counts.
    """

    name: str
    fingerprint: str
    embed: Callable[[Any], np.ndarray[Any, Any]]


@dataclass
class Embedded:
    """Embeddings of recordings.

    Attributes
    ----------
    values : list of ndarray or None
        In the order of the recordings; None where a recording was left out.
    identities : list of str
        Fingerprints of the recordings.
    skipped : list of str
        Why recordings were left out.
    computed : int
        How many were computed now, and not kept from before.
    seconds, waiting : float
        Duration, and how much of it passed waiting for recordings to be read.
    """

    values: list[np.ndarray[Any, Any] | None]
    identities: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    computed: int = 0
    seconds: float = 0.0
    waiting: float = 0.0


def embed(
    recordings: Sequence[Recording],
    embedder: Embedder,
    *,
    cache: Path | None = None,
    skip_bad: bool = False,
) -> Embedded:
    """Embed recordings, or take the embeddings that a folder holds.

    Parameters
    ----------
    recordings : sequence of Recording
        What to embed.
    embedder : Embedder
        With what.
    cache : Path, optional
        Folder of embeddings, which is created if missing.
    skip_bad : bool
        Leave out what cannot be read, instead of raising.

    Returns
    -------
    Embedded

    Raises
    ------
    InputError, OSError
        If a recording cannot be read, unless `skip_bad`; or if the folder holds a damaged file.
    """
    begin = time.perf_counter()
    store = Store(None if cache is None else cache / embedder.fingerprint)
    found = Embedded([None] * len(recordings))
    with cores_left(1):  # to the thread that reads ahead
        for i, (identity, content, waited) in enumerate(
            progress(_read_ahead(recordings, store), len(recordings), embedder.name)
        ):
            found.waiting += waited
            found.identities.append(identity)
            try:
                if isinstance(content, Exception):
                    raise content
                value = store.get(identity)
                if value is None:
                    value = embedder.embed(content)
                    if not np.isfinite(value).all():
                        raise InputError(f"the embedding of {recordings[i].key} is not finite")
                    store.add(identity, value)
                    found.computed += 1
            except (InputError, OSError) as error:
                if not skip_bad:
                    store.save()
                    raise
                # Spans of one file have one reason, and each of them counts
                found.skipped.append(f"{recordings[i].key}: {error}")
                continue
            found.values[i] = value
    store.save()
    found.seconds = time.perf_counter() - begin
    return found


class Store:
    """Arrays by name in a folder, written a part at a time.

    Several processes may write to one folder: a part is named by what it holds.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._kept: dict[str, np.ndarray[Any, Any]] = {}
        self._new: dict[str, np.ndarray[Any, Any]] = {}
        self._saved = time.monotonic()
        for part in sorted(folder.glob("*.npz")) if folder is not None else ():
            if not part.name.startswith("."):
                self._kept |= _load(part)

    def get(self, name: str) -> np.ndarray[Any, Any] | None:
        """Return an array, or None if there is none of that name."""
        return self._kept.get(name)

    def add(self, name: str, value: np.ndarray[Any, Any]) -> None:
        """Add an array, and write what is new if the last part is older than `SAVE_EVERY`."""
        self._kept[name] = self._new[name] = value
        if time.monotonic() - self._saved > SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Write what is new."""
        self._saved = time.monotonic()
        if self._folder is None or not self._new:
            return
        with atomic_write(self._folder / f"{_hash(*sorted(self._new))}.npz") as path:
            np.savez(path, **self._new)  # type: ignore[arg-type]
        self._new = {}


def file_recording(
    clip: LabelledClip, read: Callable[[LabelledClip], Any], fold: int = 0
) -> Recording:
    """Return a clip of a data set on disk as a recording.

    Parameters
    ----------
    clip : LabelledClip
        The clip.
    read : callable
        Reads it.
    fold : int
        As in `Recording`.
    """

    def identity() -> str:
        try:
            stat = clip.path.stat()
        except FileNotFoundError:
            raise FileNotFoundError(f"{clip.path}: no such file") from None
        whole = _fingerprint(clip.path, stat.st_size, stat.st_mtime_ns)
        return _hash(whole, clip.start, clip.duration)

    return Recording(clip.key, clip.label, clip.group, identity, lambda: read(clip), fold)


def read_sound(clip: LabelledClip) -> tuple[Sound, int]:
    """Return the channels of a clip as they are, (channels, samples), and their sample rate."""
    x, rate = ambikit.read(clip.path, convention="none", start=clip.start, duration=clip.duration)
    if not x.shape[-1]:
        raise InputError(f"{clip.path} holds no sound from second {clip.start:g}")
    if not np.isfinite(x).all():
        raise InputError(f"{clip.path} holds NaN or infinity")
    return x, rate


def rendered_identity(description: str) -> str:
    """Return the fingerprint of what is rendered: of its description, and of the rendering."""
    return fingerprint({"rendered": description, "version": ambikit.__version__})


def fingerprint(settings: Mapping[str, Any], weights: Mapping[str, Any] | None = None) -> str:
    """Return a hash of settings and weights.

    Parameters
    ----------
    settings : mapping
        What JSON can express.
    weights : mapping, optional
        Tensors by name, such as a ``state_dict``.

    Examples
    --------
    >>> fingerprint({"mels": 64}) == fingerprint({"mels": 64}) != fingerprint({"mels": 40})
    True
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for name, tensor in sorted((weights or {}).items()):
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).tobytes())
    return digest.hexdigest()[:16]


def _read_ahead(recordings: Sequence[Recording], store: Store) -> Iterator[tuple[str, Any, float]]:
    """Yield identity, content or error, and the seconds waited, of each recording in order."""

    def read(recording: Recording) -> tuple[str, Any]:
        identity = ""
        try:
            identity = recording.identity()
            return identity, None if store.get(identity) is not None else recording.read()
        except (InputError, OSError) as error:
            return identity, error

    with ThreadPoolExecutor(1) as pool:
        rest = iter(recordings)
        waiting: list[Future[tuple[str, Any]]] = [
            pool.submit(read, recording) for recording in islice(rest, AHEAD)
        ]
        try:
            while waiting:
                begin = time.perf_counter()
                identity, content = waiting.pop(0).result()
                waited = time.perf_counter() - begin
                waiting += [pool.submit(read, recording) for recording in islice(rest, 1)]
                yield identity, content, waited
        finally:
            for future in waiting:
                future.cancel()


def _load(part: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of a part."""
    try:
        with part.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return dict(arrays)
    except (ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{part} is damaged ({error}): delete it") from error


@lru_cache(maxsize=1024)
def _fingerprint(path: Path, size: int, changed: int) -> str:
    """Return the fingerprint of a file of this size and time of change, reading it once."""
    return _files.quick_fingerprint(path)


def _hash(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]
