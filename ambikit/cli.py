"""The command line: ``ambikit info | convert | rotate | decode | binaural | ...``, in degrees."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO

import numpy as np

import ambikit
from ambikit import checks, io, rendering
from ambikit._errors import InputError
from ambikit._typing import FloatArray

_SILENT_DB = -80.0
_LISTS = ("--azimuth", "--elevation")
"""Options that take one number or more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        Exit status: 0, or 2 with one line on stderr about what can be remedied.

    Examples
    --------
    >>> from ambikit.cli import main
    >>> main(["info", "/no/such/file.wav"])
    2
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(joined_lists(given, _LISTS))
    if isinstance(sys.stdout, TextIOWrapper):  # names of files need not be text
        sys.stdout.reconfigure(errors="backslashreplace")
    status = 0

    def run() -> None:
        nonlocal status
        status = options.run(options) or 0

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = _print_warning
        return one_line_errors("ambikit", run) or status


def one_line_errors(program: str, run: Callable[[], None]) -> int:
    """Run a command; what the user can remedy becomes one line on stderr and status 2.

    Parameters
    ----------
    program : str
        Name to begin the line with.
    run : callable
        The command.

    Returns
    -------
    int
        Exit status: 0, 2, or 130 if it was stopped from the keyboard.

    Examples
    --------
    >>> from ambikit.cli import one_line_errors
    >>> one_line_errors("tool", lambda: None)
    0
    """
    try:
        run()
    except (InputError, OSError, ImportError) as error:
        known = checks.missing_package(error, "this command needs")
        if isinstance(error, ImportError) and known is None:
            raise
        print(f"{program}: {' '.join(str(known or error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{program}: stopped", file=sys.stderr)
        return 130
    return 0


def joined_lists(arguments: Sequence[str], options: Sequence[str]) -> list[str]:
    """Write the numbers after an option as one argument, so that it takes nothing else.

    Parameters
    ----------
    arguments : sequence of str
        What was typed.
    options : sequence of str
        Options that take one number or more.

    Returns
    -------
    list of str
        The same, with ``--azimuth=0,90`` for ``--azimuth 0 90``.

    Examples
    --------
    >>> from ambikit.cli import joined_lists
    >>> joined_lists(["--azimuth", "0", "-90", "in.wav", "out.wav"], ["--azimuth"])
    ['--azimuth=0,-90', 'in.wav', 'out.wav']
    """
    joined: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument in options:
            values = []
            while rest and _is_number(rest[0]):
                values.append(rest.pop(0))
            argument = f"{argument}={','.join(values)}" if values else argument
        joined.append(argument)
    return joined


def _is_number(text: str) -> bool:
    """Tell whether a word is a number, or several with commas between."""
    try:
        _numbers(text)
    except ValueError:
        return False
    return True


def _numbers(text: str) -> list[float]:
    """Return the numbers of a list with commas."""
    return [float(word) for word in text.split(",")]


def _print_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as one line."""
    print(f"ambikit: note: {message}", file=sys.stderr)


def _info(options: argparse.Namespace) -> int:
    """Print what files hold; one that cannot be read leaves the others their turn."""

    def describe(path: Path) -> None:
        about = io.info(_named(path), track=options.track)
        if options.json:
            print(json.dumps({"file": str(path), **dataclasses.asdict(about)}))
            return
        print(f"{path}: {_described(about)}")
        if len(about.tracks) > 1:
            for number, track in enumerate(about.tracks):
                print(f"  track {number}{'*' * (number == about.track)}: {track}")
        for note in about.notes:
            print(f"  note: {note}")
        if options.levels and about.convention:
            _print_levels(path, options.track)

    return max(one_line_errors("ambikit", partial(describe, path)) for path in options.files)


def _described(about: io.AudioInfo) -> str:
    """Return a description in one line."""
    layout = f" ({about.channel_layout})" if about.channel_layout else ""
    sizes = (
        f"{about.channels} channels{layout}, {about.codec}, {about.sample_rate} Hz, "
        f"{about.duration:.3f} s"
    )
    source = {
        "stated": f"stated by: {about.stated_by}",
        "assumed": "assumed",
        "contradicted": f"contradicted by: {about.stated_by}, {about.says}",
    }[about.evidence]
    if about.convention is None and about.evidence == "assumed":
        return f"{sizes}, not Ambisonic"
    return f"{sizes}, {about.convention or 'not Ambisonic'} ({source})"


def _print_levels(path: Path, track: int | None) -> None:
    """Print the level of each channel of first order, and what is silent."""
    x, _ = io.read(path, track=track)
    level = 10 * np.log10(np.maximum((x[:4] ** 2).mean(axis=1), 1e-20))
    print("  " + "  ".join(f"{name} {db:.1f} dB" for name, db in zip("WYZX", level, strict=True)))
    if level[0] < _SILENT_DB:
        print("  silent")
    elif level[2] < max(_SILENT_DB, level[0] - 60):
        print("  Z is silent: horizontal sound only")


def _convert(options: argparse.Namespace) -> None:
    """Read, perhaps resample or cut, and write in another container or convention."""
    x, rate = _read(options)
    _write(options, x, rate)


def _rotate(options: argparse.Namespace) -> None:
    """Turn the sound field."""
    x, rate = _read(options)
    angles = (options.yaw, options.pitch, options.roll)
    _write(options, ambikit.rotate(x, *angles, degrees=True, inverse=options.inverse), rate)


def _beamform(options: argparse.Namespace) -> None:
    """Write what beams hear, one channel each."""
    x, rate = _read(options)
    elevation = options.elevation * (len(options.azimuth) if len(options.elevation) == 1 else 1)
    if len(elevation) != len(options.azimuth):
        raise InputError(
            f"give one --elevation, or one for each of the {len(options.azimuth)} azimuths"
        )
    beams = ambikit.beamform(x, options.azimuth, elevation, pattern=options.pattern, degrees=True)
    io.write(options.output, beams, rate, convention="none", subtype=options.subtype)


def _doa(options: argparse.Namespace) -> None:
    """Print directions of arrival."""
    if options.plot:
        _check_picture(options.plot)
    x, rate = _read(options)
    found = ambikit.localize(
        x, rate, n_sources=options.sources, method=options.method, degrees=True
    )
    rows = zip(found.azimuth, found.elevation, found.weight, strict=True)
    if options.json:
        names = ("azimuth", "elevation", "weight")
        print(json.dumps([dict(zip(names, map(float, row), strict=True)) for row in rows]))
    else:
        print("azimuth elevation weight")
        for azimuth, elevation, weight in rows:
            print(f"{azimuth:7.1f} {elevation:9.1f} {weight:6.1f}")
    if options.plot:
        _plot(x, rate, found, options.plot)


def _plot(x: FloatArray, rate: int, found: ambikit.Directions, path: Path) -> None:
    """Draw the directions of a sound over the map they were found in."""
    from ambikit import plot

    grid = plot.equirectangular_grid(90, 180)
    density = 10 * np.log10(np.maximum(ambikit.intensity_map(x, rate, *grid), 0.1))
    axes = plot.heat_map(density, sources=found, degrees=True, label="density / dB")
    figure = axes.get_figure(root=True)
    assert figure is not None
    with io.atomic_write(path) as temporary:
        figure.savefig(temporary)


def _check_picture(path: Path) -> None:
    """Refuse a picture that cannot be drawn or written, before anything is computed."""
    io.check_target(path)
    backend = checks.package("matplotlib.backend_bases", "plots need")
    kinds = tuple(backend.FigureCanvasBase.get_supported_filetypes())
    checks.choice(path.suffix.lower().lstrip("."), kinds, f"kind of picture of {path}:")


def _features(options: argparse.Namespace) -> None:
    """Write log-mel and intensity features as .npy."""
    options.sample_rate = options.sample_rate or 24000
    x, rate = _read(options)
    features = ambikit.foa_features(x, rate, preset=options.preset, kind=options.kind)
    with io.atomic_write(options.output) as temporary, temporary.open("wb") as stream:
        np.save(stream, features)


def _decode(options: argparse.Namespace) -> None:
    """Decode to loudspeakers."""
    rendering.to_loudspeakers(
        _input(options),
        options.output,
        options.layout,
        method=options.method,
        weighting=None if options.weighting == "none" else options.weighting,
        dual_band=options.dual_band,
        lfe=options.lfe,
    )


def _binaural(options: argparse.Namespace) -> None:
    """Decode to two ears."""
    source = _input(options)
    ears = ambikit.streaming.Binauralizer(
        source.rate,
        options.yaw,
        options.pitch,
        options.roll,
        head=options.head,
        method=options.method,
        equalization=options.equalization,
        degrees=True,
    )
    rendering.to_ears(source, options.output, ears)


def _a2b(options: argparse.Namespace) -> None:
    """Turn microphones' signals into AmbiX."""
    options.input_convention = "none"
    array: str | ambikit.MicrophoneArray = options.array
    if options.radius is not None:
        array = ambikit.tetrahedron(options.array, radius=options.radius / 1000)
    rendering.from_microphones(
        _input(options), options.output, array, order=options.order, max_gain=options.max_gain
    )


def _map(options: argparse.Namespace) -> None:
    """Write maps of power over time."""
    checks.choice(options.output.suffix, (".npy",), f"kind of file of {options.output}:")
    rendering.to_map(
        _input(options),
        options.output,
        height=checks.positive_int(options.height, "height"),
        rate=options.rate,
        pattern=options.pattern,
    )


def _input(options: argparse.Namespace) -> rendering.Input:
    """Return the input of commands that hold a span at a time."""
    io.check_target(options.output)
    sound = io.Sound(
        [_named(path) for path in (options.input, *options.parts)],
        convention=options.input_convention,
        track=options.track,
    )
    sound.warn(stacklevel=2)
    return rendering.Input(sound, start=options.start, duration=options.duration)


def _named(path: Path) -> Path | BinaryIO:
    """Return a file, or what comes through the pipe for ``-``."""
    return sys.stdin.buffer if str(path) == "-" else path


def _read(options: argparse.Namespace) -> tuple[FloatArray, int]:
    """Read the input by the common options, once there is where to write."""
    if "output" in options:
        io.check_target(options.output)
    return io.read(
        [_named(path) for path in (options.input, *options.parts)],
        sample_rate=options.sample_rate,
        convention=options.input_convention,
        track=options.track,
        start=options.start,
        duration=options.duration,
    )


def _write(options: argparse.Namespace, x: FloatArray, rate: int) -> None:
    """Write the output by the common options."""
    io.write(options.output, x, rate, convention=options.convention, subtype=options.subtype)


def _parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    parser = argparse.ArgumentParser(
        prog="ambikit",
        description="Ambisonic sound: describe, convert, turn, listen, locate. Angles in degrees: "
        "azimuth +90 is left, elevation +90 is up.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {ambikit.__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    info = commands.add_parser("info", help="what sound and video files hold")
    info.add_argument("files", nargs="+", type=Path, help="files; - is a pipe")
    info.add_argument("--track", type=int, help="track of sound, from 0")
    info.add_argument("--levels", action="store_true", help="decode, and print channel levels")
    info.add_argument("--json", action="store_true", help="a JSON object for each file")
    info.set_defaults(run=_info)

    convert = _sound_command(commands, "convert", "to another container, convention or rate")
    _output(convert, convention=True)
    convert.set_defaults(run=_convert)

    rotate = _sound_command(commands, "rotate", "turn the sound field")
    _output(rotate, convention=True)
    rotate.add_argument("--yaw", type=float, default=0.0, help="positive: front to the left")
    rotate.add_argument("--pitch", type=float, default=0.0, help="positive: front down")
    rotate.add_argument("--roll", type=float, default=0.0, help="positive: left up")
    rotate.add_argument("--inverse", action="store_true", help="the listener turns instead")
    rotate.set_defaults(run=_rotate)

    beam = _sound_command(commands, "beamform", "listen in directions, one channel each")
    _output(beam, convention=False)
    beam.add_argument("--azimuth", type=_numbers, required=True, metavar="DEGREES")
    beam.add_argument("--elevation", type=_numbers, default=[0.0], metavar="DEGREES")
    beam.add_argument("--pattern", default="cardioid")
    beam.set_defaults(run=_beamform)

    doa = _sound_command(commands, "doa", "directions that sound comes from, strongest first")
    doa.add_argument("--sources", type=int, help="how many; by default those that stand out")
    doa.add_argument("--method", default="intensity", help="intensity, pwd or music")
    doa.add_argument("--json", action="store_true")
    doa.add_argument("--plot", type=Path, help="draw a heat map to this picture file")
    doa.set_defaults(run=_doa)

    decode = _long_command(
        commands,
        "decode",
        "to loudspeakers, one channel each",
        "ambikit decode in.wav out.wav 7.1.4",
    )
    decode.add_argument("layout", help="for example 5.1, 7.1.4, 22.2, 4+7+0, quad, cube")
    decode.add_argument(
        "--method", default="allrad", help="allrad, allrad+, epad, mode_matching or sampling"
    )
    decode.add_argument("--weighting", default="max_re", help="max_re, in_phase or none")
    decode.add_argument(
        "--dual-band", type=float, metavar="HZ", help="basic below, for example 800"
    )
    decode.add_argument("--lfe", action="store_true", help="with low-frequency channels")
    decode.set_defaults(run=_decode)

    binaural = _long_command(
        commands, "binaural", "to two ears", "ambikit binaural in.wav out.wav --yaw 30"
    )
    binaural.add_argument("--head", default="kemar", help="kemar, sphere or a SOFA file")
    binaural.add_argument("--method", default="magls", help="magls or ls")
    binaural.add_argument("--equalization", help="diffuse_field, truncation or covariance")
    binaural.add_argument("--yaw", type=float, default=0.0, help="of the head, positive: left")
    binaural.add_argument("--pitch", type=float, default=0.0, help="positive: down")
    binaural.add_argument("--roll", type=float, default=0.0, help="positive: to the right")
    binaural.set_defaults(run=_binaural)

    a2b = _long_command(
        commands, "a2b", "microphones' signals to AmbiX", "ambikit a2b em.wav out.wav --array em32"
    )
    a2b.add_argument(
        "--array",
        default="FLU FRD BLD BRU",
        help="a_format, em32, zylia, or four corners of a cube",
    )
    a2b.add_argument("--radius", type=float, metavar="MM", help="of four capsules, in millimetres")
    a2b.add_argument("--order", type=int, help="by default the highest")
    a2b.add_argument("--max-gain", type=float, default=20.0, metavar="DB", help="20 dB by default")
    a2b.set_defaults(run=_a2b)

    maps = _long_command(
        commands,
        "map",
        "maps of power over time, as .npy (frames, height, 2 height)",
        "ambikit map in.wav maps.npy --rate 20",
    )
    maps.add_argument("--rate", type=float, default=20.0, help="maps a second")
    maps.add_argument(
        "--height", type=int, default=45, help="of the equirectangular maps, in pixels"
    )
    maps.add_argument("--pattern", default="max_di", help="of the beams; mvdr for the least power")
    maps.set_defaults(run=_map)

    features = _sound_command(commands, "features", "log-mel and intensity vectors, as .npy")
    features.add_argument("output", type=Path)
    features.add_argument("--preset", default="avsa", help="avsa, dcase or salsa")
    features.add_argument("--kind", default="foa_iv", help="foa_iv or logmel")
    features.set_defaults(run=_features)
    return parser


def _sound_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, what: str
) -> argparse.ArgumentParser:
    """Add a command that reads a span of sound."""
    parser = commands.add_parser(name, help=what)
    _input_options(parser, "--input-convention", "--layout")
    parser.add_argument("--sample-rate", type=float, help="Hz; resampled")
    return parser


def _input_options(parser: argparse.ArgumentParser, *convention: str) -> None:
    """Add what says which span of which sound is read, and by these options as what."""
    parser.add_argument("input", type=Path, help="a sound or video file; - is a pipe")
    parser.add_argument(
        "--with",
        dest="parts",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a file that holds further channels of the same recording",
    )
    parser.add_argument(
        *convention,
        metavar="CONVENTION",
        help="what the channels of the input are, if not what `info` says: fuma, n3d, none, ...",
    )
    parser.add_argument("--track", type=int, help="track of sound, from 0")
    parser.add_argument("--start", type=float, default=0.0, help="seconds")
    parser.add_argument("--duration", type=float, help="seconds")


def _long_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    what: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add a command that holds a few seconds of sound at a time, whatever the file's length."""
    parser = commands.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}. Files of any length are held span by span.",
        epilog=f"example: {example}",
    )
    _input_options(parser, "--input-convention")
    parser.add_argument("output", type=Path)
    return parser


def _output(parser: argparse.ArgumentParser, *, convention: bool) -> None:
    """Add the options of a sound file to write."""
    parser.add_argument("output", type=Path)
    parser.add_argument("--subtype", help="sample type or codec, for example PCM_16 or opus")
    if convention:
        parser.add_argument(
            "--convention", default="ambix", help="ambix, fuma, n3d, youtube51, ..."
        )


if __name__ == "__main__":
    sys.exit(main())
