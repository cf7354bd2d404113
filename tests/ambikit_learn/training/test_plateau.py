"""Runs that learn nothing say so; runs that learn are left in peace."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from ambikit import InputError
from ambikit_learn.evaluation import pretext
from ambikit_learn.evaluation.results import results_table
from ambikit_learn.models.outcome import Outcome
from ambikit_learn.pretext.tasks import TASKS
from ambikit_learn.training import plateau
from ambikit_learn.training.command import fit
from ambikit_learn.training.plateau import LEAST_STEPS, SHARE, Plateau

CHANCE = math.log(128)


def train(tmp_path, loss, found, steps=200, objective="avsa", views=4, accumulate=1):
    """Pass the losses and shares of own sounds by step, functions of the share done, through."""
    module = SimpleNamespace(task=TASKS[objective], chance_loss=lambda clips, views: CHANCE)
    trainer = SimpleNamespace(
        max_steps=steps,
        accumulate_grad_batches=accumulate,
        global_step=0,
        is_global_zero=True,
        train_dataloader=SimpleNamespace(batch_sampler=SimpleNamespace(batch_size=32)),
        datamodule=SimpleNamespace(views=views),
    )
    guard = Plateau(tmp_path)
    guard.on_train_start(trainer, module)
    for index in range(steps * accumulate):
        trainer.global_step = (index + 1) // accumulate
        done = trainer.global_step / steps
        outputs = {
            "loss": torch.tensor(loss(done) / accumulate),
            "found": torch.tensor(found(done)),
        }
        guard.on_train_batch_end(trainer, module, outputs, None, index)
    guard.on_train_end(trainer, module)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_loss_at_that_of_guessing_is_said_once_on_the_way_and_in_the_end(
    tmp_path, capsys, accumulate
):
    train(tmp_path, lambda done: 0.99 * CHANCE, lambda done: 0.3, accumulate=accumulate)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"not learned after {round(SHARE * 200)} of 200 steps: the loss is")
    assert "4.85" in lines[0]
    assert "--model.whiten" in lines[0]
    assert "200 of 200" in lines[1]
    assert Outcome.read(tmp_path).failure is not None


def test_a_loss_that_moves_late_is_no_failure_in_the_end(tmp_path, capsys):
    train(tmp_path, lambda done: CHANCE if done < 0.5 else 4.0, lambda done: 0.4)
    assert len(capsys.readouterr().err.splitlines()) == 1
    outcome = Outcome.read(tmp_path)
    assert outcome.failure is None
    assert outcome.loss == pytest.approx(4.0)
    assert outcome.found == pytest.approx(0.4)


def test_clips_told_without_direction_are_a_failure_of_alignment_alone(tmp_path, capsys):
    train(tmp_path, lambda done: 3.5, lambda done: 0.252)
    assert "own sound" in capsys.readouterr().err
    assert Outcome.read(tmp_path).failure is not None
    train(tmp_path, lambda done: 3.5, lambda done: 0.252, objective="avc")
    train(tmp_path, lambda done: 3.5, lambda done: 1.0, views=1)
    assert capsys.readouterr().err == ""
    assert Outcome.read(tmp_path).failure is None


def test_a_few_steps_are_not_judged(tmp_path, capsys):
    train(tmp_path, lambda done: CHANCE, lambda done: 0.25, steps=LEAST_STEPS - 1)
    assert capsys.readouterr().err == ""
    assert Outcome.read(tmp_path) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"loss": 1.0}', '{"strange": 1}'])
def test_a_damaged_outcome_is_one_line(tmp_path, text):
    (tmp_path / "outcome.json").write_text(text)
    with pytest.raises(InputError, match=r"outcome\.json is damaged"):
        Outcome.read(tmp_path)


def test_a_run_that_cannot_know_is_marked_from_fit_to_table(tmp_path, capsys, monkeypatch):
    """W alone holds no direction, so the viewpoints of a clip cannot be told apart."""
    monkeypatch.setattr(plateau, "LEAST_STEPS", 5)
    settings = {
        "model.alignment": "omni",
        "data.batch_size": 4,
        "data.views": 3,
        "data.size": 16,
        "data.workers": 0,
        "data.validation_clips": 0,
        "trainer.max_steps": 10,
        "trainer.logger": False,
    }
    run = fit("avsa_baseline", "world:easy", tmp_path / "run", settings=settings)
    assert "not learned after 10 of 10 steps" in capsys.readouterr().err
    outcome = Outcome.read(run)
    assert outcome.chance_loss == pytest.approx(math.log(12))
    assert outcome.chance_found == pytest.approx(1 / 3)
    results = pretext.evaluate(["avsa"], run, "world:easy", clips=6)
    assert not results[0].learned
    cells = [str(cell) for cell in results_table(results).columns[2].cells]
    assert all(cell.startswith("not learned") for cell in cells)
    assert '"learned": false' in (run / "evaluation" / "avsa.json").read_text()
