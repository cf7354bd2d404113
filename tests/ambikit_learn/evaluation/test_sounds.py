"""ESC-10: the adapters of both layouts, and the rows that were measured on the real recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ambikit import InputError
from ambikit_learn.evaluation.sound_embedders import segments, yamnet_front_end
from ambikit_learn.evaluation.sounds import evaluate_sounds
from ambikit_learn.sources import open_labelled
from ambikit_learn.sources.esc10 import CLASSES

RATE = 16000
FOLDERS = ("Dog bark", "Rain", "Sea waves", "Baby cry", "Clock tick", "Person sneeze")
FOLDERS = (*FOLDERS, "Helicopter", "Chainsaw", "Rooster", "Fire crackling")


@pytest.fixture
def miniature(tmp_path) -> Path:
    """Tones, a pitch for each class, of which each fold holds one clip of each."""
    root = tmp_path / "esc10"
    rng = np.random.default_rng(0)
    for i, name in enumerate(FOLDERS):
        folder = root / f"{i + 1:03d} - {name}"
        folder.mkdir(parents=True)
        for fold in range(1, 6):
            t = np.arange(RATE) / RATE
            x = 0.3 * np.sin(2 * np.pi * 200 * 1.4**i * t) + 0.001 * rng.standard_normal(RATE)
            soundfile.write(folder / f"{fold}-{100 + i}{fold}-A.ogg", x, RATE)
    return root


def test_both_layouts_are_the_same_clips(miniature, tmp_path):
    clips = list(open_labelled("esc10", miniature).clips(2))
    assert len(clips) == 50
    assert {c.label for c in clips} == set(CLASSES)
    assert [c.split for c in clips[:5]] == ["train", "test", "train", "train", "train"]
    assert len({c.group for c in clips}) == 50
    other = tmp_path / "esc50"
    (other / "meta").mkdir(parents=True)
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    rows += [f"{c.path.name},{c.key[0]},0,{c.label},True,{c.group},A" for c in clips]
    rows += ["1-1-A-2.wav,1,2,pig,False,1,A"]
    (other / "meta" / "esc50.csv").write_text("\n".join(rows) + "\n")
    listed = list(open_labelled("esc10", other).clips(2))
    assert [(c.key, c.label, c.fold, c.split, c.group) for c in listed] == [
        (c.key, c.label, c.fold, c.split, c.group) for c in clips
    ]
    rows[1] = rows[1].replace(",1,", ",7,", 1)
    (other / "meta" / "esc50.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(InputError, match=r"esc50\.csv, line 2: fold 7"):
        list(open_labelled("esc10", other).clips())


def test_a_folder_without_esc10_and_bad_names_are_named(miniature, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="Dog bark"):
        list(open_labelled("esc10", tmp_path / "empty").clips())
    (miniature / "001 - Dog bark" / "bark.ogg").touch()
    with pytest.raises(InputError, match=r"bark\.ogg"):
        list(open_labelled("esc10", miniature).clips())


def test_a_run_beside_its_baselines_on_tones(miniature, tmp_path, new_encoder):
    run = tmp_path / "run"
    new_encoder().save_pretrained(run)
    results = evaluate_sounds(miniature, run, baseline=["random", "logmel"])
    names = [row.name for row in results.table.rows]
    assert names == [
        "encoder, from the front, linear",
        "random weights, from the front, linear",
        "encoder, from anywhere, linear",
        "random weights, from anywhere, linear",
        "log-mel statistics, linear",
    ]
    assert results.row("log-mel statistics, linear").values["accuracy"].mean > 0.9
    assert results.row(names[0]).values["accuracy"].mean > 0.3
    assert results.path == run / "evaluation" / "sounds.json"
    compared = [name.replace(", linear", "") for name in results.comparisons]
    assert compared == [
        "encoder, from the front − random weights, from the front: accuracy",
        "encoder, from anywhere − random weights, from anywhere: accuracy",
        "encoder, from anywhere − encoder, from the front: accuracy",
        "encoder, from the front − log-mel statistics: accuracy",
        "encoder, from anywhere − log-mel statistics: accuracy",
    ]
    hear = evaluate_sounds(
        miniature, run, baseline=[], hear="ambikit_learn.hear", out=tmp_path / "out"
    )
    # HEAR's interface encodes from the front too, and resamples on another way there
    own = hear.row("encoder, from the front, linear").values["accuracy"].mean
    other = hear.row("HEAR: ambikit_learn.hear, linear").values["accuracy"].mean
    assert abs(own - other) < 0.15


def test_bad_recordings_and_classes(miniature, tmp_path):
    bad = miniature / "003 - Sea waves" / "3-1023-A.ogg"
    bad.write_bytes(bad.read_bytes()[:20])
    options = {"baseline": ["logmel"], "out": tmp_path / "out"}
    with pytest.raises(InputError, match=r"3-1023-A\.ogg"):
        evaluate_sounds(miniature, **options)
    with pytest.raises(InputError, match="fold 3 tests on no recording of sea_waves"):
        evaluate_sounds(miniature, **options, skip_bad=True)
    (bad.parent / "3-9999-A.ogg").write_bytes((bad.parent / "2-1022-A.ogg").read_bytes())
    results = evaluate_sounds(miniature, **options, skip_bad=True)
    assert len(results.skipped) == 1
    assert results.table.rows[0].values["accuracy"].clips == 50


def test_nothing_to_measure_and_no_place_for_it(miniature, tmp_path):
    with pytest.raises(InputError, match="--out"):
        evaluate_sounds(miniature, baseline=["logmel"])
    with pytest.raises(InputError, match=r"nothing to measure: YAMNet.*no such file"):
        evaluate_sounds(
            miniature, baseline=["yamnet"], yamnet_file=tmp_path / "none", out=tmp_path / "out"
        )
    with pytest.raises(InputError, match="hear: there is no module"):
        evaluate_sounds(miniature, baseline=[], hear="no_such_module", out=tmp_path / "out")


def test_front_end_of_yamnet_equals_its_published_vector(test_data):
    """The vector is int8 with a scale that is not stated: the best line through it counts."""
    sound = np.fromfile(test_data / "yamnet" / "yamnet_test_audio.bin", np.int16)
    expected = np.fromfile(test_data / "yamnet" / "yamnet_test_spectra.bin", np.float32)
    levels = yamnet_front_end((sound / 32768).astype(np.float32)[None], RATE)[0]
    assert np.corrcoef(levels.ravel()[: expected.size], expected)[0, 1] > 0.9999


def test_segments_are_of_equal_length():
    x = np.arange(30.0, dtype=np.float32)[None]
    assert [part.shape[-1] for part in segments(x, 1, 5.0)] == [5] * 6
    assert [part.shape[-1] for part in segments(x[:, :7], 1, 5.0)] == [7]


@pytest.mark.slow
def test_log_mel_statistics_of_real_recordings(test_data, tmp_path):
    """78.75 % over folds of 75.0, 81.2, 70.0, 86.2 and 81.2 % were measured independently."""
    results = evaluate_sounds(test_data / "esc10", baseline=["logmel"], out=tmp_path)
    estimate = results.table.rows[0].values["accuracy"]
    assert abs(estimate.mean - 0.7875) < 0.015
    assert estimate.clips == 304


@pytest.mark.slow
def test_yamnet_on_real_recordings(test_data, tmp_path):
    """95.25 % were measured independently."""
    pytest.importorskip("ai_edge_litert")
    file = test_data / "yamnet" / "yamnet_spectra_in.tflite"
    results = evaluate_sounds(
        test_data / "esc10", baseline=["yamnet"], yamnet_file=file, out=tmp_path
    )
    assert abs(results.table.rows[0].values["accuracy"].mean - 0.9525) < 0.015
