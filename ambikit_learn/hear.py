"""The interface of HEAR 2021, the Holistic Evaluation of Audio Representations.

``heareval`` embeds its data sets with a module of these three functions. Its sounds are mono: each
is encoded as a plane wave from the front (W = X, Y = Z = 0) and embedded from that viewpoint. HEAR
thus measures what an encoder represents of sounds, but nothing of directions.

References
----------
.. [1] J. Turian et al., "HEAR: Holistic Evaluation of Audio Representations", Proceedings of
       Machine Learning Research 176, 2022; https://hearbenchmark.com/hear-api.html.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ambikit import InputError
from ambikit_learn._typing import Sound
from ambikit_learn.inference.encoder import AmbiEncoder
from ambikit_learn.inference.windows import pad_mirrored, resampled

SAMPLE_RATES = (16000, 22050, 44100, 48000)
"""Sample rates of the data sets of HEAR."""
HOP = 0.05
"""Seconds between timestamps, the longest interval that HEAR advises."""

_FRONT = np.array([1, 0, 0, 1], np.float32)


class HearModel(nn.Module):
    """An encoder with the attributes that HEAR requires.

    Attributes
    ----------
    sample_rate : int
        Sample rate of its input in Hz: that of the encoder if HEAR has it, otherwise 48 kHz.
    scene_embedding_size, timestamp_embedding_size : int
        Widths of the embeddings.
    """

    def __init__(self, encoder: AmbiEncoder) -> None:
        super().__init__()
        self.network = encoder.model
        self.encoder = encoder
        own = encoder.sample_rate
        self.sample_rate = own if own in SAMPLE_RATES else SAMPLE_RATES[-1]
        self.scene_embedding_size = self.timestamp_embedding_size = encoder.dim
        self.eval()


def load_model(model_file_path: str) -> HearModel:
    """Return the encoder in a folder or on the hub, as `AmbiEncoder.from_pretrained` finds it.

    Parameters
    ----------
    model_file_path : str
        Folder of a run or of `AmbiEncoder.save_pretrained`, or id of a repository.

    Returns
    -------
    HearModel

    Raises
    ------
    FileNotFoundError
        If the folder does not exist, or holds no exported model.
    InputError
        If it was written by another version, or is damaged.

    Examples
    --------
    >>> import tempfile
    >>> import torch
    >>> from ambikit_learn import AmbiEncoder, FrontEnd, hear
    >>> from ambikit_learn.models.alignment import AlignmentModel, build_model
    >>> folder = tempfile.mkdtemp()
    >>> untrained = AlignmentModel(FrontEnd(preset="tiny"), build_model("tiny", 4))
    >>> AmbiEncoder(untrained).save_pretrained(folder)
    >>> model = hear.load_model(folder)
    >>> model.sample_rate, model.scene_embedding_size
    (48000, 128)
    """
    return HearModel(AmbiEncoder.from_pretrained(model_file_path))


def get_timestamp_embeddings(audio: Tensor, model: HearModel) -> tuple[Tensor, Tensor]:
    """Embed sounds around regular points in time.

    Parameters
    ----------
    audio : Tensor, shape (n_sounds, n_samples)
        Mono sounds within ±1, at the model's rate.
    model : HearModel
        From `load_model`.

    Returns
    -------
    embeddings : Tensor of float32, shape (n_sounds, n_timestamps, timestamp_embedding_size)
        Embeddings on the device of the model, of windows as long as in training.
    timestamps : Tensor, shape (n_sounds, n_timestamps)
        Centres of the windows in milliseconds: every 50 from 0 to the end of the sound.

    Raises
    ------
    InputError
        If the sounds are not an array (n_sounds, n_samples), or empty.

    Notes
    -----
    Beyond its ends a sound is continued by its mirror image.

    Examples
    --------
    >>> import tempfile
    >>> import torch
    >>> from ambikit_learn import AmbiEncoder, FrontEnd, hear
    >>> from ambikit_learn.models.alignment import AlignmentModel, build_model
    >>> folder = tempfile.mkdtemp()
    >>> untrained = AlignmentModel(FrontEnd(preset="tiny"), build_model("tiny", 4))
    >>> AmbiEncoder(untrained).save_pretrained(folder)
    >>> model = hear.load_model(folder)
    >>> embeddings, times = hear.get_timestamp_embeddings(torch.randn(2, 48000), model)
    >>> embeddings.shape, times[0, :3].tolist()
    (torch.Size([2, 20, 128]), [0.0, 50.0, 100.0])
    """
    sounds = _sounds(audio, model)
    encoder = model.encoder
    rate, n = encoder.sample_rate, sounds.shape[-1]
    window = round(encoder.window * rate)
    hop = min(HOP, encoder.window / 2)
    count = int(np.ceil(n / (hop * rate)))
    # As much sound as `count` windows take, the first one centred at the beginning
    before, whole = window // 2, round((count - 1) * hop * rate) + window
    sounds = pad_mirrored(sounds, before, whole - before - n)
    frames = encoder.embed(_from_front(sounds), rate, hop=hop).frames
    times = torch.arange(count, dtype=torch.float32) * (1000 * hop)
    return _tensor(frames, encoder), times.expand(len(sounds), -1).to(encoder.device)


def get_scene_embeddings(audio: Tensor, model: HearModel) -> Tensor:
    """Embed whole sounds: the mean over consecutive windows.

    Parameters
    ----------
    audio : Tensor, shape (n_sounds, n_samples)
        Mono sounds within ±1, at the model's rate.
    model : HearModel
        From `load_model`.

    Returns
    -------
    Tensor of float32, shape (n_sounds, scene_embedding_size)
        On the device of the model.

    Raises
    ------
    InputError
        As for `get_timestamp_embeddings`.

    Examples
    --------
    >>> import tempfile
    >>> import torch
    >>> from ambikit_learn import AmbiEncoder, FrontEnd, hear
    >>> from ambikit_learn.models.alignment import AlignmentModel, build_model
    >>> folder = tempfile.mkdtemp()
    >>> untrained = AlignmentModel(FrontEnd(preset="tiny"), build_model("tiny", 4))
    >>> AmbiEncoder(untrained).save_pretrained(folder)
    >>> model = hear.load_model(folder)
    >>> hear.get_scene_embeddings(torch.randn(2, 48000), model).shape
    torch.Size([2, 128])
    """
    sounds = _sounds(audio, model)
    clip = model.encoder.embed(_from_front(sounds), model.encoder.sample_rate).clip
    return _tensor(clip, model.encoder)


def _sounds(audio: Tensor, model: HearModel) -> Sound:
    """Return mono sounds (n_sounds, n_samples) at the encoder's rate."""
    if audio.ndim != 2 or not audio.shape[1]:
        raise InputError(
            f"audio of shape {tuple(audio.shape)}: (n_sounds, n_samples) is needed, mono sounds "
            "of one length"
        )
    sounds = audio.detach().cpu().float().numpy()
    return resampled(sounds, model.sample_rate, model.encoder.sample_rate)


def _from_front(sounds: Sound) -> Sound:
    """Return each sound as a plane wave from the front, AmbiX (n_sounds, 4, n_samples)."""
    return sounds[:, None] * _FRONT[:, None]


def _tensor(values: Sound, encoder: AmbiEncoder) -> Tensor:
    """Return an array as a tensor on the device of the model."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(encoder.device)
