from __future__ import annotations

import csv
import json
import os
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import yaml
from lightning.pytorch import Trainer

from ambikit import InputError
from ambikit_learn._files import locked
from ambikit_learn.data.items import Item
from ambikit_learn.evaluation.pretext import evaluate
from ambikit_learn.models.run import RunFolder, load_run
from ambikit_learn.training.checkpoints import newest
from ambikit_learn.training.command import fit_main
from ambikit_learn.training.data import AlignmentData
from ambikit_learn.training.module import AlignmentModule
from ambikit_learn.training.settings import variants

TINY = [name for name in variants() if "/" not in name and name != "released"]
QUICK = [
    "--data.batch_size=4",
    "--data.workers=0",
    "--trainer.accelerator=cpu",
    "--trainer.log_every_n_steps=2",
]
SIX_STEPS = [
    "--config=avc_foa_iv.yaml",
    "--trainer.max_steps=6",
    "--trainer.val_check_interval=3",
    "--checkpoint_every=4",
]


@pytest.fixture(scope="module")
def prepared(small_shards: Path) -> Path:
    """Six clips for training and two for testing, with boxes."""
    return small_shards


def run_fit(data: Path, run: Path, *arguments: str) -> None:
    fit_main(["--data", str(data), "--out", str(run), *QUICK, *arguments])


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_validation_is_neither_trained_on_nor_reported(prepared):
    data = AlignmentData(str(prepared), batch_size=4, workers=0)
    held = {data.val_dataloader().dataset[i].key for i in range(len(data.val_dataloader()))}
    trained = set(data.training_set.dataset.clips["key"].to_pylist())
    reported = {"clip6", "clip7"}
    assert len(held) == 1
    assert held | trained | reported == {f"clip{i}" for i in range(8)}
    assert not held & trained
    everything = AlignmentData(str(prepared), validation_clips=0)
    assert len(everything.training_set.dataset.clips) == 6


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_run(run).state_dict()


# ---------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def finished(prepared, tmp_path_factory) -> Path:
    """A correspondence run of six steps."""
    run = tmp_path_factory.mktemp("runs") / "avc"
    run_fit(prepared, run, *SIX_STEPS)
    return run


def test_a_run_leaves_everything_one_needs(finished):
    model = load_run(finished)
    assert model.front_end.fitted
    assert model.net.settings["objective"] == "avc"
    assert model.front_end.kind == "foa_iv"
    assert yaml.safe_load((finished / "config.yaml").read_text())["data"]["batch_size"] == 4
    assert newest(RunFolder(finished)).name == "step-00000006.ckpt"
    assert list((finished / "tensorboard").glob("events*"))
    table = rows(finished)
    assert {"train/loss", "val/loss", "val/ret4", "speed/clips_per_second", "speed/data_wait"} <= (
        table[0].keys()
    )
    logged = [row for row in table if row["train/loss"]]
    assert [int(row["step"]) for row in logged] == [2, 4, 6]
    assert all(0 <= float(r["speed/data_wait"]) <= 1 for r in logged)
    assert sum(bool(row["val/ret4"]) for row in table) == 2


def test_speed_is_summed_up_to_the_last_step(prepared, tmp_path, capsys):
    """Five steps of four clips, of which the last is in no interval of two."""
    run_fit(prepared, tmp_path, *SIX_STEPS, "--trainer.max_steps=5")
    *_, last = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"20 clips in \d+ s: \d+ a second, \d+\.\d% of the time waiting for data, "
        r"peak memory \d+\.\d GB",
        last,
    )


def test_the_same_command_again_trains_nothing_more(finished, prepared, capsys):
    before = weights(finished)
    run_fit(prepared, finished, *SIX_STEPS)
    assert capsys.readouterr().out == "nothing was left to train\n"
    after = weights(finished)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_alignment_starts_from_the_encoders_of_correspondence(finished, prepared, tmp_path):
    module = AlignmentModule("avsa", kind="foa_iv", initialise_from=str(finished))
    source = load_run(finished)
    for name in ("video", "audio"):
        ours = getattr(module.model.net, name).state_dict()
        theirs = getattr(source.net, name).state_dict()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert torch.equal(module.model.front_end.mean, source.front_end.mean)
    assert module.model.front_end.fitted
    with pytest.raises(InputError, match="kind 'foa_iv' there, 'logmel' here"):
        AlignmentModule("avsa", initialise_from=str(finished))


def test_other_settings_in_the_same_folder_are_refused(finished, prepared):
    with pytest.raises(InputError, match=r"other settings \(model\.kind\)"):
        run_fit(prepared, finished, "--config=avc_baseline")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model.learning_rat=1"], "learning_rat"),
        (["--model.learning_rate=fast"], "learning_rate"),
        (["--model.kind=mfcc"], "kind"),
        (["--config", "avsa_nothing.yaml"], "avsa_foa_iv_yolo"),
        (["--data.batch_size=0"], "batch_size must be at least 1"),
        (["--trainer.max_steps=-1"], "max_steps must be at least 1"),
        (["--trainer.devices=0"], "trainer: .*devices"),
        (["--data.picture_rate=60"], "prepare with a higher --frame-rate"),
        (["--data.path=world:easy", "--data.spacing=10"], "does not take spacing"),
    ],
)
def test_what_cannot_be_is_one_line(prepared, tmp_path, arguments, message):
    with pytest.raises(InputError, match=message) as error:
        run_fit(prepared, tmp_path / "run", *arguments)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_data_that_are_missing_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="ambikit-learn prepare"):
        fit_main(["--data", str(tmp_path / "nothing"), "--out", str(tmp_path / "run")])
    with pytest.raises(InputError, match=r"--data"):
        fit_main(["--out", str(tmp_path / "run")])


def test_print_config_shows_every_setting(capsys):
    with pytest.raises(SystemExit) as stop:
        fit_main(["--config", "avsa_foa_iv_yolo.yaml", "--print_config"])
    assert stop.value.code == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["model"]["kind"] == "foa_iv"
    assert shown["model"]["temperature"] == 0.07
    assert shown["data"]["strategy"] == "objects"


@pytest.mark.parametrize("name", TINY)
def test_every_packaged_variant_fits(name, prepared, tmp_path):
    once = ["--trainer.max_steps=1", "--data.validation_clips=0", "--trainer.logger=false"]
    run_fit(prepared, tmp_path / "run", "--config", name, *once)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["model"]["objective"] == name.split("_")[0]
    assert config["model"]["audio_channels"] == (
        1 if "beamform" in name else 7 if "foa_iv" in name else 4
    )


@pytest.mark.parametrize("name", ["avc_foa_iv", "avsa_foa_iv"])
def test_rendered_scenes_are_learned_from_without_files(name, tmp_path):
    few = [*QUICK, "--trainer.max_steps=1", "--data.validation_clips=0"]
    fit_main(["--config", f"world/{name}", "--out", str(tmp_path), *few])
    assert load_run(tmp_path).net.settings["objective"] == name.split("_")[0]
    data = yaml.safe_load((tmp_path / "config.yaml").read_text())["data"]
    assert data["path"] == "world:standard"


def resolved(capsys, name: str) -> dict:
    with pytest.raises(SystemExit):
        fit_main(["--config", name, "--print_config"])
    shown: dict = yaml.safe_load(capsys.readouterr().out)
    return shown


# What the variants of a size and task have in common, beside the defaults of the code.
PAPER = {
    "model.preset": "paper",
    "model.optimizer": "adam",
    "model.learning_rate": 1e-4,
    "model.weight_decay": 1e-5,
    "model.warmup_steps": 0,
    "model.schedule": "constant",
    "data.sampling": "videos",
    "data.frames": 8,
    "data.picture_rate": 16.0,
    "data.size": 112,
    "data.colour_jitter": 0.4,
    "data.gain_jitter": 0.9,
    "data.workers": 8,
    "trainer.precision": "bf16-mixed",
    "trainer.log_every_n_steps": 50,
    "trainer.val_check_interval": 1000,
    "checkpoint_every": 1000,
}
WORLD = {"model.whiten": True, "data.path": "world:standard"}
SIZES = {
    "avc": {"data.views": 1, "data.batch_size": 128, "trainer.max_steps": 150},
    "avsa": {"data.views": 4, "data.batch_size": 32, "trainer.max_steps": 500},
    "paper/avc": PAPER | {"data.views": 1, "data.batch_size": 112, "trainer.max_steps": 64371},
    "paper/avsa": PAPER | {"data.views": 4, "data.batch_size": 28, "trainer.max_steps": 257485},
    "world/avc": WORLD
    | {
        "data.strategy": "mixed",
        "data.views": 1,
        "data.batch_size": 128,
        "data.validation_clips": 0,
        "trainer.max_steps": 1500,
    },
    "world/avsa": WORLD
    | {
        "data.views": 4,
        "data.batch_size": 32,
        "trainer.max_steps": 4000,
        "trainer.val_check_interval": 2000,
    },
}
VARIANTS = {
    "baseline": {},
    "beamform": {"model.alignment": "beamform"},
    "beamform_yolo": {"model.alignment": "beamform", "data.strategy": "objects"},
    "foa_iv": {"model.kind": "foa_iv"},
    "foa_iv_yolo": {"model.kind": "foa_iv", "data.strategy": "objects"},
    "foa_yolo": {"data.strategy": "objects"},
}
RELEASED = {
    "model.rotation": "released",
    "model.negatives": "released",
    "data.spacing": 0.0,
    "data.mirror": "video",
}


def test_all_variants_are_there_at_all_sizes():
    names = {f"{size}_{variant}" for size in SIZES for variant in VARIANTS}
    assert set(variants()) == names | {"released"}
    # 50 epochs of the published length
    for size in ("paper/avc", "paper/avsa"):
        clips = SIZES[size]["trainer.max_steps"] * SIZES[size]["data.batch_size"]
        assert clips == pytest.approx(50 * 144_192, rel=1e-5)


@pytest.mark.parametrize(
    "name", [name for name in variants() if "yolo" in name or "baseline" in name] + ["released"]
)
def test_a_composed_configuration_is_the_whole_one(name, capsys):
    """Against the settings written out: what differs from the defaults, and nothing else."""
    size, _, variant = name.partition("_")
    expected = RELEASED
    if name != "released":
        task = size.rpartition("/")[2]
        expected = {"model.objective": task} | SIZES[size] | VARIANTS[variant]
    with pytest.raises(SystemExit):
        fit_main(["--print_config"])
    usual = flat(yaml.safe_load(capsys.readouterr().out))
    usual["trainer.default_root_dir"] = f"runs/{name.replace('/', '-')}"
    assert flat(resolved(capsys, name)) == usual | expected


def flat(settings: dict, prefix: str = "") -> dict:
    found = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


@pytest.mark.slow
def test_a_paper_variant_fits(prepared, tmp_path):
    small = [
        "--data.size=32",
        "--data.views=2",
        "--data.picture_rate=8",
        "--data.validation_clips=0",
    ]
    run_fit(prepared, tmp_path, "--config=paper/avsa_foa_iv", *small, "--trainer.max_steps=2")
    assert load_run(tmp_path).net.settings["preset"] == "paper"


def test_later_configurations_change_earlier_ones(prepared, tmp_path):
    """The switch to what the released code does."""
    files = ["--config=avsa_baseline", "--config=released"]
    run_fit(prepared, tmp_path, *files, "--trainer.max_steps=1", "--data.validation_clips=0")
    assert load_run(tmp_path).front_end.rotation == "released"
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert config["model"]["negatives"] == "released"
    assert (config["data"]["spacing"], config["data"]["mirror"]) == (0.0, "video")


@pytest.mark.parametrize(
    ("settings", "metric"),
    [
        (["--model.objective=both", "--model.negatives=same_clip"], "val/ret4"),
        (["--model.objective=flip"], "val/order"),
        (
            ["--model.objective=avc", "--data.direction_blind=true", "--model.loss=sigmoid"],
            "val/ret4",
        ),
        (["--model.optimizer=adam", "--trainer.gradient_clip_val=1"], "val/ret4"),
        (["--trainer.precision=bf16-mixed", "--trainer.gradient_clip_val=1"], "val/ret4"),
    ],
)
def test_what_can_be_chosen_trains(prepared, tmp_path, settings, metric):
    small = ["--data.size=16", "--trainer.max_steps=2"]
    run_fit(prepared, tmp_path, "--config=avsa_foa_iv", *settings, *small)
    table = rows(tmp_path)
    assert float(table[-1]["train/loss"]) > 0
    assert 0 <= float(table[-1][metric]) <= 1


def test_loggers_are_added_to_those_that_are_always_there(prepared, tmp_path):
    csv_logger = ["--trainer.logger=CSVLogger", f"--trainer.logger.save_dir={tmp_path / 'more'}"]
    run_fit(prepared, tmp_path / "run", *csv_logger, "--trainer.max_steps=2", "--data.size=16")
    assert list((tmp_path / "more").rglob("metrics.csv"))
    assert (tmp_path / "run" / "metrics.csv").is_file()
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))


@pytest.mark.skipif(find_spec("wandb") is not None, reason="wandb is installed")
def test_a_logger_that_is_not_installed_is_one_line(prepared, tmp_path):
    with pytest.raises(InputError, match="pip install wandb"):
        run_fit(prepared, tmp_path / "run", "--wandb=project")


# ---------------------------------------------------------------- pieces


def test_learning_rate_rises_then_falls_to_zero():
    module = AlignmentModule(warmup_steps=10)
    module.trainer = Trainer(max_steps=110, logger=False, enable_checkpointing=False)
    factor = module._learning_rate_factor
    assert [factor(0), factor(9), factor(10)] == pytest.approx([0.1, 1.0, 1.0])
    assert factor(60) == pytest.approx(0.5)
    assert factor(110) == pytest.approx(0.0)


def test_batches_do_not_depend_on_workers(prepared):
    def last(workers: int) -> Item:
        data = AlignmentData(str(prepared), batch_size=4, workers=workers)
        data.trainer = Trainer(max_steps=3, logger=False, enable_checkpointing=False)
        return list(data.train_dataloader())[-1]

    alone, two = last(0), last(2)
    for a, b in zip(alone, two, strict=True):
        np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------- disks and colleagues


ONE_STEP = ["--config=avc_foa_iv.yaml", "--trainer.max_steps=1", "--data.validation_clips=0"]


def test_two_runs_in_one_folder_are_refused(prepared, tmp_path):
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    run.lock.touch()
    with locked(run.lock), pytest.raises(InputError, match="another run is writing to"):
        run_fit(prepared, run.path, *ONE_STEP)
    assert not run.settings.exists()


def test_weights_are_as_the_umask_says(finished):
    umask = os.umask(0o022)
    os.umask(umask)
    for name in ("model.safetensors", "config.json", "config.yaml"):
        assert (finished / name).stat().st_mode & 0o777 == 0o666 & ~umask


def test_weights_that_are_not_numbers_are_refused(finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    values = safetensors.torch.load_file(run / "model.safetensors")
    name = next(name for name, value in values.items() if value.is_floating_point())
    values[name].view(-1)[0] = float("nan")
    safetensors.torch.save_file(values, run / "model.safetensors")
    with pytest.raises(InputError, match=rf"holds NaN or infinity \({re.escape(name)}\)"):
        load_run(run)


def test_results_go_where_one_may_write(finished, prepared, tmp_path, monkeypatch):
    """A folder of a model that is not ours is refused before anything is computed."""
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written to .*\(--out\)"):
        evaluate("avsa", finished, prepared, out=tmp_path / "file")
    (results,) = evaluate("avsa", finished, prepared, spans=1, out=tmp_path / "mine")
    found = json.loads((tmp_path / "mine" / "evaluation" / "avsa.json").read_text())
    assert found["task"] == results.task
    for wrong in ({"clips": 0}, {"spans": 0}):
        with pytest.raises(InputError, match="must be"):
            evaluate("avsa", finished, prepared, **wrong)


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file sizes there")
def test_a_full_disk_is_one_line(prepared, tmp_path):
    """A limit of file sizes stands for it: EFBIG comes where ENOSPC would."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, hard))
    try:
        with pytest.raises(InputError, match="a file is larger than may be written") as refusal:
            run_fit(prepared, tmp_path / "run", *ONE_STEP, "--trainer.logger=false")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(tmp_path / "run") in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("--data.span=99", "span is 99 s"),
        ("--trainer.max_steps=0", "max_steps must be at least 1"),
        ("--data.path=nowhere", "nowhere"),
        ("--data.picture_rate=999", "picture_rate"),
    ],
)
def test_what_is_refused_leaves_no_folder(small_shards, tmp_path, wrong, message):
    with pytest.raises((InputError, OSError), match=message):
        run_fit(small_shards, tmp_path / "new" / "run", *SIX_STEPS, wrong)
    assert list(tmp_path.iterdir()) == []
