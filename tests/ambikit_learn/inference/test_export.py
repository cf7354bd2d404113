"""What was exported says the same in onnxruntime."""

from __future__ import annotations

import errno
import json
import sys
import tempfile

import numpy as np
import onnxruntime
import pytest
import torch

from ambikit import InputError
from ambikit_learn.cli import main
from ambikit_learn.inference.table import embed_files

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def session(path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_command_exports_the_audio_network(encoder, tmp_path):
    encoder.save_pretrained(tmp_path / "model")
    path = tmp_path / "model.onnx"
    assert main(["export", str(tmp_path / "model"), f"--out={path}"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model", "model.onnx"]
    run = session(path)
    about = json.loads(run.get_modelmeta().custom_metadata_map["ambikit"])
    assert about == encoder.model.front_end.settings
    for batch, frames in ((1, 50), (5, 133)):
        features = torch.randn(batch, 7, frames, 32)
        (embedding,) = run.run(["embedding"], {"features": features.numpy()})
        with torch.no_grad():
            expected = encoder.model.net.encode_audio(features)
        np.testing.assert_allclose(embedding, expected, **CLOSE)


def check_sound(encoder, path) -> None:
    """Compare embeddings of sounds of several lengths and directions."""
    encoder.export_onnx(path, "sound")
    run = session(path)
    rng = np.random.default_rng(0)
    for kind, batch, samples in (*((kind, 2, 24000) for kind in LEVELS), ("noise", 3, 30001)):
        x = LEVELS[kind](rng.standard_normal((batch, 4, samples))).astype(np.float32)
        azimuth, elevation = rng.uniform(-1.5, 1.5, (2, batch)).astype(np.float32)
        inputs = {"sound": x, "azimuth": azimuth, "elevation": elevation}
        (embedding,) = run.run(["embedding"], inputs)
        for k in range(batch):
            heard = encoder.embed(
                x[k], encoder.sample_rate, azimuth[k], elevation[k], window=samples / 24000
            )
            assert np.isfinite(embedding[k]).all(), kind
            np.testing.assert_allclose(embedding[k], heard.clip, **CLOSE, err_msg=kind)


def padded(x):
    """Sound that ends in digital silence, as a buffer that is padded with zeros."""
    x = 0.1 * x
    x[..., x.shape[-1] // 3 :] = 0.0
    return x


# A front end divides and takes logarithms: what is small there is not small in other sounds.
LEVELS = {
    "noise": lambda x: 0.1 * x,
    "silence": lambda x: 0.0 * x,
    "zeros at the end": padded,
    "full scale": lambda x: np.clip(10.0 * x, -1.0, 1.0),
    "-200 dB": lambda x: 1e-10 * x,
    "-120 dB": lambda x: 1e-6 * x,
    "one channel alone": lambda x: x * np.array([[[0.1], [0.0], [0.0], [0.0]]]),
}


def test_sound_with_bands_of_the_magnitude(new_encoder, tmp_path):
    check_sound(new_encoder(preset="avsa", n_mels=32), tmp_path / "sound.onnx")


@pytest.mark.parametrize(
    "front_end",
    [
        {},
        pytest.param({"kind": "logmel", "alignment": "beamform"}, marks=pytest.mark.slow),
    ],
)
def test_sound_with_bands_of_the_power(new_encoder, front_end, tmp_path):
    check_sound(new_encoder(**front_end), tmp_path / "sound.onnx")


def test_crops(encoder, tmp_path):
    encoder.export_onnx(tmp_path / "video.onnx", "video")
    run = session(tmp_path / "video.onnx")
    rng = np.random.default_rng(0)
    for batch, size in ((1, 48), (3, 80)):
        crops = rng.integers(0, 256, (batch, 2, size, size, 3), np.uint8)
        (embedding,) = run.run(["embedding"], {"crops": crops})
        np.testing.assert_allclose(embedding, encoder.embed_video(crops), **CLOSE)


def test_what_cannot_be_exported_is_one_line(encoder, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="audio, video, sound"):
        encoder.export_onnx(tmp_path / "a.onnx", "heads")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(InputError, match=r"pip install 'ambikit\[onnx\]'"):
        encoder.export_onnx(tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["export", "embed"])
def test_read_only_folders_are_refused_before_the_work(encoder, tmp_path, monkeypatch, command):
    def refuse(*_, **__):
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(torch.onnx, "export", None)
    (tmp_path / "a.wav").touch()
    work = {
        "export": lambda: encoder.export_onnx(tmp_path / "a.onnx"),
        "embed": lambda: embed_files([tmp_path / "a.wav"], encoder, tmp_path / "a.parquet"),
    }
    with pytest.raises(InputError, match=f"{tmp_path} cannot be written to .*: give another file"):
        work[command]()
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
