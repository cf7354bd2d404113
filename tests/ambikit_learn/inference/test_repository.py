"""Saving, publishing and loading, without the network."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.constants
import numpy as np
import pytest
import torch
import yaml

import ambikit
from ambikit import InputError
from ambikit_learn import AmbiEncoder
from ambikit_learn.models.run import Record
from ambikit_learn.training.command import fit_main

PRIVATE = Path(Path.cwd().anchor, "someone")
"""A folder as runs know it, whatever the system calls its root."""
SETTINGS = {
    "seed_everything": 3,
    "trainer": {"max_steps": 600, "default_root_dir": str(PRIVATE / "a"), "precision": None},
    "model": {"objective": "avsa", "initialise_from": str(PRIVATE / "avc")},
    "data": {"path": str(PRIVATE / "shards"), "span": 0.5, "batch_size": 32},
    "checkpoint_every": 100,
}
RESULT = {
    "task": "avsa",
    "rows": {"4 crops": {"mean": 0.8125, "low": 0.75, "high": 0.875, "clips": 40}},
    "chance": {"4 crops": 0.5},
}


@pytest.fixture
def trained(new_encoder) -> AmbiEncoder:
    return new_encoder(record=Record(SETTINGS, {"avsa": RESULT}))


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        pytest.fail("the hub was asked")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)


def test_what_was_saved_comes_back(trained, scene, tmp_path, no_network):
    trained.save_pretrained(tmp_path / "model")
    again = AmbiEncoder.from_pretrained(tmp_path / "model")
    stored = again.model.state_dict()
    assert all(torch.equal(stored[name], x) for name, x in trained.model.state_dict().items())
    np.testing.assert_allclose(
        again.embed(scene, 24000, 1.0).frames,
        trained.embed(scene, 24000, 1.0).frames,
        rtol=1e-4,
        atol=1e-5,
    )
    assert again.window == 0.5  # of the training, not the default
    assert again.record.evaluation == {"avsa": RESULT}
    files = [p.relative_to(tmp_path / "model") for p in (tmp_path / "model").rglob("*")]
    assert sorted(map(str, files)) == [
        "README.md",
        "config.json",
        "config.yaml",
        "evaluation",
        "evaluation/avsa.json",
        "model.safetensors",
    ]
    again.save_pretrained(tmp_path / "copy")
    for file in files:
        if (tmp_path / "model" / file).is_file() and file.name != "README.md":
            assert (tmp_path / "copy" / file).read_bytes() == (
                tmp_path / "model" / file
            ).read_bytes()


def test_no_paths_of_the_machine_are_told(trained, tmp_path):
    trained.save_pretrained(tmp_path / "model")
    for file in ("README.md", "config.yaml", "config.json"):
        text = (tmp_path / "model" / file).read_text()
        assert "someone" not in text
        assert str(tmp_path) not in text
    settings = yaml.safe_load((tmp_path / "model" / "config.yaml").read_text())
    assert settings["data"]["path"] == "shards"
    assert settings["model"]["initialise_from"] == "avc"
    assert settings["trainer"] == {"max_steps": 600, "precision": None}


def test_saving_again_leaves_nothing_of_what_was_there(trained, encoder, tmp_path):
    trained.save_pretrained(tmp_path)
    encoder.save_pretrained(tmp_path)
    again = AmbiEncoder.from_pretrained(tmp_path)
    assert again.record == Record()
    assert again.window == 1.0


def test_a_run_that_may_go_on_is_not_written_over(trained, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(InputError, match="give another"):
        trained.save_pretrained(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoints"]


def front_matter(card: str) -> dict:
    return yaml.safe_load(card.split("---\n")[1])


def test_card_tells_what_is_known(trained, tmp_path):
    trained.save_pretrained(tmp_path / "sound", license="cc-by-4.0")
    card = (tmp_path / "sound" / "README.md").read_text()
    head = front_matter(card)
    assert head["license"] == "cc-by-4.0"
    assert head["library_name"] == "ambikit"
    assert "| 4 crops | 0.812 [0.750, 0.875] | 0.5 |" in card
    assert "| trainer.max_steps | `600` |" in card
    assert "| data.path | `shards` |" in card
    assert "AVSA" in card
    assert "164 k parameters" in card
    assert 'from_pretrained("sound")' in card


def test_card_invents_nothing(encoder, tmp_path):
    encoder.save_pretrained(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert "license" not in front_matter(card)
    assert "trained" not in card.replace("from_pretrained", "")
    assert "## Evaluation" not in card
    assert "No evaluation is on record" in card


def test_card_of_rendered_scenes_says_so(new_encoder, tmp_path):
    settings = {**SETTINGS, "data": {"path": "world:standard", "span": 1.0}}
    new_encoder(record=Record(settings)).save_pretrained(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert "| data.path | `world:standard` |" in card
    assert "not on recordings" in card


# ---------------------------------------------------------------- what cannot be loaded


@pytest.mark.parametrize("name", ["/nowhere/run", "./run", "../run", "run", "a/b/c", Path("a/b")])
def test_a_path_that_is_not_there_asks_nobody(no_network, tmp_path, monkeypatch, name):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        AmbiEncoder.from_pretrained(name)


def test_a_folder_without_a_model(tmp_path, no_network):
    with pytest.raises(FileNotFoundError, match=r"config\.json is missing.*`fit` has finished"):
        AmbiEncoder.from_pretrained(tmp_path)


def edit(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("config.json", lambda p: p.write_text("{"), r"config\.json is damaged"),
        ("config.json", lambda p: p.write_text("[]"), "has format None"),
        ("config.json", lambda p: edit(p, format="ambikit-model/9"), "ambikit-model/9"),
        ("config.json", lambda p: edit(p, front_end={"kid": 1}), "not describe a model"),
        ("config.json", lambda p: edit(p, model={"sizes": 1}), "not describe a model"),
        ("config.json", lambda p: edit(p, model={"preset": "huge"}), "huge"),
        (
            "config.json",
            lambda p: edit(p, model={"preset": "tiny", "audio_channels": 7, "frames": 5}),
            "do not fit",
        ),
        (
            "model.safetensors",
            lambda p: p.write_bytes(p.read_bytes()[:-100]),
            r"model\.safetensors is damaged",
        ),
        ("model.safetensors", lambda p: p.write_bytes(b"\x80\x04K\x01."), "is damaged"),
        ("config.yaml", lambda p: p.write_text("a: ["), r"config\.yaml is damaged"),
        ("evaluation/avsa.json", lambda p: p.write_text("1"), r"avsa\.json is damaged"),
    ],
)
def test_damaged_files_are_one_line(trained, tmp_path, file, damage, message):
    trained.save_pretrained(tmp_path)
    damage(tmp_path / file)
    with pytest.raises(InputError, match=message) as error:
        AmbiEncoder.from_pretrained(tmp_path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


# ---------------------------------------------------------------- the hub


def test_a_repository_is_fetched_without_what_is_not_the_model(trained, tmp_path, monkeypatch):
    trained.save_pretrained(tmp_path)
    asked = {}

    def fetch(name, **options):
        asked.update(options, name=name)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    found = AmbiEncoder.from_pretrained("someone/sound", revision="v1")
    assert found.window == 0.5
    assert (asked["name"], asked["revision"]) == ("someone/sound", "v1")
    assert not any(pattern.startswith("*") for pattern in asked["allow_patterns"])


def test_a_folder_has_no_revision(trained, tmp_path, no_network):
    trained.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="leave revision out"):
        AmbiEncoder.from_pretrained(tmp_path, revision="v1")


def test_without_the_network_a_repository_is_one_line(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"no folder 'runs/none' here, and the hub") as error:
        AmbiEncoder.from_pretrained("runs/none")
    assert "\n" not in str(error.value)


def test_a_slip_in_a_path_asks_no_network(tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", None)
    with pytest.raises(
        FileNotFoundError, match="runs/nope is not a folder, though runs is: give that"
    ):
        AmbiEncoder.from_pretrained("runs/nope")


class FakeApi:
    """Keeps what would be uploaded."""

    calls: list
    uploaded: Path

    def __init__(self, **options) -> None:
        self.calls.append(("login", options.get("token")))

    def create_repo(self, repo_id, *, private, exist_ok) -> None:
        self.calls.append(("create", repo_id, private, exist_ok))

    def create_branch(self, repo_id, *, branch, exist_ok) -> None:
        self.calls.append(("branch", branch, exist_ok))

    def upload_folder(self, *, repo_id, folder_path, revision, commit_message, **options):
        Path(folder_path).rename(self.uploaded)
        Path(folder_path).mkdir()
        self.calls.append(("upload", repo_id, revision, commit_message))
        return SimpleNamespace(commit_url=f"https://huggingface.co/{repo_id}/commit/1")


@pytest.fixture
def api(monkeypatch, tmp_path):
    FakeApi.calls, FakeApi.uploaded = [], tmp_path / "uploaded"
    monkeypatch.setattr(huggingface_hub, "HfApi", FakeApi)
    return FakeApi


def test_publishing_uploads_what_can_be_loaded(trained, scene, api):
    address = trained.push_to_hub("someone/sound", license="mit", private=True, revision="v1")
    assert address == "https://huggingface.co/someone/sound/commit/1"
    assert api.calls == [
        ("login", None),
        ("create", "someone/sound", True, True),
        ("branch", "v1", True),
        ("upload", "someone/sound", "v1", "Upload the encoder"),
    ]
    again = AmbiEncoder.from_pretrained(api.uploaded)
    stored = again.model.state_dict()
    assert all(torch.equal(stored[name], x) for name, x in trained.model.state_dict().items())
    card = (api.uploaded / "README.md").read_text()
    assert front_matter(card)["license"] == "mit"
    assert 'from_pretrained("someone/sound")' in card


def test_a_hub_that_cannot_be_reached_is_one_line(trained, monkeypatch):
    nobody = functools.partial(huggingface_hub.HfApi, endpoint="http://127.0.0.1:9")
    monkeypatch.setattr(huggingface_hub, "HfApi", nobody)
    with pytest.raises(InputError, match="someone/sound could not be written: ") as error:
        trained.push_to_hub("someone/sound", token="none")
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="owner/name"):
        trained.push_to_hub("sound")


# ---------------------------------------------------------------- what training leaves


def test_a_finished_run_is_an_encoder_that_knows_its_training(tmp_path):
    run = tmp_path / "run"
    fit_main(
        [
            *("--config", "avsa_foa_iv", "--data", "world:easy", "--out", str(run)),
            *("--data.span=0.5", "--data.batch_size=2", "--data.views=2", "--data.workers=0"),
            *("--data.validation_clips=0", "--trainer.max_steps=1", "--trainer.accelerator=cpu"),
        ]
    )
    encoder = AmbiEncoder.from_pretrained(run)
    assert encoder.window == 0.5
    encoder.save_pretrained(tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text()
    assert "| data.path | `world:easy` |" in card
    assert "| trainer.max_steps | `1` |" in card
    assert str(tmp_path) not in card + (tmp_path / "model" / "config.yaml").read_text()


def test_a_youtube_soundtrack(encoder, test_data):
    path = test_data / "yt360" / "audio" / "kqAZkf5Odyw-80.m4a"  # six planes of AAC
    x, rate = ambikit.read(path, sample_rate=encoder.sample_rate)
    heard = encoder.embed_file(path, [0, np.pi / 2])
    np.testing.assert_allclose(
        heard.frames, encoder.embed(x, rate, [0, np.pi / 2]).frames, rtol=1e-4, atol=1e-5
    )
