"""WAV, RF64, W64, CAF, FLAC and Ogg Vorbis, through libsndfile.

It reads Ogg Opus too, but calls sound files of FFmpeg malformed: those go to FFmpeg.
"""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import soundfile

from ambikit._codecs import Properties
from ambikit._errors import InputError
from ambikit._typing import FloatArray

_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"riff", b"caff", b"fLaC", b"OggS", b"FORM")
# The sub-format of an extensible WAVE file is a GUID whose first word is the sample type; the
# other three words say "plain" or "B-format" (Richard Dobson's AMB file format, FuMa order).
_PLAIN_GUID = bytes.fromhex("00001000800000aa00389b71")
_B_FORMAT_GUID = bytes.fromhex("2107d3118644c8c1ca000000")
# Floating-point WAVE files note the second at which their peaks were found.
_PEAK = b"PEAK"
_PEAK_TIME = 12
_HEADER = 4096
_SYSTEM_ERROR = 2  # SF_ERR_SYSTEM: the fault is not the format's

FORMATS = {
    ".wav": ("WAV", "FLOAT"),
    ".amb": ("WAVEX", "FLOAT"),
    ".rf64": ("RF64", "FLOAT"),
    ".w64": ("W64", "FLOAT"),
    ".caf": ("CAF", "FLOAT"),
    ".flac": ("FLAC", "PCM_24"),
    ".ogg": ("OGG", "VORBIS"),
}
"""Container and default sample type by file extension."""


def recognises(head: bytes) -> bool:
    """Tell from the first bytes of a file, not from its name, whether libsndfile reads it."""
    video = head[8:12] == b"AVI " or (head.startswith(b"OggS") and b"vorbis" not in head)
    return head.startswith(_MAGIC) and not video


def properties(path: Path) -> Properties:
    """Describe a sound file."""
    try:
        with soundfile.SoundFile(path) as file:
            found = Properties(
                file.channels, file.samplerate, file.frames, file.subtype.lower(), ""
            )
    except soundfile.LibsndfileError as error:
        raise InputError(f"{path} cannot be read: {error.error_string}") from error
    with path.open("rb") as stream:
        stated = _B_FORMAT_GUID in stream.read(_HEADER) or path.suffix.lower() == ".amb"
    return found._replace(convention="fuma", stated_by="B-format WAVE") if stated else found


def planes(path: Path, start: int, stop: int) -> FloatArray:
    """Decode the samples start to stop of every channel."""
    try:
        with soundfile.SoundFile(path) as file:
            wanted = stop - start
            file.seek(start)
            x = file.read(wanted, dtype="float32", always_2d=True).T
    except soundfile.LibsndfileError as error:
        raise InputError(f"{path} breaks off or is damaged: {error.error_string}") from error
    if x.shape[1] < wanted:
        raise InputError(
            f"{path} is truncated: {start + x.shape[1]} samples of {stop} can be decoded; copy "
            "or download it again"
        )
    return np.ascontiguousarray(x)


def save(
    path: Path, x: FloatArray, sample_rate: int, suffix: str, subtype: str | None, b_format: bool
) -> None:
    """Write planes in the container that `suffix` names."""
    container, default = FORMATS[suffix]
    if b_format and container == "WAV":
        container = "WAVEX"
    try:
        soundfile.write(path, x.T, sample_rate, (subtype or default).upper(), format=container)
    except (soundfile.LibsndfileError, ValueError) as error:
        if getattr(error, "code", None) == _SYSTEM_ERROR:
            text = f"{path} cannot be written: is the disk full or read-only?"
            raise OSError(errno.EIO, text) from error
        raise InputError(
            f"a {suffix} file cannot hold {x.shape[0]} channels at {sample_rate} Hz as "
            f"{subtype or default} ({error}): choose another subtype or extension"
        ) from error
    if container in ("WAV", "WAVEX"):
        with path.open("r+b") as stream:
            header = stream.read(_HEADER)
            if b_format:
                stream.seek(header.index(_PLAIN_GUID))
                stream.write(_B_FORMAT_GUID)
            peak = header.find(_PEAK, 0, header.index(b"data"))
            if peak >= 0:
                stream.seek(peak + _PEAK_TIME)
                stream.write(bytes(4))
