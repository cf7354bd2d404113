"""`ambikit-learn world | prepare | data | fit | evaluate | embed | export | demo`.

What a command needs is imported when it runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ambikit import __version__
from ambikit.cli import one_line_errors


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        Exit status: 2, after one line on stderr, for what the user can mend.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["fit"]:  # has a parser of its own: YAML, dotted overrides, --print_config
        return one_line_errors("ambikit-learn", lambda: _fit(given[1:]))
    options = _parser().parse_args(given)
    return one_line_errors("ambikit-learn", lambda: options.run(options))


def _world(options: argparse.Namespace) -> None:
    """Render scenes."""
    from ambikit_learn.world import preview_world, render_world

    render_world(
        options.out,
        clips=options.clips,
        seed=options.seed,
        preset=options.preset,
        duration=options.duration,
        frame_rate=options.frame_rate,
        frame_size=tuple(options.frame_size),
        layout=options.layout,
        sound=options.sound,
        workers=options.workers,
    )
    if options.preview:
        preview_world(options.out, clips=min(options.preview, options.clips))


def _prepare(options: argparse.Namespace) -> None:
    """Write shards."""
    from ambikit_learn.prepare.command import prepare

    summary = prepare(
        options.clips,
        options.out,
        source=options.source,
        detector=options.detector,
        detection_rate=options.detection_rate,
        frame_rate=options.frame_rate,
        frame_size=tuple(options.frame_size),
        video_mode=options.video_mode,
        sample_rate=options.sample_rate,
        sound_codec=options.sound_codec,
        bitrate=options.bitrate,
        segment=options.segment,
        leave_out=options.leave_out,
        engine=options.engine,
        address=options.address,
        workers=options.workers,
        clip_timeout=options.clip_timeout,
        check=options.check,
    )
    print(summary)


def _data_stats(options: argparse.Namespace) -> None:
    """Count what is in a prepared folder."""
    from ambikit_learn.data.statistics import data_statistics, print_statistics, statistics_picture

    statistics = data_statistics(options.out)
    if options.json:
        print(json.dumps(statistics.to_dict(), ensure_ascii=False))
    else:
        print_statistics(statistics)
    if options.picture:
        statistics_picture(options.picture, statistics)


def _fit(arguments: list[str]) -> None:
    """Train."""
    from ambikit_learn.training.command import fit_main

    fit_main(arguments)


def _evaluate(options: argparse.Namespace) -> None:
    """Measure a trained model."""
    from ambikit_learn.evaluation.pretext import evaluate
    from ambikit_learn.evaluation.results import print_results

    results = evaluate(
        [options.task],
        options.model,
        options.data,
        split=options.split,
        spans=options.spans,
        clips=options.clips,
        seed=options.seed,
    )
    print_results(results)


def _embed(options: argparse.Namespace) -> None:
    """Embed files; exit status 1 if some could not be."""
    import torch

    from ambikit_learn.inference.encoder import AmbiEncoder
    from ambikit_learn.inference.table import embed_files

    encoder = AmbiEncoder.from_pretrained(options.model)
    summary = embed_files(
        options.files,
        encoder.to(options.device or ("cuda" if torch.cuda.is_available() else "cpu")),
        options.out,
        directions=options.direction or ((0.0, 0.0),),
        hop=options.hop,
        window=options.window,
        workers=options.workers,
    )
    print(f"{options.out}: {summary.embedded} files embedded, {summary.known} were there already")
    for reason in summary.failed.values():
        print(f"ambikit-learn: left out: {reason}", file=sys.stderr)
    if summary.failed:
        raise SystemExit(1)


def _export(options: argparse.Namespace) -> None:
    """Write a part of a model as ONNX."""
    from ambikit_learn.inference.encoder import AmbiEncoder

    AmbiEncoder.from_pretrained(options.model).export_onnx(options.out, options.part)


def _demo(options: argparse.Namespace) -> None:
    """Run the whole method."""
    from ambikit_learn.reproduce.demo import run_demo

    run_demo(
        options.out,
        data=options.data,
        source=options.source,
        detector=options.detector,
        minutes=options.minutes,
        seed=options.seed,
    )


def _parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        prog="ambikit-learn", description="Learn audio representations from 360° video."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    world = commands.add_parser("world", help="render a procedural data set with known directions")
    world.set_defaults(run=_world)
    world.add_argument("out", type=Path, help="folder to write")
    world.add_argument("--clips", type=int, default=100, help="a fifth of them are for testing")
    world.add_argument("--preset", default="standard", help="easy, standard, hard or scenes")
    world.add_argument("--layout", default="yt360", help="of the files: yt360 or starss23")
    world.add_argument("--sound", help="codec: aac or opus (yt360), wav (starss23)")
    world.add_argument("--duration", type=float, default=6.0, help="seconds a clip")
    _frames(world)
    world.add_argument(
        "--preview", type=int, default=0, metavar="N", help="also draw N clips with boxes and sound"
    )
    _seed(world, "the same seed gives the same scenes")
    _workers(world)

    prepare = commands.add_parser("prepare", help="check clips, find objects, write shards")
    prepare.set_defaults(run=_prepare)
    prepare.add_argument("clips", type=Path, help="folder of the clips")
    prepare.add_argument("out", type=Path, help="folder for shards and manifest")
    _clips(prepare, source="yt360")
    _frames(prepare)
    prepare.add_argument(
        "--detection-rate", type=float, default=2.0, help="times a second to look for objects"
    )
    prepare.add_argument(
        "--video-mode",
        default="auto",
        help="auto: copy streams that already are as they would be coded; encode; copy",
    )
    prepare.add_argument("--sample-rate", type=int, default=24000, help="of the sound kept, in Hz")
    prepare.add_argument("--sound-codec", default="flac", help="codec of the sound: flac or opus")
    prepare.add_argument(
        "--bitrate", type=int, default=256, help="of Opus, in kb/s for four channels (256)"
    )
    prepare.add_argument(
        "--segment", type=float, default=10.0, metavar="SECONDS", help="cut long clips so (10)"
    )
    prepare.add_argument(
        "--leave-out",
        nargs="*",
        default=("W only",),
        metavar="NOTE",
        help="notes that leave a clip out, such as 'still picture' or 'Z is silent' ('W only')",
    )
    prepare.add_argument(
        "--engine", default="local", help="local: processes on this machine; ray: a Ray cluster"
    )
    prepare.add_argument(
        "--address",
        help="of the Ray cluster: HOST:PORT, auto or local; by default a running or new one",
    )
    prepare.add_argument(
        "--clip-timeout",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="give a clip up after so long, and longer by its length (600)",
    )
    prepare.add_argument("--check", action="store_true", help="only say which clips can be used")
    _workers(prepare)

    data = commands.add_parser("data", help="look at a prepared folder")
    kinds = data.add_subparsers(required=True, metavar="WHAT")
    stats = kinds.add_parser("stats", help="counts, hours, reasons, objects and their directions")
    stats.set_defaults(run=_data_stats)
    stats.add_argument("out", type=Path, help="prepared folder")
    stats.add_argument("--picture", type=Path, metavar="FILE", help="also draw histograms")
    stats.add_argument("--json", action="store_true", help="print JSON instead of tables")

    commands.add_parser("fit", help="train a variant: see fit --help", add_help=False)

    evaluate = commands.add_parser("evaluate", help="measure a trained model on held-out clips")
    evaluate.set_defaults(run=_evaluate)
    evaluate.add_argument(
        "task",
        choices=("avc", "avsa"),
        help="avc: does the sound belong to the picture? avsa: is it turned the right way?",
    )
    evaluate.add_argument("--model", type=Path, required=True, help="run folder of fit")
    evaluate.add_argument("--data", required=True, help="prepared folder, or world:PRESET")
    evaluate.add_argument("--split", default="test", help="which clips to measure on")
    evaluate.add_argument("--spans", type=int, default=4, help="spans taken from each clip")
    evaluate.add_argument("--clips", type=int, help="at most this many of each split")
    _seed(evaluate, "of crops and wrong pairs")

    embed = commands.add_parser("embed", help="embed the sound of files into a table")
    embed.set_defaults(run=_embed)
    embed.add_argument("files", nargs="+", help="sound or video files")
    embed.add_argument("--model", required=True, help="run folder of fit, or owner/name on the hub")
    embed.add_argument("--out", type=Path, required=True, help="Parquet file to write or add to")
    embed.add_argument(
        "--direction",
        type=float,
        nargs=2,
        action="append",
        metavar=("AZIMUTH", "ELEVATION"),
        help="where to listen to, in degrees; may be given several times; the front by default",
    )
    embed.add_argument("--hop", type=float, help="seconds from window to window")
    embed.add_argument("--window", type=float, help="seconds; by default as in training")
    embed.add_argument("--device", help="such as cuda:1; by default a GPU if there is one")
    embed.add_argument("--workers", type=int, help="threads; by default one a core")

    export = commands.add_parser("export", help="write a trained model as ONNX")
    export.set_defaults(run=_export)
    export.add_argument("model", help="run folder of fit, or owner/name on the hub")
    export.add_argument("--out", type=Path, required=True, help="ONNX file to write")
    export.add_argument(
        "--part",
        choices=("audio", "video", "sound"),
        default="audio",
        help="audio: from features; video: from crops; sound: from AmbiX sound, front end included",
    )

    demo = commands.add_parser("demo", help="run the whole method and draw every stage")
    demo.set_defaults(run=_demo)
    demo.add_argument("--out", type=Path, default=Path("demo-out"), help="output folder")
    demo.add_argument("--data", type=Path, help="folder of your own 360° clips")
    _clips(demo, source="folder")
    demo.add_argument("--minutes", type=float, default=6.0, help="about how long, on two cores")
    _seed(demo, "of everything")
    return parser


def _clips(parser: argparse.ArgumentParser, *, source: str) -> None:
    """Say how a folder of clips is laid out, and how objects are found in it."""
    parser.add_argument("--source", default=source, help=f"layout of the clips ({source})")
    parser.add_argument(
        "--detector",
        default="none",
        help="none, file (boxes beside the clips), yolo:WEIGHTS, world (a YOLO that knows the "
        "procedural world), or package.module:factory",
    )


def _frames(parser: argparse.ArgumentParser) -> None:
    """Say what frames to write."""
    parser.add_argument("--frame-rate", type=float, default=8.0, help="frames a second")
    parser.add_argument(
        "--frame-size", type=int, nargs=2, default=(160, 320), metavar=("HEIGHT", "WIDTH")
    )


def _seed(parser: argparse.ArgumentParser, of: str) -> None:
    """Offer a seed."""
    parser.add_argument("--seed", type=int, default=0, help=of)


def _workers(parser: argparse.ArgumentParser) -> None:
    """Offer a number of processes."""
    parser.add_argument("--workers", type=int, help="processes; by default one a core")
