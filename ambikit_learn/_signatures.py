"""Signatures and numpydoc of functions, read from their source without an import.

The command line thus describes functions whose modules load torch within milliseconds, and where
torch is not installed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent
_LISTS = {"Sequence", "Iterable", "Collection", "list"}


class Required:
    """The default of a parameter without one."""


@dataclass(frozen=True)
class Kind:
    """The type of a parameter.

    Attributes
    ----------
    one : type
        Type of one value: str, int, float, bool or Path; or `object`, which text cannot express.
    count : int
        Number of values, such as 2 for a height and a width.
    many : bool
        Whether there may be any number of these.
    optional : bool
        Whether it may be None.
    choices : tuple of str
        Allowed texts; any if empty.
    """

    one: type = str
    count: int = 1
    many: bool = False
    optional: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function: its name, kind, default or `Required`, and documentation."""

    name: str
    kind: Kind
    default: Any
    text: str
    parts: tuple[str, ...] = ()
    """Names of the values of one parameter, as documented: (height, width)."""


@dataclass(frozen=True)
class Signature:
    """A function: the first line of its documentation, and its parameters by their names."""

    summary: str
    parameters: Mapping[str, Parameter]


@cache
def signature(place: str) -> Signature:
    """Return what a function, method or class of this package takes.

    Parameters
    ----------
    place : str
        ``"package.module:name"``, or ``"package.module:Class.method"``. Of a class, the parameters
        are those of its ``__init__``, by the documentation of the class.

    Raises
    ------
    LookupError
        If it does not exist.
    TypeError
        If the default of a parameter cannot be read.

    Examples
    --------
    >>> told = signature("ambikit_learn._signatures:signature")
    >>> told.summary
    'Return what a function, method or class of this package takes.'
    >>> told.parameters["place"].kind.one
    <class 'str'>
    """
    module, _, name = place.partition(":")
    node: ast.AST = _tree(_path(module))
    for part in name.split("."):
        node = _member(node, part, place)
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    documentation = ast.get_docstring(node) or ""
    function = _member(node, "__init__", place) if isinstance(node, ast.ClassDef) else node
    assert isinstance(function, ast.FunctionDef)
    texts = _documented(documentation)
    parameters = {}
    for argument, default in _arguments(function):
        if argument.arg in ("self", "cls"):
            continue
        head, text = texts.get(argument.arg, ("", ""))
        parts = re.match(r"\((\w+(?:, \w+)+)\)", head)
        parameters[argument.arg] = Parameter(
            argument.arg,
            _kind(argument.annotation, module),
            Required if default is None else _value(default, module),
            text,
            tuple(parts[1].split(", ")) if parts else (),
        )
    return Signature(documentation.partition("\n")[0].replace("`", ""), parameters)


def _path(module: str) -> Path:
    """Return the file of a module of this package."""
    path = _PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _tree(path: Path) -> ast.Module:
    """Return the syntax of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def _member(node: ast.AST, name: str, place: str) -> ast.FunctionDef | ast.ClassDef:
    """Return the function or class of that name in a module or class."""
    for child in getattr(node, "body", ()):
        if isinstance(child, ast.FunctionDef | ast.ClassDef) and child.name == name:
            return child
    raise LookupError(f"there is no {place}")


def _arguments(function: ast.FunctionDef) -> list[tuple[ast.arg, ast.expr | None]]:
    """Return the arguments with their defaults, without ``*args`` and ``**options``."""
    taken = function.args
    plain = [*taken.posonlyargs, *taken.args]
    defaults = [None] * (len(plain) - len(taken.defaults)) + taken.defaults
    return [
        *zip(plain, defaults, strict=True),
        *zip(taken.kwonlyargs, taken.kw_defaults, strict=True),
    ]


def _documented(text: str) -> dict[str, tuple[str, str]]:
    """Return type and description by the names in the section of parameters, in one line each."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-+$|\Z)", text, re.M | re.S)
    found = {}
    for names, kind, body in re.findall(
        r"^(\w[\w, ]*?)(?: : (.*))?\n((?:    .*\n?|\n)*)", section[1] if section else "", re.M
    ):
        words = " ".join(body.split()).replace("`", "")
        for name in names.split(", "):
            found[name] = (kind, words)
    return found


def _kind(node: ast.expr | None, module: str) -> Kind:
    """Return the type of an annotation."""
    match node:
        case ast.Name(id="str" | "int" | "float" | "bool" as name):
            return Kind({"str": str, "int": int, "float": float, "bool": bool}[name])
        case ast.Name(id="Path"):
            return Kind(Path)
        case ast.Subscript(value=ast.Attribute(attr="PathLike")):
            return Kind(str)
        case ast.BinOp(op=ast.BitOr()):
            parts = _alternatives(node)
            kinds = [_kind(part, module) for part in parts if not _is_none(part)]
            best = max(
                kinds, key=lambda kind: (kind.one is not object, kind.many, kind.one is not Path)
            )
            return replace(best, optional=len(kinds) < len(parts))
        case ast.Subscript(value=ast.Name(id="Literal")):
            return Kind(choices=tuple(ast.literal_eval(_as_tuple(node.slice))))
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=parts)):
            return replace(_kind(parts[0], module), count=len(parts))
        case ast.Subscript(value=ast.Name(id=name), slice=part) if name in _LISTS:
            return replace(_kind(part, module), many=True)
        case ast.Name(id=name) if (found := _definition(name, module)) is not None:
            there, value = found
            return _kind(value, there)
    return Kind(object)


def _alternatives(node: ast.expr) -> list[ast.expr]:
    """Return the parts of ``a | b | c``."""
    if isinstance(node, ast.BinOp):
        return [*_alternatives(node.left), *_alternatives(node.right)]
    return [node]


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _as_tuple(node: ast.expr) -> ast.expr:
    return node if isinstance(node, ast.Tuple) else ast.Tuple([node], ast.Load())


def _value(node: ast.expr, module: str) -> Any:
    """Return a default: a literal, a path, or a constant by its name."""
    match node:
        case ast.Name(id=name):
            found = _definition(name, module)
            if found is None:
                raise TypeError(f"{module}: {name} is no constant")
            there, value = found
            return _value(value, there)
        case ast.Call(func=ast.Name(id="Path"), args=[part]):
            return Path(_value(part, module))
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _value(left, module) / _value(right, module)
    return ast.literal_eval(node)


def _definition(name: str, module: str) -> tuple[str, ast.expr] | None:
    """Return the module that defines a name, and its value, if it is a constant."""
    for node in ast.walk(_tree(_path(module))):
        match node:
            case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                return module, value
            case ast.AnnAssign(target=ast.Name(id=found), value=ast.expr() as value) if (
                found == name
            ):
                return module, value
            case ast.ImportFrom(module=str() as source, names=names) if name in {
                alias.name for alias in names
            }:
                if source.startswith(f"{_PACKAGE.name}."):
                    return _definition(name, source)
    return None
