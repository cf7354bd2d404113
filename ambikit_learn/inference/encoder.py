"""A trained encoder of sound and vision, from a folder or the Hugging Face hub."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ambikit import InputError, checks, info, read
from ambikit_learn._files import atomic_write, reading_options
from ambikit_learn._typing import Sound
from ambikit_learn.inference import hub
from ambikit_learn.inference.card import model_card
from ambikit_learn.inference.embed import Embedding, EmbedOptions, embed_sound
from ambikit_learn.inference.onnx import Part, export_onnx
from ambikit_learn.inference.windows import resampled, sound_field
from ambikit_learn.models.alignment import AlignmentModel
from ambikit_learn.models.run import Record, RunFolder, load_run, save_run


class AmbiEncoder:
    """Encoder of Ambisonic sound from the viewpoint of a direction, and of crops of 360° video.

    Parameters
    ----------
    model : AlignmentModel
        Front end and networks.
    record : Record, optional
        Settings of its training, and its results.

    Attributes
    ----------
    model : AlignmentModel
        The model in evaluation mode.
    record : Record
        Settings of its training, and its results.

    Raises
    ------
    InputError
        From its methods, for what they cannot take.

    Notes
    -----
    An embedding is the output of the audio network, before the heads of the pretext task. As in
    training, the sound field is rotated so that the direction is at the front, or a beam is steered
    to it: the same sound has a different embedding for each direction.

    Examples
    --------
    An untrained encoder, saved and loaded:

    >>> import tempfile
    >>> import numpy as np
    >>> from ambikit_learn import AmbiEncoder, FrontEnd
    >>> from ambikit_learn.models.alignment import AlignmentModel, build_model
    >>> model = AlignmentModel(FrontEnd("foa_iv", preset="tiny"), build_model("tiny", 7))
    >>> folder = tempfile.mkdtemp()
    >>> AmbiEncoder(model).save_pretrained(folder)
    >>> encoder = AmbiEncoder.from_pretrained(folder)
    >>> x = np.random.default_rng(0).standard_normal((4, 48000 * 2), dtype=np.float32)
    >>> seen = encoder.embed(x, 48000, azimuth=[0, 90, 180, -90], degrees=True, hop=0.5)
    >>> seen.clip.shape, seen.frames.shape, seen.times.tolist()
    ((4, 128), (4, 3, 128), [0.5, 1.0, 1.5])
    """

    def __init__(self, model: AlignmentModel, record: Record | None = None) -> None:
        self.model = model.eval()
        self.record = record or Record()

    @classmethod
    def from_pretrained(
        cls, name: str | os.PathLike[str], revision: str | None = None
    ) -> AmbiEncoder:
        """Load an encoder from a folder, or fetch it from the Hugging Face hub.

        Parameters
        ----------
        name : str or path
            Folder of a finished run or of `save_pretrained`; or, if no such folder exists, the id
            of a repository on the hub, ``"owner/name"``, which requires the network once.
        revision : str, optional
            Branch, tag or commit of the repository.

        Returns
        -------
        AmbiEncoder
            On the CPU.

        Raises
        ------
        FileNotFoundError
            If the folder does not exist, or holds no exported model.
        InputError
            If the model was written by another version or is damaged, or the hub refuses it.
        """
        folder = hub.local_folder(name, revision)
        return cls(load_run(folder), Record.read(folder))

    def save_pretrained(
        self, folder: str | os.PathLike[str], *, license: str | None = None
    ) -> None:
        """Write the model, its record and its card into a folder.

        Parameters
        ----------
        folder : path
            Folder for ``model.safetensors``, ``config.json``, the settings of training and results,
            and a model card, ``README.md``. It is created if missing.
        license : str, optional
            Identifier of the licence of the weights on the hub, such as ``"cc-by-4.0"``, for the
            card.

        Raises
        ------
        InputError
            If it is the folder of a run, which `fit` may resume.
        """
        self._save(Path(folder), Path(folder).resolve().name, license)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        license: str | None = None,
        private: bool | None = None,
        token: str | None = None,
        revision: str | None = None,
        message: str = "Upload the encoder",
    ) -> str:
        """Publish the model in a repository of the Hugging Face hub, which is created if missing.

        Parameters
        ----------
        repo_id : str
            ``"owner/name"``.
        license : str, optional
            Identifier of the licence of the weights, for the card.
        private : bool, optional
            Whether a new repository is private; by default as set by its owner.
        token : str, optional
            Access token; by default that of ``hf auth login``.
        revision : str, optional
            Branch to write to.
        message : str
            Message of the commit.

        Returns
        -------
        str
            Address of the commit.

        Raises
        ------
        InputError
            If the hub cannot be reached or refuses.
        """
        return hub.publish(
            lambda folder: self._save(folder, repo_id, license),
            repo_id,
            private=private,
            token=token,
            revision=revision,
            message=message,
        )

    def to(self, device: str | torch.device) -> AmbiEncoder:
        """Move the model to a device, and return this encoder.

        Parameters
        ----------
        device : str or torch.device
            Such as ``"cuda"``.
        """
        self.model.to(device)
        return self

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self.model.front_end.mean.device

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz to which sound is resampled."""
        return self.model.front_end.source_rate

    @property
    def window(self) -> float:
        """Length in seconds of a window, as in training."""
        return self.record.window

    @property
    def dim(self) -> int:
        """Width of the embeddings."""
        return self.model.dim

    def embed(
        self,
        x: npt.ArrayLike,
        sample_rate: int,
        azimuth: npt.ArrayLike = 0.0,
        elevation: npt.ArrayLike = 0.0,
        *,
        degrees: bool = False,
        hop: float | None = None,
        window: float | None = None,
        batch_size: int = 32,
    ) -> Embedding:
        """Embed sound of any length and rate from the viewpoints of one or more directions.

        Parameters
        ----------
        x : array_like, shape (..., channels, samples)
            AmbiX sound, floats. Of higher orders, the first four channels are used.
        sample_rate : int
            Sample rate of `x` in Hz.
        azimuth, elevation : array_like
            Directions, which broadcast against each other: a number, or an array of any shape.
        degrees : bool
            Directions are in degrees; otherwise in radians.
        hop : float, optional
            Seconds from window to window; by default the length of a window.
        window : float, optional
            Length of a window in seconds; by default as in training.
        batch_size : int
            Windows and directions per forward pass.

        Returns
        -------
        Embedding
            Embeddings of each sound of the batch from each direction.

        Raises
        ------
        InputError
            If the sound is mono, stereo, empty, shorter than one transform of the front end, or
            holds NaN; or if a direction or time is not one.
        TypeError
            If the sound holds integers.

        Notes
        -----
        The last window ends with the sound, so that every sample is used. Sound shorter than a
        window is extended by reflection.
        """
        rate = checks.positive_int(sample_rate, "sample_rate")
        sound = resampled(sound_field(x), rate, self.sample_rate)
        flat = sound.reshape(-1, *sound.shape[-2:])
        how = self._listening(azimuth, elevation, degrees, window, hop, batch_size)
        out = embed_sound(
            self.model, lambda first, last: flat[..., first:last], flat.shape[-1], how, "x"
        )
        batch = sound.shape[:-2]
        clip, frames = (y.reshape(*batch, *y.shape[1:]) for y in (out.clip, out.frames))
        return Embedding(clip, frames, out.times)

    def embed_file(
        self,
        path: str | os.PathLike[str],
        azimuth: npt.ArrayLike = 0.0,
        elevation: npt.ArrayLike = 0.0,
        *,
        degrees: bool = False,
        hop: float | None = None,
        window: float | None = None,
        batch_size: int = 32,
        convention: str | None = None,
        track: int | None = None,
    ) -> Embedding:
        """Embed a sound file, or the sound of a video file, of any length, in little memory.

        Parameters
        ----------
        path : path
            Any file that `ambikit.read` reads.
        azimuth, elevation, degrees, hop, window, batch_size
            As for `embed`.
        convention : str, optional
            As for `ambikit.read`, where the file does not say what its channels are.
        track : int, optional
            Which track of sound, counted from 0; by default the first that is Ambisonic.

        Returns
        -------
        Embedding
            Embeddings from each direction.

        Raises
        ------
        FileNotFoundError
            If the file does not exist.
        InputError
            If the file holds no Ambisonic sound, is damaged or too short; or as for `embed`.
        """
        convention, track = reading_options(convention, track)
        about, rate = info(path, track=track), self.sample_rate
        length = (2 * about.frames * rate + about.sample_rate) // (2 * about.sample_rate)

        def span(first: int, last: int) -> Sound:
            x, _ = read(
                path,
                sample_rate=rate,
                convention=convention,
                track=track,
                start=first / rate,
                duration=(last - first) / rate,
            )
            return x[None, :4]

        how = self._listening(azimuth, elevation, degrees, window, hop, batch_size)
        out = embed_sound(self.model, span, length, how, str(path))
        return Embedding(out.clip[0], out.frames[0], out.times)

    def embed_video(self, crops: npt.ArrayLike, *, batch_size: int = 32) -> Sound:
        """Embed crops of video.

        Parameters
        ----------
        crops : array_like of uint8, shape (..., T, S, S, 3)
            RGB frames of each crop, for example of `ambikit_learn.sphere.equirect.gnomonic`; the
            preset "tiny" requires the number of frames of the training.
        batch_size : int
            Crops per forward pass.

        Returns
        -------
        ndarray of float32, shape (..., dim)

        Raises
        ------
        InputError
            If the shape or the number of frames does not fit.
        TypeError
            If the pictures are not uint8.
        """
        pictures = checks.frames(crops, "crops")
        frames = self.model.net.settings["frames"]
        if pictures.ndim < 4 or pictures.shape[-4] != frames:
            raise InputError(
                f"crops of shape {pictures.shape}: this model takes (..., {frames}, size, size, "
                f"3), {frames} frames a crop"
            )
        # torch takes neither read-only arrays nor negative strides
        plain = np.require(pictures, requirements=["C", "W"])
        flat = torch.from_numpy(plain.reshape(-1, *plain.shape[-4:]))
        with torch.inference_mode():
            parts = [
                self.model.net.encode_video(part.to(self.device)).cpu()
                for part in torch.split(flat, checks.positive_int(batch_size, "batch_size"))
            ]
        out: Sound = torch.cat(parts).numpy()
        return out.reshape(*pictures.shape[:-4], self.dim)

    def export_onnx(self, path: str | os.PathLike[str], part: Part = "audio") -> None:
        """Write a part of the model as ONNX, with dynamic sizes of batch and time.

        Parameters
        ----------
        path : path
            File to write.
        part : "audio", "video" or "sound"
            ``"audio"``: from standardised ``features`` (batch, channels, frames, mels) to
            ``embedding`` (batch, dim). ``"video"``: from uint8 ``crops`` (batch, T, S, S, 3).
            ``"sound"``: front end included, from AmbiX ``sound`` (batch, 4, samples) at
            `sample_rate` and its directions ``azimuth`` and ``elevation`` (batch,) in radians.

        Raises
        ------
        InputError
            If the part is unknown, or onnxscript is not installed.

        Notes
        -----
        The settings of the front end are stored in the file, as metadata ``ambikit``.
        """
        export_onnx(self.model, Path(path), part)

    def __repr__(self) -> str:
        net, front_end = self.model.net.settings, self.model.front_end
        return (
            f"AmbiEncoder({net['preset']}, {net['objective']}, {front_end.kind}, "
            f"{front_end.alignment}, {self.sample_rate} Hz, window {self.window:g} s, "
            f"dim {self.dim})"
        )

    def _save(self, folder: Path, name: str, license: str | None) -> None:
        """Write the model, its record and its card, which states how to load `name`."""
        run = RunFolder(folder)
        if run.states.is_dir():
            raise InputError(
                f"{folder} is the folder of a run that fit may resume: give another one"
            )
        save_run(self.model, folder)
        self.record.write(folder)
        with atomic_write(run.card) as temporary:
            card = model_card(self.model, self.record, name, license)
            temporary.write_text(card, encoding="utf-8")

    def _listening(
        self,
        azimuth: npt.ArrayLike,
        elevation: npt.ArrayLike,
        degrees: bool,
        window: float | None,
        hop: float | None,
        batch_size: int,
    ) -> EmbedOptions:
        """Complete the given options by those of the training."""
        seconds = self.window if window is None else window
        return EmbedOptions(azimuth, elevation, degrees, seconds, hop, batch_size)
