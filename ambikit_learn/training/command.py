"""`ambikit-learn fit`: a YAML file, dotted overrides, a run folder that can be gone on with."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jsonargparse
from lightning.fabric.utilities.warnings import PossibleUserWarning
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from ambikit import InputError
from ambikit_learn._files import replacing
from ambikit_learn._threads import leave_cores
from ambikit_learn.models import save_run
from ambikit_learn.training.callbacks import Bar, Checkpoints, Lines, MetricsTable, Throughput
from ambikit_learn.training.data import AlignmentData
from ambikit_learn.training.module import AlignmentModule

_SHORT = {"--data": "--data.path", "--out": "--trainer.default_root_dir"}


def fit_main(arguments: Sequence[str]) -> None:
    """Train as a configuration says; the same command again goes on from the last checkpoint.

    Parameters
    ----------
    arguments : sequence of str
        ``--config FILE`` (a path, or the name of a packaged variant), ``--data PREPARED``,
        ``--out RUN`` and any dotted override such as ``--model.learning_rate 1e-4``;
        ``--print_config`` shows them all.

    Raises
    ------
    InputError
        If a key or value is not accepted, the data are unusable, or the loss is not finite.
    FileNotFoundError
        If the data or the run to start from is missing.
    SystemExit
        With 143 if stopped by SIGTERM, after saving.
    """
    for part in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(part).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Advice on workers, and on what is meant here: going on in a folder, no validation
        warnings.simplefilter("ignore", PossibleUserWarning)
        warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
        warnings.filterwarnings("ignore", "Total length of `list` across ranks is zero")
        # Lightning's own use of old names, which is not the user's to mend
        for category in (DeprecationWarning, FutureWarning):
            warnings.filterwarnings("ignore", category=category, module="lightning")
        command = _Command(_expand(arguments))
        _refuse_other_settings(command)
        command.save_config()
        try:
            fit(command.trainer, command.model, command.datamodule)
        except SIGTERMException:
            step = command.trainer.global_step
            print(
                f"stopped after step {step}: the same command goes on from there", file=sys.stderr
            )
            raise SystemExit(143) from None


def fit(trainer: Trainer, module: AlignmentModule, data: AlignmentData) -> Path:
    """Train to the trainer's `max_steps`, from the last checkpoint if there is one, and export.

    Returns
    -------
    Path
        The run folder, `trainer.default_root_dir`, now with ``model.safetensors`` and
        ``config.json``: see `ambikit_learn.models.load_run`.
    """
    leave_cores(data.workers)
    run = Path(trainer.default_root_dir)
    last = _last_checkpoint(run)
    trainer.fit(
        module, datamodule=data, ckpt_path=last if last.is_file() else None, weights_only=True
    )
    trainer.save_checkpoint(last)
    if trainer.is_global_zero:
        save_run(module.model, run)
    return run


class _Command(LightningCLI):
    """Lightning's command line with this package's classes, defaults and error style."""

    def __init__(self, arguments: list[str]) -> None:
        super().__init__(
            AlignmentModule,
            AlignmentData,
            args=arguments,
            run=False,
            save_config_callback=None,
            seed_everything_default=0,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            trainer_defaults=_trainer_defaults(),
            parser_kwargs={
                "exit_on_error": False,
                "allow_abbrev": False,
                "prog": "ambikit-learn fit",
            },
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Link what two parts must agree on."""
        parser.add_argument(
            "--checkpoint_every", type=int, default=100, help="Steps between checkpoints."
        )
        parser.link_arguments("seed_everything", "data.seed")
        parser.link_arguments("data.frames", "model.frames")
        parser.link_arguments("data.sample_rate", "model.source_rate", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse; what is not accepted is one line."""
        try:
            self.config = parser.parse_args(args)
        except jsonargparse.ArgumentError as error:
            text = " ".join(str(error).split())
            for short, option in _SHORT.items():
                text = text.replace(option.removeprefix("--"), short)
            raise InputError(f"{text}; fit --print_config shows every setting") from None

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Return the trainer with what every run writes."""
        settings: Any = self.config_init["trainer"]
        run = Path(settings["default_root_dir"])
        callbacks: list[Callback] = [
            Throughput(),
            Checkpoints(run / "checkpoints", self.config["checkpoint_every"]),
        ]
        if settings["enable_progress_bar"] is not False:
            callbacks.append(Bar() if sys.stdout.isatty() else Lines())
        if settings["logger"] is None:
            kwargs["logger"] = [
                MetricsTable(run / "metrics.csv"),
                TensorBoardLogger(run, name="tensorboard", version=""),
            ]
        # A run shorter than an interval is logged and validated at its end.
        for interval in ("log_every_n_steps", "val_check_interval"):
            if settings[interval] is not None:
                kwargs[interval] = min(settings[interval], settings["max_steps"])
        return self._instantiate_trainer({**settings, **kwargs}, callbacks)

    def save_config(self) -> None:
        """Write the settings into the run folder."""
        if self.trainer.is_global_zero:
            with replacing(Path(self.trainer.default_root_dir) / "config.yaml") as path:
                path.write_text(self.parser.dump(self.config))


def _trainer_defaults() -> dict[str, Any]:
    """Return the trainer's defaults: steps rather than epochs, and the ranks torchrun started."""
    defaults: dict[str, Any] = {
        "max_steps": 500,
        "val_check_interval": 50,
        "check_val_every_n_epoch": None,
        "log_every_n_steps": 10,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
        "enable_model_summary": False,
    }
    ranks = int(os.environ.get("WORLD_SIZE", 1))
    if ranks > 1:
        local = int(os.environ.get("LOCAL_WORLD_SIZE", ranks))
        defaults |= {"strategy": "ddp", "devices": local, "num_nodes": ranks // local}
    return defaults


def _expand(arguments: Sequence[str]) -> list[str]:
    """Spell out short options and packaged names, the configuration before its overrides."""
    configs: list[str] = []
    others: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        option, equals, value = argument.partition("=")
        if option in ("--config", "-c"):
            configs.append(_config(value if equals else next(rest, "")))
        else:
            others.append(_SHORT.get(option, option) + equals + value)
    run = f"runs/{Path(configs[-1]).stem}" if configs else "runs/run"
    files = [f"--config={path}" for path in configs]
    return [f"--trainer.default_root_dir={run}", *files, *others]


def _config(name: str) -> str:
    """Return the path of a configuration: a file, or a packaged one by its name."""
    if Path(name).is_file():
        return name
    folder = Path(str(resources.files("ambikit_learn") / "configs"))
    packaged = folder / (name if name.endswith(".yaml") else f"{name}.yaml")
    if packaged.parent == folder and packaged.is_file():
        return str(packaged)
    names = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
    raise InputError(f"no configuration {name!r}: give a file, or one of {names}")


def _last_checkpoint(run: Path) -> Path:
    """Return where a run's latest training state lies."""
    return run / "checkpoints" / "last.ckpt"


def _refuse_other_settings(command: _Command) -> None:
    """Refuse to go on with a run whose model or data were set otherwise."""
    run = Path(command.trainer.default_root_dir)
    if not (_last_checkpoint(run).is_file() and (run / "config.yaml").is_file()):
        return
    try:
        before = command.parser.parse_path(run / "config.yaml")
    except jsonargparse.ArgumentError as error:
        raise InputError(
            f"{run} holds a run of another version ({' '.join(str(error).split())}): give another "
            "--out, or delete that folder"
        ) from None
    changed = [
        f"{part}.{name}"
        for part in ("model", "data")
        for name, value in command.config[part].items()
        if name not in ("path", "workers") and value != before[part][name]
    ]
    if changed:
        raise InputError(
            f"{run} holds a run with other settings ({', '.join(changed)}): give another --out, "
            "or delete that folder"
        )
