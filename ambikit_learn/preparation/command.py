"""From a folder of clips to training shards, in a run that can be resumed."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ambikit import InputError, checks
from ambikit_learn._files import locked, reading_options, remove_partial, writing_to
from ambikit_learn._progress import progress
from ambikit_learn.data.format import Settings
from ambikit_learn.data.sound import BITRATE, BITRATES, CODECS, OPUS_RATES
from ambikit_learn.detection import load_detector
from ambikit_learn.parallel.processes import Loss, map_in_order
from ambikit_learn.parallel.ray import map_on_ray
from ambikit_learn.preparation.assembly import Assembly, Outcome, holds_clips, row_of
from ambikit_learn.preparation.clip import (
    NOTES,
    SHORTEST,
    Rejected,
    check_clip,
    length_of,
    prepare_clip,
)
from ambikit_learn.preparation.stored import HANG, size_of
from ambikit_learn.sources import Clip, distinct, open_source, segments
from ambikit_learn.sphere.projection import PROJECTIONS, STEREO
from ambikit_learn.video.transcode import MODES

ENGINES = ("local", "ray")
"""Where clips can be processed."""

SECONDS_PER_SECOND = 30.0
"""Seconds of work that a second of a clip may take: full detection on one busy core."""
PACE = 20_000.0
"""Bytes of video per second of work, where the length is not known."""
HEADER = 60.0
"""Seconds that the header of a video may take to read."""


@dataclass(frozen=True)
class Summary:
    """Counts of a preparation.

    Parameters
    ----------
    clips : int
        Number of clips of the source.
    prepared : int
        Number of usable clips.
    hours : float
        Total length of the usable clips.
    left_out : dict
        Number of rejected clips by reason, the most frequent first.
    notes : dict
        Number of usable clips by note.
    splits : dict
        Number of usable clips by split.
    rejected : tuple of str
        Each rejected clip with its reason in full.
    causes : dict
        The first rejected clip of each reason, with the reason in full.
    """

    clips: int
    prepared: int
    hours: float
    left_out: dict[str, int]
    notes: dict[str, int]
    splits: dict[str, int] = field(default_factory=dict, compare=False)
    rejected: tuple[str, ...] = field(default=(), compare=False)
    causes: dict[str, str] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Summary:
        """Summarise rows of a manifest."""
        used = [row for row in rows if row["status"] == "ok"]
        lost = [row for row in rows if row["status"] != "ok"]
        return cls(
            clips=len(rows),
            prepared=len(used),
            hours=sum(row["duration"] for row in used) / 3600.0,
            left_out=dict(Counter(r["reason"] for r in lost).most_common()),
            notes=dict(Counter(note for row in used for note in row["notes"]).most_common()),
            splits=dict(sorted(Counter(row["split"] for row in used).items())),
            rejected=tuple(f"{r['key']}: {r['reason']} ({r['detail']})" for r in lost),
            causes={r["reason"]: f"{r['key']}: {r['detail']}" for r in reversed(lost)},
        )

    def __str__(self) -> str:
        """Format for a terminal."""
        lines = [f"{self.prepared} of {self.clips} clips prepared, {self.hours:.2f} hours"]
        if len(self.splits) > 1:
            lines[0] += f" ({', '.join(f'{n} {split}' for split, n in self.splits.items())})"
        for reason, count in self.left_out.items():
            first = f", first {self.causes[reason]}" if reason in self.causes else ""
            lines.append(f"  left out: {count} ({reason}){first}")
        lines += [f"  noted: {count} ({note})" for note, count in self.notes.items()]
        return "\n".join(lines)


def prepare(
    clips: str | Path,
    out: str | Path,
    *,
    source: str = "yt360",
    detector: str = "none",
    detection_rate: float = 2.0,
    frame_rate: float = 8.0,
    frame_size: tuple[int, int] = (160, 320),
    video_mode: str = "auto",
    sample_rate: int = 24000,
    sound_codec: str = "flac",
    bitrate: int = BITRATE,
    segment: float = 10.0,
    projection: str = "auto",
    stereo: str = "auto",
    convention: str | None = None,
    track: int | None = None,
    clips_per_shard: int = 128,
    leave_out: Sequence[str] = ("W only",),
    engine: str = "local",
    address: str | None = None,
    workers: int | None = None,
    clip_timeout: float = 600.0,
    check: bool = False,
    repack: bool = False,
) -> Summary:
    """Check clips, detect objects, and write shards that `AlignmentDataset` reads.

    Parameters
    ----------
    clips : path
        Folder of clips.
    out : path
        Folder to write: a new one, or that of the same preparation, which is then resumed.
    source : str
        Layout of `clips`, a name of `ambikit_learn.sources`.
    detector : str
        ``"none"``, ``"file"`` (the source's own boxes, or its annotated directions as boxes of 20°,
        with the detector ``"annotated"`` in the manifest), ``"world"`` (the packaged weights for
        rendered clips), ``"yolo:PATH"`` or ``"package.module:factory"``. A YOLO passes about 10
        pictures of a frame through its network and misses two in ten objects within 8° of a pole;
        ``"yolo:PATH?mode=full"`` finds more of them, with about 24 pictures.
    detection_rate : float
        Detections per second.
    frame_rate : float
        Frames per second to keep.
    frame_size : (height, width)
        Size of the equirectangular frames to keep, even numbers.
    video_mode : {"auto", "encode", "copy"}
        Copy the source's stream if it equals what would be encoded, never, or wherever possible
        (`ambikit_learn.video.transcode.transcode`). Copying is faster; reading a copy is slow if
        its key frames are far apart, and its frames keep their size and rate.
    sample_rate : int
        Sample rate of the sound to keep, in Hz.
    sound_codec : {"flac", "opus"}
        Codec of the sound: 16-bit FLAC, or Opus at a fifth of its size.
    bitrate : int
        Bit rate of Opus in kb/s for the four channels together.
    segment : float
        Length in seconds of the segments into which long clips are cut, which limits the memory of
        a worker. Clips shorter than two segments are not cut.
    projection : {"auto", "equirectangular", "eac", "cubemap", "c3x2", "c6x1", "c1x6", "gopro-max"}
        How frames show the sphere. By default as the files state it or, where they do not, as the
        pictures show it; what looks flat, or like half of a sphere, is rejected unless stated.
        The cubemaps are that of Spherical Video V2 and FFmpeg's of three, six and one columns.
    stereo : {"auto", "mono", "top-bottom", "left-right"}
        Eyes in a frame, of which one is kept.
    convention : str, optional
        What the channels of the sound are, as for `ambikit.read`, where the files do not say or say
        wrong: ``"ambix"``, ``"fuma"``, ``"n3d"``, ``"youtube51"``, ``"ambix+stereo"``.
    track : int, optional
        Which track of sound, counted from 0; by default the first that is Ambisonic.
    clips_per_shard : int
        Clips of the source per shard.
    leave_out : sequence of str
        Notes that reject a clip: ``"still picture"``, ``"Z is silent"``, ``"W only"``,
        ``"lengths differ"``, ``"gaps"``, ``"impossible gains"``; and for clips that are converted
        ``"cubemap"``, ``"equi-angular cubemap"``, ``"two eyes"``, and ``"projection assumed"``.
    engine : {"local", "ray"}
        Process clips on this machine, or on the nodes of a Ray cluster. The nodes must see `clips`,
        a detector's weights and its module by the same paths; only this process writes to `out`.
    address : str, optional
        Address of the Ray cluster that this machine is a node of, ``"HOST:PORT"`` or ``"auto"``;
        ``"local"`` starts one here. By default the cluster that ``RAY_ADDRESS`` names or that runs
        on this machine, or else a new one.
    workers : int, optional
        Number of processes, by default one per core, here or in the cluster, and at most eight per
        GPU where a detector computes. 0 works in this process, without protection from crashes and
        hangs.
    clip_timeout : float
        Seconds that a clip may take, in addition to half a minute for each second of its length
        (or a second for each 20 kB of its video, if the length is not known).
    check : bool
        Only report which clips can be used; `out` is not written.
    repack : bool
        Distribute all clips over shards anew, as a single run would have done, after the source has
        changed. Clips that are prepared are copied; until the end this takes their size once more.

    Returns
    -------
    Summary

    Raises
    ------
    InputError
        A setting is wrong, `out` holds something else or cannot be written to, there are no
        clips, or there is no such Ray cluster.
    FileNotFoundError
        The folder of clips does not exist.

    Notes
    -----
    Every clip of the source has a row in ``manifest.parquet``; a clip that cannot be used is
    rejected with its reason, and the run continues. The output of a source has the same bytes for
    any engine and number of workers, and however often the run was killed. A kill loses the clips
    in progress, up to four per worker.

    When the source changes, the same command prepares what is new. A clip stays prepared while its
    span and the content of its files are the same, wherever it sorts; if it was renamed or moved to
    another split, its picture and sound are copied and its record is written anew. New clips go
    into new shards, and no finished shard is touched, except one of whose clips was removed,
    recorded anew or moved, or is to be tried again: it is written again without computing the
    others. ``manifest.parquet`` lists exactly the clips of the source, in its order, so that items
    of data sets depend on the source alone. The shards then depend on what came when; `repack`
    gives those of a single run, to the byte.

    Tried again are clips that failed for reasons that may lie in the surroundings (``"failed"``, as
    of memory or rights that lacked, ``"detector failed"``, ``"decoder crash"``), and a clip that
    hung if the timeout is now longer.

    A clip whose worker dies is retried once in another process. If that dies too, the clip is
    rejected as a decoder crash; a clip that takes too long is rejected as a decoder hang.

    Examples
    --------
    >>> import tempfile
    >>> from ambikit_learn import prepare, render_world
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     render_world(f"{folder}/clips", clips=2, duration=1.5, workers=0)
    ...     print(prepare(f"{folder}/clips", f"{folder}/shards", detector="file", workers=0))
    2 of 2 clips prepared, 0.00 hours
    """
    root, folder = Path(out), Path(clips)
    # A wrong name or path is reported before hours of work.
    weights = str(getattr(load_detector(detector), "fingerprint", ""))
    convention, track = reading_options(convention, track)
    settings = Settings(
        clips=folder.resolve().name,
        source=source,
        detector=detector,
        detection_rate=checks.positive(detection_rate, "detection_rate", "Hz"),
        frame_rate=checks.frame_rate(frame_rate),
        frame_size=checks.frame_size(frame_size),
        sample_rate=checks.positive_int(sample_rate, "sample_rate"),
        clips_per_shard=checks.positive_int(clips_per_shard, "clips_per_shard"),
        leave_out=tuple(checks.choice(note, NOTES, "leave_out") for note in leave_out),
        video_mode=checks.choice(video_mode, MODES, "video_mode"),
        sound_codec=checks.choice(sound_codec, CODECS, "sound_codec"),
        bitrate=_bitrate(sound_codec, sample_rate, bitrate),
        segment=checks.within(segment, SHORTEST, math.inf, "segment"),
        projection=checks.choice(projection, ("auto", *PROJECTIONS), "projection"),
        stereo=checks.choice(stereo, ("auto", *STEREO), "stereo"),
        convention=convention,
        weights=weights,
        track=track,
    )
    pool = _Pool(
        _engine(engine, workers, address, detector),
        checks.positive(clip_timeout, "clip_timeout", "seconds"),
    )
    whole = list(open_source(source, folder).clips())
    if detector != "file":
        # So that files of boxes that nobody reads may change.
        whole = [replace(clip, boxes=None) for clip in whole]
    parts = _cut(whole, settings.segment, workers)
    if check:
        outcomes = pool.work(partial(check_clip, settings=settings), parts)
        return Summary.of([row_of(*pair, folder) for pair in zip(parts, outcomes, strict=True)])
    if folder.resolve() in (root.resolve(), *root.resolve().parents):
        raise InputError(f"{root} lies in the folder of the clips: choose one outside {folder}")
    assembly = Assembly(root, folder, settings, pool.clip_timeout)
    with writing_to(root), _claimed(root, settings), locked(root / "dataset.json"):
        remove_partial(root)
        work = partial(pool.work, partial(prepare_clip, settings=settings))
        return Summary.of(assembly.make(parts, work, repack=repack))


def _bitrate(codec: str, sample_rate: int, bitrate: int) -> int:
    """Return the bit rate of a codec, 0 if it has none."""
    if codec != "opus":
        return 0
    if sample_rate not in OPUS_RATES:
        rates = ", ".join(map(str, OPUS_RATES))
        raise InputError(f"Opus takes no sample_rate of {sample_rate} Hz: choose one of {rates}")
    return round(checks.within(bitrate, *BITRATES, "bitrate"))


def _cut(clips: list[Clip], segment: float, workers: int | None) -> list[Clip]:
    """Cut clips into segments; lengths are read in workers, where a broken header does no harm."""
    unknown = [clip for clip in clips if clip.duration is None and clip.split != "unlisted"]
    with closing(
        map_in_order(
            length_of, unknown, workers=workers, lost=lambda *_: 0.0, limit=lambda _: HEADER
        )
    ) as lengths:
        found = dict(zip((clip.key for clip in unknown), lengths, strict=True))
    parts = [
        part
        for clip in clips
        for part in segments(clip, found.get(clip.key, clip.duration or 0.0), segment)
    ]
    return list(distinct(parts))


def _engine(
    name: str, workers: int | None, address: str | None, detector: str
) -> Callable[..., Generator[Outcome, None, None]]:
    """Return the map that does the work."""
    count = None if workers is None else checks.nonnegative_int(workers, "workers")
    if checks.choice(name, ENGINES, "engine") == "ray":
        computes = detector not in ("none", "file")
        return partial(map_on_ray, workers=count, address=address, gpus=computes)
    if address is not None:
        raise InputError(f"address {address!r} is for a Ray cluster: take the engine 'ray'")
    return partial(map_in_order, workers=count)


@dataclass(frozen=True)
class _Pool:
    """The map over clips, and the timeout of each."""

    engine: Callable[..., Generator[Outcome, None, None]]
    clip_timeout: float

    def work(
        self, work: Callable[[Clip], Outcome], clips: Sequence[Clip]
    ) -> Generator[Outcome, None, None]:
        """Process clips, in order, with progress."""
        if clips:
            with closing(self.engine(work, clips, lost=self.lost, limit=self.limit)) as outcomes:
                yield from progress(outcomes, len(clips), "prepare")

    def limit(self, clip: Clip) -> float:
        """Return the seconds that a clip may take."""
        if clip.duration is not None:
            return self.clip_timeout + SECONDS_PER_SECOND * clip.duration
        return self.clip_timeout + size_of(clip.video) / PACE

    def lost(self, clip: Clip, how: Loss) -> Outcome:
        """Return the outcome of a clip whose worker returned none."""
        if how == "hang":
            return Rejected(HANG, f"no end after {self.limit(clip):.0f} s (see clip_timeout)")
        return Rejected("decoder crash", "the worker process died, and another died on this clip")


@contextmanager
def _claimed(root: Path, settings: Settings) -> Iterator[None]:
    """Make `root` the folder of this preparation, or check that it already is.

    If it is new and a setting turns out to be wrong before anything is prepared, it is left as it
    was found.
    """
    if (root / "dataset.json").exists():
        _refuse_other(root, settings)
        yield
        return
    made = [path for path in (root, *root.parents) if not path.exists()]
    root.mkdir(parents=True, exist_ok=True)
    if any(not path.name.startswith(".") for path in root.iterdir()):
        raise InputError(f"{root} holds something else: choose a new folder")
    settings.save(root)
    try:
        yield
    except (InputError, ImportError):
        if not holds_clips(root):
            for part in ("shards", "journal"):
                shutil.rmtree(root / part, ignore_errors=True)
            (root / "dataset.json").unlink()
            for path in made:
                path.rmdir()
        raise


def _refuse_other(root: Path, settings: Settings) -> None:
    """Refuse to add to a folder that was prepared with other settings."""
    found, wanted = asdict(Settings.load(root)), asdict(settings)
    changed = [f"{k} {found[k]!r}, not {wanted[k]!r}" for k in wanted if found[k] != wanted[k]]
    if changed:
        raise InputError(
            f"{root} was prepared with {'; '.join(changed)}: choose a new folder, or the same "
            "settings to resume that preparation"
        )
