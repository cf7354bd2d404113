"""Statistics of a prepared folder: counts, hours, reasons, and directions of objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table

from ambikit import InputError
from ambikit_learn._files import atomic_write
from ambikit_learn._typing import Floats, Integers
from ambikit_learn.data.format import MEMBERS, Settings, read_manifest
from ambikit_learn.data.record import read_directions
from ambikit_learn.data.shards import check_places, member

BIN = 15
"""Width of the bins of azimuth and elevation in degrees."""
DRAWN = 9
"""Number of classes that a picture distinguishes; the others are drawn as one."""


@dataclass(frozen=True)
class Split:
    """Counts of a split: clips of the source, usable clips, and hours of usable clips."""

    name: str
    clips: int
    prepared: int
    hours: float


@dataclass(frozen=True, eq=False)
class Class:
    """Objects of one label.

    Parameters
    ----------
    label : str
    clips : int
        Number of clips with such objects.
    objects : int
        Number of tracks.
    azimuth : (24,) int array
        Number of boxes in each 15° from −180° up.
    elevation : (12,) int array
        Number of boxes in each 15° from −90° up.
    """

    label: str
    clips: int
    objects: int
    azimuth: Integers
    elevation: Integers

    @property
    def boxes(self) -> int:
        """Number of boxes at all steps."""
        return int(self.azimuth.sum())


@dataclass(frozen=True, eq=False)
class DataStatistics:
    """Statistics of a prepared folder.

    Parameters
    ----------
    settings : Settings
        Settings of the preparation.
    splits : tuple of Split
    reasons, notes : dict
        Number of rejected clips by reason, and of usable clips by note, the most frequent first.
    seconds : (n,) array
        Lengths of the usable clips.
    copied : int
        Number of clips with the video stream of the source.
    bytes : int
        Size of all members.
    classes : tuple of Class
        Classes in the order of falling number of objects.
    """

    settings: Settings
    splits: tuple[Split, ...]
    reasons: dict[str, int]
    notes: dict[str, int]
    seconds: Floats
    copied: int
    bytes: int
    classes: tuple[Class, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings (as for JSON), with lengths as quartiles."""
        return {
            "settings": asdict(self.settings),
            "splits": [asdict(split) for split in self.splits],
            "reasons": self.reasons,
            "notes": self.notes,
            "seconds": [round(float(q), 3) for q in _quartiles(self.seconds)],
            "copied": self.copied,
            "bytes": self.bytes,
            "classes": [
                vars(one) | {name: getattr(one, name).tolist() for name in ("azimuth", "elevation")}
                for one in self.classes
            ],
        }


def data_statistics(root: str | Path) -> DataStatistics:
    """Return the statistics of a prepared folder.

    Parameters
    ----------
    root : path
        Folder that `ambikit_learn.preparation.command.prepare` wrote.

    Returns
    -------
    DataStatistics

    Raises
    ------
    FileNotFoundError
        `root` is not prepared, or its preparation has not finished.
    InputError
        The manifest or a shard is damaged.

    Notes
    -----
    No picture or sound is decoded; objects are read by the offsets of the manifest if there was a
    detector. This takes about ten seconds for a hundred thousand clips.
    """
    folder = Path(root)
    settings, rows = Settings.load(folder), read_manifest(folder)
    ok = rows.filter(pc.field("status") == "ok")
    left_out = rows.filter(pc.field("status") != "ok")
    return DataStatistics(
        settings=settings,
        splits=tuple(_split(name, rows) for name in sorted(set(rows["split"].to_pylist()))),
        reasons=_counted(left_out["reason"]),
        notes=_counted(pc.list_flatten(ok["notes"])),
        seconds=ok["duration"].to_numpy(),
        copied=pc.sum(ok["copied"]).as_py() or 0,
        bytes=sum(pc.sum(ok[f"{part}_bytes"]).as_py() or 0 for part in MEMBERS),
        classes=_classes(folder, ok.filter(pc.field("boxes") > 0)),
    )


def print_statistics(statistics: DataStatistics) -> None:
    """Print tables on the terminal."""
    console = Console()
    splits = Table("split", "clips", "prepared", "hours")
    for split in statistics.splits:
        splits.add_row(split.name, f"{split.clips}", f"{split.prepared}", f"{split.hours:.2f}")
    console.print(splits)
    for title, counts in (("left out", statistics.reasons), ("noted", statistics.notes)):
        if counts:
            table = Table(title, "clips")
            for name, count in counts.items():
                table.add_row(name, f"{count}")
            console.print(table)
    if statistics.classes:
        sides = "left | front | right | back, %"
        table = Table("class", "objects", "clips", "boxes", sides)
        for one in statistics.classes:
            sides = " | ".join(f"{100 * share:.0f}" for share in _sides(one.azimuth))
            table.add_row(one.label, f"{one.objects}", f"{one.clips}", f"{one.boxes}", sides)
        console.print(table)
    quartiles = _quartiles(statistics.seconds)
    if len(quartiles):
        low, _, middle, _, high = quartiles
        console.print(
            f"{low:.1f} to {high:.1f} s a clip (median {middle:.1f} s), {statistics.copied} with "
            f"copied video, {statistics.bytes / 1e9:.2f} GB, "
            f"detector {statistics.settings.detector}",
            highlight=False,
        )


def statistics_picture(path: str | Path, statistics: DataStatistics) -> None:
    """Draw the directions of objects, the lengths of clips, and the reasons of rejected clips.

    Parameters
    ----------
    path : path
        Picture to write, in a format that matplotlib supports, by its suffix.
    statistics : DataStatistics

    Raises
    ------
    InputError
        The format is unknown.
    """
    with _figure(Path(path)) as figure:
        axes = figure.subplots(2, 2)
        _draw_directions(axes[0, 0], statistics, "azimuth")
        _draw_directions(axes[0, 1], statistics, "elevation")
        axes[0, 0].invert_xaxis()  # as in the picture: left is positive
        if statistics.classes:
            axes[0, 1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        axes[1, 0].hist(statistics.seconds, bins=30)
        axes[1, 0].set(xlabel="seconds", ylabel="clips", title="length of the clips that are used")
        reasons = statistics.reasons or {"none": 0}
        axes[1, 1].barh(list(reasons), list(reasons.values()))
        axes[1, 1].invert_yaxis()
        axes[1, 1].set(xlabel="clips", title="left out", xlim=(0, None))


def _quartiles(seconds: Floats) -> Floats:
    """Return minimum, quartiles and maximum, or nothing for no values."""
    return np.quantile(seconds, np.arange(5) / 4) if len(seconds) else seconds


def _split(name: str, rows: pa.Table) -> Split:
    """Count a split."""
    here = rows.filter(pc.field("split") == name)
    ok = here.filter(pc.field("status") == "ok")
    seconds = pc.sum(ok["duration"]).as_py() or 0.0
    return Split(name, len(here), len(ok), seconds / 3600.0)


def _counted(values: pa.ChunkedArray) -> dict[str, int]:
    """Count strings, the most frequent first."""
    return dict(Counter(values.to_pylist()).most_common())


def _classes(root: Path, clips: pa.Table) -> tuple[Class, ...]:
    """Count objects by label."""
    in_clips: Counter[str] = Counter()
    objects: Counter[str] = Counter()
    azimuth: Counter[tuple[str, int]] = Counter()
    elevation: Counter[tuple[str, int]] = Counter()
    check_places(root, clips)
    for clip in clips.select(["key", "shard", "record_offset", "record_bytes"]).to_pylist():
        with member(root, clip, "record") as record:
            found = _found(record)
        in_clips.update({label for label, _, _ in found})
        for label, azimuths, elevations in found:
            objects[label] += 1
            azimuth.update((label, bin) for bin in azimuths)
            elevation.update((label, bin) for bin in elevations)
    return tuple(
        Class(label, in_clips[label], n, _bins(azimuth, label, 360), _bins(elevation, label, 180))
        for label, n in objects.most_common()
    )


def _found(record: bytes) -> list[tuple[str, list[int], list[int]]]:
    """Read the label of each object of a clip, and the bins of its angles."""
    objects = read_directions(record)
    try:
        return [
            (
                label,
                [int(angle + 180.0) // BIN for angle in azimuth],
                [int(angle + 90.0) // BIN for angle in elevation],
            )
            for label, azimuth, elevation in objects
        ]
    except (TypeError, ValueError) as error:
        raise InputError(f"the objects are damaged ({error})") from error


def _bins(counts: Counter[tuple[str, int]], label: str, degrees: int) -> Integers:
    """Return the histogram of a label, from the lowest angle up."""
    bins = np.array([counts[label, i] for i in range(degrees // BIN + 1)])
    bins[-2] += bins[-1]  # the uppermost angle itself
    return bins[:-1]


def _sides(azimuth: Integers) -> Floats:
    """Return the fraction of boxes in the 90° to the left, in front, to the right and behind."""
    # From 135° up, over the seam.
    back, right, front, left = np.roll(azimuth, 45 // BIN).reshape(4, -1).sum(axis=1)
    shares: Floats = np.array([left, front, right, back]) / azimuth.sum()
    return shares


def _draw_directions(axes: Any, statistics: DataStatistics, angle: str) -> None:
    """Stack the histograms of the most frequent classes, and of all others."""
    histograms = [(one.label, getattr(one, angle)) for one in statistics.classes]
    if len(histograms) > DRAWN:
        others = np.sum([bins for _, bins in histograms[DRAWN:]], axis=0)
        histograms = [*histograms[:DRAWN], (f"{len(histograms) - DRAWN} others", others)]
    bottom: Any = 0
    for label, bins in histograms:
        middle = (np.arange(len(bins)) - len(bins) / 2 + 0.5) * BIN
        axes.bar(middle, bins, BIN, bottom, label=label)
        bottom = bottom + bins
    half = 180 if angle == "azimuth" else 90
    ticks = np.arange(-half, half + 1, half // 3)
    axes.set(xlabel=f"{angle}, degrees", ylabel="boxes", title=f"{angle} of objects", xticks=ticks)


@contextmanager
def _figure(path: Path) -> Iterator[Any]:
    """Yield a figure to draw on, and write it at the end; no display is needed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8), layout="constrained")
    known = figure.canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in known:
        raise InputError(f"{path} is not a picture: give a name that ends in {', '.join(known)}")
    yield figure
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120)
