"""Embedders of sound: trained encoders, the same without training, log-mel statistics, YAMNet.

Each takes channels of sound (channels, samples) with their sample rate, and returns one vector per
segment, (segments, width).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ambikit import InputError, checks
from ambikit_learn import _files
from ambikit_learn._typing import Floats32, Sound
from ambikit_learn.evaluation.embeddings import Embedder, fingerprint
from ambikit_learn.evaluation.task import ENCODER, RANDOM
from ambikit_learn.inference.encoder import AmbiEncoder
from ambikit_learn.inference.windows import pad_mirrored, resampled
from ambikit_learn.models.alignment import AlignmentModel, build_model
from ambikit_learn.networks.front_end import FrontEnd

SEGMENT = 5.0
"""Seconds of sound that a vector describes, about: a sound is cut into equal segments."""
YAMNET_RATE, _WINDOW, _HOP, _FFT, _MELS = 16000, 400, 160, 512, 64
_PATCH, _PATCH_HOP = 96, 48
_EMBEDDING = 90
"""Number of the tensor that holds the embedding of YAMNet."""

Content = tuple[Sound, int]


def run_embedder(
    encoder: AmbiEncoder,
    azimuth: Sequence[float] = (0.0,),
    *,
    name: str = ENCODER,
    segment: float = SEGMENT,
) -> Embedder:
    """Return an encoder of AmbiX sound, averaged over windows and viewpoints.

    Parameters
    ----------
    encoder : AmbiEncoder
        Trained or not.
    azimuth : sequence of float
        Viewpoints on the horizon, in degrees.
    name : str
        Name of its row.
    segment : float
        Seconds that a vector describes.

    Returns
    -------
    Embedder
        Of AmbiX (4 or more channels, samples); others are refused with `InputError`.
    """
    model = encoder.model
    settings = {
        "embedder": "run/1",
        "front_end": model.front_end.settings,
        "net": model.net.settings,
        "window": encoder.window,
        "azimuth": list(azimuth),
        "segment": segment,
    }

    def embed(content: Content) -> Floats32:
        x, rate = content
        parts = []
        for part in segments(x, rate, segment):
            seen = encoder.embed(part, rate, azimuth=list(azimuth), degrees=True)
            parts.append(seen.clip.mean(0))
        return np.stack(parts)

    return Embedder(name, fingerprint(settings, model.state_dict()), embed)


def untrained(encoder: AmbiEncoder, seed: int = 0) -> AmbiEncoder:
    """Return an encoder of the same kind with random weights, and with the same front end.

    Parameters
    ----------
    encoder : AmbiEncoder
        Its settings, and the statistics of its features, are taken over.
    seed : int
        Random seed of the weights.
    """
    front_end = FrontEnd(**encoder.model.front_end.settings)
    front_end.load_state_dict(encoder.model.front_end.state_dict())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = build_model(**encoder.model.net.settings)
    return AmbiEncoder(AlignmentModel(front_end, net), encoder.record)


def random_embedder(encoder: AmbiEncoder, seed: int = 0, **options: Any) -> Embedder:
    """Return the embedder of an encoder without training; options as for `run_embedder`."""
    return run_embedder(untrained(encoder, seed), **{"name": RANDOM, **options})


def logmel_statistics(segment: float = SEGMENT) -> Embedder:
    """Return mean and standard deviation over time of the log-mel bands of every channel."""

    def embed(content: Content) -> Floats32:
        x, rate = content
        parts = []
        for part in segments(x, rate, segment):
            mel = yamnet_front_end(part, rate)
            parts.append(np.concatenate([mel.mean(1), mel.std(1)], -1).ravel())
        return np.stack(parts)

    return Embedder(
        "log-mel statistics", fingerprint({"embedder": "logmel/1", "segment": segment}), embed
    )


def yamnet(path: Path, segment: float = SEGMENT) -> Embedder:
    """Return YAMNet, frozen: the mean of its embeddings over patches of 0.96 s every 0.48 s.

    Parameters
    ----------
    path : path
        ``yamnet_spectra_in.tflite``: int8, with log-mel patches (1, 96, 64) as input.
    segment : float
        Seconds that a vector describes.

    Raises
    ------
    InputError
        The file is no such network.
    FileNotFoundError
        It does not exist.
    ImportError
        ai-edge-litert is not installed.

    References
    ----------
    .. [1] S. Hershey et al., "CNN architectures for large-scale audio classification", ICASSP 2017;
       weights at github.com/google-coral/coralmicro, Apache-2.0.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file: give yamnet_spectra_in.tflite (--yamnet)")
    apply = _yamnet_network(path)

    def embed(content: Content) -> Floats32:
        x, rate = content
        parts = []
        for part in segments(x, rate, segment):
            mel = yamnet_front_end(part.mean(0, keepdims=True), rate)[0]
            mel = pad_mirrored(mel.T, 0, max(0, _PATCH - len(mel))).T
            starts = range(0, len(mel) - _PATCH + 1, _PATCH_HOP)
            parts.append(np.mean([apply(mel[i : i + _PATCH]) for i in starts], 0))
        return np.stack(parts).astype(np.float32)

    about = {"embedder": "yamnet/1", "segment": segment, "weights": _files.fingerprint(path)}
    return Embedder("YAMNet", fingerprint(about), embed)


def yamnet_front_end(x: Sound, rate: int) -> Floats32:
    """Return the log-mel bands of YAMNet.

    Parameters
    ----------
    x : ndarray, shape (channels, samples)
        Sound.
    rate : int
        Its sample rate in Hz.

    Returns
    -------
    ndarray of float32, shape (channels, frames, 64)
        ``log(mel + 0.001)`` of magnitudes at 16 kHz: periodic Hann windows of 25 ms every 10 ms,
        transforms of 512 points, 64 triangles from 125 to 7,500 Hz by HTK's scale, of height 1.
    """
    sound = resampled(x, rate, YAMNET_RATE)
    sound = pad_mirrored(sound, 0, max(0, _WINDOW - sound.shape[-1]))
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW, -1)[:, ::_HOP]
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)).astype(np.float32)
    spectra = np.abs(np.fft.rfft(frames * window, _FFT)).astype(np.float32)
    levels: Floats32 = np.log(spectra @ _triangles() + np.float32(0.001))
    return levels


def segments(x: Sound, rate: int, segment: float) -> Iterator[Sound]:
    """Yield the equal parts of a sound that come closest to `segment` seconds.

    Examples
    --------
    >>> [part.shape[-1] for part in segments(np.zeros((1, 12), np.float32), 1, 5.0)]
    [6, 6]
    """
    count = max(1, round(x.shape[-1] / (segment * rate)))
    yield from np.array_split(x, count, axis=-1)


def _triangles() -> Floats32:
    """Return the filters of YAMNet, (bins, mels)."""
    low, high = (1127.0 * math.log1p(f / 700.0) for f in (125.0, 7500.0))
    edges = np.linspace(low, high, _MELS + 2)
    mel = 1127.0 * np.log1p(np.arange(_FFT // 2 + 1) * (YAMNET_RATE / _FFT) / 700.0)[:, None]
    step = edges[1] - edges[0]
    filters: Floats32 = np.maximum(0.0, 1.0 - np.abs(mel - edges[1:-1]) / step).astype(np.float32)
    return filters


def _yamnet_network(path: Path) -> Callable[[Floats32], Floats32]:
    """Return the function from a patch (96, 64) to its embedding (1024,)."""
    interpreter = checks.package("ai_edge_litert.interpreter", "YAMNet needs")
    with warnings.catch_warnings():
        # Only so can a tensor inside of the network be read
        warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors.*")
        try:
            net = interpreter.Interpreter(
                str(path), experimental_preserve_all_tensors=True, num_threads=1
            )
            net.allocate_tensors()
            given = net.get_input_details()[0]
            inside = {t["index"]: t for t in net.get_tensor_details()}[_EMBEDDING]
        except (ValueError, RuntimeError, KeyError) as error:
            raise InputError(f"{path} is no YAMNet with spectra as input ({error})") from error
    if tuple(given["shape"]) != (1, _PATCH, _MELS):
        raise InputError(f"{path} takes {tuple(given['shape'])}, not log-mel (1, 96, 64)")
    scale, zero = inside["quantization"]

    def apply(patch: Floats32) -> Floats32:
        net.set_tensor(given["index"], patch[None].astype(np.float32))
        net.invoke()
        value = net.get_tensor(_EMBEDDING).astype(np.float32).ravel()
        scaled: Floats32 = (value - zero) * np.float32(scale)
        return scaled

    return apply
