"""The report of a comparison, made at any time of what is there: Markdown, HTML and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ambikit_learn._files import atomic_write
from ambikit_learn._typing import Floats
from ambikit_learn.data.cache_folder import CacheSettings
from ambikit_learn.data.dataset import SpanDataset
from ambikit_learn.data.items import Snapshot
from ambikit_learn.data.open import WORLD, is_rendered, is_world
from ambikit_learn.data.rendered import WorldDataset, snapshot
from ambikit_learn.report import comparison as draw
from ambikit_learn.report.page import write_markdown_page
from ambikit_learn.report.pictures import curves_picture, scene_picture, task_picture
from ambikit_learn.reproduce import tables
from ambikit_learn.reproduce.comparison import Comparison, pieces_in
from ambikit_learn.reproduce.paper import VARIANTS
from ambikit_learn.reproduce.pieces import Plan
from ambikit_learn.world.scene import CLASSES

NAME, PICTURES = "report.md", "pictures"
MAPS = 2
"""Test clips of which acoustic maps are drawn."""
MAPPED = 500
"""Points of an embedding map."""


def write_report(folder: Path, runs: str, plan: str, *, pictures: bool = True) -> Path:
    """Write the report of the runs in a folder.

    Parameters
    ----------
    folder : Path
        Folder of a comparison.
    runs, plan : str
        Names of the folder of runs and of the file of the plan in it.
    pictures : bool
        Draw all pictures anew. Otherwise those that are there are shown.

    Returns
    -------
    Path
        The report in Markdown; the same in HTML lies beside it.
    """
    found, common = Comparison.read(folder / runs), Plan.load(folder / plan)
    failed = {
        piece.name: piece.read()["failed"]
        for piece in pieces_in(folder / runs)
        if "failed" in piece.read()
    }
    if pictures and found.runs:
        for name, picture in _pictures(found, common).items():
            picture(folder / PICTURES / name)
    shown = {
        f"{PICTURES}/{path.name}": _caption(path.stem)
        for path in sorted((folder / PICTURES).glob("[a-z]*.png"))
    }
    parts = ["# Comparison of variants", *tables.sections(found, common, failed, shown)]
    text = "\n\n".join(parts) + "\n"
    target = folder / NAME
    with atomic_write(target) as path:
        path.write_text(text, encoding="utf-8")
    write_markdown_page(target.with_suffix(".html"), "Comparison of variants", text)
    return target


_CAPTIONS = {
    "training": "Training: loss, and how often a validation crop finds its own sound among four",
    "yaw": "Accuracy of AVSA by the angle that the sound of the wrong pair was turned by",
    "map": "Encodings of sounds whose object a test crop shows, by its class (t-SNE)",
    "acoustic": "A test frame with its objects, and the power of first-order beams over it",
    "task": "A downstream task: measures with their intervals, and who is taken for whom",
}


def _caption(stem: str) -> str:
    kind, _, rest = stem.partition("-")
    return _CAPTIONS.get(kind, kind) + (f" ({rest})" if rest else "")


def _pictures(found: Comparison, plan: Plan) -> dict[str, Callable[[Path], None]]:
    """Return how to draw each picture, by the name of its file."""
    first = {name: found.by_variant[name][0] for name in found.variants}
    stages = {name: run.piece.model for name, run in first.items() if VARIANTS[name].trained}
    drawn: dict[str, Callable[[Path], None]] = {
        "training.png": lambda path: curves_picture(path, stages)
    }
    curves = {
        row: {name: found.yaw_curve(name, row) for name in found.variants}
        for row in ("4 crops", "aligned above turned")
    }
    if any(curve for by_variant in curves.values() for curve in by_variant.values()):
        drawn["yaw.png"] = lambda path: draw.yaw_picture(path, curves)
    maps = {name: run.piece.map for name, run in first.items() if run.piece.map.is_file()}
    if maps:
        drawn["map.png"] = lambda path: draw.map_picture(
            path, {name: _placed(file) for name, file in maps.items()}, CLASSES
        )
    for number, shown in enumerate(_snapshots(plan)):
        drawn[f"acoustic-{number}.png"] = _scene(shown)
    for variant in ("baseline", "foa_iv"):
        if variant in first:
            for task, results in first[variant].tasks.items():
                name = f"task-{task}-{variant}.png"
                drawn[name] = lambda path, results=results: task_picture(path, results)  # type: ignore[misc]
    return drawn


def _scene(shown: Snapshot) -> Callable[[Path], None]:
    return lambda path: scene_picture(path, shown.frame, shown.sound, shown.boxes)


def _placed(file: Path) -> tuple[Floats, Floats]:
    """Return places in the plane (N, 2) and classes (N,) of encodings of sounds."""
    from sklearn.manifold import TSNE

    with np.load(file, allow_pickle=False) as arrays:
        encoding, label = arrays["encoding"][:MAPPED].astype(float), arrays["label"][:MAPPED]
    if len(encoding) < 3:
        return np.zeros((0, 2)), np.zeros(0)
    perplexity = min(30.0, (len(encoding) - 1) / 3)
    places = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(encoding)
    return places, label


def _snapshots(plan: Plan) -> Iterator[Snapshot]:
    """Yield frames of test clips with their sound and objects."""
    if not is_rendered(plan.test_data):
        spans = SpanDataset(plan.test_data, "test", spans=1)
        for index in range(min(MAPS, len(spans))):
            yield spans.scene(index)
        return
    if is_world(plan.test_data):
        world = WorldDataset(
            plan.test_data.removeprefix(WORLD), "test", seed=plan.test_seed, epoch_length=MAPS
        )
    else:
        world = CacheSettings.load(plan.test_data).world("test", MAPS)
    for index in range(MAPS):
        yield snapshot(world, index)
