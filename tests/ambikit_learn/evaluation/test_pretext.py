"""The evaluation on models whose answer is known: one hears direction, one hears nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

from ambikit import InputError
from ambikit_learn.evaluation import pretext
from ambikit_learn.evaluation.probe import train_head
from ambikit_learn.models.alignment import AlignmentModel
from ambikit_learn.models.run import RunFolder
from ambikit_learn.preparation.command import prepare
from ambikit_learn.pretext.contrast import Agreement


class Intensity(nn.Module):
    """Where the sound comes from, seen from each crop: mean W · (X, Y, Z) after look-at."""

    covariance_settings = None

    def forward(self, sound: Tensor, azimuth: Tensor, elevation: Tensor) -> Tensor:
        w, y, z, x = sound.unbind(1)
        direction = torch.stack([(w * v).mean(-1) for v in (x, y, z)], -1)
        if azimuth.ndim == 3:  # along paths, of objects that stand still
            azimuth, elevation = azimuth[..., 0], elevation[..., 0]
        a, e = azimuth, elevation
        rows = [
            torch.stack([e.cos() * a.cos(), e.cos() * a.sin(), e.sin()], -1),
            torch.stack([-a.sin(), a.cos(), torch.zeros_like(a)], -1),
            torch.stack([-e.sin() * a.cos(), -e.sin() * a.sin(), e.cos()], -1),
        ]
        seen = (torch.stack(rows, -2) @ direction[:, None, :, None])[..., 0]
        return nn.functional.normalize(seen, dim=-1)


class Disc(nn.Module):
    """Where the white disc stands in a crop, or nowhere."""

    def encode_video(self, video: Tensor) -> Tensor:
        bright = (video.float().mean((2, 5)) > 200).float()
        size = video.shape[3]
        across = torch.linspace(1, -1, size)
        share = bright.mean((2, 3))
        left = (bright * across).mean((2, 3)) / (share + 1e-6)
        up = (bright * across[:, None]).mean((2, 3)) / (share + 1e-6)
        return torch.stack([share * 20, left, up], -1)

    def encode_audio(self, features: Tensor) -> Tensor:
        return features

    def heads(self, video: Tensor, audio: Tensor) -> Agreement:
        return Agreement(video, audio, audio, video)


class Deaf(Disc):
    def encode_audio(self, features: Tensor) -> Tensor:
        return torch.zeros_like(features)


def write_settings(run, data):
    """Write how the model of a run reads its data, as `fit` does."""
    RunFolder(run).settings.write_text(yaml.safe_dump({"data": data}))


def evaluate_with(monkeypatch, tmp_path, data, net, task):
    model = AlignmentModel(Intensity(), net)
    monkeypatch.setattr(pretext, "load_run", lambda _: model)
    write_settings(tmp_path, {"span": 1.0, "frames": 2, "size": 24})
    # Crops on the disc: a random crop seldom shows it.
    reader = pretext.open_items
    monkeypatch.setattr(pretext, "open_items", lambda *a, **k: reader(*a, strategy="objects", **k))
    return pretext.evaluate([task], tmp_path, data, spans=8)[0]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, new_clip_folder):
    """48 clips with one sounding disc each, a third of them for testing."""
    root = tmp_path_factory.mktemp("evaluation")
    source = new_clip_folder(root / "source")
    rng = np.random.default_rng(0)
    keys = [f"clip{i:02}" for i in range(48)]
    for key in keys:
        source.add(key, rng.uniform(-180, 180), rng.uniform(-25, 25), duration=1.5)
    (source.root / "train.txt").write_text("\n".join(keys[:32]))
    (source.root / "test.txt").write_text("\n".join(keys[32:]))
    prepare(source.root, root / "out", detector="file", frame_size=(80, 160), workers=0)
    return root / "out"


def test_a_model_that_hears_direction_tells_turned_sound(monkeypatch, tmp_path, prepared):
    results = evaluate_with(monkeypatch, tmp_path, prepared, Disc(), "avsa")
    # The head learns from 256 spans only; chance is 0.5 exactly, see below.
    assert results.rows["4 crops"].low > 0.55
    assert results.rows["4 crops"].clips == 16
    written = json.loads((tmp_path / "evaluation" / "avsa.json").read_text())
    assert written["rows"]["4 crops"]["mean"] == results.rows["4 crops"].mean


@pytest.mark.parametrize("task", ["avc", "avsa"])
def test_a_deaf_model_guesses(monkeypatch, tmp_path, prepared, task):
    results = evaluate_with(monkeypatch, tmp_path, prepared, Deaf(), task)
    # Right and wrong pairs look the same to it, so it is right on exactly one of each two.
    assert results.rows["4 crops"].mean == 0.5
    assert results.rows["1 crop"].mean == 0.5


def test_a_world_is_measured_on_without_files(monkeypatch, tmp_path):
    model = AlignmentModel(Intensity(), Deaf())
    monkeypatch.setattr(pretext, "load_run", lambda _: model)
    write_settings(tmp_path, {"span": 0.5, "frames": 2, "size": 8})
    result = pretext.evaluate(["avsa"], tmp_path, "world:easy", clips=6)[0]
    assert result.rows["4 crops"].clips == 6
    assert result.rows["4 crops"].mean == 0.5


def test_a_world_has_a_ceiling_and_is_scored_by_what_crops_show(monkeypatch, tmp_path):
    model = AlignmentModel(Intensity(), Deaf())
    monkeypatch.setattr(pretext, "load_run", lambda _: model)
    write_settings(tmp_path, {"span": 0.2, "frames": 1, "size": 8})
    results = pretext.evaluate(["avc", "avsa"], tmp_path, "world:standard", clips=150)
    for result in results:
        # Some crops tell and most show nothing; four of them tell more than one
        assert 0.6 < result.ceiling["1 crop"] < 0.75
        assert 0.8 < result.ceiling["4 crops"] < 0.97
        for what in ("a sounding object", "a silent object", "nothing"):
            assert result.details[f"1 crop, {what}"].mean == 0.5
        assert result.ceiling["1 crop, a sounding object"] > 0.95
        assert result.ceiling["1 crop, a silent object"] < 0.75
        assert result.ceiling["1 crop, nothing"] < 0.65
        parts = [result.details[f"4 crops, {what}"].clips for what in pretext.SHOWN]
        assert sum(parts) == 150
        written = json.loads((tmp_path / "evaluation" / f"{result.task}.json").read_text())
        assert written["ceiling"] == result.ceiling
    turns = [e.clips for name, e in results[1].details.items() if name.endswith("°")]
    assert sum(turns) == 150


def test_the_noted_yaw_is_the_one_that_sound_was_turned_by():
    data = pretext.WorldDataset("easy", "test", span=0.2, frames=1, size=8, epoch_length=20)
    model = AlignmentModel(Intensity(), Disc())
    found = pretext.embed(model, data, 1, batch_size=8)
    for index in range(20):
        item = data[index]
        azimuth = item.azimuth - found.yaw[index]
        heard = model.front_end(item.sound[None], azimuth[None], item.elevation[None])
        torch.testing.assert_close(model.net.encode_audio(heard)[0], found.turned[index])
        torch.testing.assert_close(found.views[index, :, 2], item.width)


def test_a_split_that_a_world_does_not_have(monkeypatch, tmp_path):
    model = AlignmentModel(Intensity(), Deaf())
    monkeypatch.setattr(pretext, "load_run", lambda _: model)
    write_settings(tmp_path, {"span": 0.5, "frames": 2, "size": 8})
    with pytest.raises(InputError, match="split"):
        pretext.evaluate(["avsa"], tmp_path, "world:easy", split="holdout")


def test_a_head_leans_to_neither_answer_whatever_its_seed():
    """What it leans to adds up over the views of a clip, and decides where evidence is weak."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(2000).remainder(2).float()
    features = torch.randn(2000, 4, 64, generator=generator)
    features[..., 0] += 0.35 * (2 * labels - 1)[:, None]
    leanings = []
    for seed in range(4):
        head = train_head(features[:1000], labels[:1000], seed=seed)
        with torch.inference_mode():
            logits = head(features[1000:])
        leanings.append((logits.mean() / logits.std()).item())
    assert np.ptp(leanings) < 0.12


def test_wrong_pairs_are_never_of_the_same_clip():
    clip = torch.tensor([0, 0, 0, 1, 2, 2])
    for seed in range(20):
        assert (clip[pretext._others(clip, seed)] != clip).all()


def test_one_clip_has_no_wrong_pair():
    with pytest.raises(InputError, match="two clips"):
        pretext._others(torch.zeros(3), 0)
