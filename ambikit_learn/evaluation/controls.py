"""Controls: how well sound and crop agree when the sound says less of where it is from.

Each control leaves the crops as they are and changes what sound they are compared with. Where
direction is taken away altogether, nothing better than guessing may be left; what is left with the
elevation alone is a short cut, for which no object has to be recognised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ambikit_learn._memory import kept_memory
from ambikit_learn._threads import cores, leave_cores
from ambikit_learn._typing import Covariance
from ambikit_learn.evaluation.intervals import Estimate, bootstrap_mean
from ambikit_learn.evaluation.pretext import without_head
from ambikit_learn.models.alignment import AlignmentModel
from ambikit_learn.training.batches import ignore_signals


@dataclass(frozen=True)
class Control:
    """What the sound of a crop still says of its direction.

    Attributes
    ----------
    azimuth : bool
        Whether the sound is turned to the azimuth of its crop, or to a random one of its own.
    elevation : {"own", "equal", "other"}
        Whether it is tilted to the elevation of its crop, to the horizon, or to that of a crop of
        another clip.
    field : bool
        Whether there are channels with directions; otherwise W alone is left.
    """

    azimuth: bool = True
    elevation: Literal["own", "equal", "other"] = "own"
    field: bool = True

    @property
    def guessing(self) -> bool:
        """Whether nothing is left that could tell the crops of a clip apart."""
        return not self.field or (not self.azimuth and self.elevation != "own")


CONTROLS = {
    "as it is": Control(),
    "azimuth alone (elevations equal)": Control(elevation="equal"),
    "elevation alone (azimuths scrambled)": Control(azimuth=False),
    "azimuths scrambled, elevations equal": Control(azimuth=False, elevation="equal"),
    "directions scrambled": Control(azimuth=False, elevation="other"),
    "W alone": Control(field=False),
}


def heard_from(
    control: Control, azimuth: Tensor, elevation: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return the directions to which the sounds of crops are turned.

    Parameters
    ----------
    control : Control
        What they say of the crops.
    azimuth, elevation : Tensor, shape (B, K) or (B, K, P)
        Centres of the crops in radians, or along their paths, of at least two clips for the
        elevation of another one.
    generator : torch.Generator
        Draws the azimuths that are scrambled.

    Examples
    --------
    >>> crops = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.2, -0.3]])
    >>> heard_from(Control(elevation="equal"), *crops, torch.Generator())
    (tensor([[0., 1.]]), tensor([[0., 0.]]))
    """
    if not control.azimuth:
        azimuth = (2 * torch.rand(azimuth.shape, generator=generator) - 1) * torch.pi
    if control.elevation == "equal":
        elevation = torch.zeros_like(elevation)
    elif control.elevation == "other":
        elevation = elevation.roll(1, 0)
    return azimuth, elevation


def omni(sound: Tensor | Covariance) -> Tensor | Covariance:
    """Return a sound field (..., 4, n), or covariances (..., 10, frames, mels), of W alone."""
    if isinstance(sound, Covariance):
        return Covariance(_first_alone(sound.values, -3))
    return _first_alone(sound, -2)


def control_scores(
    model: AlignmentModel, dataset: Dataset[Any], seed: int, *, batch_size: int = 32
) -> dict[str, dict[str, Estimate]]:
    """Score the agreement of crops and sounds under each control, without a trained head.

    Parameters
    ----------
    model : AlignmentModel
        A trained model.
    dataset : Dataset
        Spans, at least two.
    seed : int
        Seed of the turns and of scrambled azimuths.

    Returns
    -------
    dict
        Name of a control in `CONTROLS` -> name of a row, as for AVSA without a head -> accuracy.
    """
    generator = torch.Generator().manual_seed(seed)
    agreements: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in CONTROLS}
    clips = []
    loaders = max(cores() // 2, 1)
    leave_cores(loaders)
    with kept_memory(), torch.inference_mode():
        for batch in DataLoader(
            dataset, batch_size=batch_size, num_workers=loaders, worker_init_fn=ignore_signals
        ):
            clips.append(batch.clip)
            centres: tuple[Tensor, Tensor] = batch.listening
            video = model.net.encode_video(batch.video)
            yaw = (2 * torch.rand(len(batch.clip), 1, generator=generator) - 1) * torch.pi
            for name, control in CONTROLS.items():
                sound = batch.sound if control.field else omni(batch.sound)
                azimuth, elevation = heard_from(control, *centres, generator)
                turn = yaw if azimuth.ndim == 2 else yaw[..., None]
                similar = [
                    model.net.heads(
                        video, model.net.encode_audio(model.front_end(sound, turned, elevation))
                    ).similarity()
                    for turned in (azimuth, azimuth - turn)
                ]
                agreements[name].append((similar[0], similar[1]))
    clip = torch.cat(clips).numpy()
    return {
        name: {
            row: bootstrap_mean(right, clip)
            for row, (right, _) in without_head(*map(torch.cat, zip(*parts, strict=True))).items()
        }
        for name, parts in agreements.items()
    }


def _first_alone(values: Tensor, axis: int) -> Tensor:
    """Return values with all but the first along an axis set to zero."""
    kept = torch.zeros_like(values)
    kept.narrow(axis, 0, 1).copy_(values.narrow(axis, 0, 1))
    return kept
