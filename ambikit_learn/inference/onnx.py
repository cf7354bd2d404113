"""Parts of a model as ONNX files, for programs without torch."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.export import Dim

from ambikit import checks
from ambikit_learn._files import atomic_write, check_writable
from ambikit_learn._typing import Covariance
from ambikit_learn.models.alignment import AlignmentModel
from ambikit_learn.networks.front_end import FrontEnd

Part = Literal["audio", "video", "sound"]


def export_onnx(model: AlignmentModel, path: Path, part: Part) -> None:
    """Write a part of a model; see `AmbiEncoder.export_onnx`."""
    checks.choice(part, get_args(Part), "part")
    for name in ("onnx", "onnxscript"):
        checks.package(name, "the export needs")
    check_writable(path.parent, "give another file as path (--out)")
    model.eval()
    net, inputs = _parts(model)[part]
    values = tuple(value for value, _ in inputs.values())
    with warnings.catch_warnings():
        # torch's own use of deprecated names, and axes that share a name because they share a size
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", "# The axis name")
        program = torch.onnx.export(
            net,
            tuple(value.to(model.front_end.mean.device) for value in values),
            dynamo=True,
            dynamic_shapes=tuple(axes for _, axes in inputs.values()),
            input_names=list(inputs),
            output_names=["embedding"],
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props["ambikit"] = json.dumps(model.front_end.settings)
    with atomic_write(path) as temporary:
        program.save(str(temporary))


class _PlainFrontEnd(FrontEnd):
    """The front end without operations that ONNX lacks: complex products, a loop over the batch."""

    def covariance(self, sound: Tensor) -> Tensor:
        return self._pool_pairs(self.spectra(sound))

    def raw(self, sound: Tensor | Covariance, azimuth: Tensor, elevation: Tensor) -> Tensor:
        if self.mel.power == 2 or isinstance(sound, Covariance):
            return super().raw(sound, azimuth, elevation)
        spectra = self.spectra(sound)
        rows = self._rows(azimuth, elevation)
        seen = torch.einsum("bkci,biftr->bkcftr", rows, torch.view_as_real(spectra))
        features = self._decibels(self._pool(torch.linalg.vector_norm(seen, dim=-1)))
        if self.kind == "logmel":
            return features
        vector = self._intensity(self._pool_pairs(spectra), azimuth, elevation)
        return torch.cat([features, vector], 2)


class _Hearing(nn.Module):
    """Front end and audio network: from sounds, each with one direction, to embeddings."""

    def __init__(self, model: AlignmentModel) -> None:
        super().__init__()
        front_end = model.front_end
        self.front_end = _PlainFrontEnd(**front_end.settings).to(front_end.mean.device)
        self.front_end.load_state_dict(front_end.state_dict())
        self.audio = model.net.audio
        self.eval()

    def forward(self, sound: Tensor, azimuth: Tensor, elevation: Tensor) -> Tensor:
        """Return (B, dim) of sounds (B, 4, n) and angles (B,) in radians."""
        features = self.front_end(sound, azimuth[:, None], elevation[:, None])
        out: Tensor = self.audio(features[:, 0])
        return out


def _parts(model: AlignmentModel) -> dict[str, tuple[nn.Module, dict[str, Any]]]:
    """Return the network of each part, with an example and the dynamic axes of each input."""
    front_end, net = model.front_end, model.net
    batch, mel = Dim("batch"), front_end.mel
    features = torch.zeros(2, front_end.channels, 50, mel.n_mels)
    crops = torch.zeros(2, net.settings["frames"], 64, 64, 3, dtype=torch.uint8)
    sound = torch.zeros(2, 4, front_end.source_rate)
    # Separate tensors: one that is passed twice would become a single input
    azimuth, elevation = torch.zeros(2), torch.zeros(2)
    side, samples = Dim("size", min=16), Dim("samples", min=mel.n_fft)
    return {
        "audio": (net.audio, {"features": (features, {0: batch, 2: Dim("frames")})}),
        "video": (net.video, {"crops": (crops, {0: batch, 2: side, 3: side})}),
        "sound": (
            _Hearing(model),
            {
                "sound": (sound, {0: batch, 2: samples}),
                "azimuth": (azimuth, {0: batch}),
                "elevation": (elevation, {0: batch}),
            },
        ),
    }
