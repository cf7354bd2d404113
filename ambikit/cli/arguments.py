"""The arguments of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ambikit
from ambikit.cli import commands

LISTS = ("--azimuth", "--elevation", "--gains")
"""Options that take one number or more."""


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
    >>> from ambikit.cli.arguments import joined_lists
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


class _Parser(argparse.ArgumentParser):
    """A parser, also of the commands, that takes no option for another that begins alike."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)


def parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    whole = _Parser(
        prog="ambikit",
        description="Ambisonic sound: describe, convert, turn, listen, locate. Angles in degrees: "
        "azimuth +90 is left, elevation +90 is up.",
    )
    whole.add_argument("--version", action="version", version=f"%(prog)s {ambikit.__version__}")
    adder = whole.add_subparsers(required=True, metavar="command")

    info = adder.add_parser("info", help="what sound and video files hold")
    info.add_argument("files", nargs="+", type=Path, help="files; - is a pipe")
    info.add_argument("--track", type=int, help="track of sound, from 0")
    info.add_argument("--levels", action="store_true", help="decode, and print channel levels")
    info.add_argument("--json", action="store_true", help="a JSON object for each file")
    info.set_defaults(run=commands.info)

    convert = _sound_command(adder, "convert", "to another container, convention or rate")
    _output(convert, convention=True)
    convert.set_defaults(run=commands.convert)

    rotate = _sound_command(adder, "rotate", "turn the sound field")
    _output(rotate, convention=True)
    rotate.add_argument("--yaw", type=float, default=0.0, help="positive: front to the left")
    rotate.add_argument("--pitch", type=float, default=0.0, help="positive: front down")
    rotate.add_argument("--roll", type=float, default=0.0, help="positive: left up")
    rotate.add_argument("--inverse", action="store_true", help="the listener turns instead")
    rotate.set_defaults(run=commands.rotate)

    beam = _sound_command(adder, "beamform", "listen in directions, one channel each")
    _output(beam, convention=False)
    beam.add_argument("--azimuth", type=_numbers, required=True, metavar="DEGREES")
    beam.add_argument("--elevation", type=_numbers, default=[0.0], metavar="DEGREES")
    beam.add_argument("--pattern", default="cardioid")
    beam.set_defaults(run=commands.beamform)

    doa = _sound_command(adder, "doa", "directions that sound comes from, strongest first")
    doa.add_argument("--sources", type=int, help="how many; by default those that stand out")
    doa.add_argument("--method", default="intensity", help="intensity, pwd or music")
    doa.add_argument("--json", action="store_true")
    doa.add_argument("--plot", type=Path, help="draw a heat map to this picture file")
    doa.set_defaults(run=commands.doa)

    decode = _long_command(
        adder,
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
    decode.add_argument(
        "--gains", type=_numbers, metavar="DB", help="one for each channel of the output"
    )
    decode.set_defaults(run=commands.decode)

    binaural = _long_command(
        adder, "binaural", "to two ears", "ambikit binaural in.wav out.wav --yaw 30"
    )
    binaural.add_argument("--head", default="kemar", help="kemar, sphere or a SOFA file")
    binaural.add_argument("--method", default="magls", help="magls or ls")
    binaural.add_argument("--equalization", help="diffuse_field, truncation or covariance")
    binaural.add_argument("--yaw", type=float, default=0.0, help="of the head, positive: left")
    binaural.add_argument("--pitch", type=float, default=0.0, help="positive: down")
    binaural.add_argument("--roll", type=float, default=0.0, help="positive: to the right")
    binaural.set_defaults(run=commands.binaural)

    a2b = _long_command(
        adder, "a2b", "microphones' signals to AmbiX", "ambikit a2b em.wav out.wav --array em32"
    )
    a2b.add_argument(
        "--array",
        default="FLU FRD BLD BRU",
        help="a_format, em32, zylia, or four corners of a cube",
    )
    a2b.add_argument("--radius", type=float, metavar="MM", help="of four capsules, in millimetres")
    a2b.add_argument("--order", type=int, help="by default the highest")
    a2b.add_argument("--max-gain", type=float, default=20.0, metavar="DB", help="20 dB by default")
    a2b.set_defaults(run=commands.a2b)

    maps = _long_command(
        adder,
        "map",
        "maps of power over time, as .npy (frames, height, 2 height)",
        "ambikit map in.wav maps.npy --rate 20",
    )
    maps.add_argument("--rate", type=float, default=20.0, help="maps a second")
    maps.add_argument(
        "--height", type=int, default=45, help="of the equirectangular maps, in pixels"
    )
    maps.add_argument("--pattern", default="max_di", help="of the beams; mvdr for the least power")
    maps.set_defaults(run=commands.map_)

    features = _sound_command(adder, "features", "log-mel and intensity vectors, as .npy")
    features.add_argument("output", type=Path)
    features.add_argument("--preset", default="avsa", help="avsa, dcase or salsa")
    features.add_argument("--kind", default="foa_iv", help="foa_iv or logmel")
    features.set_defaults(run=commands.features)
    return whole


def _sound_command(
    adder: argparse._SubParsersAction[_Parser], name: str, what: str
) -> argparse.ArgumentParser:
    """Add a command that reads a span of sound."""
    parser = adder.add_parser(name, help=what)
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
    adder: argparse._SubParsersAction[_Parser],
    name: str,
    what: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add a command that holds a few seconds of sound at a time, whatever the file's length."""
    parser = adder.add_parser(
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
