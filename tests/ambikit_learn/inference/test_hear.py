"""The published contract of HEAR 2021, and what the embeddings mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ambikit
from ambikit import InputError
from ambikit_learn import hear


@pytest.fixture(scope="module")
def model(encoder, tmp_path_factory) -> hear.HearModel:
    folder = tmp_path_factory.mktemp("model")
    encoder.save_pretrained(folder)
    return hear.load_model(str(folder))


def noise(sounds: int, seconds: float, rate: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 2 * torch.rand(sounds, int(seconds * rate), generator=generator) - 1


def test_model_has_the_attributes(model):
    assert isinstance(model, torch.nn.Module)
    assert model.sample_rate in (16000, 22050, 44100, 48000)
    assert type(model.scene_embedding_size) is int
    assert type(model.timestamp_embedding_size) is int
    assert not model.training
    assert sum(p.numel() for p in model.parameters()) > 0  # .to(device) moves the networks


@pytest.mark.parametrize("seconds", [0.3, 1.07, 1.98, 4.0])
def test_timestamps(model, seconds):
    embeddings, times = hear.get_timestamp_embeddings(noise(2, seconds, model.sample_rate), model)
    assert embeddings.dtype == torch.float32
    assert embeddings.shape == (2, times.shape[1], model.timestamp_embedding_size)
    assert torch.equal(times[0], times[1])
    steps = times[0].diff()
    assert steps.max() <= 50
    assert (steps - steps.mean()).abs().max() < 1
    assert times[0, 0] == 0
    assert 1000 * seconds - 50 <= times[0, -1] <= 1000 * seconds


def test_scenes(model):
    audio = noise(3, 2.0, model.sample_rate)
    embeddings = hear.get_scene_embeddings(audio, model)
    assert embeddings.dtype == torch.float32
    assert embeddings.shape == (3, model.scene_embedding_size)


def test_an_embedding_is_of_the_sound_around_its_time(model, encoder):
    audio = noise(1, 2.0, model.sample_rate)
    embeddings, times = hear.get_timestamp_embeddings(audio, model)
    k = int((times[0] == 900).nonzero())
    at_24k = hear.resampled(audio.numpy(), model.sample_rate, encoder.sample_rate)[0]
    wave = ambikit.encode(at_24k[9600:33600], azimuth=0.0)  # 0.4 s to 1.4 s
    expected = encoder.embed(wave, encoder.sample_rate).clip
    np.testing.assert_allclose(embeddings[0, k], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("embed", [hear.get_timestamp_embeddings, hear.get_scene_embeddings])
def test_sounds_of_a_batch_do_not_see_each_other(model, embed):
    audio = noise(3, 1.2, model.sample_rate) * torch.tensor([[1.0], [0.1], [0.5]])
    together, alone = embed(audio, model), embed(audio[1:2], model)
    if isinstance(together, tuple):
        together, alone = together[0], alone[0]
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)


def test_a_model_at_a_rate_of_hear_takes_it(new_encoder):
    assert hear.HearModel(new_encoder(source_rate=16000)).sample_rate == 16000
    assert hear.HearModel(new_encoder(source_rate=24000)).sample_rate == 48000


@pytest.mark.parametrize("embed", [hear.get_timestamp_embeddings, hear.get_scene_embeddings])
@pytest.mark.parametrize("audio", [torch.zeros(48000), torch.zeros(1, 4, 48000), torch.zeros(2, 0)])
def test_other_shapes_are_refused(model, embed, audio):
    with pytest.raises(InputError, match="n_sounds, n_samples"):
        embed(audio, model)
