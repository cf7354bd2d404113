"""The layout of the STARSS23 data set: sound, video and labels of recordings in parallel trees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ambikit import InputError
from ambikit_learn.sources._clip import Clip, distinct, existing, key_of

CLASSES = (
    *("female speech", "male speech", "clapping", "telephone", "laughter", "domestic sounds"),
    *("footsteps", "door", "music", "musical instrument", "water tap", "bell", "knock"),
)
"""Classes of the data set by their number."""
_FOLDERS = {".wav": "foa_dev", ".mp4": "video_dev"}


@dataclass(frozen=True, eq=False)
class Events:
    """Directions of sounding objects over time: one entry per object and frame of 0.1 s.

    Parameters
    ----------
    frame, kind, source : (N,) arrays of int
        Frame from 0, number of the class, and number of the object within that class.
    azimuth, elevation : (N,) arrays
        In degrees.
    distance : (N,) array
        In metres; NaN in files of 2022, which have none.
    """

    frame: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int64]
    source: npt.NDArray[np.int64]
    azimuth: npt.NDArray[np.float64]
    elevation: npt.NDArray[np.float64]
    distance: npt.NDArray[np.float64]


@dataclass(frozen=True)
class LabelledRecording:
    """The sound of a recording and its labels: paths of both, whether they exist or not."""

    key: str
    sound: Path
    events: Path
    split: str


@dataclass(frozen=True)
class STARSS23:
    """Recordings of real rooms with labelled directions, each a few minutes long.

    ``ROOT/foa_dev/{PART}/{NAME}.wav`` is the sound, ``ROOT/video_dev/{PART}/{NAME}.mp4`` the
    picture and ``ROOT/metadata_dev/{PART}/{NAME}.csv`` the labels (`read_events`). Parts
    ``dev-test-…`` are for testing, all others for training. Boxes may lie in
    ``ROOT/boxes_dev/{PART}/{NAME}.json``; where there are none, the labels stand for them
    (`ambikit_learn.detection.annotated`). Recordings without video or sound are named too.

    Parameters
    ----------
    root : Path
        Folder of the data set.

    References
    ----------
    .. [1] K. Shimada et al., "STARSS23: An audio-visual dataset of spatial recordings of real
       scenes with spatiotemporal annotations of sound events", NeurIPS 2023.
    """

    root: Path

    def clips(self) -> Iterator[Clip]:
        """Yield all clips in the order of their names.

        Raises
        ------
        InputError
            The folder has no clips of this layout.
        """
        found = {
            (path.parent.name, path.stem, path.suffix.lower()): path
            for path in self.root.glob("*_dev/*/*")
            if path.name[0] != "." and path.parent.parent.name == _FOLDERS.get(path.suffix.lower())
        }
        names = sorted({(part, name) for part, name, _ in found})
        if not any(suffix == ".wav" for *_, suffix in found):
            raise InputError(
                f"{self.root} is not laid out like STARSS23: it needs foa_dev/dev-…/NAME.wav and "
                "video_dev/dev-…/NAME.mp4"
            )
        return distinct([self._clip(part, name, found) for part, name in names])

    def recordings(self) -> list[LabelledRecording]:
        """Return all recordings with sound or labels in the order of their names.

        Raises
        ------
        InputError
            The folder has none of this layout.
        """
        found = {
            (path.parent.name, path.stem)
            for pattern in ("foa_dev/*/*.wav", "metadata_dev/*/*.csv")
            for path in self.root.glob(pattern)
            if path.name[0] != "."
        }
        if not found:
            raise InputError(
                f"{self.root} is not laid out like STARSS23: it needs foa_dev/dev-…/NAME.wav and "
                "metadata_dev/dev-…/NAME.csv"
            )
        return [
            LabelledRecording(
                f"{part}/{name}",
                self.root / "foa_dev" / part / f"{name}.wav",
                self.root / "metadata_dev" / part / f"{name}.csv",
                _split(part),
            )
            for part, name in sorted(found)
        ]

    def _clip(self, part: str, name: str, found: dict[tuple[str, str, str], Path]) -> Clip:
        """Return the clip of a recording."""
        labels = existing(self.root / "metadata_dev" / part / f"{name}.csv")
        if part.endswith("-world"):  # rendered scenes number classes of their own
            labels = None
        return Clip(
            key=key_of(Path(name)),
            video=found.get((part, name, ".mp4"), self.root / "video_dev" / part / f"{name}.mp4"),
            audio=found.get((part, name, ".wav"), self.root / "foa_dev" / part / f"{name}.wav"),
            boxes=existing(self.root / "boxes_dev" / part / f"{name}.json") or labels,
            split=_split(part),
        )


def _split(part: str) -> str:
    return "test" if part.startswith("dev-test") else "train"


def read_events(path: str | Path) -> Events:
    """Read the labels of a recording.

    Parameters
    ----------
    path : path
        CSV file of ``frame,class,source,azimuth,elevation[,distance]`` at 10 frames a second, with
        degrees and centimetres.

    Returns
    -------
    Events

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    InputError
        It does not hold labels of STARSS23.

    Notes
    -----
    A file without lines is a recording in which nothing was labelled.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.csv").write_text("0,8,0,-90,10,250")
    ...     events = read_events(Path(folder, "a.csv"))
    >>> events.azimuth.tolist(), events.distance.tolist()
    ([-90.0], [2.5])
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{path}: no such file: give a file of metadata_dev")
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        rows = [[int(cell) for cell in line.split(",")] for line in lines if line]
        if {len(row) for row in rows} - {5, 6}:
            raise ValueError("lines have 5 or 6 columns")
    except ValueError as error:
        raise InputError(
            f"{path} holds no labels of STARSS23 ({error}): give a file of metadata_dev"
        ) from None
    table = np.array([(*row, -1)[:6] for row in rows], dtype=np.int64).reshape(-1, 6)
    frame, kind, source, azimuth, elevation, distance = table.T
    return Events(
        frame,
        kind,
        source,
        azimuth.astype(np.float64),
        elevation.astype(np.float64),
        np.where(distance < 0, np.nan, distance / 100.0),
    )
