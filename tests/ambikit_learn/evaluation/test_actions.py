"""Actions on miniatures of both data sets, written in their published layouts, and on the world."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ambikit import InputError
from ambikit_learn.evaluation.action_clips import ClipShape, Decoded, random_clip, spaced_clips
from ambikit_learn.evaluation.actions import evaluate_actions
from ambikit_learn.evaluation.finetune import (
    SCHEDULES,
    ActionNet,
    Schedule,
    TorchvisionR2Plus1D,
    fine_tune,
    probabilities,
)
from ambikit_learn.video.files import write_video

ACTIONS = ("Archery", "Bowling", "Diving")
GREY = 60


def write_action(path, kind, seed):
    """A video of one colour for each class, with noise: 20 frames of 32 × 24 pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, GREY, (20, 24, 32, 3))
    frames[..., kind] += 150
    write_video(path, frames.astype(np.uint8), 10.0, codec="mjpeg")


@pytest.fixture
def ucf101(tmp_path):
    """Three classes of four films, of which a split tests on one; two splits."""
    root = tmp_path / "ucf101"
    lists = root / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    (lists / "classInd.txt").write_text("".join(f"{i} {a}\n" for i, a in enumerate(ACTIONS, 1)))
    for split in (1, 2):
        train, test = [], []
        for kind, name in enumerate(ACTIONS):
            for group in range(1, 5):
                file = f"{name}/v_{name}_g{group:02d}_c01.avi"
                if split == 1:
                    write_action(root / "data" / file, kind, 10 * kind + group)
                (test if group == split else train).append(file)
        (lists / f"trainlist{split:02d}.txt").write_text("".join(f"{f} 1\n" for f in train))
        (lists / f"testlist{split:02d}.txt").write_text("".join(f"{f}\n" for f in test))
    return root


@pytest.fixture
def run(tmp_path, new_encoder):
    new_encoder().save_pretrained(tmp_path / "run")
    return tmp_path / "run"


def test_frozen_and_fine_tuned_over_splits(ucf101, run):
    results = evaluate_actions(ucf101, run, splits=(1, 2), clips=3, finetune=True)
    names = [row.name for row in results.table.rows if row.kind != "published"]
    assert names == [
        f"{who}, {how}"
        for who in ("encoder", "random weights")
        for how in ("frozen, linear", "frozen, svm", "fine-tuned")
    ]
    frozen = results.row("encoder, frozen, linear").values
    # Six decisions, of three films: a film is in the test of one split
    assert frozen["video"].clips == 6
    assert frozen["video"].mean == 1
    assert frozen["clip"].mean > 0.9
    assert results.settings["schedule"] == "tiny"
    assert [m.name for m in results.details[0].measures] == ["split 1", "split 2"]
    assert np.sum(results.confusion["encoder, fine-tuned"]) == 6
    assert [name.partition(" − ")[2] for name in results.comparisons] == [
        f"random weights, {how}: video" for how in ("frozen, linear", "frozen, svm", "fine-tuned")
    ]
    published = [row for row in results.table.rows if row.kind == "published"]
    assert published[0].values["video"].mean == 0.738
    assert not list((run / "evaluation" / "embeddings" / "finetuned").glob("*.ckpt"))
    again = evaluate_actions(ucf101, run, splits=(1, 2), clips=3, finetune=True)
    assert repr(again.table) == repr(results.table)  # it holds NaN, which equals nothing


def test_missing_lists_videos_and_splits_are_named(ucf101, run, tmp_path):
    options = {"clips": 2, "probes": ["linear"], "baseline": []}
    with pytest.raises(FileNotFoundError, match=r"trainlist03\.txt"):
        evaluate_actions(ucf101, run, **options)
    with pytest.raises(InputError, match="no fold 4"):
        evaluate_actions(ucf101, run, splits=(4,), **options)
    bad = ucf101 / "data" / "Diving" / "v_Diving_g03_c01.avi"
    bad.write_bytes(bad.read_bytes()[:100])
    with pytest.raises(InputError, match=r"v_Diving_g03_c01\.avi"):
        evaluate_actions(ucf101, run, splits=(1,), **options)
    results = evaluate_actions(ucf101, run, splits=(1,), skip_bad=True, **options)
    assert len(results.skipped) == 1
    (ucf101 / "data" / "Diving" / "v_Diving_g01_c01.avi").unlink()
    with pytest.raises(InputError, match="fold 1 tests on no recording of Diving"):
        evaluate_actions(ucf101, run, splits=(1,), skip_bad=True, **options)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="ucfTrainTestlist"):
        evaluate_actions(tmp_path / "empty", run)
    with pytest.raises(InputError, match="nothing to measure"):
        evaluate_actions(ucf101, out=tmp_path)


def test_hmdb51_by_its_lists(tmp_path, run):
    root = tmp_path / "hmdb51"
    (root / "splits").mkdir(parents=True)
    for kind, name in enumerate(("brush_hair", "cartwheel")):
        lines = []
        for number, use in enumerate((1, 1, 2, 0)):
            file = f"Film{number}_{name}_u_nm_np1_ba_goo_0.avi"
            write_action(root / "videos" / name / file, kind, number)
            lines.append(f"{file} {use} ")
        (root / "splits" / f"{name}_test_split1.txt").write_text("\n".join(lines) + "\n")
    results = evaluate_actions(root, run, splits=(1,), clips=2, probes=["svm"], baseline=[])
    assert results.data == "hmdb51"
    assert results.row("encoder, frozen, svm").values["video"].mean == 1
    assert np.sum(results.confusion["encoder, frozen, svm"]) == 2


def test_clips_are_even_and_short_videos_repeat():
    frames = np.broadcast_to(np.arange(7, dtype=np.uint8)[:, None, None, None], (7, 6, 8, 3))
    shape = ClipShape(frames=3, rate=5.0, size=4)
    clips = spaced_clips(Decoded(frames, 10.0), shape, 2)
    assert clips[..., 0, 0, 0].tolist() == [[0, 2, 4], [2, 4, 6]]
    short = spaced_clips(Decoded(frames[:3], 10.0), shape, 1)
    assert short[..., 0, 0, 0].tolist() == [[0, 2, 1]]
    rng = np.random.default_rng(0)
    crops = [random_clip(Decoded(frames, 10.0), shape, rng) for _ in range(8)]
    assert {crop.shape for crop in crops} == {(3, 4, 4, 3)}


class Mean(torch.nn.Module):
    """The mean colour: enough to tell videos of one colour, so that the schedule is what counts."""

    def forward(self, clips):
        return clips.float().mean((1, 2, 3)) / 255


def colours(kind):
    clip = np.full((2, 4, 4, 3), 50, np.uint8)
    clip[..., kind] = 200
    return clip


def test_an_interrupted_fine_tuning_ends_as_one_that_was_not(tmp_path):
    schedule = Schedule(4, 2, (3,), learning_rate=0.1, batch=4, dropout=0.0)
    targets = np.tile(np.arange(3), 3)

    def trained(state, stop_after=None):
        torch.manual_seed(0)
        seen = []

        def draw(i, rng):
            seen.append(i)
            if stop_after is not None and len(seen) > stop_after:
                raise KeyboardInterrupt
            return colours(targets[i])

        net = ActionNet(Mean(), 3, 3, schedule.dropout)
        return fine_tune(net, np.arange(9), targets, draw, schedule, state=state)

    whole = trained(None)
    state = tmp_path / "state.ckpt"
    with pytest.raises(KeyboardInterrupt):
        trained(state, stop_after=40)
    resumed = trained(state)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=0, atol=0)
    told = probabilities(resumed, np.stack([colours(k) for k in range(3)]))
    assert told.argmax(1).tolist() == [0, 1, 2]
    np.testing.assert_allclose(np.exp(told).sum(1), 1, rtol=1e-5)
    state.write_bytes(b"cut off")
    with pytest.raises(InputError, match="damaged"):
        trained(state)


def test_schedules_of_the_papers():
    """20 epochs of 5 or 10 draws, x 0.3 at 8, 12, 16; Adam at 1e-4 without decay, batches of 28."""
    for name, draws in (("ucf101", 5), ("hmdb51", 10)):
        s = SCHEDULES[name]
        assert (s.epochs, s.draws, s.milestones, s.gamma) == (20, draws, (8, 12, 16), 0.3)
        assert (s.learning_rate, s.batch, s.dropout) == (1e-4, 28, 0.5)
    assert SCHEDULES["supplement"].milestones == (40, 60, 80)


def test_weights_of_torchvision_from_a_file(tmp_path):
    models = pytest.importorskip("torchvision.models.video")
    with pytest.raises(FileNotFoundError, match="r2plus1d_18"):
        TorchvisionR2Plus1D(tmp_path / "none.pth")
    torch.manual_seed(0)
    published = models.r2plus1d_18(weights=None)
    torch.save(published.state_dict(), tmp_path / "weights.pth")
    net = TorchvisionR2Plus1D(tmp_path / "weights.pth").eval()
    clip = torch.zeros(1, 8, 32, 32, 3, dtype=torch.uint8)
    assert net(clip).shape == (1, 512)
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"other\.pth holds no weights"):
        TorchvisionR2Plus1D(tmp_path / "other.pth")


@pytest.mark.slow
def test_objects_of_the_world(run):
    """Half of the scenes train: 24 classes need some of each."""
    results = evaluate_actions("world:easy", run, scenes=(500, 400), probes=["linear"])
    assert results.row("encoder, frozen, linear").values["video"].mean > 2 / 24
    assert len(results.classes) in (12, 24)
