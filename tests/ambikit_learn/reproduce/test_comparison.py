"""Means, intervals and differences of runs with known decisions, and what tables say of them."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from ambikit import InputError
from ambikit_learn.evaluation import intervals
from ambikit_learn.evaluation.controls import CONTROLS
from ambikit_learn.evaluation.intervals import Estimate, bootstrap_mean
from ambikit_learn.evaluation.results import Grid, Measure, Results, Row, TaskResults
from ambikit_learn.reproduce import tables
from ambikit_learn.reproduce.comparison import Comparison, Difference, pieces_in
from ambikit_learn.reproduce.paper import FINDINGS, PUBLISHED, VARIANTS, chosen_variants
from ambikit_learn.reproduce.pieces import Piece

CLIPS = np.repeat(np.arange(100), 2)
ROW = "4 crops"


def write_run(folder, variant, seed, right, *, learned=True):
    """Write the record of a run that decided as given."""
    piece = Piece(folder, variant, seed)
    piece.folder.mkdir(parents=True)
    right = np.asarray(right, float)
    estimate = bootstrap_mean(right, CLIPS)
    results = {
        task: asdict(
            Results(task, {ROW: estimate}, {ROW: 0.5}, {ROW: 0.9}, {}, 10.0, learned=learned)
        )
        for task in ("avc", "avsa")
    }
    record = {
        "stages": {"avc": {"steps": 3, "seconds": 6.0}},
        "results": {"validation": results, "test": results},
        "machine": {"cores": 2, "accelerator": None, "processor": "x"},
        "software": {"version": "1", "commit": None},
        "evaluation_seconds": 1.0,
    }
    piece.record.write_text(json.dumps(record))
    decisions = {f"{task}/{ROW}": right for task in ("avc", "avsa")}
    np.savez(piece.decisions, clip=CLIPS, yaw=np.zeros(200), **decisions)


def decisions(share, seed=0):
    return (np.random.default_rng(seed).random(200) < share).astype(float)


def test_a_cell_separates_seeds_from_clips(tmp_path):
    shares = [0.5, 0.7, 0.9]
    for seed, share in enumerate(shares):
        write_run(tmp_path, "foa_iv", seed, np.arange(200) < 200 * share)
    cell = Comparison.read(tmp_path).cell("foa_iv", "test", "avsa", ROW)
    assert cell.accuracy.mean == pytest.approx(0.7)
    assert cell.deviation == pytest.approx(0.2)  # with n - 1 seeds
    # The interval is over clips, of the mean over seeds, not over the 600 decisions
    assert cell.accuracy.clips == 100
    assert cell.accuracy.high - cell.accuracy.low == pytest.approx(4 * 0.34 / 10, rel=0.3)
    assert str(cell).startswith("70.0 ± 20.0 [")


def test_a_row_that_did_not_learn_is_no_result(tmp_path):
    write_run(tmp_path, "baseline", 0, decisions(0.8))
    write_run(tmp_path, "baseline", 1, decisions(0.5), learned=False)
    write_run(tmp_path, "foa_iv", 1, decisions(0.9))
    found = Comparison.read(tmp_path)
    cell = found.cell("baseline", "test", "avsa", ROW)
    assert (cell.seeds, cell.learned) == (2, 1)
    assert str(cell).startswith("not learned (1 of 2")
    # Nor is it half of a difference: the only common seed has not learned
    assert found.difference("foa_iv", "baseline", "avsa", ROW) is None


def test_guessing_at_direction_is_the_result_of_sound_without_any(tmp_path):
    write_run(tmp_path, "mono", 0, decisions(0.5), learned=False)
    found = Comparison.read(tmp_path)
    assert "not learned" not in str(found.cell("mono", "test", "avsa", ROW))
    assert "not learned" in str(found.cell("mono", "test", "avc", ROW))


def test_a_paired_difference_is_sharper_than_two_intervals(tmp_path):
    base = decisions(0.6)
    better = base.copy()
    better[np.flatnonzero(base == 0)[::8]] = 1.0
    for seed in range(2):
        write_run(tmp_path, "baseline", seed, base)
        write_run(tmp_path, "foa_iv", seed, better)
    found = Comparison.read(tmp_path)
    difference = found.difference("foa_iv", "baseline", "avsa", ROW)
    pair = difference.pair
    assert pair.difference.mean == pytest.approx((better - base).mean())
    assert pair.difference.low > 0
    assert (difference.sign, difference.deviation, pair.losses) == (1, 0.0, 0)
    first, second = (found.cell(v, "test", "avsa", ROW).accuracy for v in ("foa_iv", "baseline"))
    assert first.low < second.high  # which overlap
    reverse = found.difference("baseline", "foa_iv", "avsa", ROW)
    assert reverse.sign == -1
    assert (reverse.pair.losses, reverse.pair.p) == (pair.wins, pair.p)


def test_a_curve_is_of_the_spans_that_were_turned_by_its_angles(tmp_path):
    yaw = np.deg2rad(np.linspace(-179, 179, 200))
    right = (np.abs(yaw) > np.pi / 2).astype(float)
    write_run(tmp_path, "baseline", 0, right)
    np.savez(
        Piece(tmp_path, "baseline", 0).decisions, clip=CLIPS, yaw=yaw, **{f"avsa/{ROW}": right}
    )
    curve = Comparison.read(tmp_path).yaw_curve("baseline", ROW)
    assert [angle for angle, _ in curve] == [10, 30, 50, 70, 90, 110, 130, 150, 170]
    assert [e.mean for angle, e in curve if angle != 90] == [0.0] * 4 + [1.0] * 4
    assert curve[4][1].mean == pytest.approx(0.5, abs=0.1)


def test_controls_stand_beside_what_is_expected(tmp_path):
    for seed, share in enumerate((0.6, 0.7)):
        write_run(tmp_path, "foa_iv", seed, decisions(0.9))
        row = {"own": {"mean": share, "low": 0.5, "high": 0.8, "clips": 9}}
        piece = Piece(tmp_path, "foa_iv", seed)
        piece.controls.write_text(json.dumps(dict.fromkeys(CONTROLS, row)))
    text = tables.controls(Comparison.read(tmp_path))
    assert "| as it is | 65.0 ± 7.1 |  |" in text
    assert "| W alone | 65.0 ± 7.1 | guessing |" in text
    assert "on 9 test clips" in text


def test_downstream_results_of_the_models_are_shown(tmp_path):
    for seed in range(2):
        write_run(tmp_path, "foa_iv", seed, decisions(0.9))
        path = Piece(tmp_path, "foa_iv", seed).task("sounds")
        measure = Measure("accuracy", "sources", chance=0.1)
        row = Row("encoder, linear", {"accuracy": Estimate(0.5 + 0.1 * seed, 0.4, 0.7, 80)})
        path.parent.mkdir(parents=True)
        TaskResults("sounds", "ESC-10", Grid((measure,), (row,))).save(path)
    text, table = tables.downstream(Comparison.read(tmp_path))
    assert "sounds** on ESC-10: accuracy, %" in text
    assert "| 2 | 55.0 ± 7.1 |" in table


def test_other_test_clips_are_not_compared(tmp_path):
    write_run(tmp_path, "foa_iv", 0, decisions(0.9))
    write_run(tmp_path, "baseline", 0, decisions(0.6))
    path = Piece(tmp_path, "baseline", 0).decisions
    with np.load(path) as arrays:
        changed = dict(arrays) | {"clip": CLIPS + 1}
    np.savez(path, **changed)
    assert Comparison.read(tmp_path).difference("foa_iv", "baseline", "avsa", ROW) is None


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.01, 0.1, ("yes", "no: it is better")),
        (-0.02, 0.1, ("undecided", "yes")),
        (-0.1, -0.01, ("no: the opposite", "yes")),
    ],
)
def test_verdicts(low, high, expected):
    estimate = Estimate((low + high) / 2, low, high, 2)
    difference = Difference(intervals.Comparison(estimate, 1, 1, 1.0), None)
    better = next(f for f in FINDINGS if f.sign == 1)
    same = next(f for f in FINDINGS if f.sign == 0)
    assert tuple(tables.verdict(f, difference) for f in (better, same)) == expected
    assert tables.verdict(better, None) == "not measured"


def test_what_is_published_belongs_to_variants():
    for figures in PUBLISHED:
        assert set(figures.variants) <= set(figures.rows)
        assert set(figures.variants.values()) <= set(VARIANTS)
        assert all(len(row) == len(figures.columns) for row in figures.rows.values())
    for finding in FINDINGS:
        assert {finding.variant, finding.other} <= set(VARIANTS)
    for variant in VARIANTS.values():
        if variant.begin:
            shared = VARIANTS[variant.begin]
            assert (shared.config, shared.settings) == (variant.config, variant.settings)
            assert shared.stages[0] == variant.stages[0]


def test_variants_by_name():
    assert "turned" not in chosen_variants([])
    assert chosen_variants(["mono", "mono"]) == ("mono",)
    with pytest.raises(InputError, match="nearest is 'foa_iv'"):
        chosen_variants(["foa-iv"])


def test_a_folder_of_another_name_is_refused(tmp_path):
    (tmp_path / "best-0").mkdir()
    (tmp_path / "best-0" / "run.json").write_text("{}")
    with pytest.raises(InputError, match="best-0"):
        pieces_in(tmp_path)
