"""A trained model on disk: weights in safetensors, everything else in JSON, nothing pickled."""

from __future__ import annotations

import json
from pathlib import Path

import safetensors.torch
from torch import Tensor, nn

from ambikit import InputError
from ambikit_learn._files import replacing
from ambikit_learn.features import FrontEnd
from ambikit_learn.models.alignment import AlignmentNet, build_model
from ambikit_learn.models.heads import Agreement

FORMAT = "ambikit-model/1"


class AlignmentModel(nn.Module):
    """From crops and unturned sound to what should agree: the front end and the networks."""

    def __init__(self, front_end: FrontEnd, net: AlignmentNet) -> None:
        super().__init__()
        self.front_end, self.net = front_end, net

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

    def forward(
        self, video: Tensor, sound: Tensor, azimuth: Tensor, elevation: Tensor
    ) -> Agreement:
        """Return what should agree at each viewpoint; parameters as for `encode`."""
        out: Agreement = self.net.heads(*self.encode(video, sound, azimuth, elevation))
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
    with replacing(folder / "model.safetensors") as path:
        safetensors.torch.save_file(weights, path)
    with replacing(folder / "config.json") as path:
        path.write_text(json.dumps(config, indent=2) + "\n")


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
        If it was written in another format, or its weights do not fit its settings.
    """
    folder = Path(run)
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder / name} is missing: give the folder of a run that `fit` has finished"
            )
    config = json.loads((folder / "config.json").read_text())
    if config.get("format") != FORMAT:
        raise InputError(
            f"{folder / 'config.json'} has format {config.get('format')!r}, this version reads "
            f"{FORMAT!r}: export the run again with `fit`"
        )
    model = AlignmentModel(FrontEnd(**config["front_end"]), build_model(**config["model"]))
    try:
        model.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"))
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise InputError(
            f"the weights in {folder} do not fit its config.json: {str(error).splitlines()[0]}"
        ) from error
    return model.eval()
