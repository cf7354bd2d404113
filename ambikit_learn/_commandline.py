"""A command's options, from the function that does its work; files of settings; what is refused."""

from __future__ import annotations

import argparse
import difflib
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ambikit import InputError
from ambikit_learn._signatures import Kind, Parameter, Required, signature


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes
    ----------
    work : str
        ``"package.module:function"``: its parameters are the options, its documentation is the
        help.
    run : str, optional
        A function in its place, which is given the options and calls it. What it takes besides
        ``**options`` are options too.
    positional : tuple of str
        Parameters that are given without their names; the last of them may be a list.
    without : tuple of str
        Parameters that are no options, since `run` fills them in.
    """

    work: str
    run: str | None = None
    positional: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """What the command does, in a line."""
        return signature(self.work).summary

    @property
    def parameters(self) -> dict[str, Parameter]:
        """What it takes, by name."""
        own = signature(self.run).parameters if self.run else {}
        taken = {**own, **signature(self.work).parameters, **own}
        return {name: taken[name] for name in taken if name not in self.without}

    def __call__(self, options: Mapping[str, Any]) -> Any:
        """Import what does the work, and do it."""
        module, _, name = (self.run or self.work).partition(":")
        return getattr(importlib.import_module(module), name)(**options)


def read_options(
    commands: Mapping[str, Command], name: str, arguments: Sequence[str], program: str
) -> dict[str, Any] | None:
    """Return the options of a command, or None if they were only to be shown.

    Parameters
    ----------
    commands : mapping
        All commands by name.
    name : str
        The one to read the options of.
    arguments : sequence of str
        What follows the name: options; ``--config FILE`` (YAML, each option by its name; of
        several files, and of what is given beside them, the later one counts); ``--print_config``.
    program : str
        Name of the program.

    Raises
    ------
    InputError
        What cannot be read, as one line.
    FileNotFoundError
        There is no such file of settings.
    """
    command = commands[name]
    parameters = command.parameters
    if {"-h", "--help"} & set(arguments):
        _parser(command, f"{program} {name}").print_help()
        return None
    given, rest = _given(command, name, arguments)
    files = given.pop("config", [])
    show = given.pop("print_config", False)
    unknown = next((word for word in rest if _is_option(word)), None)
    if unknown is not None:
        raise InputError(_unknown(commands, name, unknown.partition("=")[0]))
    settings: dict[str, Any] = {
        key: taken.default for key, taken in parameters.items() if taken.default is not Required
    }
    for file in files:
        settings |= _from_file(Path(file), commands, name)
    settings |= given | _positional(command, name, [word for word in rest if word != "--"])
    if show:
        _print(parameters, settings)
        return None
    missing = [key for key in parameters if key not in settings]
    if missing:
        words = [key if key in command.positional else _flag(key) for key in missing]
        raise InputError(f"{name} needs {', '.join(words)}: see {program} {name} --help")
    return settings


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the nearest of some words, if one is near."""
    found = difflib.get_close_matches(word, list(words), 1, cutoff=0.65)
    return found[0] if found else None


def _flag(name: str) -> str:
    """Return how an option is given."""
    return "--" + name.replace("_", "-")


def _is_option(word: str) -> bool:
    """Tell an option from a value, which may be a negative number."""
    return word.startswith("-") and word not in ("-", "--") and not _is_number(word)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


class _Parser(argparse.ArgumentParser):
    """A parser that raises what is wrong."""

    def error(self, message: str) -> Any:
        raise InputError(f"{self.prog}: {message}")


def _parser(command: Command, program: str) -> argparse.ArgumentParser:
    """Return the parser that describes a command."""
    parser = _Parser(prog=program, description=command.summary, allow_abbrev=False, add_help=False)
    for name in command.positional:
        taken = command.parameters[name]
        shown = _metavar(taken) if taken.kind.choices else name
        nargs = "+" if taken.kind.many else None
        parser.add_argument(name, nargs=nargs, metavar=shown, help=_text(taken))
    _add_options(parser, command)
    return parser


def _add_options(parser: argparse.ArgumentParser, command: Command) -> None:
    """Add all that is given by name."""
    for name, taken in command.parameters.items():
        if name in command.positional:
            continue
        kind = taken.kind
        about: dict[str, Any] = {"dest": name, "default": argparse.SUPPRESS, "help": _text(taken)}
        flags = dict.fromkeys((_flag(name), f"--{name}"))
        shown, *hidden = flags
        names = tuple(part.upper() for part in taken.parts)
        if kind.one is bool:
            options: dict[str, Any] = {"action": argparse.BooleanOptionalAction}
        else:
            options = {"type": _reader(kind), "metavar": _metavar(taken)}
            if kind.count > 1:
                options["nargs"] = kind.count
                options["metavar"] = names or ("VALUE",) * kind.count
                if kind.many:
                    options["action"] = "append"
            elif kind.many:
                options["nargs"] = "*"
        parser.add_argument(shown, **options, **about)
        for flag in hidden:
            parser.add_argument(flag, **options, **about | {"help": argparse.SUPPRESS})
    parser.add_argument("-h", "--help", action="help", help="Show this and exit.")
    parser.add_argument(
        "--config",
        action="append",
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="YAML file with options by their names; what is given beside it counts.",
    )
    parser.add_argument(
        "--print_config",
        action="store_true",
        default=argparse.SUPPRESS,
        help="Print all options as such a file, and exit.",
    )


def _given(
    command: Command, name: str, arguments: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """Return what was given by name, and all else."""
    parser = _Parser(prog=name, allow_abbrev=False, add_help=False)
    _add_options(parser, command)
    given, rest = parser.parse_known_args(arguments)
    return vars(given), rest


def _positional(command: Command, name: str, words: list[str]) -> dict[str, Any]:
    """Return what was given without a name."""
    found: dict[str, Any] = {}
    for key in command.positional:
        kind = command.parameters[key].kind
        if words and kind.many:
            found[key], words = [_checked(key, kind, word) for word in words], []
        elif words:
            found[key], words = _checked(key, kind, words[0]), words[1:]
    if words:
        raise InputError(f"{name} does not take {words[0]!r}: options begin with --")
    return found


def _checked(name: str, kind: Kind, word: str) -> Any:
    try:
        return _reader(kind)(word)
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise InputError(f"{name}: {error}") from None


def _reader(kind: Kind) -> Callable[[str], Any]:
    """Return what reads one value."""

    def read(word: str) -> Any:
        if kind.choices and word not in kind.choices:
            raise argparse.ArgumentTypeError(
                f"unknown {word!r}: choose one of {', '.join(kind.choices)}"
            )
        try:
            return kind.one(word)
        except ValueError:
            numbers = {int: "a whole number", float: "a number"}
            raise argparse.ArgumentTypeError(
                f"{word!r} is not {numbers.get(kind.one, kind.one.__name__)}"
            ) from None

    return read


def _metavar(taken: Parameter) -> str:
    if taken.kind.choices:
        return "{" + ",".join(taken.kind.choices) + "}"
    return {int: "N", float: "X", Path: "PATH"}.get(taken.kind.one, "TEXT")


def _text(taken: Parameter) -> str:
    """Return the help of an option, with its default."""
    text = taken.text.replace("%", "%%")
    default = taken.default
    if default is Required or default is None or default is False or default == ():
        return text
    if isinstance(default, tuple):
        if any(isinstance(part, tuple) for part in default):
            return text
        default = " ".join(str(part) for part in default)
    return f"{text} ({default})"


def _from_file(path: Path, commands: Mapping[str, Command], name: str) -> dict[str, Any]:
    """Return the options in a YAML file."""
    import yaml

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file: give a YAML file of options of {name}")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path} is no YAML ({' '.join(str(error).split())})") from None
    if not isinstance(document, dict):
        raise InputError(f"{path} must hold options of {name} by their names")
    found = {}
    parameters = commands[name].parameters
    for key, value in document.items():
        option = str(key).replace("-", "_")
        if option not in parameters:
            raise InputError(f"{path}: {_unknown(commands, name, str(key))}")
        try:
            found[option] = _from_yaml(parameters[option].kind, value)
        except (TypeError, ValueError, argparse.ArgumentTypeError) as error:
            raise InputError(f"{path}: {key} of {name}: {error}") from None
    return found


def _from_yaml(kind: Kind, value: Any) -> Any:
    """Return a value of a file as the function takes it."""
    if value is None and kind.optional:
        return None
    one = _Plain(kind)
    if kind.many and kind.count > 1:
        return [one.several(part) for part in _list(value)]
    if kind.many:
        return [one(part) for part in _list(value)]
    return one.several(value) if kind.count > 1 else one(value)


class _Plain:
    """Reads plain values of a kind."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def __call__(self, value: Any) -> Any:
        """Return one value."""
        one = self.kind.one
        if (one is bool) != isinstance(value, bool) or isinstance(value, dict | list | None):
            raise ValueError(f"{value!r} is not {'true or false' if one is bool else one.__name__}")
        return value if one is bool else _reader(self.kind)(str(value))

    def several(self, value: Any) -> tuple[Any, ...]:
        """Return values that belong together."""
        parts = _list(value)
        if len(parts) != self.kind.count:
            raise ValueError(f"{value!r} are not {self.kind.count} values")
        return tuple(map(self, parts))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is no list")
    return value


def _unknown(commands: Mapping[str, Command], name: str, option: str) -> str:
    """Say that a command has no such option, which commands have it, and which one is near."""
    key = option.lstrip("-").replace("-", "_")
    if key in commands[name].positional:
        return f"{name} takes {key} without {option}: see its --help"
    near = nearest(key, commands[name].parameters)
    text = f"{name} has no option {option}{belonging(commands, option)}"
    if near:
        written = _flag(near) if option.startswith("-") else near
        return f"{text}: the nearest is {written}"
    return f"{text}: see its --help"


def belonging(commands: Mapping[str, Command], option: str) -> str:
    """Return which commands have an option, as the end of a clause."""
    key = option.lstrip("-").replace("-", "_")
    owners = [name for name, command in commands.items() if key in command.parameters]
    return f", which belongs to {' and '.join(owners)}" if owners else ""


def _print(parameters: Mapping[str, Parameter], settings: Mapping[str, Any]) -> None:
    """Print options as a file of settings."""
    import yaml

    def plain(value: Any) -> Any:
        if isinstance(value, tuple | list):
            return [plain(part) for part in value]
        return str(value) if isinstance(value, Path) else value

    shown = {name: plain(settings.get(name)) for name in parameters}
    print(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), end="")
