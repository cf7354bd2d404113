"""Writing AmbiX to files of any convention that they can hold."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ambikit import checks
from ambikit._codecs import encoders, libsndfile
from ambikit._errors import InputError
from ambikit._typing import ArrayLike, FloatArray
from ambikit.conventions import ALIASES, CONVENTIONS, convert
from ambikit.io.atomic import atomic_write
from ambikit.io.reading import RAW, YOUTUBE51

WRITABLE = (RAW, "youtube51", *ALIASES, *CONVENTIONS)
"""What `write` takes as `convention`."""
EXTENSIONS = (*libsndfile.FORMATS, *encoders.CODECS)
"""What `write` knows how to write."""
_SHORT = {convention: alias for alias, convention in ALIASES.items()}


def write(
    path: str | os.PathLike[str] | BinaryIO,
    x: ArrayLike,
    sample_rate: float,
    *,
    convention: str = "ambix",
    subtype: str | None = None,
    format: str | None = None,
) -> None:
    """Write Ambisonic sound to a file.

    Parameters
    ----------
    path : str, path-like or binary file
        Where to; the extension chooses the container: .wav, .amb, .rf64, .w64, .caf, .flac, .ogg,
        and with the extra ``media`` .m4a, .mp4, .mov, .mkv, .mka, .webm, .opus. A file of that name
        is replaced in one step once the new one is complete.
    x : array_like, shape (channels, samples)
        AmbiX signals of any order that the container can hold.
    sample_rate : float
        Hz, a whole number.
    convention : str, optional
        What to store: ``"ambix"``, ``"fuma"`` (which .amb requires) or another convention of
        `convert`; ``"youtube51"`` stores first order as six AAC channels in YouTube's order;
        ``"none"`` stores any channels as they are, for example beams, in a sound file.
    subtype : str, optional
        Sample type or codec, for example ``"PCM_16"``, ``"FLOAT"``, ``"aac"``, ``"opus"``. By
        default float for WAV and its kin, 24 bit for FLAC, AAC in mp4, Opus in webm, FLAC in
        Matroska.
    format : str, optional
        The extension of the container, where `path` is an open file or is named otherwise.

    Raises
    ------
    InputError
        If the container cannot hold the sound, or `x` holds NaN.
    TypeError
        If `x` holds integers.

    Warns
    -----
    UserWarning
        If samples beyond ±1 are clipped by an integer sample type, or if nothing in the file says
        which convention it has, so that it must be named when the file is read.

    Notes
    -----
    Files that can say what they hold do: an SA3D box in mp4, the B-format sub-format in WAVE files
    with ``convention="fuma"``, the channel layout of CAF, channel mapping family 2 for Opus [1]_,
    [2]_. The same sound gives the same bytes, except in .ogg files, which have a random serial
    number.

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
    name, suffix = _target(path, format)
    stored = checks.name_of(convention, WRITABLE, "convention")
    stored = _SHORT.get(stored, stored)
    _refuse_pair(name, suffix, stored)
    sound = suffix in libsndfile.FORMATS
    if sound:
        libsndfile.room(suffix, np.shape(x), subtype)
    if stored == "youtube51":
        subtype = checks.choice((subtype or "aac").lower(), ("aac",), "subtype of youtube51")
    rate = checks.whole_rate(sample_rate)
    channels = checks.channels_to_write(x) if stored == RAW else checks.sound_to_write(x)
    labels = None
    if stored == "youtube51":
        channels, labels = _youtube51(channels), "5.1"
    elif stored != RAW:
        channels = convert(channels, "ambix", stored)
    if (libsndfile.clips if sound else encoders.clips)(suffix, subtype):
        warn_clipping(float(np.abs(channels).max(initial=0.0)), subtype or suffix)
    if isinstance(path, str | os.PathLike):
        with atomic_write(Path(path)) as temporary:
            said = _save(temporary, channels, rate, suffix, subtype, stored, labels)
    else:
        with tempfile.TemporaryDirectory(prefix="ambikit-") as folder:
            temporary = Path(folder) / f"new{suffix}"
            said = _save(temporary, channels, rate, suffix, subtype, stored, labels)
            with temporary.open("rb") as written:
                shutil.copyfileobj(written, path)
    if not said and stored not in ("ambix", RAW):
        warnings.warn(
            f"nothing in {name} says {stored}, and without it the channels are taken for AmbiX: "
            f"pass convention={stored!r} when it is read",
            stacklevel=2,
        )


def _save(
    path: Path,
    channels: FloatArray,
    rate: int,
    suffix: str,
    subtype: str | None,
    stored: str,
    labels: str | None,
) -> bool:
    """Write channels as they are to be stored; return whether the file says what they are."""
    if suffix in libsndfile.FORMATS:
        return libsndfile.save(path, channels, rate, suffix, subtype, stored)
    encoders.save(path, channels, rate, suffix, subtype, labels)
    return True


def _target(path: str | os.PathLike[str] | BinaryIO, format: str | None) -> tuple[str, str]:
    """Return what messages call the file, and the extension of its container."""
    if isinstance(path, str | os.PathLike):
        name = os.fspath(path)
    elif hasattr(path, "write"):
        name = getattr(path, "name", "")
        name = name if isinstance(name, str) else ""
        if _takes_no_bytes(path):
            raise TypeError(f"{name or 'the open file'} takes no bytes: open it with mode 'wb'")
    else:
        raise TypeError(f"path must be a path or an open file, got {type(path).__name__}")
    suffix = Path(name).suffix.lower() if format is None else f".{str(format).lower().lstrip('.')}"
    if not suffix and not isinstance(path, str | os.PathLike):
        raise InputError("an open file without a name needs format=, for example '.wav'")
    return name or "the open file", checks.choice(suffix, EXTENSIONS, "file extension")


def _takes_no_bytes(file: Any) -> bool:
    """Tell whether an open file is one of text, or open for reading alone."""
    return isinstance(file, io.TextIOBase) or (hasattr(file, "writable") and not file.writable())


def _refuse_pair(name: str, suffix: str, stored: str) -> None:
    """Refuse a convention that a container has no place for."""
    if suffix == ".amb" and stored != "fuma":
        raise InputError(f"{name}: a .amb file holds FuMa: pass convention='fuma', or name it .wav")
    fits = stored in ("ambix", "youtube51") if suffix in encoders.CODECS else stored != "youtube51"
    if not fits:
        raise InputError(
            f"{name}: a {suffix} file is not written as {stored}: sound files take every "
            "convention but youtube51, video containers take ambix and youtube51"
        )


def _youtube51(x: FloatArray) -> FloatArray:
    """Spread first-order AmbiX over the six channels that YouTube uses."""
    x, _ = checks.ambisonic(x, min_order=1, max_order=1)
    channels = np.zeros((6, x.shape[1]), x.dtype)
    channels[list(YOUTUBE51)] = x
    return channels


def warn_clipping(peak: float, kind: str) -> None:
    """Warn where an integer sample type clips a peak."""
    if peak > 1:
        warnings.warn(
            f"{kind} holds samples within ±1; the peak is {peak:.3g}, so the sound is clipped: "
            f"scale it by {1 / peak:.3g}, or write float to .wav",
            stacklevel=3,
        )
