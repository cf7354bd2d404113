"""The detector that knows the world."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ambikit_learn.detection.metrics import average_precision
from ambikit_learn.detection.modes import Mode, detect_on_sphere
from ambikit_learn.detection.views import Tile
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.equirect import angular_distance
from ambikit_learn.world import CLASSES, PRESETS
from ambikit_learn.world.detector import (
    SIZE,
    WEIGHTS,
    labelled_frame,
    measure,
    rectangles_on,
    train_detector,
    world_detector,
)


def boxes(azimuth: list[float], score: list[float], label: str) -> Boxes:
    n = len(azimuth)
    return Boxes(azimuth, [0.0] * n, [20.0] * n, [20.0] * n, score, tuple(label))


def test_average_precision_of_published_kind_of_example() -> None:
    """Two objects; hit, miss, hit: precision 1, 1/2, 2/3, so (1 + 2/3) / 2."""
    truth = [boxes([0.0, 90.0], [1, 1], "aa")]
    found = [boxes([0.5, 200.0, 91.0], [0.9, 0.8, 0.7], "aaa")]
    assert average_precision(found, truth) == {"a": pytest.approx(5 / 6)}
    # An object found twice counts once, of the wrong label not at all.
    assert average_precision([boxes([0.0, 1.0], [0.9, 0.8], "aa")], truth) == {"a": 0.5}
    assert average_precision([boxes([0.0, 90.0], [0.9, 0.8], "ab")], truth) == {"a": 0.5}
    assert average_precision([Boxes.empty()], truth) == {"a": 0.0}
    # Scores are ranked over all frames: a sure miss elsewhere costs more than an unsure one.
    both = [truth[0], Boxes.empty()]
    hits = boxes([0.0, 90.0], [0.6, 0.6], "aa")
    for score, value in ((0.9, 2 / 3), (0.3, 1.0)):
        found = [hits, boxes([10.0], [score], "a")]
        assert average_precision(found, both)["a"] == pytest.approx(value)


@pytest.mark.parametrize("side", [0.0, 90.0, 180.0, -37.0])
def test_rectangles_on_tiles_lead_back_to_the_boxes(side: float) -> None:
    rng = np.random.default_rng(0)
    azimuth = (side + np.array([-70.0, -20.0, 30.0, 75.0]) + 180.0) % 360.0 - 180.0
    there = Boxes(
        azimuth,
        rng.uniform(-25, 25, 4),
        rng.uniform(15, 30, 4),
        rng.uniform(15, 30, 4),
        np.ones(4),
        tuple("abcd"),
    )
    tile = Tile(side)
    frame = np.zeros((1, 64, 128, 3), np.uint8)
    (back,) = detect_on_sphere(frame, Mode((tile,)), 64, lambda _: [rectangles_on(tile, there)])
    assert sorted(back.label) == list("abcd")
    back = back.take(np.argsort(back.label))
    away = angular_distance(
        back.azimuth, back.elevation, there.azimuth, there.elevation, degrees=True
    )
    assert away.max() < 1.0
    np.testing.assert_allclose(back.width, there.width, rtol=0.1)
    np.testing.assert_allclose(back.height, there.height, rtol=0.1)
    # What is behind the tile is not on it, what its edge cuts to a fifth neither.
    behind = Boxes([side + 180.0, side + 96.0], [0, 0], [20, 20], [20, 20], [1, 1], "xy")
    assert len(rectangles_on(tile, behind).label) == 0


def test_labelled_frames_show_the_objects_of_the_split() -> None:
    frame, there = labelled_frame(
        PRESETS["standard"], seed=2, index=5, split="test", size=(64, 128)
    )
    assert frame.shape == (64, 128, 3)
    assert 3 <= len(there) <= 4
    assert set(there.label) <= set(CLASSES)
    again, _ = labelled_frame(PRESETS["standard"], seed=2, index=5, split="train", size=(64, 128))
    assert (frame != again).any()


def test_packaged_detector_finds_unseen_objects() -> None:
    assert WEIGHTS.stat().st_size < 3_000_000
    assert b"/detector.yaml" not in WEIGHTS.read_bytes()
    precision = measure(world_detector(), frames=40, seed=11)
    assert len(precision) >= 10
    assert np.mean(list(precision.values())) > 0.85


def test_packaged_detector_was_trained_on_tiles_of_its_size() -> None:
    detector = world_detector()
    assert detector.detector._model.size == SIZE  # type: ignore[attr-defined]
    assert detector.name == "yolo:detector.pt?mode=tiles"


@pytest.mark.slow
def test_training_runs_from_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train_detector(tmp_path / "own.pt", scenes=10, epochs=1)
    assert "mAP50" in capsys.readouterr().out
    weights = (tmp_path / "own.pt").read_bytes()
    assert not [folder for folder in (b"/detector.yaml", b"ambikit-yolo-") if folder in weights]
