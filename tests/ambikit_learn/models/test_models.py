from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from ambikit import InputError
from ambikit_learn.models.alignment import AlignmentModel, build_model
from ambikit_learn.models.run import load_run, save_run
from ambikit_learn.networks.front_end import FrontEnd
from ambikit_learn.networks.translator import Translator
from ambikit_learn.pretext.contrast import Agreement


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_paper_preset_has_the_published_sizes():
    net = build_model("paper", 4)
    assert round(count(net.video) / 1e6, 2) == 15.38
    assert round(count(net.audio) / 1e6, 2) == 4.74
    translators = count(net.heads.sound_to_vision) + count(net.heads.vision_to_sound)
    assert round(translators / 1e6, 1) == 12.6


def test_paper_networks_have_the_published_maps():
    net = build_model("paper", 4).eval()
    shapes = {}

    def record(name):
        def hook(layer, inputs, out):
            shapes[name] = tuple(out.shape[1:])

        return hook

    for i, layer in enumerate(net.audio.net):
        layer.register_forward_hook(record(f"audio {i}"))
    for i, layer in enumerate(net.video.net):
        layer.register_forward_hook(record(f"video {i}"))
    with torch.no_grad():
        net.encode_audio(torch.zeros(1, 4, 100, 128))
        net.encode_video(torch.zeros(1, 8, 112, 112, 3, dtype=torch.uint8))
    audio = [shapes[f"audio {i}"] for i in (0, 2, 4, 6, 8)]
    assert audio == [(64, 50, 64), (64, 50, 64), (128, 25, 32), (256, 13, 16), (512, 13, 16)]
    video = [shapes[f"video {i}"] for i in (2, 4, 6, 8, 10)]
    assert video == [
        (64, 8, 56, 56),
        (64, 8, 56, 56),
        (128, 4, 28, 28),
        (256, 2, 14, 14),
        (512, 1, 7, 7),
    ]


def test_tiny_preset_has_the_sizes_of_the_trials():
    net = build_model("tiny", 7)
    assert round(count(net.video) / 1e3) == 80
    assert round(count(net.audio) / 1e3) == 164
    assert round(count(net.heads.sound_to_vision) / 1e3) == 265


@pytest.mark.parametrize("objective", ["avc", "avsa"])
@pytest.mark.parametrize("channels", [1, 4, 7])
def test_every_parameter_learns(objective, channels):
    net = build_model("tiny", channels, objective=objective)
    video = torch.randint(0, 256, (2, 3, 3, 48, 48, 3), dtype=torch.uint8)
    agreement = net(video, torch.randn(2, 3, channels, 50, 32))
    assert all(x.shape == (2, 3, 128) for x in agreement)
    sum(x.square().sum() for x in agreement).backward()
    still = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still  # DistributedDataParallel hangs on parameters without gradients


def test_translator_knows_no_order_but_sees_all_views():
    translator = Translator(16, 32, 0.0).eval()
    tokens = torch.randn(2, 4, 16)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(translator(tokens[:, order]), translator(tokens)[:, order])
    other = tokens.clone()
    other[:, 3] += 1
    assert not torch.allclose(translator(tokens)[:, 0], translator(other)[:, 0])


def test_translator_is_torchs_encoder_with_a_relu_after_each_layer():
    translator = Translator(16, 32, 0.0)
    tokens = expected = torch.randn(2, 4, 16)
    for ours in translator.layers:
        theirs = nn.TransformerEncoderLayer(16, 1, 32, 0.0, batch_first=True)
        assert count(ours) == count(theirs)
        pairs = {
            "attend_in.weight": "self_attn.in_proj_weight",
            "attend_in.bias": "self_attn.in_proj_bias",
            "attend_out": "self_attn.out_proj",
            "widen": "linear1",
            "narrow": "linear2",
            "norm_attention": "norm1",
            "norm_out": "norm2",
        }
        state = {}
        for name, value in ours.state_dict().items():
            key = name if name in pairs else name.rpartition(".")[0]
            state[name.replace(key, pairs[key])] = value
        theirs.load_state_dict(state)
        expected = theirs(expected).relu()
    torch.testing.assert_close(translator(tokens), expected)


def test_similarity_has_crops_down_and_sounds_across():
    vision, sound = torch.randn(2, 1, 3, 5)
    agreement = Agreement(vision, sound, sound, vision)
    expected = torch.cosine_similarity(vision[0, 0], sound[0, 2], dim=0)
    torch.testing.assert_close(agreement.similarity()[0, 0, 2], expected)
    # In the alignment the two spaces differ: only one of them says that crop 0 is sound 1
    v, a = torch.eye(2, 4)[None], torch.eye(2, 4).flip(-1)[None]
    agreement = Agreement(v, v.flip(1), a, a)
    assert agreement.similarity()[0].tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_pictures_are_scaled_as_imagenet_and_stacked_by_frames():
    net = build_model("tiny", 1).eval()
    seen = []
    net.video.net.register_forward_pre_hook(lambda _, inputs: seen.append(*inputs))
    grey = torch.full((1, 3, 8, 8, 3), 124, dtype=torch.uint8)
    grey[:, 1, 2, 5] = 255
    net.encode_video(grey)
    # (124 / 255 - 0.485) / 0.229 and so on, ImageNet's statistics
    colour = torch.tensor([0.005567, 0.135154, 0.356775])
    torch.testing.assert_close(seen[0][0, :, 0, 0], colour.repeat(3), atol=1e-5, rtol=0)
    (channels,) = torch.where(seen[0][0, :, 2, 5] > 2)
    assert channels.tolist() == [3, 4, 5]


@pytest.fixture
def run(tmp_path):
    torch.manual_seed(0)
    front_end = FrontEnd("foa_iv", preset="tiny", n_mels=24)
    front_end.fit_statistics([(torch.randn(2, 4, 9600), torch.zeros(2, 1), torch.zeros(2, 1))])
    model = AlignmentModel(front_end, build_model("tiny", 7, objective="avc", frames=2)).eval()
    save_run(model, tmp_path)
    return model, tmp_path


def test_a_saved_run_comes_back_the_same(run):
    model, folder = run
    again = load_run(folder)
    assert not again.training
    batch = (
        torch.randint(0, 256, (2, 2, 2, 32, 32, 3), dtype=torch.uint8),
        torch.randn(2, 4, 9600),
        torch.rand(2, 2),
        torch.rand(2, 2),
    )
    stored = again.state_dict()
    assert all(torch.equal(stored[name], x) for name, x in model.state_dict().items())
    for x, y in zip(model(*batch), again(*batch), strict=True):
        torch.testing.assert_close(x, y)
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_unusable_runs_are_refused(run):
    _, folder = run
    config = json.loads((folder / "config.json").read_text())
    config["model"]["objective"] = "avsa"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"do not fit its config\.json"):
        load_run(folder)
    config["format"] = "ambikit-model/0"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="ambikit-model/0"):
        load_run(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        load_run(folder)


@pytest.mark.parametrize(
    ("now", "before"),
    [
        ({"alignment": "omni"}, {"alignment": "mono"}),
        ({"rotation": "released"}, {"rotation": "legacy"}),
    ],
)
def test_runs_of_the_format_before_are_read(tmp_path, now, before):
    front_end = FrontEnd(preset="tiny", **now)
    model = AlignmentModel(front_end, build_model("tiny", front_end.channels))
    save_run(model, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["format"] = "ambikit-model/1"
    config["front_end"] |= before
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert load_run(tmp_path).front_end.settings == front_end.settings


@pytest.mark.parametrize("duration", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("kernel", "stride"),
    [((3, 7, 7), (1, 2, 2)), ((3, 1, 1), (1, 1, 1)), ((3, 1, 1), (2, 1, 1))],
)
def test_half_precision_gradients_of_convolutions_over_time(duration, kernel, stride):
    """Over two frames that oneDNN pads itself, that of the weights is unset memory."""
    convolutions = (m for m in build_model("paper").video.modules() if isinstance(m, nn.Conv3d))
    net = next(m for m in convolutions if (m.kernel_size, m.stride) == (kernel, stride))
    frames = torch.randn(2, net.in_channels, duration, 9, 9).bfloat16().float()

    def gradient(half: bool) -> torch.Tensor:
        net.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            net(frames).float().square().sum().backward()
        assert net.weight.grad is not None
        return net.weight.grad.clone()

    single = gradient(half=False)
    torch.testing.assert_close(
        gradient(half=True), single, rtol=0.05, atol=0.02 * single.abs().max().item()
    )


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="choose one of tiny, paper"):
        build_model("huge")
    with pytest.raises(InputError, match="choose one of avc, avsa"):
        build_model("tiny", objective="avts")
