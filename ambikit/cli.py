"""The command line: ``ambikit info | convert | rotate | beamform | doa | features``, in degrees."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import ambikit
from ambikit import checks, io
from ambikit._errors import InputError
from ambikit._typing import FloatArray

_SILENT_DB = -80.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        Exit status: 0, or 2 with one line on stderr about what can be mended.

    Examples
    --------
    >>> from ambikit.cli import main
    >>> main(["info", "/no/such/file.wav"])
    2
    """
    options = _parser().parse_args(arguments)
    return one_line_errors("ambikit", lambda: options.run(options))


def one_line_errors(program: str, run: Callable[[], None]) -> int:
    """Run a command; what the user can mend becomes one line on stderr and status 2.

    Parameters
    ----------
    program : str
        Name to begin the line with.
    run : callable
        The command.

    Returns
    -------
    int
        Exit status.

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
    return 0


def _info(options: argparse.Namespace) -> None:
    """Print what files hold."""
    for path in options.files:
        about = io.info(path)
        if options.json:
            print(json.dumps({"file": str(path), **dataclasses.asdict(about)}))
            continue
        convention = about.convention or "not Ambisonic"
        source = f"stated by: {about.stated_by}" if about.stated_by else "assumed"
        print(
            f"{path}: {about.channels} channels{about.layout and f' ({about.layout})'}, "
            f"{about.codec}, {about.sample_rate} Hz, {about.duration:.3f} s, {convention}"
            + (f" ({source})" if about.convention else "")
        )
        if options.levels and about.convention:
            _print_levels(path)


def _print_levels(path: Path) -> None:
    """Print the level of each channel of first order, and what is silent."""
    x, _ = io.read(path)
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
    io.write_channels(options.output, beams, rate, subtype=options.subtype)


def _doa(options: argparse.Namespace) -> None:
    """Print directions of arrival."""
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
        from ambikit import plot

        grid = plot.equirectangular_grid(90, 180)
        density = 10 * np.log10(np.maximum(ambikit.intensity_map(x, rate, *grid), 0.1))
        axes = plot.heat_map(density, sources=found, degrees=True, label="density / dB")
        figure = axes.get_figure(root=True)
        assert figure is not None
        figure.savefig(options.plot)


def _features(options: argparse.Namespace) -> None:
    """Write log-mel and intensity features as .npy."""
    options.sample_rate = options.sample_rate or 24000
    x, rate = _read(options)
    features = ambikit.foa_features(x, rate, preset=options.preset, kind=options.kind)
    with io.replacing(options.output) as temporary, temporary.open("wb") as stream:
        np.save(stream, features)


def _read(options: argparse.Namespace) -> tuple[FloatArray, int]:
    """Read the input by the common options."""
    return io.read(
        options.input,
        sample_rate=options.sample_rate,
        layout=options.layout,
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
    info.add_argument("files", nargs="+", type=Path)
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
    beam.add_argument("--azimuth", type=float, nargs="+", required=True)
    beam.add_argument("--elevation", type=float, nargs="+", default=[0.0])
    beam.add_argument("--pattern", default="cardioid")
    beam.set_defaults(run=_beamform)

    doa = _sound_command(commands, "doa", "directions that sound comes from, strongest first")
    doa.add_argument("--sources", type=int, help="how many; by default those that stand out")
    doa.add_argument("--method", default="intensity", help="intensity, pwd or music")
    doa.add_argument("--json", action="store_true")
    doa.add_argument("--plot", type=Path, help="draw a heat map to this picture file")
    doa.set_defaults(run=_doa)

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
    parser.add_argument("input", type=Path)
    parser.add_argument("--layout", help="what the planes are, if not what `info` says")
    parser.add_argument("--sample-rate", type=int, help="Hz; resampled")
    parser.add_argument("--start", type=float, default=0.0, help="seconds")
    parser.add_argument("--duration", type=float, help="seconds")
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
