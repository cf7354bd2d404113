"""WAV, RF64, BW64, W64, AIFF, CAF, FLAC and Ogg Vorbis, through libsndfile.

It reads Ogg Opus too, but calls sound files of FFmpeg malformed: those go to FFmpeg.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from ambikit._codecs import caf, flac, ogg, riff
from ambikit._codecs.source import Overlaid, Source, Window, native_name
from ambikit._codecs.statement import Statement, Track, from_letters
from ambikit._errors import InputError
from ambikit._typing import FloatArray

_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"riff", b"caff", b"fLaC", b"OggS", b"FORM")
# The encoder of Vorbis takes room on the stack for all that it is given at once: a minute of sound
# ends the process (seen with libsndfile 1.2.2).
_STEP = 1 << 16
_SYSTEM_ERROR = 2  # SF_ERR_SYSTEM: the fault is not the format's
_RAW = {
    (1, 8): "PCM_U8",
    (1, 16): "PCM_16",
    (1, 24): "PCM_24",
    (1, 32): "PCM_32",
    (3, 32): "FLOAT",
    (3, 64): "DOUBLE",
    (6, 8): "ALAW",
    (7, 8): "ULAW",
}
"""Sample types of WAVE files by format tag and bits."""

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
_UNCLIPPED = ("FLOAT", "DOUBLE", "VORBIS", "OPUS")
_LIMITED = {".wav": "WAV", ".amb": ".amb"}
"""Containers whose sizes have 32 bits."""
_BYTES = {"DOUBLE": 8, "FLOAT": 4, "PCM_32": 4, "PCM_24": 3, "PCM_16": 2}
_ROOM = (1 << 32) - 4096
"""Bytes of sound that a container with sizes of 32 bits holds."""


def recognises(head: bytes) -> bool:
    """Tell from the first bytes of a file, not from its name, whether libsndfile reads it."""
    video = head[8:12] == b"AVI " or (head.startswith(b"OggS") and b"vorbis" not in head)
    return head.startswith(_MAGIC) and not video


def tracks(source: Source) -> list[Track]:
    """Describe the one track of a sound file."""
    with source.open() as stream:
        head = stream.read(4)
        chunks = caf.read_chunks(stream)
        wave = riff.read_headers(stream)
        sound = caf.sound(stream, chunks)
    missing = wave.missing if wave else sound.missing
    if missing:
        raise InputError(
            f"{source} is truncated, {missing} bytes of its sound are missing: copy or download it "
            "again, or save what is there with a program that repairs headers"
        )
    notes = wave.notes if wave else sound.notes
    if head == b"OggS":
        notes = ogg.notes(source)
    with _open(source, wave) as file:
        track = Track(0, file.channels, file.samplerate, file.subtype.lower())
        if head == flac.MAGIC:
            _check_length(source, file)
    said: Statement | None
    with source.open() as stream:
        if wave is not None:
            said = riff.statement(stream, wave)
        else:
            said = caf.statement(stream, chunks, track.channels)
    if source.suffix == ".amb" and (said is None or not said.firm):
        said = from_letters("extension .amb", track.channels)
    return [replace(track, statement=said, notes=notes)]


def length(source: Source, track: Track) -> int:
    """Return the number of samples."""
    with _opened(source) as file:
        return int(file.frames)


def channels(source: Source, track: Track, start: int, stop: int) -> FloatArray:
    """Decode the samples start to stop of every channel."""
    wanted = stop - start
    with _opened(source) as file:
        try:
            file.seek(start)
            x = file.read(wanted, dtype="float32", always_2d=True).T
        except soundfile.LibsndfileError as error:
            raise InputError(
                f"{source} breaks off or is damaged ({_reason(error)}): copy or download it again"
            ) from error
    if x.shape[1] < wanted:
        raise InputError(
            f"{source} is truncated: {start + x.shape[1]} samples of {stop} can be decoded; copy "
            "or download it again"
        )
    return np.ascontiguousarray(x)


def clips(suffix: str, subtype: str | None) -> bool:
    """Tell whether a sample type holds nothing beyond ±1."""
    return (subtype or FORMATS[suffix][1]).upper() not in _UNCLIPPED


def room(suffix: str, shape: tuple[int, ...], subtype: str | None) -> None:
    """Refuse (channels, samples) of which a container cannot count the bytes."""
    kind = (subtype or FORMATS[suffix][1]).upper()
    size = math.prod(shape) * _BYTES.get(kind, 1)
    if suffix in _LIMITED and size > _ROOM:
        raise InputError(
            f"{size / 1e9:.2f} GB of sound are more than the 4.29 GB that a {_LIMITED[suffix]} "
            "file can count: name it .rf64 or .w64"
        )


def save(
    path: Path, x: FloatArray, sample_rate: int, suffix: str, subtype: str | None, convention: str
) -> bool:
    """Write channels in the container that `suffix` names; return whether it says the convention.

    ``"none"`` for channels of which nothing is to be said.
    """
    container, default = FORMATS[suffix]
    if convention == "fuma" and container == "WAV":
        container = "WAVEX"
    kind = (subtype or default).upper()
    with (
        _in_one_line(path, x.shape[0], sample_rate, kind),
        soundfile.SoundFile(
            native_name(path), "w", sample_rate, x.shape[0], kind, format=container
        ) as file,
    ):
        for begin in range(0, x.shape[1], _STEP):
            file.write(x[:, begin : begin + _STEP].T)
    with path.open("r+b") as stream:
        riff.clear_time(stream)
        stated = False
        if container == "CAF":
            stated = caf.state(stream, convention, x.shape[0])
        elif container in ("WAVEX", "RF64") and convention == "fuma":
            stated = riff.state_b_format(stream)
        elif container in ("WAVEX", "RF64"):
            riff.clear_mask(stream)
    _check_readable(path, x.shape, suffix, kind)
    return stated


@contextmanager
def _in_one_line(path: Path, channels: int, sample_rate: int, kind: str) -> Iterator[None]:
    """Say what libsndfile refuses to write, or that the disk does."""
    try:
        yield
    except (soundfile.LibsndfileError, ValueError) as error:
        if getattr(error, "code", None) == _SYSTEM_ERROR:
            text = f"{path} cannot be written: is the disk full or read-only?"
            raise OSError(errno.EIO, text) from error
        raise InputError(
            f"a {path.suffix} file cannot hold {channels} channels at {sample_rate} Hz as {kind} "
            f"({error}): choose another subtype or extension"
        ) from error


class SpanWriter:
    """A sound file that is written span by span, closed at the end of a `with` block.

    Parameters
    ----------
    path : Path
        Where to; the extension chooses the container.
    sample_rate : int
        Hz.
    samples : int
        How many there will be: more than WAV can count go to RF64.
    """

    def __init__(self, path: Path, sample_rate: int, samples: int) -> None:
        self._path, self._rate, self._samples = path, sample_rate, samples
        self._file: soundfile.SoundFile | None = None
        self.peak = 0.0
        """Largest magnitude so far of what a sample type clips at 1."""

    def append(self, channels: FloatArray) -> None:
        """Write the next span (channels, samples)."""
        container, kind = FORMATS[self._path.suffix.lower()]
        count = len(channels)
        with _in_one_line(self._path, count, self._rate, kind):
            if self._file is None:
                if container == "WAV" and count * self._samples * _BYTES[kind] > _ROOM:
                    container = "RF64"
                self._file = soundfile.SoundFile(
                    native_name(self._path), "w", self._rate, count, kind, format=container
                )
            for begin in range(0, channels.shape[1], _STEP):
                self._file.write(channels[:, begin : begin + _STEP].T)
        if kind not in _UNCLIPPED:
            self.peak = max(self.peak, float(np.abs(channels).max(initial=0.0)))

    def __enter__(self) -> SpanWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            with self._path.open("r+b") as stream:
                riff.clear_time(stream)


def _check_readable(path: Path, shape: tuple[int, ...], suffix: str, kind: str) -> None:
    """Refuse what libsndfile writes and does not read: ALAC of more than eight channels."""
    try:
        with _opened(Source(path.name, path=path)) as file:
            if file.channels == shape[0]:
                return
    except InputError:
        pass
    raise InputError(
        f"a {suffix} file of {shape[0]} channels as {kind} could not be read again: choose another "
        "subtype or extension"
    )


@contextmanager
def _opened(source: Source) -> Iterator[soundfile.SoundFile]:
    """Open a file whose headers were not read yet."""
    with source.open() as stream:
        wave = riff.read_headers(stream)
    with _open(source, wave) as file:
        yield file


@contextmanager
def _open(source: Source, wave: riff.Wave | None) -> Iterator[soundfile.SoundFile]:
    """Open a file, past a header whose sizes are not those of the sound."""
    if wave is not None and wave.irregular:
        with source.open() as stream:
            yield _raw(source, wave, stream)
        return
    try:
        shown = _completed(source)
        if shown is None:
            file = soundfile.SoundFile(source.for_libsndfile())
        else:
            with shown, soundfile.SoundFile(shown) as file:
                yield file
            return
    except soundfile.LibsndfileError as error:
        raise InputError(
            f"{source} cannot be read ({_reason(error)}): it is damaged, or of a type that "
            "libsndfile does not read; copy or download it again, or convert it to .wav"
        ) from error
    with file:
        yield file


def _reason(error: soundfile.LibsndfileError) -> str:
    """Return what libsndfile says of a file, without its full stop."""
    return str(error.error_string).removeprefix("Error : ").rstrip(".")


def _completed(source: Source) -> Overlaid | None:
    """Return a file with the length in its header that is missing there, None where none is."""
    if flac.states_no_length(source):
        with source.open() as stream:
            count = flac.length(stream)
        if count is None:
            raise InputError(
                f"{source} is truncated: it does not state its length, and its last frame is "
                "not whole; copy or download it again"
            )
        return flac.of_length(source, count)
    with source.open() as stream:
        head = caf.sound(stream, caf.read_chunks(stream)).head
    return Overlaid(source, head) if head else None


def _check_length(source: Source, file: soundfile.SoundFile) -> None:
    """Refuse a FLAC file that ends before or after the length that its header states."""
    with source.open() as stream:
        end = flac.length(stream, beyond=file.frames)
    if end is not None and end > file.frames:
        raise InputError(
            f"{source} is damaged: its header counts {file.frames} samples, its last frame ends "
            f"with sample {end}; copy or download it again, or decode and encode it with flac"
        )
    try:
        file.seek(file.frames - 1)
        whole = len(file.read(1)) == 1
    except soundfile.LibsndfileError:
        whole = False
    if not whole:
        raise InputError(
            f"{source} is truncated: it breaks off before the {file.frames / file.samplerate:g} s "
            "that it states; copy or download it again"
        )


def _raw(source: Source, wave: riff.Wave, stream: object) -> soundfile.SoundFile:
    """Open the sound of a WAVE file as samples without a header."""
    kind = _RAW.get((wave.sample_type, wave.bits))
    if kind is None or wave.block != wave.channels * wave.bits // 8:
        raise InputError(
            f"{source} has a header that does not fit its size, and samples of a type that cannot "
            f"be read without one (format {wave.sample_type}, {wave.bits} bits): convert it to .w64"
        )
    whole = wave.data.size // wave.block * wave.block
    return soundfile.SoundFile(
        Window(stream, wave.data.start, whole),  # type: ignore[arg-type]
        samplerate=wave.sample_rate,
        channels=wave.channels,
        subtype=kind,
        endian="BIG" if wave.form == "RIFX" else "LITTLE",
        format="RAW",
    )
