"""Sound events from frozen maps: targets, head, and the task on a miniature of STARSS23."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ambikit
from ambikit import InputError
from ambikit_learn.evaluation import seld_task
from ambikit_learn.evaluation.seld import seld_scores
from ambikit_learn.evaluation.seld_head import (
    SeldHead,
    _at,
    accdoa,
    detect_events,
    encoder_maps,
    feature_maps,
    train_seld_head,
)
from ambikit_learn.evaluation.seld_task import evaluate_seld
from ambikit_learn.sources.events import read_event_rows, write_event_rows

RATE = 24000
EVENTS = np.array([[3, 1, 0, 30, 10], [3, 2, 0, -90, 0], [4, 1, 0, 32, 10], [24, 0, 0, 180, -45.0]])


class Told(torch.nn.Module):
    """A head whose maps are the vectors themselves."""

    def forward(self, maps):
        return maps.reshape(*maps.shape[:2], -1, 3)


def test_targets_are_decoded_to_the_same_events():
    target = accdoa(EVENTS, 25, 3)
    assert target.shape == (25, 3, 3)
    assert np.linalg.norm(target, axis=-1).sum() == pytest.approx(4)
    found = detect_events(Told(), target.reshape(25, 1, 9).astype(np.float16))
    assert found[:, :3].tolist() == EVENTS[:, :3].tolist()
    wrapped = np.abs((found[:, 3:] - EVENTS[:, 3:] + 180) % 360 - 180)
    assert wrapped.max() < 0.1
    # Frames beyond the sound have no maps; of two events of a class the first track counts
    assert accdoa(EVENTS, 10, 3).any(-1).sum() == 3
    two = np.array([[0, 0, 0, 90, 0], [0, 0, 1, -90, 0.0]])
    assert accdoa(two, 1, 1)[0, 0] == pytest.approx([0, 1, 0], abs=1e-6)


def test_maps_are_interpolated_at_places():
    values = torch.tensor([[0.0, 10.0], [2.0, 20.0], [4.0, 0.0]])
    found = _at(values, np.array([0.0, 0.5, 1.25, 9.0]))
    assert found.tolist() == [[0.0, 10.0], [1.0, 15.0], [2.5, 15.0], [4.0, 0.0]]
    assert _at(values[:1], np.array([0.0, 3.0])).tolist() == [[0.0, 10.0]] * 2


def test_maps_lie_at_the_times_of_label_frames(new_encoder):
    """A burst in frames 230 to 234, beyond the first block, shows there and nowhere else."""
    encoder = new_encoder()
    x = 1e-4 * np.random.default_rng(0).normal(size=25 * RATE).astype(np.float32)
    first, last = 23 * RATE, round(23.5 * RATE)
    x[first:last] *= 3000
    sound = ambikit.encode(x, 40, degrees=True)
    maps = feature_maps(encoder).embed((sound, RATE))
    assert maps.shape == (250, 4, 7 * 8)
    level = maps[:, :, :8].astype(float).mean((1, 2))
    loud = np.flatnonzero(level > (level.max() + np.median(level)) / 2)
    assert loud.tolist() == [230, 231, 232, 233, 234]
    found = encoder_maps(encoder, "encoder").embed((sound, RATE))
    assert found.shape == (250, 4, 96)
    apart = np.linalg.norm((found - np.median(found, 0)).astype(float), axis=(1, 2))
    assert 228 <= apart.argmax() <= 236
    assert np.isfinite(found).all()


def test_maps_of_a_sound_do_not_depend_on_what_follows_later(new_encoder):
    """Blocks with their context give what one block gives."""
    embedder = encoder_maps(new_encoder(), "encoder")
    sound = 0.1 * np.random.default_rng(1).normal(size=(4, 23 * RATE)).astype(np.float32)
    long, short = embedder.embed((sound, RATE)), embedder.embed((sound[:, : 21 * RATE], RATE))
    np.testing.assert_allclose(long[:200], short[:200], atol=2e-2)
    np.testing.assert_allclose(long[200:205], short[200:205], atol=5e-2)


def test_the_head_learns_events_that_maps_contain():
    rng = np.random.default_rng(0)
    rows = []
    for start in range(0, 160, 20):
        azimuth, kind = rng.uniform(-180, 180), int(rng.integers(2))
        rows += [[f, kind, 0, azimuth, 0.0] for f in range(start + 4, start + 16)]
    events = np.array(rows)
    target = accdoa(events, 160, 2).reshape(160, -1)
    mixing = rng.normal(size=(6, 12))
    maps = np.repeat((target @ mixing)[:, None], 3, 1).astype(np.float16)
    head = train_seld_head([maps], [events], 2, epochs=80, seed=0)
    scores = seld_scores(events, detect_events(head, maps), classes=2, rules="strict")
    assert scores.f > 0.9
    assert scores.le < 10.0
    chance = detect_events(SeldHead(12, 2).eval(), maps)
    assert seld_scores(events, chance, classes=2, rules="strict").f < 0.3


@pytest.fixture(scope="module")
def starss23(tmp_path_factory):
    """Two recordings to train on and two to test on, of 3 s: two of noise from a place."""
    root = tmp_path_factory.mktemp("starss23")
    rng = np.random.default_rng(0)
    for part, name, azimuth in (
        ("dev-train-sony", "fold3_room21_mix001", 30),
        ("dev-train-tau", "fold3_room4_mix001", -60),
        ("dev-test-sony", "fold4_room23_mix001", 0),
        ("dev-test-tau", "fold4_room2_mix001", 90),
    ):
        noise = np.zeros(3 * RATE, np.float32)
        noise[: 2 * RATE] = 0.1 * rng.normal(size=2 * RATE)
        folder = root / "foa_dev" / part
        folder.mkdir(parents=True)
        ambikit.write(folder / f"{name}.wav", ambikit.encode(noise, azimuth, degrees=True), RATE)
        rows = [[frame, 8, 0, azimuth, 0, 2.0] for frame in range(20)]
        write_event_rows(root / "metadata_dev" / part / f"{name}.csv", rows)
    return root


@pytest.fixture
def run(tmp_path, new_encoder):
    folder = tmp_path / "run"
    new_encoder().save_pretrained(folder)
    return folder


def test_a_miniature_of_starss23(starss23, run, monkeypatch):
    results = evaluate_seld(starss23, run, epochs=2)
    names = [row.name for row in results.table.rows]
    assert names[:3] == ["encoder", "random weights", "features"]
    assert [row.kind for row in results.table.rows[3:]] == ["published"] * 2
    encoder = results.row("encoder").values
    assert encoder["F"].clips == 2
    assert set(encoder) == {"ER", "F", "LE", "LR", "SELD"}
    assert results.row("Sony, 2023").values["SELD"].mean == pytest.approx(0.695, abs=1e-3)
    assert set(results.comparisons) == {"encoder − random weights: F", "encoder − features: F"}
    by_class = results.details[1]
    assert [row.name for row in by_class.rows] == ["music (4)"]
    # The predictions are files of DCASE, and what the table is of
    (folder,) = (run / "evaluation" / "seld").glob("encoder-*")
    files = sorted(folder.rglob("*.csv"))
    assert [f.name for f in files] == ["fold4_room23_mix001.csv", "fold4_room2_mix001.csv"]
    parts = ["dev-test-sony", "dev-test-tau"]
    truth = [
        read_event_rows(starss23 / "metadata_dev" / part / file.name)
        for part, file in zip(parts, files, strict=True)
    ]
    scores = seld_scores(truth, [read_event_rows(f) for f in files], classes=13)
    assert scores.seld == pytest.approx(encoder["SELD"].mean)
    # A second time, nothing is trained
    monkeypatch.setattr(seld_task, "train_seld_head", None)
    again = evaluate_seld(starss23, run, epochs=2)
    assert repr(again.table) == repr(results.table)  # it holds NaN, which equals nothing


def test_rendered_scenes_have_events(run):
    results = evaluate_seld(
        "world:easy", run, baseline=["random"], epochs=1, scenes=2, train_scenes=2
    )
    assert [row.name for row in results.table.rows] == ["encoder", "random weights"]
    assert results.settings["scenes"] == 2
    assert results.details[1].rows


def test_bad_recordings_are_named_or_skipped_and_counted(starss23, run, tmp_path):
    import shutil

    root = tmp_path / "copy"
    shutil.copytree(starss23, root)
    labels = root / "metadata_dev" / "dev-test-tau" / "fold4_room2_mix001.csv"
    labels.write_text("0,8,0,90,0,200\n1,13,0,90,0,200\n")
    options = {"epochs": 1, "baseline": ["features"]}
    with pytest.raises(InputError, match=r"fold4_room2_mix001\.csv, row 2: class 13 is unknown"):
        evaluate_seld(root, run, **options)
    labels.unlink()
    with pytest.raises(FileNotFoundError, match=r"fold4_room2_mix001\.csv"):
        evaluate_seld(root, run, **options)
    stereo = root / "foa_dev" / "dev-train-tau" / "fold3_room4_mix001.wav"
    stereo.unlink()
    import soundfile

    soundfile.write(stereo, np.zeros((RATE, 2)), RATE)
    results = evaluate_seld(root, run, skip_bad=True, **options)
    assert len(results.skipped) == 2
    assert any("fold3_room4_mix001.wav" in text for text in results.skipped)
    (root / "foa_dev" / "dev-train-sony" / "fold3_room21_mix001.wav").write_bytes(b"RIFF")
    with pytest.raises(InputError, match="no recordings of the split 'train'"):
        evaluate_seld(root, run, skip_bad=True, **options)


def test_other_bad_input(tmp_path, run):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        evaluate_seld(tmp_path / "absent", run)
    with pytest.raises(InputError, match="not laid out like STARSS23"):
        evaluate_seld(tmp_path, run)
    with pytest.raises(InputError, match="give a model"):
        evaluate_seld("world:easy", out=tmp_path)
    with pytest.raises(InputError, match="epochs"):
        evaluate_seld("world:easy", run, epochs=0)
