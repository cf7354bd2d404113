"""What a sound file holds, and what says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ambikit.io.inputs import Readable, sources
from ambikit.io.recording import Recording, assumed, describe


@dataclass(frozen=True)
class AudioInfo:
    """What a sound file, or the sound track of a video file, holds.

    Attributes
    ----------
    channels : int
        Number of channels in the file.
    sample_rate : int
        Samples per second.
    frames : int
        Number of samples in each channel.
    duration : float
        Length in seconds.
    codec : str
        Codec or sample type, for example ``"aac"``, ``"opus"``, ``"float"``.
    channel_layout : str
        The container's own name of its channels, for example ``"5.1"``.
    convention : str or None
        What `read` takes the channels for: ``"ambix"``, ``"fuma"``, ``"n3d"``, ``"youtube51"`` or
        ``"ambix+stereo"``; None if it takes them for no Ambisonic sound, and refuses.
    stated_by : str or None
        The field of the file that says what its channels are; None if nothing does.
    evidence : str
        ``"stated"``: the file says that it has this convention. ``"assumed"``: it says nothing, and
        the number of channels decides. ``"contradicted"``: it says that its channels are something
        else, such as loudspeakers.
    says : str
        What it says they are, if that contradicts Ambisonic sound.
    track : int
        Number of the described track among the tracks of sound.
    tracks : tuple of str
        All tracks of sound in the file, in words.
    notes : tuple of str
        What else should be known, for example that the header does not state the length.

    See Also
    --------
    info : Describe a file.

    Examples
    --------
    >>> import ambikit, numpy as np, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "second_order.wav"
    >>> ambikit.write(path, np.zeros((9, 480), np.float32), 48000)
    >>> about = ambikit.info(path)
    >>> ambikit.order_of_channels(about.channels), about.frames, about.codec, about.evidence
    (2, 480, 'float', 'assumed')
    """

    channels: int
    sample_rate: int
    frames: int
    duration: float
    codec: str
    channel_layout: str
    convention: str | None
    stated_by: str | None
    evidence: str = "assumed"
    says: str = ""
    track: int = 0
    tracks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def info(path: Readable | Sequence[Readable], *, track: int | None = None) -> AudioInfo:
    """Describe a sound file or the sound track of a video file.

    Parameters
    ----------
    path : str, path-like, bytes, binary file, or list of these
        WAV, RF64, BW64, W64, AIFF, CAF, FLAC, Ogg or .amb file; with the extra ``media`` also mp4,
        m4a, mov, mkv, webm, mpegts, avi and more. The content decides, not the extension. Several
        files are the parts of one recording, channel after channel.
    track : int, optional
        Which track of sound, counted from 0; by default the first that is Ambisonic.

    Returns
    -------
    AudioInfo
        Sizes, codec, and the convention that `read` takes, with what says so.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InputError
        If it is a folder, empty, truncated, without sound or not a sound file.

    Notes
    -----
    A convention is stated by an SA3D box (mp4), by the sub-format of a B-format WAVE file, by the
    Audio Definition Model or a recorder's names of tracks (WAVE), by the channel layout or the
    adaptor matrix of CAF files, and by Opus channel mapping families 2 and 3 [1]_, [2]_. Otherwise
    six AAC channels are taken for YouTube's order and a square number of channels for AmbiX. The
    page docs/files.md lists all.

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
    return about(Recording(sources(path), track))


def about(recording: Recording) -> AudioInfo:
    """Complete what a file says by what its channels look like."""
    said = recording.statement
    convention, evidence, what = assumed(recording.codec, recording.channels), "assumed", ""
    if said is not None and not said.firm and convention != "ambix":
        said = None  # six channels of YouTube's are labelled as loudspeakers by design
    if said is not None:
        what = said.what
        evidence = "stated" if said.convention else "contradicted"
        if said.firm:
            convention = said.convention
    return AudioInfo(
        recording.channels,
        recording.sample_rate,
        recording.frames,
        recording.frames / recording.sample_rate,
        recording.codec,
        recording.channel_layout,
        convention,
        said.by if said else None,
        evidence,
        what,
        recording.track,
        tuple(describe(track) for track in recording.tracks),
        recording.notes,
    )
