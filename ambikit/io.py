"""Read, write and describe Ambisonic sound: AmbiX inside, whatever the file holds outside."""

from __future__ import annotations

import math
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ambikit import checks
from ambikit._codecs import Properties, ffmpeg, libsndfile
from ambikit._errors import InputError
from ambikit._typing import ArrayLike, FloatArray
from ambikit.conventions import ALIASES, CONVENTIONS, convert

YOUTUBE51 = (2, 1, 4, 0)
"""The planes of YouTube's AAC "5.1" (FL=X, FR=Y, FC=W, LFE=0, BL=Z, BR=0) that are W, Y, Z, X."""

_PLANES: dict[str, list[int] | slice] = {
    "youtube51": list(YOUTUBE51),
    "ambix+stereo": slice(None, -2),
}
LAYOUTS = (*_PLANES, *ALIASES, *CONVENTIONS)
"""What `read` takes as `layout`: two orders of planes found in video, and every convention."""

# A silent plane of a lossy file is not exactly zero; in 5.1 surround sound the planes 3 and 5
# carry bass and the right rear.
_SILENT = 1e-2
# Samples of context on both sides of a span, so that resampling it equals resampling the file.
_CONTEXT = 512


class _Codec(Protocol):
    """A module of `_codecs`."""

    def properties(self, path: Path) -> Properties:
        """Describe a file."""
        ...

    def planes(self, path: Path, start: int, stop: int) -> FloatArray:
        """Decode a span."""
        ...


@dataclass(frozen=True)
class AudioInfo:
    """What a sound file, or the sound track of a video file, holds.

    Attributes
    ----------
    channels : int
        Number of planes in the file.
    sample_rate : int
        Samples per second.
    frames : int
        Number of samples in each plane.
    duration : float
        Length in seconds.
    codec : str
        Codec or sample type, for example ``"aac"``, ``"opus"``, ``"float"``.
    layout : str
        The container's own name of its channels, for example ``"5.1"``.
    convention : str or None
        What `read` takes the planes for: ``"ambix"``, ``"fuma"``, ``"youtube51"`` or
        ``"ambix+stereo"``; None if so many channels are no Ambisonic sound.
    stated_by : str or None
        What in the file states the convention; None if it is assumed.

    See Also
    --------
    info : Describe a file.

    Examples
    --------
    >>> import ambikit, numpy as np, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "second_order.wav"
    >>> ambikit.write(path, np.zeros((9, 480), np.float32), 48000)
    >>> about = ambikit.info(path)
    >>> ambikit.order_of_channels(about.channels), about.frames, about.codec
    (2, 480, 'float')
    """

    channels: int
    sample_rate: int
    frames: int
    duration: float
    codec: str
    layout: str
    convention: str | None
    stated_by: str | None


def info(path: str | os.PathLike[str]) -> AudioInfo:
    """Describe a sound file or the sound track of a video file.

    Parameters
    ----------
    path : str or path-like
        WAV, RF64, W64, CAF, FLAC, Ogg or .amb file; with the extra ``media`` also mp4, m4a, mov,
        mkv, webm. The content decides, not the extension.

    Returns
    -------
    AudioInfo
        Sizes, codec and the convention that `read` would assume.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InputError
        If it is a folder, empty, truncated, without sound or not a sound file.

    Notes
    -----
    A convention is stated by an SA3D box (mp4), by the sub-format of a B-format WAVE file, or by
    Opus channel mapping family 2. Otherwise six AAC planes are taken for YouTube's order and a
    square number of planes for AmbiX [1]_, [2]_.

    References
    ----------
    .. [1] Google, "Spatial Audio RFC", of the project spatial-media, for the SA3D box.
    .. [2] J. Skoglund and M. Graczyk, "Ambisonics in an Ogg Opus Container", RFC 8486, 2018.

    Examples
    --------
    >>> import ambikit, numpy as np, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "front.wav"
    >>> ambikit.write(path, np.zeros((4, 48000), np.float32), 48000)
    >>> ambikit.info(path).duration, ambikit.info(path).convention
    (1.0, 'ambix')
    """
    return _describe(_properties(checks.input_file(path)))


def read(
    path: str | os.PathLike[str],
    *,
    sample_rate: int | None = None,
    layout: str | None = None,
    start: float = 0.0,
    duration: float | None = None,
) -> tuple[FloatArray, int]:
    """Read a span of Ambisonic sound as AmbiX.

    Parameters
    ----------
    path : str or path-like
        A sound or video file, as for `info`.
    sample_rate : int, optional
        Resample to this rate in Hz; by default the file's own.
    layout : str, optional
        What the planes are, where the file does not say or says wrong: ``"ambix"``, ``"fuma"``,
        ``"n3d"`` or another convention of `convert`; ``"youtube51"`` for YouTube's AAC order;
        ``"ambix+stereo"`` for AmbiX followed by two head-locked planes, which are dropped.
    start : float, optional
        Where to begin, in seconds of the file's own clock, so that sound and picture of one file
        stay together.
    duration : float, optional
        How many seconds; by default to the end.

    Returns
    -------
    x : ndarray of float32, shape (channels, samples)
        AmbiX (ACN order, SN3D); 4 channels or more. ``samples == round(duration * sample_rate)``.
    sample_rate : int
        Its rate in Hz.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InputError
        If the file holds no Ambisonic sound (another number of channels, no sound track, surround
        sound), is truncated, or has NaN in it; or if the span is not inside it.

    Notes
    -----
    The planes are decoded raw and put in order here: a conversion of layouts by FFmpeg would
    scramble them. A span is exact to the sample, also in formats that start with padding or seek
    by blocks, and equals the same span of the whole file read at that rate; except that AAC may
    fill bands with noise of its own, which is another noise when decoding begins elsewhere.

    Examples
    --------
    >>> import ambikit, numpy as np, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "left.flac"
    >>> ambikit.write(path, ambikit.encode(np.full(48000, 0.5, np.float32), np.pi / 2), 48000)
    >>> x, rate = ambikit.read(path, sample_rate=24000, start=0.25, duration=0.5)
    >>> x.shape, rate, x[:2, 6000].round(3).tolist()
    ((4, 12000), 24000, [0.5, 0.5])
    """
    file = checks.input_file(path)
    found = _properties(file)
    name = _layout(file, found, layout)
    rate = checks.positive_int(
        found.sample_rate if sample_rate is None else sample_rate, "sample_rate"
    )
    length = (2 * found.frames * rate + found.sample_rate) // (2 * found.sample_rate)
    if length == 0:
        raise InputError(f"{file} holds no samples: its sound is 0 s long")
    first, last = checks.span(start, duration, length, rate, str(file))
    x = _span(file, found, rate, first, last)
    if not np.isfinite(x).all():
        where = (first + int(np.isfinite(x).all(axis=0).argmin())) / rate
        raise InputError(f"{file} holds NaN or infinity near {where:.3f} s: mend or cut the file")
    if name == "youtube51" and layout is None:
        _refuse_surround(file, x)
    if layout is None and found.order is not None:
        x = x[list(found.order)]
    if name in _PLANES:
        x, name = np.ascontiguousarray(x[_PLANES[name]]), "ambix"
    return convert(x, name, "ambix"), rate


def write(
    path: str | os.PathLike[str],
    x: ArrayLike,
    sample_rate: int,
    *,
    convention: str = "ambix",
    subtype: str | None = None,
) -> None:
    """Write Ambisonic sound to a file.

    Parameters
    ----------
    path : str or path-like
        Where to; the extension chooses the container: .wav, .amb, .rf64, .w64, .caf, .flac, .ogg,
        and with the extra ``media`` .m4a, .mp4, .mov, .mkv, .mka, .webm, .opus. A file of that name
        is replaced in one step once the new one is complete.
    x : array_like, shape (channels, samples)
        AmbiX signals of any order that the container can hold.
    sample_rate : int
        Hz.
    convention : str, optional
        What to store: ``"ambix"``, ``"fuma"`` (which .amb requires) or another convention of
        `convert`; ``"youtube51"`` stores first order as six AAC planes in YouTube's order.
    subtype : str, optional
        Sample type or codec, for example ``"PCM_16"``, ``"FLOAT"``, ``"aac"``, ``"opus"``. By
        default float for WAV and its kin, 24 bit for FLAC, AAC in mp4, Opus in webm, FLAC in
        Matroska.

    Raises
    ------
    InputError
        If the container cannot hold the sound, or `x` holds NaN.
    TypeError
        If `x` holds integers.

    Warns
    -----
    UserWarning
        If samples beyond ±1 are clipped by an integer sample type.

    Notes
    -----
    Files that can say what they hold do: an SA3D box in mp4, the B-format sub-format in WAVE files
    with ``convention="fuma"``, channel mapping family 2 for Opus [1]_, [2]_. The same sound gives
    the same bytes, except in .ogg files, which have a random serial number.

    References
    ----------
    .. [1] Google, "Spatial Audio RFC", of the project spatial-media, for the SA3D box.
    .. [2] J. Skoglund and M. Graczyk, "Ambisonics in an Ogg Opus Container", RFC 8486, 2018.

    Examples
    --------
    >>> import ambikit, numpy as np, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "scene.amb"
    >>> ambikit.write(path, np.zeros((4, 480), np.float32), 48000, convention="fuma")
    >>> ambikit.info(path).convention
    'fuma'
    """
    target, planes, rate = Path(path), *checks.sound_to_write(x, sample_rate)
    suffix = target.suffix.lower()
    checks.choice(suffix, (*libsndfile.FORMATS, *ffmpeg.CODECS), "file extension")
    checks.choice(convention, ("youtube51", *ALIASES, *CONVENTIONS), "convention")
    stored = "fuma" if convention == "fuma/fuma" else convention
    if suffix == ".amb" and stored != "fuma":
        raise InputError(
            f"{target}: a .amb file holds FuMa: pass convention='fuma', or name it .wav"
        )
    if suffix in libsndfile.FORMATS and stored != "youtube51":
        write_channels(
            target,
            convert(planes, "ambix", stored),
            rate,
            subtype=subtype,
            b_format=stored == "fuma",
        )
    elif suffix in ffmpeg.CODECS and stored in ("ambix", "youtube51"):
        labels = None
        if stored == "youtube51":
            planes, labels = _youtube51(planes), "5.1"
        with replacing(target) as temporary:
            ffmpeg.save(temporary, planes, rate, suffix, subtype, labels)
    else:
        raise InputError(
            f"{target}: a {suffix} file is not written as {convention}: sound files take every "
            "convention but youtube51, video containers take ambix and youtube51"
        )


def write_channels(
    path: Path, x: FloatArray, sample_rate: int, *, subtype: str | None, b_format: bool = False
) -> None:
    """Write channels that need not be Ambisonic, for example beams, to a sound file.

    Parameters
    ----------
    path : Path
        Where to; .wav, .flac and the other containers of libsndfile.
    x : ndarray, shape (channels, samples)
        Signals.
    sample_rate : int
        Hz.
    subtype : str or None
        Sample type, or None for the container's default.
    b_format : bool, optional
        Mark a WAVE file as B-format.

    Raises
    ------
    InputError
        If the container cannot hold the channels.
    """
    suffix = path.suffix.lower()
    checks.choice(suffix, tuple(libsndfile.FORMATS), "file extension")
    _warn_clipping(x, (subtype or libsndfile.FORMATS[suffix][1]).upper())
    with replacing(path) as temporary:
        libsndfile.save(temporary, x, sample_rate, suffix, subtype, b_format)


def _properties(path: Path) -> Properties:
    """Describe a file with the library that its first bytes ask for."""
    return _codec(path).properties(path)


def _codec(path: Path) -> _Codec:
    """Choose the library by content: extensions lie."""
    with path.open("rb") as stream:
        return libsndfile if libsndfile.recognises(stream.read(64)) else ffmpeg


def _describe(found: Properties) -> AudioInfo:
    """Complete what the file says by what its planes look like."""
    return AudioInfo(
        found.channels,
        found.sample_rate,
        found.frames,
        found.frames / found.sample_rate,
        found.codec,
        found.labels,
        _assumed(found),
        found.stated_by,
    )


def _assumed(found: Properties) -> str | None:
    """Return the convention that a file states or that its number of planes suggests."""
    if found.convention:
        return found.convention
    if found.codec == "aac" and found.channels == 6:
        return "youtube51"
    return "ambix" if _is_ambisonic(found.channels) else None


def _is_ambisonic(channels: int) -> bool:
    """Tell whether so many channels are a full sphere of first or higher order."""
    return channels >= 4 and math.isqrt(channels) ** 2 == channels


def _layout(path: Path, found: Properties, asked: str | None) -> str:
    """Return the layout to read by, once the number of planes fits it."""
    if asked is not None:
        checks.choice(asked, LAYOUTS, "layout")
    name = asked or _assumed(found)
    extra = 2 if name in _PLANES else 0
    if (
        name is None
        or not _is_ambisonic(found.channels - extra)
        or (name == "youtube51" and found.channels != 6)
    ):
        count = found.channels
        needs = "ambisonic sound needs 4 (first order), 9, 16, ..."
        if asked in _PLANES:
            needs = f"layout {asked} needs 6" + (", 11, 18, ..." if asked[0] == "a" else "")
        elif count == 6:
            needs += " ; for AmbiX with head-locked stereo pass layout='ambix+stereo'"
        raise InputError(f"{path} has {count} channel{'s' * (count != 1)}; {needs}")
    return name


def _span(path: Path, found: Properties, rate: int, first: int, last: int) -> FloatArray:
    """Decode the samples first to last at `rate`, resampled as if the whole file were."""
    planes = _codec(path).planes
    if rate == found.sample_rate:
        return planes(path, first, last)
    import soxr

    # Both rates meet on a sample every `down` of the file's samples, `up` of the result's.
    common = math.gcd(rate, found.sample_rate)
    up, down = rate // common, found.sample_rate // common
    context = _CONTEXT * max(1, math.ceil(up / down))
    begin = max(0, (first - context) // up)
    stop = min(found.frames, math.ceil((last + context) / up) * down)
    raw = planes(path, begin * down, stop)
    x: FloatArray = soxr.resample(raw.T, found.sample_rate, rate).T
    skip = first - begin * up
    return np.ascontiguousarray(x[:, skip : skip + last - first])


def _refuse_surround(path: Path, x: FloatArray) -> None:
    """Refuse six planes that are plain surround sound and not YouTube's Ambisonics."""
    peaks = np.abs(x).max(axis=1)
    if peaks[[3, 5]].max() > _SILENT * peaks.max():
        raise InputError(
            f"{path} has 6 channels of surround sound (planes 3 and 5 are silent in YouTube's "
            "Ambisonics); if it is Ambisonic all the same, say how with layout="
        )


def _youtube51(x: FloatArray) -> FloatArray:
    """Spread first-order AmbiX over the six planes that YouTube uses."""
    x, _ = checks.ambisonic(x, min_order=1, max_order=1)
    planes = np.zeros((6, x.shape[1]), x.dtype)
    planes[list(YOUTUBE51)] = x
    return planes


def _warn_clipping(x: FloatArray, subtype: str) -> None:
    """Warn where an integer sample type will clip."""
    peak = float(np.abs(x).max(initial=0.0))
    if peak > 1 and subtype not in ("FLOAT", "DOUBLE", "VORBIS"):
        warnings.warn(
            f"{subtype} holds samples within ±1; the peak is {peak:.3g}, so the sound is clipped: "
            f"scale it by {1 / peak:.3g}, or write float to .wav",
            stacklevel=4,
        )


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a name beside `target` to write to, and put that file in its place when done.

    Parameters
    ----------
    target : Path
        The file to make or replace.

    Yields
    ------
    Path
        A file of the same name in a folder of its own, which is gone afterwards.

    Raises
    ------
    FileNotFoundError
        If the folder of `target` does not exist.
    """
    if not target.absolute().parent.is_dir():
        raise FileNotFoundError(f"the folder of {target} does not exist: make it first")
    with tempfile.TemporaryDirectory(prefix=f".{target.stem}-", dir=target.parent) as folder:
        temporary = Path(folder) / target.name
        yield temporary
        temporary.replace(target)
