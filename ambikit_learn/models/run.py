"""A trained model on disk: weights in safetensors, everything else in JSON, nothing pickled."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor, nn

from ambikit import InputError
from ambikit_learn._files import replacing
from ambikit_learn.features import FrontEnd
from ambikit_learn.models.alignment import PRESETS, AlignmentNet, build_model
from ambikit_learn.models.heads import Output

FORMAT = "ambikit-model/1"
CONFIG, WEIGHTS = "config.json", "model.safetensors"


class AlignmentModel(nn.Module):
    """From crops and unturned sound to what should agree: the front end and the networks."""

    def __init__(self, front_end: FrontEnd, net: AlignmentNet) -> None:
        super().__init__()
        self.front_end, self.net = front_end, net

    @property
    def dim(self) -> int:
        """Width of the encodings."""
        return PRESETS[self.net.settings["preset"]].dim

    def encode(
        self, video: Tensor, sound: Tensor, azimuth: Tensor, elevation: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the encodings of vision and sound at each viewpoint, both (B, K, dim).

        Parameters
        ----------
        video : Tensor, shape (B, K, T, S, S, 3)
            Crops, uint8.
        sound : Tensor, shape (B, 4, n)
            AmbiX sound, not turned.
        azimuth, elevation : Tensor, shape (B, K)
            Centres of the crops, in radians.
        """
        features = self.front_end(sound, azimuth, elevation)
        return self.net.encode_video(video), self.net.encode_audio(features)

    def forward(self, video: Tensor, sound: Tensor, azimuth: Tensor, elevation: Tensor) -> Output:
        """Return what should agree at each viewpoint; parameters as for `encode`."""
        out: Output = self.net.heads(*self.encode(video, sound, azimuth, elevation))
        return out


def save_run(model: AlignmentModel, run: str | Path) -> None:
    """Write ``model.safetensors`` and ``config.json`` into the folder `run`."""
    folder = Path(run)
    config = {
        "format": FORMAT,
        "front_end": model.front_end.settings,
        "model": model.net.settings,
    }
    weights = {name: x.detach().cpu().contiguous() for name, x in model.state_dict().items()}
    with replacing(folder / WEIGHTS) as path:
        safetensors.torch.save_file(weights, path)
    with replacing(folder / CONFIG) as path:
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_run(run: str | Path) -> AlignmentModel:
    """Return the model of a finished run, on the CPU and in evaluation mode.

    Parameters
    ----------
    run : path
        Folder with ``model.safetensors`` and ``config.json``.

    Raises
    ------
    FileNotFoundError
        If the folder holds no exported model.
    InputError
        If it was written in another format, is damaged, or its weights do not fit its settings.
    """
    folder = Path(run)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder / name} is missing: give the folder of a run that `fit` has finished"
            )
    config = _read_config(folder / CONFIG)
    try:
        model = AlignmentModel(FrontEnd(**config["front_end"]), build_model(**config["model"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{folder / CONFIG} does not describe a model of this version ({error}): export the "
            "run again with `fit`"
        ) from error
    try:
        weights = safetensors.torch.load_file(folder / WEIGHTS)
    except safetensors.SafetensorError as error:
        raise InputError(
            f"{folder / WEIGHTS} is damaged ({error}): copy or download it again"
        ) from error
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        detail = textwrap.shorten(str(error).partition("\n")[2], 150)
        raise InputError(
            f"the weights in {folder} do not fit its {CONFIG} ({detail}): they are of another run "
            "or version"
        ) from error
    return model.eval()


def _read_config(path: Path) -> dict[str, Any]:
    """Return the settings of a model, which must be of this format."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}): copy or download it again") from error
    found = config.get("format") if isinstance(config, dict) else None
    if found != FORMAT:
        raise InputError(
            f"{path} has format {found!r}, this version reads {FORMAT!r}: export the run again "
            "with `fit`"
        )
    return dict(config)
