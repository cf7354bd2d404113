"""Scenes on miniatures of both data sets and of the world; DirAC against its published vectors."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

import ambikit
from ambikit import InputError
from ambikit_learn.evaluation import acoustic_scenes
from ambikit_learn.evaluation.acoustic_scenes import evaluate_scenes
from ambikit_learn.evaluation.dirac import dirac_features, mixture_predictions
from ambikit_learn.evaluation.embeddings import Recording
from ambikit_learn.evaluation.scene_cnn import cnn_predictions
from ambikit_learn.sources import eigenscape, tau2019

RATE = 24000


def plane_wave(azimuth, elevation, seconds=4.0):
    noise = np.random.default_rng(0).standard_normal(round(seconds * RATE)).astype(np.float32)
    return ambikit.encode(noise, azimuth, elevation, degrees=True)


def band_means(features):
    """Mean azimuth of a circle in degrees, and mean diffuseness, of 20 bands."""
    azimuth = np.angle(np.exp(1j * np.deg2rad(features[:, :20])).mean(0), deg=True)
    return azimuth, features[:, 40:].mean(0)


@pytest.mark.parametrize(
    ("direction", "azimuths", "diffuse"),
    [
        ((0, 0), [0, 0, 0, -180, -180], [0.058, 0.222, 0.482, 0.942, 0.177]),
        ((30, 20), [30, 34, 46, 96, 146], [0.058, 0.163, 0.309, 0.450, 0.135]),
        ((90, 0), [90] * 5, [0.057] * 5),
    ],
)
def test_published_dirac_has_the_published_fault(direction, azimuths, diffuse):
    """Vectors of the published code, bands 0, 10, 13, 16 and 19; frames vary by some degrees."""
    bands = [0, 10, 13, 16, 19]
    azimuth, psi = band_means(dirac_features(plane_wave(*direction), RATE, published=True))
    apart = (azimuth[bands] - azimuths + 180) % 360 - 180
    # Band 16 is nearly diffuse for a source in front: there the sign of a small number decides
    assert np.abs(apart)[np.array(diffuse) < 0.9].max() < 3
    np.testing.assert_allclose(psi[bands], diffuse, atol=0.025)


def test_correct_dirac_finds_plane_waves_in_every_band():
    features = dirac_features(plane_wave(30, 20), RATE)
    azimuth, psi = band_means(features)
    np.testing.assert_allclose(azimuth, 30, atol=0.05)
    np.testing.assert_allclose(features[:, 20:40].mean(0), 20, atol=0.05)
    np.testing.assert_allclose(psi, 0, atol=1e-3)
    assert features.shape == (1 + 4 * RATE // 512, 60)


def test_dirac_of_a_diffuse_field_and_of_silence():
    """Independent noise in SN3D: the published code gives 0.87 to 0.96."""
    noise = np.random.default_rng(1).standard_normal((4, 4 * RATE)).astype(np.float32)
    noise[1:] /= np.sqrt(3)
    psi = dirac_features(noise, RATE, published=True)[:, 40:].mean(0)
    assert 0.86 < psi.min() < psi.max() < 0.97
    assert np.isfinite(dirac_features(np.zeros((4, RATE), np.float32), RATE)).all()
    with pytest.raises(InputError, match="too short"):
        dirac_features(np.zeros((4, 100), np.float32), RATE)


def test_classifiers_of_their_own_recognise_what_is_apart():
    rng = np.random.default_rng(0)
    labels = ["a", "b"] * 10
    folds = [(np.arange(10), np.arange(10, 20))]
    apart = [3.0 * (label == "a") + rng.standard_normal((40, 4)) for label in labels]
    told = mixture_predictions(apart, labels, folds, components=2)
    assert told.right.tolist() == [True] * 10
    assert not told.tested[:10].any()
    tones = [
        3.0 * (label == "a") * (np.arange(128) % 64 > 32) + rng.standard_normal((70, 128))
        for label in labels
    ]
    assert cnn_predictions(tones, labels, folds, epochs=8).right.mean() > 0.9


@pytest.fixture
def small_eigenscape(tmp_path):
    """Recordings of second order and 30 s: noise of a colour and direction of the class."""
    root = tmp_path / "eigenscape"
    root.mkdir()
    rng = np.random.default_rng(0)
    for k, label in enumerate(eigenscape.CLASSES):
        for number in range(1, 9):
            noise = rng.standard_normal(2 * 8000)
            tone = np.sin(2 * np.pi * 150 * 1.5**k * np.arange(len(noise)) / 8000)
            x = ambikit.encode(0.1 * noise + tone, 45 * k, 0, order=2, degrees=True)
            soundfile.write(root / f"{label}.{number}.wav", 0.2 * x.T, 8000, subtype="PCM_24")
    return root


def test_eigenscape_in_folds_of_recordings(small_eigenscape, tmp_path, new_encoder, monkeypatch):
    monkeypatch.setattr(eigenscape.EigenScape, "__init__", short_recordings)
    run = tmp_path / "run"
    new_encoder().save_pretrained(run)
    results = evaluate_scenes(
        small_eigenscape, run, baseline=["random", "logmel", "dirac"], probes=["linear", "knn"]
    )
    rows = {row.name: row for row in results.table.rows}
    assert list(rows)[:6] == [
        "encoder, linear",
        "encoder, knn",
        "random weights, linear",
        "random weights, knn",
        "log-mel statistics, linear",
        "log-mel statistics, knn",
    ]
    assert rows["log-mel statistics, linear"].values["accuracy"].mean > 0.9
    assert rows["DirAC features, GMM"].values["recording vote"].mean > 0.9
    assert rows["encoder, linear"].values["accuracy"].clips == 64
    assert rows["AVSA, log-mel"].kind == "published"
    # A fold trains on no recording on which it tests: 16 of 64 are tested in each
    confusion = np.array(results.confusion["encoder, linear"])
    assert confusion.sum() == 128
    assert (confusion.sum(1) == 16).all()
    assert "encoder, linear − random weights, linear: accuracy" in results.comparisons
    (small_eigenscape / "Park.3.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"Park\.3\.wav"):
        evaluate_scenes(small_eigenscape, run, baseline=[])
    less = evaluate_scenes(small_eigenscape, run, baseline=[], probes=["knn"], skip_bad=True)
    assert len(less.skipped) == 2
    assert less.table.rows[0].values["accuracy"].clips == 63


def short_recordings(self, root, folds=4, seed=0):
    """Two segments of a second a recording, in place of twenty of half a minute."""
    for name, value in (("root", root), ("folds", folds), ("seed", seed)):
        object.__setattr__(self, name, value)
    object.__setattr__(self, "segment", 1.0)
    object.__setattr__(self, "length", 2.0)


@pytest.fixture
def small_tau(tmp_path):
    """Two clips of training and one for testing of each scene."""
    root = tmp_path / "tau"
    (root / "audio").mkdir(parents=True)
    (root / "evaluation_setup").mkdir()
    lists = {"train": ["filename\tscene_label"], "evaluate": ["filename\tscene_label"]}
    for k, label in enumerate(tau2019.CLASSES):
        for number, use in enumerate(("train", "train", "evaluate")):
            tone = 0.3 * np.sin(2 * np.pi * 150 * 1.4**k * np.arange(32000) / 16000)
            name = f"audio/{label}-city{number}-{number}-{k}-a.wav"
            soundfile.write(root / name, np.stack([tone, 0.5 * tone], 1), 16000)
            lists[use].append(f"{name}\t{label}")
    for use, lines in lists.items():
        (root / "evaluation_setup" / f"fold1_{use}.csv").write_text("\n".join(lines) + "\n")
    return root


def test_two_channels_enter_as_is_said(small_tau, tmp_path, new_encoder, monkeypatch):
    monkeypatch.setattr(eigenscape.EigenScape, "__init__", short_recordings)
    run = tmp_path / "run"
    new_encoder().save_pretrained(run)
    options = {"baseline": ["logmel", "dirac"], "probes": ["linear"]}
    results = evaluate_scenes(small_tau, run, **options, channels="stereo")
    assert results.row("encoder, linear").note == "two channels as stereo"
    assert results.row("log-mel statistics, linear").values["accuracy"].mean == 1
    assert results.missing == ("dirac takes Ambisonic sound, and TAU 2019 has two ears",)
    assert np.sum(results.confusion["encoder, linear"]) == 10
    mid = evaluate_scenes(small_tau, run, **options, channels="mid")
    assert mid.row("encoder, linear").note == "two channels as mid"
    two = tmp_path / "two"
    new_encoder("logmel", alignment="stereo").save_pretrained(two)
    ears = evaluate_scenes(small_tau, two, baseline=[], probes=["linear"])
    assert ears.row("encoder, linear").note == "two channels as they are"
    for k, label in enumerate(eigenscape.CLASSES):
        clip = small_tau / "audio" / f"{tau2019.CLASSES[k]}-city0-0-{k}-a.wav"
        clip.rename(small_tau / f"{label}.1.wav")
    (small_tau / "evaluation_setup").rename(small_tau / "elsewhere")
    with pytest.raises(InputError, match="has 2 channels"):
        evaluate_scenes(small_tau, run, **options)


@pytest.mark.parametrize(
    ("how", "field"), [("mid", [2, 0, 0, 0]), ("stereo", [2, 1, 0, 0]), ("ears", [4, 2, 0, 0])]
)
def test_two_channels_as_a_field(how, field):
    pair = Recording("k", "", "g", lambda: "i", lambda: (np.array([[3.0], [1.0]]), RATE))
    x, rate = acoustic_scenes._as_field(pair, how).read()
    assert (x[:, 0].tolist(), rate) == (field, RATE)
    others = {acoustic_scenes._as_field(pair, name).identity() for name in acoustic_scenes.ENTRIES}
    assert len(others) == 3


def test_places_of_the_world(tmp_path, monkeypatch):
    monkeypatch.setattr(acoustic_scenes, "WORLD_SECONDS", 1.0)
    results = evaluate_scenes(
        "world:scenes",
        baseline=["logmel", "cnn", "random"],
        probes=["linear"],
        scenes=(96, 60),
        out=tmp_path,
    )
    assert results.row("log-mel statistics, linear").values["accuracy"].mean > 0.25
    assert results.missing[0].startswith("random weights need a model")
    assert len(results.classes) == 12
    again = evaluate_scenes(
        "world:scenes", baseline=["logmel"], probes=["knn"], scenes=(96, 60), out=tmp_path
    )
    assert again.waiting < again.seconds
