"""Options of a command from the function that does its work, files of options, and refusals."""

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
        A function that is called with the options in its place. Its parameters other than
        ``**options`` are options too.
    positional : tuple of str
        Parameters that are given without their names; the last of them may be a list.
    without : tuple of str
        Parameters that are no options, since `run` fills them in.
    show : str, optional
        A function that is called with what the work returns, to print it.
    """

    work: str
    run: str | None = None
    positional: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    show: str | None = None

    @property
    def summary(self) -> str:
        """Description of the command in one line."""
        return signature(self.work).summary

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Parameters by name."""
        own = signature(self.run).parameters if self.run else {}
        taken = {**own, **signature(self.work).parameters, **own}
        return {name: taken[name] for name in taken if name not in self.without}

    def __call__(self, options: Mapping[str, Any]) -> Any:
        """Import the function that does the work, and call it."""
        result = _imported(self.run or self.work)(**options)
        return result if self.show is None else _imported(self.show)(result)


def _imported(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def read_options(
    commands: Mapping[str, Command], name: str, arguments: Sequence[str], program: str
) -> dict[str, Any] | None:
    """Return the options of a command, or None if they were only printed.

    Parameters
    ----------
    commands : mapping
        All commands by name.
    name : str
        Name of the command.
    arguments : sequence of str
        Arguments after the name: options; ``--config FILE`` (YAML, each option by its name; later
        files and options override earlier ones); ``--print_config``.
    program : str
        Name of the program.

    Raises
    ------
    InputError
        An argument cannot be used.
    FileNotFoundError
        A file of options does not exist.
    """
    command = commands[name]
    parameters = command.parameters
    if {"-h", "--help"} & set(arguments):
        parser = _parser(command, f"{program} {name}")
        if others := [other for other in commands if other.startswith(f"{name} ")]:
            parser.epilog = f"With other options: {', '.join(others)}; each has its own --help."
        parser.print_help()
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
    """Return the most similar of some words, if one is similar."""
    found = difflib.get_close_matches(word, list(words), 1, cutoff=0.65)
    return found[0] if found else None


def _flag(name: str) -> str:
    """Return the flag of an option."""
    return "--" + name.replace("_", "-")


def _is_option(word: str) -> bool:
    """Return whether an argument is an option, and not a value such as a negative number."""
    return word.startswith("-") and word not in ("-", "--") and not _is_number(word)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


class _Parser(argparse.ArgumentParser):
    """A parser that raises an `InputError`."""

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
    """Add all options that are given by name."""
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
        help="YAML file with options by their names; later options override it.",
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
    """Return the options given by name, and the other arguments."""
    parser = _Parser(prog=name, allow_abbrev=False, add_help=False)
    _add_options(parser, command)
    given, rest = parser.parse_known_args(arguments)
    return vars(given), rest


def _positional(command: Command, name: str, words: list[str]) -> dict[str, Any]:
    """Return the options given by position."""
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
    """Return the function that reads one value."""

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
        raise InputError(f"{path} is not YAML ({' '.join(str(error).split())})") from None
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
    """Convert a value of a file to the type of a parameter."""
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
        """Return the values of an option with several values."""
        parts = _list(value)
        if len(parts) != self.kind.count:
            raise ValueError(f"{value!r} are not {self.kind.count} values")
        return tuple(map(self, parts))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is not a list")
    return value


def _unknown(commands: Mapping[str, Command], name: str, option: str) -> str:
    """Return the message about an unknown option, with its commands and the most similar one."""
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
    """Return the commands that have an option, as the end of a clause."""
    key = option.lstrip("-").replace("-", "_")
    owners = [name for name, command in commands.items() if key in command.parameters]
    return f", which belongs to {' and '.join(owners)}" if owners else ""


def _print(parameters: Mapping[str, Parameter], settings: Mapping[str, Any]) -> None:
    """Print options as a file of options."""
    import yaml

    def plain(value: Any) -> Any:
        if isinstance(value, tuple | list):
            return [plain(part) for part in value]
        return str(value) if isinstance(value, Path) else value

    shown = {name: plain(settings.get(name)) for name in parameters}
    print(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), end="")
