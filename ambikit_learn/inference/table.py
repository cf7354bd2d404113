"""Embeddings of many files in one Parquet table; an interrupted run is resumed.

Until all files are done, each has a separate table in a hidden folder beside the final one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ambikit import InputError, checks
from ambikit_learn._files import (
    AUDIO,
    VIDEO,
    atomic_write,
    check_writable,
    files_below,
    quick_fingerprint,
    reading_options,
)
from ambikit_learn._progress import progress
from ambikit_learn._threads import cores, one_thread
from ambikit_learn.inference.embed import Embedding
from ambikit_learn.inference.encoder import AmbiEncoder

_KEY, _FILES = b"ambikit", b"ambikit.files"
_ROWS = 65536


@dataclass(frozen=True)
class EmbedSummary:
    """Numbers of embedded files, and the reasons of failures.

    Attributes
    ----------
    embedded, known : int
        Files embedded now, and files that the table already held.
    failed : dict
        File -> reason why it could not be embedded.
    """

    embedded: int
    known: int
    failed: dict[str, str]


def embed_files(
    files: Iterable[str | os.PathLike[str]],
    encoder: AmbiEncoder,
    out: str | os.PathLike[str],
    *,
    directions: Sequence[tuple[float, float]] = ((0.0, 0.0),),
    hop: float | None = None,
    window: float | None = None,
    convention: str | None = None,
    track: int | None = None,
    workers: int | None = None,
) -> EmbedSummary:
    """Embed files into a Parquet table with one row per file, time and direction.

    Parameters
    ----------
    files : iterable of path
        Sound or video files, or folders of these. Files that `out` holds are skipped, unless they
        have changed since.
    encoder : AmbiEncoder
        Encoder.
    out : path
        Table to write, or to extend if it was written with the same encoder and settings. Columns:
        ``file``, ``time`` (the window's centre, in seconds), ``azimuth`` and ``elevation`` (in
        degrees), ``embedding``.
    directions : sequence of (azimuth, elevation)
        Directions of the viewpoints in degrees.
    hop, window : float, optional
        Hop and length of windows in seconds, as for `AmbiEncoder.embed`.
    convention : str, optional
        What the channels are, as for `ambikit.read`, where the files do not say or say wrong.
    track : int, optional
        Which track of sound, counted from 0; by default the first that is Ambisonic.
    workers : int, optional
        Number of threads, by default one per core.

    Returns
    -------
    EmbedSummary
        A file that cannot be embedded is listed there; the run continues with the others.

    Raises
    ------
    InputError
        If `out` was written with another encoder or settings, or a setting is not possible.
    """
    table, names = Path(out), _named(files)
    threads = cores() if workers is None else checks.positive_int(workers, "workers")
    convention, track = reading_options(convention, track)
    azimuth, elevation = (np.array(angle, float) for angle in zip(*directions, strict=True))
    options: dict[str, Any] = {"degrees": True, "hop": hop, "window": window}
    # What is impossible for all files is reported before the first one
    second = np.zeros((4, round((window or encoder.window) * encoder.sample_rate)), np.float32)
    encoder.embed(second, encoder.sample_rate, azimuth, elevation, **options)
    settings = {
        "model": _fingerprint(encoder),
        "window": window or encoder.window,
        "hop": hop or window or encoder.window,
        "directions": np.stack([azimuth, elevation], 1).tolist(),
    }
    if convention is not None or track is not None:
        settings |= {"convention": convention, "track": track}
    prints = {name: quick_fingerprint(name) for name in names if Path(name).is_file()}
    known = _known_files(table, settings)
    # Tables of before say nothing of contents
    kept = {name for name, was in known.items() if was in ("", prints.get(name, was))}
    check_writable(table.parent, "give another file as out (--out)")
    parts = _begin_parts(table, settings)
    place = {name: _part(parts, f"{name}:{prints.get(name)}") for name in names}
    todo = [name for name in names if name not in kept and not place[name].exists()]

    def embed(name: str) -> tuple[str, str | None]:
        """Write the part of a file; return the reason if it cannot be embedded."""
        try:
            found = encoder.embed_file(
                name, azimuth, elevation, **options, convention=convention, track=track
            )
        except (InputError, OSError) as error:
            return name, " ".join(str(error).split())
        with atomic_write(place[name]) as temporary:
            pq.write_table(_rows(name, found, azimuth, elevation), temporary)
        return name, None

    with _pool(threads) as pool:
        results = progress(pool.map(embed, todo), len(todo), "embed")
        failed = {name: reason for name, reason in results if reason is not None}
    done = [name for name in names if name not in kept and name not in failed]
    if done:
        now = {**known, **{name: prints[name] for name in done}}
        _merge(table, [place[name] for name in done], settings, now, set(done) & set(known))
    shutil.rmtree(parts)
    return EmbedSummary(len(todo) - len(failed), len(names) - len(todo), failed)


def _rows(name: str, found: Embedding, azimuth: Any, elevation: Any) -> pa.Table:
    """Return the rows of a file, ordered by time and then by direction."""
    views, count, dim = found.frames.shape
    values = pa.array(found.frames.swapaxes(0, 1).ravel())
    return pa.table(
        {
            "file": pa.array([name] * (views * count), pa.string()),
            "time": np.repeat(found.times, views),
            "azimuth": np.tile(azimuth, count).astype(np.float32),
            "elevation": np.tile(elevation, count).astype(np.float32),
            "embedding": pa.FixedSizeListArray.from_arrays(values, dim),
        }
    )


def _named(files: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Return the names of files, those of folders in place of these."""
    names: list[str] = []
    for given in map(Path, files):
        found = [given]
        if given.is_dir():
            found = sorted(
                path
                for folder, files in files_below(given)
                for path in map(folder.joinpath, files)
                if path.suffix.lower() in (*VIDEO, *AUDIO)
            )
            if not found:
                raise InputError(f"{given} holds no sound or video: give another folder, or files")
        names += map(str, found)
    return list(dict.fromkeys(names))


def _known_files(table: Path, settings: dict[str, Any]) -> dict[str, str]:
    """Return the files of a table of the same settings, and what they held; none without it."""
    if not table.exists():
        return {}
    try:
        metadata = pq.read_schema(table).metadata or {}
        files = pq.read_table(table, columns=["file"])["file"]
    except (pa.ArrowException, KeyError) as error:
        raise InputError(f"{table} is not a table of embeddings ({error}): give another") from None
    _refuse_other(table, json.loads(metadata.get(_KEY, b"{}")), settings)
    held = json.loads(metadata.get(_FILES, b"{}"))
    return {name: held.get(name, "") for name in files.unique().to_pylist()}


def _begin_parts(table: Path, settings: dict[str, Any]) -> Path:
    """Create the folder of parts, or return that of an interrupted run with the same settings."""
    parts = table.with_name(f".{table.name}.parts")
    about = parts / "settings.json"
    if about.exists():
        _refuse_other(parts, json.loads(about.read_text(encoding="utf-8")), settings)
    with atomic_write(about) as temporary:
        temporary.write_text(json.dumps(settings), encoding="utf-8")
    return parts


def _refuse_other(where: Path, found: dict[str, Any], settings: dict[str, Any]) -> None:
    """Refuse to mix embeddings of different encoders or settings."""
    names = dict.fromkeys([*settings, *found])
    other = [name for name in names if found.get(name) != settings.get(name)]
    if other:
        raise InputError(
            f"{where} holds embeddings made with another {', '.join(other)}: write to another "
            "table, or delete it"
        )


def _part(parts: Path, name: str) -> Path:
    """Return the path of the part with the rows of a file."""
    return parts / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.parquet"


def _merge(
    table: Path,
    parts: Sequence[Path],
    settings: dict[str, Any],
    files: dict[str, str],
    replaced: set[str],
) -> None:
    """Add parts to a table, in place of the rows of replaced files, in one step for readers."""
    about = {_KEY: json.dumps(settings).encode(), _FILES: json.dumps(files).encode()}
    schema = pq.read_schema(parts[0]).with_metadata(about)
    old = pa.array(sorted(replaced), pa.string())
    with atomic_write(table) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for chunk in _chunks([table] if table.exists() else []):
            stays = pc.invert(pc.is_in(chunk["file"], value_set=old))
            writer.write_table(chunk.filter(stays).cast(schema))
        for chunk in _chunks(parts):
            writer.write_table(chunk.cast(schema))


def _chunks(paths: Iterable[Path]) -> Iterator[pa.Table]:
    """Yield the rows of tables in blocks of a suitable size."""
    waiting: list[pa.Table] = []
    for path in paths:
        for batch in pq.ParquetFile(path).iter_batches(_ROWS):
            waiting.append(pa.Table.from_batches([batch]).replace_schema_metadata())
            if sum(map(len, waiting)) >= _ROWS:
                yield pa.concat_tables(waiting)
                waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _fingerprint(encoder: AmbiEncoder) -> str:
    """Return a hash that identifies an encoder."""
    model = encoder.model
    about = json.dumps([model.front_end.settings, model.net.settings])
    digest = hashlib.sha256(about.encode())
    for value in model.state_dict().values():
        digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Run threads that each compute on one core, so that reading and computing overlap."""
    pool = ThreadPoolExecutor(threads)
    with one_thread():
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)
