"""Reading sound as AmbiX."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from ambikit import checks
from ambikit._codecs import Statement
from ambikit._codecs.statement import MIXED_ORDER, from_letters
from ambikit._errors import InputError
from ambikit._typing import FloatArray
from ambikit.conventions import ALIASES, CONVENTIONS, converted
from ambikit.io.about import AudioInfo, about
from ambikit.io.inputs import Readable, sources
from ambikit.io.recording import Recording, is_ambisonic, listed

YOUTUBE51 = (2, 1, 4, 0)
"""The channels of YouTube's AAC "5.1" (FL=X, FR=Y, FC=W, LFE=0, BL=Z, BR=0) that are W, Y, Z, X."""

_CHOSEN: dict[str, list[int] | slice] = {
    "youtube51": list(YOUTUBE51),
    "ambix+stereo": slice(None, -2),
}
RAW = "none"
"""The convention of channels that are to be left as they are."""
READABLE = (RAW, *_CHOSEN, *ALIASES, *CONVENTIONS)
"""What `read` takes as `convention`."""
_SHORT = {convention: alias for alias, convention in ALIASES.items()}

# A silent channel of a lossy file is not exactly zero; in 5.1 surround sound the channels 3 and 5
# carry bass and the right rear.
_SILENT = 1e-2


def read(
    path: Readable | Sequence[Readable],
    *,
    sample_rate: float | None = None,
    convention: str | None = None,
    track: int | None = None,
    start: float = 0.0,
    duration: float | None = None,
) -> tuple[FloatArray, int]:
    """Read a span of Ambisonic sound as AmbiX.

    Parameters
    ----------
    path : str, path-like, bytes, binary file, or list of these
        A sound or video file, as for `info`. Several files are the parts of one recording, for
        example two of eight channels that make third order.
    sample_rate : float, optional
        Resample to this rate in Hz, a whole number; by default the file's own.
    convention : str, optional
        What the channels are, where the file does not say or says wrong: ``"ambix"``, ``"fuma"``,
        ``"n3d"`` or another convention of `convert`; ``"youtube51"`` for YouTube's AAC order;
        ``"ambix+stereo"`` for AmbiX followed by two head-locked channels, which are dropped;
        ``"none"`` for any channels, as they are: A-format and other arrays.
    track : int, optional
        Which track of sound, counted from 0; by default the first that is Ambisonic.
    start : float, optional
        Where to begin, in seconds from the beginning of the file, which is where the first of its
        streams begins: so sound and picture of one file stay together.
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
        sound, or something else by what it says), is truncated, or has NaN in it; or if the span is
        not inside it.

    Warns
    -----
    UserWarning
        If the file names loudspeakers, which may be a program's default, or what its header says of
        its length cannot be all there is.

    Notes
    -----
    The channels are decoded raw and put in order here: a conversion of layouts by FFmpeg would
    scramble them. A span is exact to the sample, also in formats that start with padding or seek
    by blocks, and equals the same span of the whole file read at that rate; except that AAC may
    fill bands with noise of its own, which is another noise when decoding begins elsewhere.
    Where start and end both round up to samples, a span that ends with the file begins one earlier.

    Horizontal and mixed-order files (.amb, extended AmbiX, ADM) come back as a full sphere, with
    zeros for what they do not hold.

    Examples
    --------
    >>> import ambikit, numpy as np, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "left.flac"
    >>> ambikit.write(path, ambikit.encode(np.full(48000, 0.5, np.float32), np.pi / 2), 48000)
    >>> x, rate = ambikit.read(path, sample_rate=24000, start=0.25, duration=0.5)
    >>> x.shape, rate, x[:2, 6000].round(3).tolist()
    ((4, 12000), 24000, [0.5, 0.5])
    """
    sound = Sound(path, convention=convention, track=track)
    rate = sound.sample_rate if sample_rate is None else checks.whole_rate(sample_rate)
    first, last = sound.span(start, duration, rate)
    sound.warn(stacklevel=3)
    return sound.read(first, last, rate), rate


class Sound:
    """A recording whose headers were read, for reading it as AmbiX, span by span.

    Parameters
    ----------
    path : str, path-like, bytes, binary file, or list of these
        As for `read`.
    convention : str or None
        As for `read`.
    track : int or None
        As for `read`.
    """

    def __init__(
        self,
        path: Readable | Sequence[Readable],
        *,
        convention: str | None = None,
        track: int | None = None,
    ) -> None:
        self._recording = Recording(sources(path), track)
        self._about = about(self._recording)
        self._asked = convention
        if convention is not None:
            self._asked = checks.name_of(convention, READABLE, "convention")
        self._convention, self._statement = _convention(self._recording, self._about, self._asked)

    @property
    def sample_rate(self) -> int:
        """The file's own rate in Hz."""
        return self._recording.sample_rate

    def span(self, start: float, duration: float | None, rate: int) -> tuple[int, int]:
        """Return the first and last-plus-one sample, at some rate, of a span in seconds."""
        frames, own = self._recording.frames, self.sample_rate
        length = (2 * frames * rate + own) // (2 * own)
        if length == 0:
            raise InputError(f"{self._recording.name} holds no samples: its sound is 0 s long")
        return checks.span(start, duration, length, rate, self._recording.name)

    def read(self, first: int, last: int, rate: int) -> FloatArray:
        """Return the samples first to last, counted at that rate, as (channels, samples)."""
        x, name = self._recording.decode(rate, first, last), self._convention
        if not np.isfinite(x).all():
            where = (first + int(np.isfinite(x).all(axis=0).argmin())) / rate
            raise InputError(
                f"{self._recording.name} holds NaN or infinity near {where:.3f} s: repair or cut "
                "the file"
            )
        if name == RAW:
            return x
        if name == "youtube51" and self._asked is None:
            _refuse_surround(self._recording.name, x)
        statement = self._statement
        if statement is not None and statement.matrix is not None:
            x = statement.matrix @ x
        if name in _CHOSEN:
            x, name = np.ascontiguousarray(x[_CHOSEN[name]]), "ambix"
        return converted(x, name, "ambix", oriented=True)

    def warn(self, *, stacklevel: int) -> None:
        """Warn of what makes the result doubtful."""
        found, notes = self._about, list(self._about.notes)
        if found.evidence == "contradicted" and found.convention and self._asked is None:
            notes.append(
                f"its {found.stated_by} says {found.says}; it is read as {found.convention}: if "
                "that is right, say so with convention="
            )
        for note in notes:
            warnings.warn(f"{self._recording.name}: {note}", stacklevel=stacklevel + 1)


def _convention(
    recording: Recording, found: AudioInfo, asked: str | None
) -> tuple[str, Statement | None]:
    """Return what to read the channels as, once their number fits it, and what says which is which.

    What a file states of its channels counts unless another convention is asked for.
    """
    name = _SHORT.get(asked or "", asked) or found.convention
    if name == RAW:
        return name, None
    said = recording.statement
    if said is not None and (not said.firm or said.convention != name):
        said = None
    if name == "fuma" and said is None and recording.channels in MIXED_ORDER:
        said = from_letters("", recording.channels)
    channels = recording.channels
    if said is not None and said.matrix is not None:
        channels = len(said.matrix)
    if name is None and found.says:
        raise InputError(
            f"{recording.name} holds {found.says} by its {found.stated_by}: to read it as "
            "Ambisonic all the same, say how with convention=; convention='none' reads its "
            "channels as they are"
        )
    extra = 2 if name in _CHOSEN else 0
    if (
        name is None
        or not is_ambisonic(channels - extra)
        or (name == "youtube51" and channels != 6)
    ):
        raise InputError(_refusal(recording, name if asked else None))
    return name, said


def _refusal(recording: Recording, asked: str | None) -> str:
    """Say why so many channels are not read."""
    count = recording.channels
    needs = "ambisonic sound needs 4 (first order), 9, 16, ..."
    if asked in _CHOSEN:
        needs = f"convention {asked} needs 6" + (", 11, 18, ..." if asked[0] == "a" else "")
    elif count == 6:
        needs += "; for AmbiX with head-locked stereo pass convention='ambix+stereo'"
    if asked is None:
        needs += "; for channels as they are, such as A-format, convention='none'"
    if len(recording.tracks) > 1:
        needs += f"; its tracks of sound are {listed(recording.tracks)}: choose with track="
    return f"{recording.name} has {count} channel{'s' * (count != 1)}; {needs}"


def _refuse_surround(name: str, x: FloatArray) -> None:
    """Refuse six channels that are plain surround sound and not YouTube's Ambisonics."""
    peaks = np.abs(x).max(axis=1)
    if peaks[[3, 5]].max() > _SILENT * peaks.max():
        raise InputError(
            f"{name} has 6 channels of surround sound (channels 3 and 5 are silent in YouTube's "
            "Ambisonics); if it is Ambisonic all the same, say how with convention="
        )
