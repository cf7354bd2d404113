"""What the commands of ``ambikit`` do, each with the options that `arguments` describes."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np

import ambikit
from ambikit import checks, io, rendering
from ambikit._errors import InputError
from ambikit._typing import FloatArray
from ambikit.cli.errors import one_line_errors

_SILENT_DB = -80.0


def info(options: argparse.Namespace) -> int:
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


def convert(options: argparse.Namespace) -> None:
    """Read, perhaps resample or cut, and write in another container or convention."""
    x, rate = _read(options)
    _write(options, x, rate)


def rotate(options: argparse.Namespace) -> None:
    """Turn the sound field."""
    x, rate = _read(options)
    angles = (options.yaw, options.pitch, options.roll)
    _write(options, ambikit.rotate(x, *angles, degrees=True, inverse=options.inverse), rate)


def beamform(options: argparse.Namespace) -> None:
    """Write what beams hear, one channel each."""
    x, rate = _read(options)
    elevation = options.elevation * (len(options.azimuth) if len(options.elevation) == 1 else 1)
    if len(elevation) != len(options.azimuth):
        raise InputError(
            f"give one --elevation, or one for each of the {len(options.azimuth)} azimuths"
        )
    beams = ambikit.beamform(x, options.azimuth, elevation, pattern=options.pattern, degrees=True)
    io.write(options.output, beams, rate, convention="none", subtype=options.subtype)


def doa(options: argparse.Namespace) -> None:
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


def features(options: argparse.Namespace) -> None:
    """Write log-mel and intensity features as .npy."""
    options.sample_rate = options.sample_rate or 24000
    x, rate = _read(options)
    features = ambikit.foa_features(x, rate, preset=options.preset, kind=options.kind)
    content = BytesIO()  # numpy's own writing to files drops the system's error
    np.save(content, features)
    with io.atomic_write(options.output) as temporary:
        temporary.write_bytes(content.getbuffer())


def decode(options: argparse.Namespace) -> None:
    """Decode to loudspeakers."""
    rendering.to_loudspeakers(
        _input(options),
        options.output,
        options.layout,
        method=options.method,
        weighting=None if options.weighting == "none" else options.weighting,
        dual_band=options.dual_band,
        lfe=options.lfe,
        gains=options.gains and 10 ** (np.array(options.gains) / 20),
    )


def binaural(options: argparse.Namespace) -> None:
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


def a2b(options: argparse.Namespace) -> None:
    """Turn microphones' signals into AmbiX."""
    options.input_convention = "none"
    array: str | ambikit.MicrophoneArray = options.array
    if options.radius is not None:
        array = ambikit.tetrahedron(options.array, radius=options.radius / 1000)
    rendering.from_microphones(
        _input(options), options.output, array, order=options.order, max_gain=options.max_gain
    )


def map_(options: argparse.Namespace) -> None:
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
