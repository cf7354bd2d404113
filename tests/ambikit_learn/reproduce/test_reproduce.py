"""The comparison from the command line, at two steps a training."""

from __future__ import annotations

import contextlib
import json

import pytest
import yaml

from ambikit import InputError
from ambikit_learn.cli import main
from ambikit_learn.evaluation.controls import CONTROLS
from ambikit_learn.preparation.command import prepare
from ambikit_learn.reproduce import command, work
from ambikit_learn.reproduce.command import reproduce
from ambikit_learn.reproduce.pieces import Piece, Plan
from ambikit_learn.training import data as training_data

FEW = {
    "data": {"workers": 0, "batch_size": 4, "validation_clips": 0, "span": 0.4, "size": 16},
    "trainer": {"enable_progress_bar": False},
}


@pytest.fixture
def few(tmp_path):
    """File of settings for short trainings."""
    path = tmp_path / "few.yaml"
    path.write_text(yaml.safe_dump(FEW))
    return path


@pytest.fixture
def options(few):
    """Options of a small comparison."""
    return [
        *("--data", "world:easy", "--seeds", "1", "--variants", "foa_iv", "flip"),
        *("--steps", "2", "1", "--clips", "4", "--settings", str(few)),
    ]


def test_variants_are_trained_evaluated_and_reported(tmp_path, options, monkeypatch, capsys):
    monkeypatch.setattr(training_data, "_STATISTICS_CLIPS", 8)  # 256 took most of the time
    out = tmp_path / "out"
    killed = out / "claims" / "foa_iv-0-avc" / "0001.json"
    killed.parent.mkdir(parents=True)
    killed.write_text(json.dumps({"released": True, "seconds": 1000.0}))
    assert main(["reproduce", str(out), *options]) == 0
    assert capsys.readouterr().out.strip().endswith("report.md")
    text = (out / "report.md").read_text()
    assert "| log-mel + intensity (FOA-IV) (`foa_iv`) | 1 |" in text
    assert "`flip`" in text
    record = json.loads((out / "runs" / "foa_iv-0" / "run.json").read_text())
    assert 1000.0 < record["stages"]["avc"]["seconds"] < 2000.0  # of the killed call, too
    assert 0.0 < record["stages"]["avsa"]["seconds"] < 1000.0
    record = json.loads((out / "runs" / "flip-0" / "run.json").read_text())
    assert "seconds" not in record["stages"]["avc"]
    assert record["stages"]["avc"]["folder"] == "foa_iv-0/avc"  # which it shares
    assert record["stages"]["flip"]["steps"] == 1
    assert set(record["results"]) == {"validation", "test"}
    settings = yaml.safe_load((out / "runs" / "flip-0" / "flip" / "config.yaml").read_text())
    assert settings["model"]["objective"] == "flip"
    assert settings["model"]["initialise_from"].endswith("avc")
    assert settings["model"]["whiten"]  # the recipe of rendered scenes

    controls = json.loads((out / "runs" / "flip-0" / "controls.json").read_text())
    assert set(controls) == set(CONTROLS)
    assert "| W alone | " in text
    page = (out / "report.html").read_text()
    for name in ("training", "yaw", "map", "acoustic-0", "acoustic-1"):
        assert (out / "pictures" / f"{name}.png").stat().st_size > 2000
        assert f'src="pictures/{name}.png"' in page
    assert page.count("<table>") > 8

    # Nothing is done twice, the test least of all
    monkeypatch.setattr(work, "fit", None)
    monkeypatch.setattr(work, "evaluate_run", None)
    assert main(["reproduce", str(out), *options]) == 0
    assert main(["reproduce", str(out), "--report"]) == 0
    assert (out / "report.md").read_text() == text


def test_data_that_are_not_there_are_refused_before_training(tmp_path, monkeypatch, small_shards):
    monkeypatch.setattr(work, "fit", None)
    absent = str(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="absent"):
        reproduce(tmp_path / "out", data=absent)
    with pytest.raises(FileNotFoundError, match="absent"):
        reproduce(tmp_path / "out", test_data=absent)
    with pytest.raises(FileNotFoundError, match="give the data of the task 'sounds'"):
        reproduce(tmp_path / "out", tasks=[f"sounds={absent}"])
    with pytest.raises(InputError, match="preset of a world"):
        reproduce(tmp_path / "out", data="world:none")
    with pytest.raises(InputError, match="preset of a world"):
        reproduce(tmp_path / "out", tasks=["scenes=world:none"])
    one = command.usable_clips(small_shards, "test", 0.0)[:1]
    monkeypatch.setattr(command, "usable_clips", lambda *_: one)
    with pytest.raises(InputError, match="one clip in the split 'train'"):
        reproduce(tmp_path / "out", data=small_shards)
    assert not (tmp_path / "out").exists()


def test_data_that_changed_are_refused(clip_folder, tmp_path, monkeypatch):
    """What was trained and evaluated before would be compared with what follows."""
    monkeypatch.setattr(command, "_work", lambda *_: {})
    monkeypatch.setattr(command, "write_report", lambda folder, *_: folder)
    for i in range(4):
        clip_folder.add(f"{i}")
    (clip_folder.root / "train.txt").write_text("0\n1\n")
    (clip_folder.root / "test.txt").write_text("2\n3\n")
    data, task, out = tmp_path / "data", tmp_path / "sounds", tmp_path / "out"
    prepare(clip_folder.root, data, frame_size=(40, 80), workers=0)
    task.mkdir()
    (task / "a.wav").write_bytes(b"one")
    before = reproduce(out, data=data, tasks=[f"sounds={task}"])
    assert reproduce(out, data=data) == before
    (task / "a.wav").write_bytes(b"two")
    with pytest.raises(InputError, match="the data of sounds has changed since"):
        reproduce(out, data=data, tasks=[f"sounds={task}"])
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "a.wav").write_bytes(b"one")
    reproduce(out, data=data, tasks=[f"sounds={tmp_path / 'copy'}"])
    clip_folder.add("3", azimuth=-90.0)  # a clip of the test
    prepare(clip_folder.root, data, frame_size=(40, 80), workers=0)
    with pytest.raises(InputError, match="test_data has changed since the comparison"):
        reproduce(out, data=data)


def test_a_run_that_fails_does_not_end_the_others(tmp_path, few, monkeypatch):
    def broken(config, data, out, *, settings):
        raise InputError(f"no {out.parent.name}")

    monkeypatch.setattr(work, "fit", broken)
    with pytest.raises(InputError, match=r"2 of 2 runs failed.*no mono-0.*no beamform-0"):
        reproduce(tmp_path / "out", seeds=1, variants=["mono", "beamform"], settings=few)
    assert "**mono-0 failed**: no mono-0" in (tmp_path / "out" / "report.md").read_text()


def test_what_each_stage_is_trained_with(tmp_path, monkeypatch):
    given = []

    def note(config, data, out, *, settings):
        given.append((config, out.relative_to(tmp_path).as_posix(), settings))
        raise InputError("enough")

    monkeypatch.setattr(work, "fit", note)
    with pytest.raises(InputError):
        reproduce(tmp_path, seeds=1, variants=["mono", "random", "beamform_yolo"])
    assert [(config, out) for config, out, _ in given] == [
        ("world/avc_baseline", "runs/mono-0/avc"),
        ("world/avsa_foa_iv", "runs/random-0/avsa"),
        ("world/avc_beamform_yolo", "runs/beamform_yolo-0/avc"),
    ]
    assert given[0][2]["model.alignment"] == "omni"
    assert given[1][2]["model.learning_rate"] == 0.0


def test_a_folder_keeps_its_plan(tmp_path):
    plan = Plan("world:easy", "world:easy", "tiny", 7, 21, (1, 2), None, {"data.workers": 0})
    plan.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == plan
    with pytest.raises(InputError, match=r"other settings .*test_seed"):
        Plan(**{**vars(plan), "test_seed": 22}).save(tmp_path / "plan.json")


def test_the_recipe_belongs_to_the_data(tmp_path):
    (tmp_path / "cache.json").touch()
    for data, preset, recipe in (
        ("world:easy", "tiny", "world"),
        (str(tmp_path), "tiny", "world"),
        (str(tmp_path / "shards"), "tiny", "tiny"),
        (str(tmp_path / "shards"), "paper", "paper"),
    ):
        assert Plan(data, data, preset, 7, 21).recipe == recipe


def test_what_cannot_be_used(tmp_path, capfd):
    assert main(["reproduce", str(tmp_path), "--variants", "foa-iv"]) == 2
    assert "nearest is 'foa_iv'" in capfd.readouterr().err
    assert main(["reproduce", str(tmp_path), "--report"]) == 2
    assert "no comparison" in capfd.readouterr().err
    assert main(["reproduce", str(tmp_path), "--settings", str(tmp_path / "no.yaml")]) == 2
    assert "no.yaml" in capfd.readouterr().err


def test_downstream_tasks_are_given_with_their_data():
    assert command._tasks(["sounds=/data/ESC=10"]) == {"sounds": "/data/ESC=10"}
    with pytest.raises(InputError, match="NAME=DATA"):
        command._tasks(["sounds"])
    with pytest.raises(InputError, match="task"):
        command._tasks(["colours=x"])


def test_a_run_is_evaluated_on_the_tasks_that_are_missing(tmp_path, monkeypatch):
    piece = Piece(tmp_path, "mono", 0)
    plan = Plan("world:easy", "world:easy", "tiny", 7, 21)
    asked = []
    monkeypatch.setattr(Piece, "evaluated", True)
    monkeypatch.setattr(work, "evaluate_task", lambda *a, **k: asked.append((*a, k)))
    piece.folder.mkdir()
    piece.controls.write_text("{}")
    assert piece.done()
    assert not piece.done(["sounds"])
    job = work.Work(
        piece, plan, contextlib.nullcontext, lambda name: 0.0, {"sounds": "a", "actions": "b"}
    )
    piece.task("actions").parent.mkdir(parents=True)
    piece.task("actions").touch()
    job.do()
    shared = {"embeddings": tmp_path / "embeddings"}  # by all pieces
    assert asked == [("sounds", {"data": "a", "model": piece.model, **shared})]


def test_settings_by_their_dotted_names(few):
    assert command._settings(few)["data.batch_size"] == 4


@pytest.mark.slow
def test_the_networks_of_the_paper_on_prepared_clips(tmp_path, small_shards):
    """One step of each stage; two clips are for testing, and none is held out for validation."""
    few = {
        "data": {"workers": 0, "batch_size": 2, "picture_rate": 8.0},
        "trainer": {"enable_progress_bar": False},
    }
    settings = tmp_path / "few.yaml"
    settings.write_text(yaml.safe_dump(few))
    report = reproduce(
        tmp_path / "out",
        data=small_shards,
        preset="paper",
        seeds=1,
        variants=["foa_iv_yolo"],
        steps=(1, 1),
        clips=8,
        settings=settings,
    )
    text = report.read_text()
    assert "Preset `paper`, recipe `paper`" in text
    assert "| FOA-IV, crops on objects (`foa_iv_yolo`) | 1 |" in text
    record = json.loads((tmp_path / "out" / "runs" / "foa_iv_yolo-0" / "run.json").read_text())
    assert {name: stage["steps"] for name, stage in record["stages"].items()} == {
        "avc": 1, "avsa": 1
    }  # fmt: skip
    assert set(record["results"]["test"]) == {"avc", "avsa"}
