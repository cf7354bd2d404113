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
import pyarrow.parquet as pq
import torch

from ambikit import InputError, checks
from ambikit_learn._files import atomic_write
from ambikit_learn._progress import progress
from ambikit_learn._threads import cores
from ambikit_learn.inference.embed import Embedding
from ambikit_learn.inference.encoder import AmbiEncoder

_KEY = b"ambikit"
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
    workers: int | None = None,
) -> EmbedSummary:
    """Embed files into a Parquet table with one row per file, time and direction.

    Parameters
    ----------
    files : iterable of path
        Sound or video files. Files that `out` holds are skipped.
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
    table, names = Path(out), list(dict.fromkeys(str(file) for file in files))
    threads = cores() if workers is None else checks.positive_int(workers, "workers")
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
    known = _known_files(table, settings)
    parts = _begin_parts(table, settings)
    todo = [name for name in names if name not in known and not _part(parts, name).exists()]

    def embed(name: str) -> tuple[str, str | None]:
        """Write the part of a file; return the reason if it cannot be embedded."""
        try:
            found = encoder.embed_file(name, azimuth, elevation, **options)
        except (InputError, OSError) as error:
            return name, " ".join(str(error).split())
        with atomic_write(_part(parts, name)) as temporary:
            pq.write_table(_rows(name, found, azimuth, elevation), temporary)
        return name, None

    with _pool(threads) as pool:
        results = progress(pool.map(embed, todo), len(todo), "embed")
        failed = {name: reason for name, reason in results if reason is not None}
    done = [_part(parts, name) for name in names if name not in known and name not in failed]
    if done:
        _merge(table, done, settings)
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


def _known_files(table: Path, settings: dict[str, Any]) -> set[str]:
    """Return the files of a table that was made with the same settings; none without a table."""
    if not table.exists():
        return set()
    try:
        metadata = pq.read_schema(table).metadata or {}
        files = pq.read_table(table, columns=["file"])["file"]
    except (pa.ArrowException, KeyError) as error:
        raise InputError(f"{table} is not a table of embeddings ({error}): give another") from None
    _refuse_other(table, json.loads(metadata.get(_KEY, b"{}")), settings)
    return set(files.unique().to_pylist())


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
    other = [name for name in settings if found.get(name) != settings[name]]
    if other:
        raise InputError(
            f"{where} holds embeddings made with another {', '.join(other)}: write to another "
            "table, or delete it"
        )


def _part(parts: Path, name: str) -> Path:
    """Return the path of the part with the rows of a file."""
    return parts / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.parquet"


def _merge(table: Path, parts: Sequence[Path], settings: dict[str, Any]) -> None:
    """Add parts to a table, in one step for readers."""
    schema = pq.read_schema(parts[0]).with_metadata({_KEY: json.dumps(settings).encode()})
    with atomic_write(table) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for chunk in _chunks([*([table] if table.exists() else []), *parts]):
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
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)
