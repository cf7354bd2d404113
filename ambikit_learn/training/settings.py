"""Settings of `fit`: packaged configurations, short options, and checks of names.

Nothing here loads torch, so that mistakes are reported at once.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import textwrap
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from ambikit import InputError
from ambikit_learn._commandline import nearest
from ambikit_learn._signatures import Parameter, Required, signature

SHORT = {"--data": "--data.path", "--out": "--trainer.default_root_dir"}
GROUPS = {
    "model": "ambikit_learn.training.module:AlignmentModule",
    "data": "ambikit_learn.training.data:AlignmentData",
}
LINKED = {"model.frames", "model.source_rate", "model.seed", "data.seed", "data.objective"}
"""Settings that are derived from others."""
TRAINER: dict[str, Any] = {
    "max_steps": 500,
    "val_check_interval": 50,
    "check_val_every_n_epoch": None,
    "log_every_n_steps": 10,
    "num_sanity_val_steps": 0,
    "use_distributed_sampler": False,
    "enable_model_summary": False,
}
"""Defaults of the trainer, which counts steps rather than epochs."""


def variants() -> list[str]:
    """Return the names of the packaged configurations.

    A name is ``SIZE/TASK_VARIANT`` and combines three files: the defaults of that size, the
    settings of the task at that size, and the features and crops of the variant.

    Examples
    --------
    >>> "avsa_foa_iv" in variants(), "paper/avc_beamform_yolo" in variants()
    (True, True)
    """
    return sorted(_packaged())


def config_files(name: str) -> list[str]:
    """Return the files of a configuration, in which later ones override earlier ones.

    Parameters
    ----------
    name : str
        A YAML file, or a packaged configuration.

    Raises
    ------
    InputError
        Neither exists.
    """
    if Path(name).is_file():
        return [name]
    known = name.removesuffix(".yaml").removeprefix("tiny/")
    packaged = _packaged()
    if known not in packaged:
        near = nearest(known, packaged)
        tiny = ", ".join(sorted(other for other in packaged if "/" not in other))
        raise InputError(
            f"no configuration {name!r}{f', the nearest is {near!r}' if near else ''}: give a "
            f"file, or one of {tiny}; or a variant as paper/VARIANT or world/VARIANT"
        )
    return [str(path) for path in packaged[known]]


@cache
def _packaged() -> dict[str, tuple[Path, ...]]:
    """Return the packaged configurations: name -> files."""
    folder = Path(str(resources.files("ambikit_learn") / "configs"))
    found: dict[str, tuple[Path, ...]] = {"released": (folder / "released.yaml",)}
    for default in sorted(folder.glob("*/default.yaml")):
        size = default.parent
        prefix = "" if size.name == "tiny" else f"{size.name}/"
        for task in set(size.glob("*.yaml")) - {default}:
            for variant in (folder / "variants").glob("*.yaml"):
                found[f"{prefix}{task.stem}_{variant.stem}"] = (default, task, variant)
    return found


def expand(arguments: Sequence[str], owners: Callable[[str], str] = lambda name: "") -> list[str]:
    """Expand short options and packaged names, with configurations before overrides.

    Parameters
    ----------
    arguments : sequence of str
        Arguments of the command.
    owners : callable
        Name of a setting that `fit` lacks -> the commands that have it, as the end of a clause.

    Raises
    ------
    InputError
        If a configuration or a setting does not exist.
    """
    names: list[str] = []
    others: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        option, equals, value = argument.partition("=")
        if option in ("--config", "-c"):
            names.append(value if equals else next(rest, ""))
        else:
            others.append(SHORT.get(option, option) + equals + value)
    files = [file for name in names for file in config_files(name)]
    _check_names(others, files, owners)
    parts = [Path(name).stem if Path(name).is_file() else name for name in names]
    run = "-".join(part.removesuffix(".yaml").replace("/", "-") for part in parts) or "run"
    return [f"--trainer.default_root_dir=runs/{run}", *(f"--config={f}" for f in files), *others]


def options() -> dict[str, Parameter | None]:
    """Return all settings by their dotted names; those of the trainer have no description."""
    found: dict[str, Parameter | None] = dict.fromkeys(["seed_everything"])
    found |= signature("ambikit_learn.training.command:run_settings").parameters
    for group, place in GROUPS.items():
        own = {f"{group}.{name}": taken for name, taken in signature(place).parameters.items()}
        found |= {name: taken for name, taken in own.items() if name not in LINKED}
    return found | {f"trainer.{name}": None for name in _of_trainer()}


@cache
def _of_trainer() -> tuple[str, ...]:
    """Return the parameters of Lightning's Trainer from its source, or nothing without it."""
    found = importlib.util.find_spec("lightning")
    path = found and found.origin and Path(found.origin).parent / "pytorch/trainer/trainer.py"
    if not path or not path.is_file():
        return ()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return tuple(argument.arg for argument in node.args.kwonlyargs)
    return ()


def _check_names(
    arguments: Sequence[str], files: Sequence[str], owners: Callable[[str], str]
) -> None:
    """Refuse settings that do not exist, and name the nearest."""
    if not _of_trainer():
        return
    for argument in arguments:
        # NAME+ appends to a list
        name = argument.partition("=")[0].removeprefix("--").removesuffix("+")
        if argument.startswith("--") and not name.startswith(("print_config", "help")):
            _check_name(name, f"fit has no option --{name}{owners(name)}", "--")
    for file in files:
        for name in _names_in(Path(file)):
            _check_name(name, f"{file}: fit has no setting {name}{owners(name)}", "")


def _check_name(name: str, text: str, dashes: str) -> None:
    known = options()
    if name in known or ".".join(name.split(".")[:2]) in known or name in (*GROUPS, "trainer"):
        return
    if name.startswith("trainer.logger"):
        return
    last = {key.rpartition(".")[2]: key for key in known}
    near = nearest(name, known) or last.get(nearest(name.rpartition(".")[2], last) or "")
    remedy = f"the nearest is {dashes}{near}; " if near else ""
    raise InputError(f"{text}: {remedy}fit --print_config shows every setting")


def _names_in(path: Path) -> list[str]:
    """Return the dotted names of the settings in a YAML file."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path} is not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(document, dict):
        raise InputError(f"{path} must hold settings of fit: model, data, trainer")
    names = []
    for part, values in document.items():
        nested = isinstance(values, dict) and part in (*GROUPS, "trainer")
        names += [f"{part}.{name}" for name in values] if nested else [str(part)]
    return names


def help_text() -> str:
    """Return the text of ``fit --help``."""
    about = signature("ambikit_learn.training.command:fit")
    text = [
        "usage: ambikit-learn fit [--config NAME]... [--data FOLDER] [--out FOLDER] "
        "[--GROUP.NAME VALUE]...",
        about.summary,
        "options:",
    ]
    for name in ("config", "data", "out"):
        text.append(_line(f"--{name}", about.parameters[name].text))
    text.append(_line("--print_config", "Print every setting as YAML, and exit."))
    text.append(_line("--seed_everything", "Random seed of the whole run. (0)"))
    group = ""
    for name, taken in options().items():
        part = name.partition(".")[0] if "." in name else ""
        if taken is None or part not in ("", *GROUPS):
            continue
        if part != group:
            group = part
            text.append(f"{part}:")
        default = "" if taken.default in (Required, None) else f" ({taken.default})"
        text.append(_line(f"--{name}", taken.text + default))
    text.append("trainer:")
    text.append(
        _line("--trainer.NAME", "Options of Lightning's Trainer: " + ", ".join(_of_trainer()))
    )
    text.append(f"configurations: {', '.join(variants())}")
    lines = []
    for line in text:
        wrapped = line if line.startswith("  ") else textwrap.fill(line, 100)
        lines.append(wrapped if re.match(r" |options|model|data|trainer", line) else wrapped + "\n")
    return "\n".join(lines)


def _line(option: str, text: str) -> str:
    """Return an option and its help in columns."""
    indent = " " * 30
    words = textwrap.fill(text, 100, initial_indent=indent, subsequent_indent=indent)
    head = f"  {option}"
    return head + words[len(head) :] if len(head) < 29 else f"{head}\n{words}"
