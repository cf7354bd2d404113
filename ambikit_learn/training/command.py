"""`ambikit-learn fit`: a YAML file, dotted overrides, and a run folder that can be resumed."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import jsonargparse
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.warnings import PossibleUserWarning
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger

from ambikit import InputError, checks
from ambikit_learn._files import atomic_write, locked, remove_partial, writing_to
from ambikit_learn._memory import kept_memory
from ambikit_learn._threads import leave_cores
from ambikit_learn.models.run import RunFolder, save_run
from ambikit_learn.training import checkpoints
from ambikit_learn.training.checkpoints import Checkpoints, Stopped, WholeFiles
from ambikit_learn.training.data import AlignmentData
from ambikit_learn.training.failures import errors_of_threads, one_line
from ambikit_learn.training.metrics import MetricsTable, Throughput
from ambikit_learn.training.module import AlignmentModule
from ambikit_learn.training.plateau import Plateau
from ambikit_learn.training.progress import Bar, Lines
from ambikit_learn.training.settings import SHORT, TRAINER, expand

_MAY_CHANGE = {"path", "workers", "learning_rate", "weight_decay", "compile"}
"""Settings of model and data that may be changed when a run is resumed."""


def fit(
    config: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    data: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """Train a configuration; the same call again resumes from the last checkpoint.

    Parameters
    ----------
    config : str, path or sequence of such
        A packaged variant by its name, such as ``avsa_foa_iv`` or ``paper/avsa_foa_iv``, or a YAML
        file. Of several, later ones change earlier ones.
    data : str or path, optional
        Prepared folder, or ``world:PRESET`` to render scenes without files; by default as the
        configuration says.
    out : path, optional
        Folder of the run; by default ``runs/`` and the name of the configuration.
    settings : mapping, optional
        Any other setting by its dotted name, such as ``{"model.learning_rate": 1e-4}``.

    Returns
    -------
    Path
        The folder of the run, which holds the model: see `load_run`.

    Raises
    ------
    InputError
        If a key or value is not accepted, the data are unusable, the loss is not finite, or memory
        runs out.
    FileNotFoundError
        If the data or the run to start from is missing.
    ConnectionError
        If another rank is gone.
    SystemExit
        With 143 if stopped by SIGTERM and 130 if by Ctrl-C, after saving.

    Examples
    --------
    One step on four rendered scenes:

    >>> import tempfile
    >>> from ambikit_learn import fit, load_run
    >>> few = {"data.batch_size": 4, "data.workers": 0, "data.validation_clips": 0}
    >>> few |= {"trainer.max_steps": 1, "trainer.enable_progress_bar": False}
    >>> run = tempfile.mkdtemp()
    >>> folder = fit("avc_foa_iv", "world:easy", run, settings=few)  # doctest: +ELLIPSIS
    4 clips in ...
    >>> load_run(folder).dim
    128
    """
    names = [config] if isinstance(config, str | os.PathLike) else config
    given = {"data": data, "out": out, **(settings or {})}
    return fit_main(
        [f"--config={os.fspath(name)}" for name in names]
        + [f"--{name}={_written(value)}" for name, value in given.items() if value is not None]
    )


def _written(value: Any) -> str:
    """Return a value as it is given on the command line."""
    return str(value) if isinstance(value, str | os.PathLike) else json.dumps(value)


def fit_main(arguments: Sequence[str]) -> Path:
    """Train as the arguments of the command say, and return the folder of the run.

    Parameters
    ----------
    arguments : sequence of str
        ``--config FILE`` (a path, or the name of a packaged variant), ``--data PREPARED``,
        ``--out RUN`` and any dotted override such as ``--model.learning_rate 1e-4``;
        ``--print_config`` shows them all.

    Raises
    ------
    InputError, FileNotFoundError, ConnectionError, SystemExit
        As for `fit`.
    """
    with _quiet():
        command = _Command(expand(arguments))
    run = RunFolder(Path(command.trainer.default_root_dir))
    # What is wrong is refused before anything is written.
    _refuse_no_steps(command.trainer)
    _refuse_other_folder(run)
    command.datamodule.check(command.model.covariance_settings)
    try:
        with ExitStack() as held:
            held.enter_context(writing_to(run.path))
            if command.trainer.is_global_zero:
                run.path.mkdir(parents=True, exist_ok=True)
                run.lock.touch()
                held.enter_context(locked(run.lock))
                remove_partial(run.path, run.states)
            _refuse_other_settings(command)
            command.save_config()
            train(command.trainer, command.model, command.datamodule)
    except Stopped as stop:
        print(f"stopped after step {stop.step}: the same command resumes there", file=sys.stderr)
        raise SystemExit(128 + stop.signal) from None
    if command.trainer.is_global_zero:
        print(command.throughput.summary())
    return Path(command.trainer.default_root_dir)


def run_settings(checkpoint_every: int = 100, wandb: str | None = None) -> None:
    """Declare the settings of a run beside those of model, data and trainer.

    Parameters
    ----------
    checkpoint_every : int
        Steps between checkpoints.
    wandb : str, optional
        Project of Weights & Biases to log to as well; WANDB_MODE=offline keeps it here.
    """


def train(trainer: Trainer, module: AlignmentModule, data: AlignmentData) -> Path:
    """Train to the trainer's `max_steps`, from the last checkpoint if there is one, and export.

    Returns
    -------
    Path
        The run folder, `trainer.default_root_dir`, now with ``model.safetensors`` and
        ``config.json``: see `ambikit_learn.models.run.load_run`.

    Raises
    ------
    InputError
        If the data or a checkpoint is unusable, the loss is not finite, or memory runs out.
    ConnectionError
        If another rank is gone.
    """
    _refuse_no_steps(trainer)
    leave_cores(data.workers)
    run = Path(trainer.default_root_dir)
    last = checkpoints.newest(RunFolder(run))
    with errors_of_threads():
        with _quiet(), one_line(), kept_memory():
            trainer.fit(module, datamodule=data, ckpt_path=last, weights_only=True)
            checkpoints.save(trainer, RunFolder(run))
        if trainer.is_global_zero:
            save_run(module.model, run)
    return run


def _refuse_no_steps(trainer: Trainer) -> None:
    if trainer.max_steps < 1:
        raise InputError(f"trainer.max_steps must be at least 1, got {trainer.max_steps}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Lightning's notices, and its advice against intended settings."""
    for part in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(part).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Advice on workers, and against intended settings: resuming in a folder, no validation
        warnings.simplefilter("ignore", PossibleUserWarning)
        warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
        warnings.filterwarnings("ignore", "Total length of `list` across ranks is zero")
        # Lightning's own use of deprecated names, which the user cannot change
        for category in (DeprecationWarning, FutureWarning):
            warnings.filterwarnings("ignore", category=category, module="lightning")
        yield


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
        parser.add_function_arguments(run_settings, as_group=False)
        parser.link_arguments("seed_everything", "data.seed")
        parser.link_arguments("seed_everything", "model.seed")
        parser.link_arguments("data.frames", "model.frames")
        parser.link_arguments("model.objective", "data.objective")
        parser.link_arguments("data.sample_rate", "model.source_rate", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse; what is not accepted is one line."""
        try:
            self.config = parser.parse_args(args)
        except jsonargparse.ArgumentError as error:
            text = " ".join(str(error).split())
            for short, option in SHORT.items():
                text = text.replace(option.removeprefix("--"), short)
            raise InputError(f"{text}; fit --print_config shows every setting") from None

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Return the trainer with what every run writes."""
        settings: Any = self.config_init["trainer"]
        run = Path(settings["default_root_dir"])
        self.throughput = Throughput()
        callbacks: list[Callback] = [self.throughput]
        if settings["enable_progress_bar"] is not False:
            callbacks.append(Bar() if sys.stdout.isatty() else Lines())
        # What is measured at a step is on disk before the state after it is
        callbacks += [
            MetricsTable(RunFolder(run).metrics),
            Plateau(run),
            Checkpoints(RunFolder(run), self.config["checkpoint_every"]),
        ]
        kwargs["enable_checkpointing"] = settings["enable_checkpointing"] or False
        kwargs["plugins"] = [*_listed(settings["plugins"]), WholeFiles()]
        if settings["logger"] is not False:
            board = TensorBoardLogger(run, name=RunFolder(run).board.name, version="")
            kwargs["logger"] = [board, *_listed(settings["logger"])]
            if self.config["wandb"] is not None:
                kwargs["logger"].append(_wandb(self.config["wandb"], run))
        # A run shorter than an interval is logged and validated at its end.
        for interval in ("log_every_n_steps", "val_check_interval"):
            if settings[interval] is not None:
                kwargs[interval] = min(settings[interval], max(settings["max_steps"], 1))
        try:
            return self._instantiate_trainer({**settings, **kwargs}, callbacks)
        except MisconfigurationException as error:
            raise InputError(f"trainer: {str(error).splitlines()[0]}") from None

    def save_config(self) -> None:
        """Write the settings into the run folder."""
        if self.trainer.is_global_zero:
            run = RunFolder(Path(self.trainer.default_root_dir))
            with atomic_write(run.settings) as path:
                path.write_text(self.parser.dump(self.config))


def _trainer_defaults() -> dict[str, Any]:
    """Return the trainer's defaults: steps rather than epochs, and the ranks torchrun started."""
    defaults = dict(TRAINER)
    ranks = int(os.environ.get("WORLD_SIZE", 1))
    if ranks > 1:
        local = int(os.environ.get("LOCAL_WORLD_SIZE", ranks))
        defaults |= {"strategy": "ddp", "devices": local, "num_nodes": ranks // local}
    return defaults


def _wandb(project: str, run: Path) -> Logger:
    """Return a logger to a project of Weights & Biases."""
    checks.package("wandb", "--wandb needs")
    return WandbLogger(project=project, name=run.name, save_dir=run)


def _listed(given: Any) -> list[Any]:
    """Return what may be given as nothing, one or a list as a list."""
    if given is None or given is True:
        return []
    return list(given) if isinstance(given, list) else [given]


def _refuse_other_folder(run: RunFolder) -> None:
    """Refuse to train into a folder of data."""
    if run.path.exists() and not run.path.is_dir():
        raise NotADirectoryError(f"{run.path} is a file: give another --out")
    for name in ("dataset.json", "cache.json", "world.json"):
        if (run.path / name).exists():
            raise InputError(f"{run.path} holds data ({name}): give another --out for the run")


def _refuse_other_settings(command: _Command) -> None:
    """Refuse to resume a run whose model or data had other settings."""
    run = Path(command.trainer.default_root_dir)
    settings = RunFolder(run).settings
    if not (checkpoints.newest(RunFolder(run)) and settings.is_file()):
        return
    try:
        before = command.parser.parse_path(settings)
    except jsonargparse.ArgumentError as error:
        raise InputError(
            f"{run} holds a run of another version ({' '.join(str(error).split())}): give another "
            "--out, or delete that folder"
        ) from None
    changed = [
        f"{part}.{name}"
        for part in ("model", "data")
        for name, value in command.config[part].items()
        if name not in _MAY_CHANGE and value != before[part][name]
    ]
    if changed:
        raise InputError(
            f"{run} holds a run with other settings ({', '.join(changed)}): give another --out, "
            "or delete that folder"
        )
