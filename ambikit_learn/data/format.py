"""The format of prepared data on disk: settings, manifest, shards.

A prepared folder holds ``dataset.json`` (format and settings), ``manifest.parquet`` (a row per
clip of the source, with the reason where it was left out, and otherwise its byte ranges), and
``shards/{split}-{number}.tar`` in WebDataset layout: ``{key}.mp4`` frames, ``{key}.flac``
four-channel AmbiX, ``{key}.json`` provenance and objects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ambikit import InputError

FORMAT = "ambikit-shards/3"
_BEFORE = "ambikit-shards/2"
_RENAMED = {
    "source": "clips",
    "adapter": "source",
    "video": "video_mode",
    "sound": "sound_codec",
}
"""Names of settings in the former format, and their present names."""
MEMBERS = {"frames": "mp4", "sound": "flac", "record": "json"}
"""Parts of a clip and their suffixes in a shard."""

SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("split", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("notes", pa.list_(pa.string())),
        ("video", pa.string()),
        ("audio", pa.string()),
        ("start", pa.float64()),
        ("duration", pa.float64()),
        ("frames", pa.int64()),
        ("copied", pa.bool_()),
        ("samples", pa.int64()),
        ("gain", pa.float64()),
        ("detector", pa.string()),
        ("boxes", pa.int64()),
        ("shard", pa.string()),
        *((f"{part}_{end}", pa.int64()) for part in MEMBERS for end in ("offset", "bytes")),
    ]
)
"""Columns of the manifest. `start` and `duration` are in seconds, `duration` that of the prepared
clip; `frames` counts steps of the frame rate, and `copied` says that the video stream is that of
the source; `boxes` counts the boxes of all steps; offsets and sizes are those in the shard."""


@dataclass(frozen=True)
class Settings:
    """All settings on which the content of prepared data depends.

    Parameters
    ----------
    clips : str
        Name of the folder of clips.
    source : str
        Layout of that folder, a name of `ambikit_learn.sources`.
    detector : str
        As for `ambikit_learn.detection.load_detector`.
    detection_rate : float
        Detections per second.
    frame_rate : float
        Frames per second.
    frame_size : (height, width)
        Size of the equirectangular frames.
    sample_rate : int
        Sample rate of the sound in Hz.
    clips_per_shard : int
        Clips of the source per shard, rejected ones included.
    leave_out : tuple of str
        Notes that reject a clip.
    video_mode : str
        When streams are copied, a name of `ambikit_learn.video.transcode.MODES`.
    sound_codec : str
        Codec of the sound, ``"flac"`` or ``"opus"``.
    bitrate : int
        Bit rate of Opus in kb/s for all channels; 0 for FLAC.
    segment : float
        Length in seconds of the segments into which longer clips are cut.
    projection, stereo : str
        How frames show the sphere, names of `ambikit_learn.sphere.projection.PROJECTIONS` and
        ``STEREO``; ``"auto"`` where the files state or show it.
    convention : str or None
        What the channels are, as for `ambikit.read`; None as the files state.
    track : int or None
        Track of sound; None for the first that is Ambisonic.
    weights : str
        Fingerprint of the detector's weights, empty if it has none.
    """

    clips: str
    source: str
    detector: str
    detection_rate: float
    frame_rate: float
    frame_size: tuple[int, int]
    sample_rate: int
    clips_per_shard: int
    leave_out: tuple[str, ...]
    video_mode: str = "auto"
    sound_codec: str = "flac"
    bitrate: int = 0
    segment: float = 10.0
    projection: str = "auto"
    stereo: str = "auto"
    convention: str | None = None
    track: int | None = None
    weights: str = ""

    @property
    def suffixes(self) -> dict[str, str]:
        """Suffix of each part of a clip in a shard."""
        return {"frames": "mp4", "sound": self.sound_codec, "record": "json"}

    def save(self, root: Path) -> None:
        """Write ``dataset.json``."""
        from ambikit_learn._files import atomic_write

        with atomic_write(root / "dataset.json") as temporary:
            text = json.dumps({"format": FORMAT, **asdict(self)}, indent=2)
            temporary.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, root: str | Path) -> Settings:
        """Read ``dataset.json`` of a prepared folder.

        Raises
        ------
        FileNotFoundError
            The folder was never prepared.
        InputError
            It has another format.
        """
        path = Path(root) / "dataset.json"
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(_nothing_prepared(Path(root))) from None
        except ValueError as error:
            raise InputError(f"{path} is damaged ({error}): prepare into a new folder") from None
        found = document.pop("format", None) if isinstance(document, dict) else None
        if found == _BEFORE:
            document = {_RENAMED.get(name, name): value for name, value in document.items()}
            found = FORMAT
        known = {field.name for field in fields(cls)}
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        # A setting that came later had its default before.
        if found != FORMAT or not needed <= set(document) <= known:
            raise InputError(
                f"{path} has format {found!r}, this version reads {FORMAT!r}: "
                "prepare the data again into a new folder"
            )
        document["frame_size"] = tuple(document["frame_size"])
        document["leave_out"] = tuple(document["leave_out"])
        return cls(**document)


def write_manifest(root: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the rows, dicts with some or all columns of `SCHEMA`."""
    from ambikit_learn._files import atomic_write

    with atomic_write(root / "manifest.parquet") as temporary:
        pq.write_table(pa.Table.from_pylist(list(rows), schema=SCHEMA), temporary)


def read_manifest(root: str | Path) -> pa.Table:
    """Read the manifest of a prepared folder.

    Raises
    ------
    FileNotFoundError
        Preparation has not finished.
    InputError
        The file is damaged.
    """
    path = Path(root) / "manifest.parquet"
    if not path.is_file():
        if not (Path(root) / "dataset.json").is_file():
            raise FileNotFoundError(_nothing_prepared(Path(root)))
        raise FileNotFoundError(
            f"{root} is not prepared to the end: run the same `ambikit-learn prepare` again"
        )
    try:
        return pq.read_table(path, schema=SCHEMA)
    except pa.ArrowException as error:
        raise InputError(
            f"{path} is damaged ({error}): delete it and run `ambikit-learn prepare` again"
        ) from error


def _nothing_prepared(root: Path) -> str:
    """Say what a path holds in place of prepared data."""
    if not root.exists():
        return f"{root} does not exist: give the folder that `ambikit-learn prepare` wrote"
    if not root.is_dir():
        return f"{root} is a file: give the folder that `ambikit-learn prepare` wrote"
    if (root / "cache.json").exists():
        return f"{root} holds cached scenes: give the folder that `ambikit-learn prepare` wrote"
    return (
        f"{root} holds no prepared data: give the folder that `ambikit-learn prepare` wrote, not "
        "that of the clips"
    )
