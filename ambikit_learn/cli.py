"""The command line: a table of commands and the functions that do their work.

Options come from the signature and documentation of such a function, which is imported only when
the command runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import json
import sys
import textwrap
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ambikit import InputError, __version__
from ambikit._signals import ended_in_order
from ambikit_learn._commandline import Command, belonging, nearest, read_options
from ambikit_learn._signatures import signature
from ambikit_learn.evaluation import DOWNSTREAM, PRETEXT

if TYPE_CHECKING:
    from ambikit_learn.evaluation.results import TaskResults

PROGRAM = "ambikit-learn"
FIT = "ambikit_learn.training.command:fit"

COMMANDS = {
    "world": Command(
        "ambikit_learn.world.files:render_world",
        run="ambikit_learn.cli:_world",
        positional=("out",),
    ),
    "cache": Command("ambikit_learn.training.cache:cache_scenes", positional=("out",)),
    "prepare": Command(
        "ambikit_learn.preparation.command:prepare",
        run="ambikit_learn.cli:_prepare",
        positional=("clips", "out"),
    ),
    "data stats": Command(
        "ambikit_learn.data.statistics:data_statistics",
        run="ambikit_learn.cli:_data_stats",
        positional=("root",),
    ),
    "evaluate": Command(
        "ambikit_learn.evaluation.pretext:evaluate",
        run="ambikit_learn.cli:_evaluate",
        positional=("tasks",),
    ),
    **{
        f"evaluate {task}": Command(work, show="ambikit_learn.cli:_show_task")
        for task, work in DOWNSTREAM.items()
    },
    "embed": Command(
        "ambikit_learn.inference.table:embed_files",
        run="ambikit_learn.cli:_embed",
        positional=("files",),
        without=("encoder", "directions"),
    ),
    "export": Command(
        "ambikit_learn.inference.encoder:AmbiEncoder.export_onnx",
        run="ambikit_learn.cli:_export",
        positional=("model",),
        without=("path",),
    ),
    "demo": Command("ambikit_learn.reproduce.demo:run_demo"),
    "reproduce": Command(
        "ambikit_learn.reproduce.command:reproduce",
        run="ambikit_learn.cli:_reproduce",
        positional=("out",),
    ),
}
"""Commands except `fit`, whose settings have groups: see `ambikit_learn.training.settings`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Arguments, by default those of the process.

    Returns
    -------
    int
        Exit status: 2, after one line on stderr, for input that the user can correct.

    Examples
    --------
    >>> main(["prepare", "clips", "shards", "--frame-rats", "12"])
    2
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] in (["-h"], ["--help"]):
        print(_overview())
        return 0
    if given == ["--version"]:
        print(f"{PROGRAM} {__version__}")
        return 0
    try:
        with ended_in_order(), warnings.catch_warnings():
            warnings.showwarning = _print_warning
            return _run(given)
    except KeyboardInterrupt:  # while modules are loaded
        print(f"{PROGRAM}: stopped", file=sys.stderr)
        return 130


def _print_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as one line, whichever library it is of."""
    print(f"{PROGRAM}: note: {' '.join(str(message).split())}", file=sys.stderr)


def _run(given: list[str]) -> int:
    """Run the command that the arguments request; return the exit status."""
    try:
        run = _chosen(given)
    except (InputError, OSError, ImportError) as error:
        problem = error

        def run() -> None:
            raise problem

    if run is None:
        return 0
    # Here, since it loads numpy, which no help needs
    from ambikit.cli import one_line_errors

    return one_line_errors(PROGRAM, run)


def _chosen(given: list[str]) -> Callable[[], None] | None:
    """Return the work that the arguments request, or nothing after help."""
    if given[:1] == ["fit"]:
        return _fit(given[1:])
    name = " ".join(given[:2]) if " ".join(given[:2]) in COMMANDS else "".join(given[:1])
    if name not in COMMANDS:
        known = ["fit", *COMMANDS]
        near = nearest(" ".join(given[:2]), known) or nearest(name, known)
        said = f"no command {name!r}" if name else "a command is needed"
        raise InputError(f"{said}: {f'the nearest is {near}, of ' if near else ''}{_listed(known)}")
    tasks = (*PRETEXT, *DOWNSTREAM)
    if name == "evaluate" and given[1:] and not given[1].startswith("-") and given[1] not in tasks:
        near = nearest(given[1], tasks)
        said = f"no task {given[1]!r} of evaluate"
        raise InputError(f"{said}: {f'the nearest is {near}, of ' if near else ''}{_listed(tasks)}")
    options = read_options(COMMANDS, name, given[len(name.split()) :], PROGRAM)
    return None if options is None else lambda: COMMANDS[name](options)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _overview() -> str:
    """Return the help of the program."""
    summaries = {name: command.summary for name, command in COMMANDS.items()}
    summaries["fit"] = signature(FIT).summary
    tasks = tuple(f"evaluate {task}" for task in DOWNSTREAM)
    names = (
        *("world", "cache", "prepare", "data stats", "fit", "evaluate", *tasks),
        *("embed", "export", "demo", "reproduce"),
    )
    lines = [
        f"usage: {PROGRAM} COMMAND [OPTION]...",
        "",
        "Learn audio representations from 360° video.",
        "",
        "commands:",
    ]
    for name in names:
        lines += textwrap.wrap(
            summaries[name], 100, initial_indent=f"    {name:<20}", subsequent_indent=" " * 24
        )
    return "\n".join([*lines, "", f"{PROGRAM} COMMAND --help shows the options; --version, ours."])


def _fit(arguments: list[str]) -> Callable[[], None] | None:
    """Return the training; unknown names are refused before anything is loaded."""
    from ambikit_learn.training import settings

    if {"-h", "--help"} & set(arguments):
        print(settings.help_text())
        return None
    settings.expand(arguments, lambda name: belonging(COMMANDS, name))

    def run() -> None:
        from ambikit_learn.training.command import fit_main

        fit_main(arguments)

    return run


def _world(preview: int = 0, **options: Any) -> None:
    """Render scenes.

    Parameters
    ----------
    preview : int
        Also draw this number of clips, with boxes and sound.
    """
    from ambikit_learn.world import preview_world, render_world

    render_world(**options)
    if preview:
        preview_world(options["out"], clips=min(preview, options["clips"]))


def _prepare(**options: Any) -> None:
    """Write shards; exit status 1 if there is no usable clip."""
    from ambikit_learn.preparation.command import prepare

    summary = prepare(**options)
    if options["check"]:
        for line in summary.rejected:
            print(line)
    print(summary)
    if not summary.prepared:
        raise SystemExit(1)


def _data_stats(picture: Path | None = None, json: bool = False, **options: Any) -> None:
    """Print the statistics of a prepared folder.

    Parameters
    ----------
    picture : path, optional
        File in which to draw histograms.
    json : bool
        Print JSON instead of tables.
    """
    from ambikit_learn._files import check_writable
    from ambikit_learn.data.statistics import data_statistics, print_statistics, statistics_picture

    if picture:
        check_writable(picture.parent, "give another file as --picture")
    statistics = data_statistics(**options)
    if json:
        print(_json(statistics.to_dict()))
    else:
        print_statistics(statistics)
    if picture:
        statistics_picture(picture, statistics)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _evaluate(**options: Any) -> None:
    """Evaluate a trained model."""
    from ambikit_learn.evaluation.pretext import evaluate
    from ambikit_learn.evaluation.results import print_results

    print_results(evaluate(**options))


def _show_task(results: TaskResults) -> None:
    """Print the tables of a downstream task, and draw them beside the JSON."""
    from ambikit_learn.evaluation.results import print_task
    from ambikit_learn.report.pictures import task_picture

    print_task(results)
    if results.path is not None:
        picture = results.path.with_suffix(".png")
        task_picture(picture, results)
        print(f"written: {results.path}, {picture.name}")


def _embed(
    files: Sequence[str],
    model: str,
    out: Path,
    direction: Sequence[tuple[float, float]] = ((0.0, 0.0),),
    device: str | None = None,
    **options: Any,
) -> None:
    """Embed files; exit status 1 if some could not be.

    Parameters
    ----------
    files : sequence of path
        Sound or video files. Files that the table holds are skipped.
    model : str
        Run folder of fit, or owner/name on the Hugging Face hub.
    out : path
        Parquet file to write, or to extend if it was written with the same model and settings.
    direction : (azimuth, elevation)
        Direction of a viewpoint in degrees; may be repeated. By default the front.
    device : str, optional
        Device, such as cuda:1; by default a GPU if there is one.
    """
    import torch

    from ambikit_learn.inference.encoder import AmbiEncoder
    from ambikit_learn.inference.table import embed_files

    encoder = AmbiEncoder.from_pretrained(model)
    try:
        encoder.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except (RuntimeError, AssertionError) as error:  # torch raises either of a missing device
        said = str(error).splitlines()[0]
        raise InputError(f"device {device!r} is not there ({said}): leave --device out") from None
    summary = embed_files(files, encoder, out, directions=direction, **options)
    print(f"{out}: {summary.embedded} files embedded, {summary.known} were there already")
    for reason in summary.failed.values():
        print(f"{PROGRAM}: left out: {reason}", file=sys.stderr)
    if summary.failed:
        raise SystemExit(1)


def _reproduce(**options: Any) -> None:
    """Train, evaluate and report; print where the report is."""
    from ambikit_learn.reproduce.command import reproduce

    print(reproduce(**options))


def _export(model: str, out: Path, **options: Any) -> None:
    """Write a part of a model as ONNX.

    Parameters
    ----------
    model : str
        Run folder of fit, or owner/name on the Hugging Face hub.
    out : path
        ONNX file to write.
    """
    from ambikit_learn.inference.encoder import AmbiEncoder

    AmbiEncoder.from_pretrained(model).export_onnx(out, **options)


if __name__ == "__main__":
    sys.exit(main())
