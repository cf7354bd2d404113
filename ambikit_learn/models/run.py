"""The folder of a run: weights in safetensors, all else in JSON and YAML, nothing pickled."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import safetensors.torch
import yaml

from ambikit import InputError
from ambikit_learn._files import atomic_write
from ambikit_learn.models.alignment import AlignmentModel, build_model
from ambikit_learn.networks.front_end import FrontEnd

FORMAT = "ambikit-model/2"
_BEFORE = "ambikit-model/1"
_RENAMED = {"alignment": {"mono": "omni"}, "rotation": {"legacy": "released"}}
"""Values of the front end's settings in the former format, and their present names."""
WINDOW = 1.0

_PATHS = (("data", "path"), ("model", "initialise_from"))
_OF_TRAINER = (
    "max_steps",
    "max_time",
    "precision",
    "accumulate_grad_batches",
    "gradient_clip_val",
)


@dataclass(frozen=True)
class RunFolder:
    """Where the parts of a run lie; no other module knows their names.

    Parameters
    ----------
    path : Path
        The folder.
    """

    path: Path

    PUBLISHED: ClassVar = ("config.json", "model.safetensors", "config.yaml", "evaluation/*.json")
    """Patterns of what makes up a model, beside its card; `RESULTS` is one of them."""
    RESULTS: ClassVar = "evaluation/*.json"

    @property
    def config(self) -> Path:
        """Settings of the networks and the front end; with the weights, all that a model needs."""
        return self.path / "config.json"

    @property
    def weights(self) -> Path:
        """Weights of the networks, statistics of the features."""
        return self.path / "model.safetensors"

    @property
    def settings(self) -> Path:
        """What `fit` was given, every setting of it."""
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        """All that was measured while training, a row a step."""
        return self.path / "metrics.csv"

    @property
    def board(self) -> Path:
        """Folder of the logs for TensorBoard."""
        return self.path / "tensorboard"

    @property
    def outcome(self) -> Path:
        """Whether the run has learned anything, see `ambikit_learn.models.outcome.Outcome`."""
        return self.path / "outcome.json"

    @property
    def card(self) -> Path:
        """The model card."""
        return self.path / "README.md"

    @property
    def lock(self) -> Path:
        """File that a process which trains holds locked."""
        return self.path / ".lock"

    @property
    def states(self) -> Path:
        """Folder of training states, from which `fit` resumes."""
        return self.path / "checkpoints"

    def state(self, step: int) -> Path:
        """Return where the training state after a number of steps lies."""
        return self.states / f"step-{step:08d}.ckpt"

    def saved_states(self) -> list[Path]:
        """Return the training states there are, the latest last."""
        return sorted(self.states.glob("step-*.ckpt"))

    def result(self, evaluation: str) -> Path:
        """Return where the result of an evaluation lies."""
        return self.path / "evaluation" / f"{evaluation}.json"

    def results(self) -> list[Path]:
        """Return the results there are."""
        return sorted(self.path.glob(self.RESULTS))


def save_run(model: AlignmentModel, run: str | Path) -> None:
    """Write the model into a folder.

    Parameters
    ----------
    model : AlignmentModel
        Front end and networks.
    run : path
        Folder, which gets ``model.safetensors`` and ``config.json``.
    """
    folder = RunFolder(Path(run))
    config = {
        "format": FORMAT,
        "front_end": model.front_end.settings,
        "model": model.net.settings,
    }
    weights = {name: x.detach().cpu().contiguous() for name, x in model.state_dict().items()}
    with atomic_write(folder.weights) as path:
        # Its own writer makes files that only their owner may read
        path.write_bytes(safetensors.torch.save(weights))
    with atomic_write(folder.config) as path:
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_run(run: str | Path) -> AlignmentModel:
    """Return the model of a finished run, on the CPU and in evaluation mode.

    Parameters
    ----------
    run : path
        Folder with ``model.safetensors`` and ``config.json``.

    Returns
    -------
    AlignmentModel
        Its `encode` gives encodings of crops and sound towards their viewpoints; `front_end` and
        `net` are its parts.

    Raises
    ------
    FileNotFoundError
        If the folder holds no exported model.
    InputError
        If it was written in another format, is damaged, or its weights do not fit its settings.

    Examples
    --------
    >>> import tempfile
    >>> from ambikit_learn import FrontEnd, load_run
    >>> from ambikit_learn.models.alignment import AlignmentModel, build_model
    >>> from ambikit_learn.models.run import save_run
    >>> with tempfile.TemporaryDirectory() as run:
    ...     save_run(AlignmentModel(FrontEnd(preset="tiny"), build_model("tiny", 4)), run)
    ...     model = load_run(run)
    >>> model.dim, model.training
    (128, False)
    """
    folder = RunFolder(Path(run))
    for path in (folder.config, folder.weights):
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is missing: give the folder of a run that `fit` has finished"
            )
    config = _read_config(folder.config)
    try:
        model = AlignmentModel(FrontEnd(**config["front_end"]), build_model(**config["model"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{folder.config} does not describe a model of this version ({error}): export the "
            "run again with `fit`"
        ) from error
    try:
        weights = safetensors.torch.load_file(folder.weights)
    except safetensors.SafetensorError as error:
        raise InputError(
            f"{folder.weights} is damaged ({error}): copy or download it again"
        ) from error
    for name, value in weights.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise InputError(
                f"{folder.weights} holds NaN or infinity ({name}): its training diverged, or it is "
                "damaged; train it again or take another checkpoint"
            )
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        detail = textwrap.shorten(str(error).partition("\n")[2], 150)
        raise InputError(
            f"the weights in {folder.path} do not fit its {folder.config.name} ({detail}): they "
            "are of another run or version"
        ) from error
    return model.eval()


def _read_config(path: Path) -> dict[str, Any]:
    """Return the settings of a model, which must be of this format."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}): copy or download it again") from error
    found = config.get("format") if isinstance(config, dict) else None
    if found == _BEFORE:
        return _renewed(config)
    if found != FORMAT:
        raise InputError(
            f"{path} has format {found!r}, this version reads {FORMAT!r}: export the run again "
            "with `fit`"
        )
    return dict(config)


def _renewed(config: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a model as this version names them."""
    front_end = config.get("front_end")
    if isinstance(front_end, dict):
        for name, values in _RENAMED.items():
            if front_end.get(name) in values:
                front_end[name] = values[front_end[name]]
    return config


@dataclass(frozen=True)
class Record:
    """Settings of the training and results of evaluations.

    Attributes
    ----------
    settings : dict
        Settings of `fit`, as in the run's ``config.yaml``; empty if unknown.
    evaluation : dict
        Name of an evaluation -> its results, as in the run's ``evaluation/{name}.json``.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)

    @property
    def window(self) -> float:
        """Seconds of sound that the model was trained on at a time; 1 if unknown."""
        return float(self.settings.get("data", {}).get("span", WINDOW))

    @property
    def reading(self) -> dict[str, Any]:
        """How the model read its data: ``span``, ``frames`` and ``size`` of a crop.

        Raises
        ------
        InputError
            If that is unknown.
        """
        data = self.settings.get("data", {})
        try:
            return {name: data[name] for name in ("span", "frames", "size")}
        except KeyError as error:
            raise InputError(
                f"the run's settings do not say the {error.args[0]} of its items: give the folder "
                "of a run with its config.yaml"
            ) from None

    @classmethod
    def read(cls, folder: Path) -> Record:
        """Read the record from the folder of a run or of an export.

        Raises
        ------
        InputError
            If a file is damaged.
        """
        run = RunFolder(folder)
        return cls(
            _load(run.settings, yaml.safe_load) if run.settings.is_file() else {},
            {path.stem: _load(path, json.loads) for path in run.results()},
        )

    def write(self, folder: Path) -> None:
        """Write the record into a folder, in place of one that is there."""
        run, texts = RunFolder(folder), {}
        if self.settings:
            texts[run.settings] = yaml.safe_dump(self.public_settings(), sort_keys=False)
        for name, result in self.evaluation.items():
            texts[run.result(name)] = json.dumps(result, indent=2) + "\n"
        for path in (run.settings, *run.results()):
            if path not in texts:
                path.unlink(missing_ok=True)
        for path, text in texts.items():
            with atomic_write(path) as temporary:
                temporary.write_text(text, encoding="utf-8")

    def public_settings(self) -> dict[str, Any]:
        """Return the settings that made the model what it is; of paths, only the last name."""
        parts = ("seed_everything", "model", "data", "trainer")
        public = {name: self.settings[name] for name in parts if name in self.settings}
        if "trainer" in public:
            trainer = public["trainer"]
            public["trainer"] = {name: trainer[name] for name in _OF_TRAINER if name in trainer}
        for part, name in _PATHS:
            if public.get(part, {}).get(name):
                public[part] = public[part] | {name: Path(public[part][name]).name}
        return public


def _load(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    """Return the mapping in a file."""
    try:
        document = parse(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is damaged ({reason}): copy or make it again") from error
    if not isinstance(document, dict):
        raise InputError(f"{path} is damaged (it holds no mapping): copy or make it again")
    return document
