"""Reading: crops and sound of one span show and sound the same directions at the same time."""

from __future__ import annotations

import itertools
import json
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

import ambikit
from ambikit import InputError
from ambikit_learn.data.dataset import AlignmentDataset, SpanDataset
from ambikit_learn.data.format import MEMBERS, Settings, write_manifest
from ambikit_learn.data.items import Item
from ambikit_learn.data.shards import usable_clips
from ambikit_learn.data.sound import decode_sound, encode_sound
from ambikit_learn.preparation.command import prepare
from ambikit_learn.video.coding import decode_frames, encode_frames

DIRECTIONS = [(0.0, 0.0), (90.0, 0.0), (-60.0, 35.0), (179.0, -30.0), (-135.0, 50.0)]


@pytest.fixture(scope="module")
def prepared(new_clip_folder, tmp_path_factory):
    """Clips of 3 s with a disc and noise in the known directions; the last is for testing."""
    root = tmp_path_factory.mktemp("prepared")
    source = new_clip_folder(root / "source")
    for i, (azimuth, elevation) in enumerate(DIRECTIONS):
        source.add(f"clip-{i}", azimuth, elevation, duration=3.0)
    source.add("last-0", duration=3.0)
    (source.root / "train.txt").write_text("clip\n")
    (source.root / "test.txt").write_text("last\n")
    out = root / "out"
    prepare(source.root, out, detector="file", frame_size=(80, 160), clips_per_shard=2, workers=0)
    return out


def same(a: Item, b: Item) -> bool:
    """Tell whether two items are equal."""
    pairs = zip(a, b, strict=True)
    return all(torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y for x, y in pairs)


def front(sound: np.ndarray, azimuth: float, elevation: float) -> np.ndarray:
    """Direction of the mean intensity after the crop's direction was turned to the front."""
    turned = ambikit.rotate(sound, rotation=ambikit.look_at(azimuth, elevation))
    w, y, z, x = turned
    intensity = np.array([np.mean(w * x), np.mean(w * y), np.mean(w * z)])
    return intensity / np.linalg.norm(intensity)


class TestAlignment:
    """An object at a direction is in the crop there, and its sound comes from the crop's centre."""

    @pytest.mark.parametrize("mirror", [False, True])
    def test_picture_and_sound_agree(self, prepared, mirror):
        data = AlignmentDataset(
            prepared, strategy="objects", views=2, size=33, mirror=mirror, epoch_length=40
        )
        seen = set()
        for i in range(len(data)):
            item = data[i]
            assert item.on_object.tolist() == [True, False]
            centre = item.video[0, :, 14:19, 14:19].float().mean()
            edge = item.video[0, :, :3].float().mean()
            assert centre > 220
            assert edge < 110
            direction = front(item.sound.numpy(), float(item.azimuth[0]), float(item.elevation[0]))
            np.testing.assert_allclose(direction, [1, 0, 0], atol=2e-3)
            azimuth, elevation = DIRECTIONS[item.clip]
            sign = round(float(torch.rad2deg(item.azimuth[0])) / azimuth) if azimuth else 0
            seen.add((int(item.clip), sign))
            assert float(torch.rad2deg(item.elevation[0])) == pytest.approx(elevation, abs=1e-3)
        sides = {1, -1} if mirror else {1}
        assert seen == {(0, 0)} | {(i, s) for i in range(1, len(DIRECTIONS)) for s in sides}

    def test_a_crop_elsewhere_has_its_sound_elsewhere(self, prepared):
        """The second crop is at least 36° away: so is the sound, by the same angle."""
        item = AlignmentDataset(prepared, strategy="objects", views=2)[1]
        azimuth, elevation = item.azimuth.double().numpy(), item.elevation.double().numpy()
        cosine = np.sin(elevation[0]) * np.sin(elevation[1]) + np.cos(elevation[0]) * np.cos(
            elevation[1]
        ) * np.cos(azimuth[0] - azimuth[1])
        assert cosine < np.cos(np.deg2rad(35.9))
        direction = front(item.sound.numpy(), azimuth[1], elevation[1])
        assert direction[0] == pytest.approx(cosine, abs=2e-3)

    def test_picture_and_sound_are_of_the_same_time(self, clip_folder, tmp_path):
        """Brightness and loudness rise together: each tells the time at which it was taken."""
        seconds, rate = 4.0, 24000
        frames = np.broadcast_to(
            (40 + 5 * np.arange(32, dtype=np.uint8))[:, None, None, None], (32, 80, 160, 3)
        )
        time = np.arange(int(seconds * rate)) / rate
        sound = (time / seconds * np.array([1.0, 0.5, 0.5, 0.5])[:, None]).astype(np.float32)
        clip_folder.add("ramp", frames=frames, sound=sound, duration=seconds)
        prepare(clip_folder.root, tmp_path / "out", frame_size=(80, 160), workers=0)
        data = AlignmentDataset(tmp_path / "out", epoch_length=12, frames=3, views=1, size=8)
        starts = set()
        for i in range(len(data)):
            item = data[i]
            start = float(item.start)
            shown = (item.video.float().mean(dim=(0, 2, 3, 4)).numpy() - 40) / 5 / 8.0
            np.testing.assert_allclose(shown, start + np.array([0.25, 0.5, 0.75]), atol=0.06)
            heard = item.sound[0, [0, 6000, -1]].numpy() * seconds
            np.testing.assert_allclose(heard, start + np.array([0, 0.25, 1.0]), atol=2e-3)
            starts.add(start)
        assert len(starts) > 6

    def test_frames_are_spread_inside_the_span(self, prepared):
        data = AlignmentDataset(prepared, span=2.0, frames=8, size=16)
        item = data[0]
        assert item.video.shape == (4, 8, 16, 16, 3)
        assert item.sound.shape == (4, 48000)
        # More frames than there are in the span: neighbours repeat.
        assert AlignmentDataset(prepared, span=0.5, frames=9)[0].video.shape[1] == 9


class TestDeterminism:
    """Items are a function of (seed, epoch, index)."""

    def test_the_same_again(self, prepared):
        data, again = AlignmentDataset(prepared, seed=3), AlignmentDataset(prepared, seed=3)
        assert all(same(data[i], again[i]) for i in range(len(data)))

    def test_seed_epoch_and_index_all_count(self, prepared):
        azimuths = set()
        for seed, epoch in itertools.product((0, 1), (0, 1)):
            data = AlignmentDataset(prepared, seed=seed)
            data.set_epoch(epoch)
            azimuths |= {float(data[i].azimuth[0]) for i in (0, 1)}
        assert len(azimuths) == 8

    def test_mirroring_leaves_the_draws_alone(self, prepared):
        plain, mirrored = (AlignmentDataset(prepared, mirror=mirror) for mirror in (False, True))
        for i in range(len(plain)):
            a, b = plain[i].azimuth, mirrored[i].azimuth
            assert torch.equal(a.abs(), b.abs())

    def test_workers_do_not_show(self, prepared):
        data = AlignmentDataset(prepared, strategy="mixed", size=16, epoch_length=8)
        alone = list(DataLoader(data, batch_size=2))
        shared = list(DataLoader(data, batch_size=2, num_workers=2))
        assert all(same(a, b) for a, b in zip(alone, shared, strict=True))
        batch = alone[0]
        assert batch.video.shape == (2, 4, 3, 16, 16, 3)
        assert batch.video.dtype == torch.uint8
        assert batch.sound.shape == (2, 4, 24000)
        assert (batch.sound.dtype, batch.azimuth.dtype) == (torch.float32, torch.float32)
        assert batch.clip.tolist() == [0, 1]
        assert batch.key == ("clip-0", "clip-1")

    def test_covariances_are_those_of_the_sound(self, prepared):
        settings = {"n_mels": 16, "hop": 480}
        sounds = AlignmentDataset(prepared, mirror=True, size=8)
        pooled = AlignmentDataset(prepared, mirror=True, size=8, covariance=settings)
        for i in range(len(sounds)):
            expected = ambikit.mel_covariance(sounds[i].sound.numpy(), 24000, **settings)
            np.testing.assert_array_equal(pooled[i].sound.values, expected)

    def test_can_be_sent_to_another_process(self, prepared):
        data = AlignmentDataset(prepared)
        assert same(pickle.loads(pickle.dumps(data))[0], data[0])

    def test_epochs_of_another_length_go_through_all_clips(self, prepared):
        data = AlignmentDataset(prepared, epoch_length=2, size=8)
        keys = []
        for epoch in range(5):
            data.set_epoch(epoch)
            keys += [data[i].key for i in range(len(data))]
        assert keys == [f"clip-{i % 5}" for i in range(10)]
        with pytest.raises(IndexError):
            data[2]


class TestSpans:
    """The fixed spans of an evaluation."""

    def test_cover_each_clip_evenly(self, prepared):
        data = SpanDataset(prepared, "train", spans=4, size=8)
        assert len(data) == 20
        items = [data[i] for i in range(20)]
        assert [int(item.clip) for item in items] == [i // 4 for i in range(20)]
        # 3 s hold 17 spans of 1 s that begin on a frame.
        assert [float(item.start) for item in items[:4]] == [0.25, 0.75, 1.25, 1.75]

    def test_do_not_change(self, prepared):
        data = SpanDataset(prepared, spans=2, size=8, seed=1)
        assert same(data[1], SpanDataset(prepared, spans=2, size=8, seed=1)[1])
        with pytest.raises(InputError, match="no epochs"):
            data.set_epoch(1)


class TestMessages:
    """What is wrong with a folder, and how to mend it."""

    @pytest.fixture
    def damaged(self, prepared, tmp_path):
        import shutil

        return shutil.copytree(prepared, tmp_path / "copy")

    def test_not_prepared(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="holds no prepared data: give the folder"):
            AlignmentDataset(tmp_path)

    def test_other_format(self, damaged):
        document = json.loads((damaged / "dataset.json").read_text())
        (damaged / "dataset.json").write_text(json.dumps(document | {"format": "other/2"}))
        with pytest.raises(InputError, match=r"'other/2'.*prepare the data again"):
            AlignmentDataset(damaged)

    def test_the_format_before_is_read(self, prepared, damaged):
        document = json.loads((damaged / "dataset.json").read_text())
        renamed = {"clips": "source", "source": "adapter"}
        renamed |= {"video_mode": "video", "sound_codec": "sound"}
        before = {renamed.get(name, name): value for name, value in document.items()}
        before["format"] = "ambikit-shards/2"
        (damaged / "dataset.json").write_text(json.dumps(before))
        assert Settings.load(damaged) == Settings.load(prepared)

    def test_no_manifest(self, damaged):
        (damaged / "manifest.parquet").unlink()
        with pytest.raises(FileNotFoundError, match="not prepared to the end"):
            AlignmentDataset(damaged)

    @pytest.mark.parametrize("content", [b"", b"PAR1 but not really PAR1"])
    def test_damaged_manifest(self, damaged, content):
        (damaged / "manifest.parquet").write_bytes(content)
        with pytest.raises(InputError, match=r"manifest\.parquet is damaged"):
            AlignmentDataset(damaged)

    def test_empty_split(self, damaged):
        with pytest.raises(InputError, match="no clip in the split 'validation', only in "):
            AlignmentDataset(damaged, "validation")

    def test_span_longer_than_all_clips(self, damaged):
        with pytest.raises(InputError, match=r"span is 9 s, the longest clip 3\.0 s"):
            AlignmentDataset(damaged, span=9.0)

    @pytest.mark.parametrize("size", [0, 5000])
    def test_shard_cut_short(self, damaged, size):
        whole = AlignmentDataset(damaged)
        with (damaged / "shards" / "train-00001.tar").open("r+b") as shard:
            shard.truncate(size)
        with pytest.raises(InputError, match=r"train-00001\.tar .* cut short: run the same"):
            AlignmentDataset(damaged)
        with pytest.raises(InputError, match="cut short"):
            whole[2]
        assert whole[0].key == "clip-0"

    def test_shard_missing(self, damaged):
        (damaged / "shards" / "train-00000.tar").unlink()
        with pytest.raises(InputError, match="missing or cut short"):
            AlignmentDataset(damaged)

    def test_overwritten_members(self, damaged):
        data = AlignmentDataset(damaged, strategy="objects")
        path = damaged / "shards" / "train-00000.tar"
        path.write_bytes(b"\xff" * path.stat().st_size)
        with pytest.raises(InputError, match="damaged"):
            data[0]


class TestMembers:
    """Coding of frames and sound."""

    @given(st.floats(1e-6, 50.0), st.integers(0, 900), st.integers(1, 100))
    def test_sound_keeps_sixteen_bits_at_any_level(self, level, start, count):
        sound = np.random.default_rng(1).uniform(-level, level, (4, 1000)).astype(np.float32)
        data, gain = encode_sound(sound, 24000)
        found = decode_sound(data, start, count, gain)
        assert (found.dtype, found.shape) == (np.float32, (4, count))
        assert found.flags.c_contiguous
        error = np.abs(found - sound[:, start : start + count]).max()
        # Half a step, or a whole one for a peak at the very top.
        assert error <= gain / 32768 * (1.0 if np.abs(sound).max() > gain * 0.99996 else 0.501)
        assert gain <= 2 * np.abs(sound).max()

    def test_the_end_of_sound_is_told(self):
        data, gain = encode_sound(np.zeros((4, 100), np.float32), 24000)
        with pytest.raises(InputError, match="ends at sample 100, before 110"):
            decode_sound(data, 90, 20, gain)

    @pytest.mark.parametrize("rate", [8.0, 7.5, 30000 / 1001, 1.0])
    def test_every_frame_is_found_by_its_number(self, rate):
        level = (20 + 5 * np.arange(40)).astype(np.uint8)
        frames = np.broadcast_to(level[:, None, None, None], (40, 32, 64, 3))
        data = encode_frames(frames, rate)
        for i in range(40):
            found = decode_frames(data, [i], rate)
            assert found.shape == (1, 32, 64, 3)
            assert abs(float(found.mean()) - level[i]) < 2.0
        with pytest.raises(InputError, match="no frames"):
            decode_frames(data, [39, 40], rate)

    def test_the_same_frames_give_the_same_bytes(self):
        """Work on other videos in between must not show (with x264's defaults it does)."""
        rng = np.random.default_rng(0)

        def tiles(rows, columns, size):
            coarse = rng.integers(0, 256, (rows, columns, 3), np.uint8)
            return coarse.repeat(size, axis=0).repeat(size, axis=1)

        picture = tiles(25, 50, 8)
        moving = np.stack([np.roll(picture, 3 * i, axis=1) for i in range(20)])
        other = encode_frames(moving, 8.0)
        frames = np.repeat(tiles(20, 40, 4)[None], 40, axis=0)
        wanted = encode_frames(frames, 8.0)
        for _ in range(60):
            decode_frames(other, range(20), 8.0)
            clutter = rng.integers(0, 256, int(rng.integers(1000, 400000)), np.uint8)
            assert encode_frames(frames, 8.0) == wanted
            del clutter

    def test_frames_keep_their_colours(self):
        rng = np.random.default_rng(0)
        coarse = rng.integers(0, 256, (8, 5, 10, 3), np.uint8)
        frames = coarse.repeat(16, axis=1).repeat(16, axis=2)
        found = decode_frames(encode_frames(frames, 8.0), range(8), 8.0)
        # The middles of the tiles: at their edges colour has half the resolution.
        inside = found.reshape(8, 5, 16, 10, 16, 3)[:, :, 4:12, :, 4:12].mean(axis=(2, 4))
        assert np.abs(inside - coarse).mean() < 4.0


def test_crops_of_a_real_clip_look_at_its_people(test_data, tmp_path):
    """Every item has four crops on distinct people of the band, aligned with the same sound."""
    pytest.importorskip("openvino")
    key = "kqAZkf5Odyw-80"
    for kind, suffix in (("video", "mp4"), ("audio", "m4a")):
        (tmp_path / "band" / kind).mkdir(parents=True)
        clip = test_data / "yt360" / kind / f"{key}.{suffix}"
        (tmp_path / "band" / kind / clip.name).symlink_to(clip)
    weights = test_data / "yolo11n_int8_openvino_model"
    prepare(
        tmp_path / "band",
        tmp_path / "out",
        detector=f"yolo:{weights}?mode=fast&labels=person",
        detection_rate=0.5,
        workers=1,
    )
    data = AlignmentDataset(tmp_path / "out", strategy="objects", epoch_length=8)
    people = np.array([14.0, 73.0, -46.0, 175.0])
    seen: set[int] = set()
    for i in range(len(data)):
        item = data[i]
        assert item.video.shape == (4, 3, 48, 48, 3)
        assert item.sound.shape == (4, 24000)
        azimuth = np.rad2deg(item.azimuth.numpy()[item.on_object.numpy()])
        apart = np.abs((azimuth[:, None] - people + 180) % 360 - 180)
        assert (apart.min(axis=0) < 10).sum() >= 2
        seen |= set(np.flatnonzero(apart.min(axis=0) < 10).tolist())
    assert seen == {0, 1, 2, 3}


class TestValidation:
    """What is validated on is neither trained on nor reported."""

    KEYS = tuple(f"video{number}-{second}" for number in range(20) for second in (0, 10))

    def manifest(self, folder, extra=()):
        rows = [(key, "train") for key in self.KEYS] + [("t-0", "test"), *extra]
        shard = f"{'x' * 3}.tar"
        (folder / "shards").mkdir(exist_ok=True)
        (folder / "shards" / shard).touch()
        places = {f"{part}_{end}": 0 for part in MEMBERS for end in ("offset", "bytes")}
        made = {"status": "ok", "duration": 2.0, "samples": 1, "gain": 1.0, "shard": shard}
        write_manifest(folder, [{"key": k, "split": s} | made | places for k, s in rows])
        return {
            split: usable_clips(folder, split, 1.0, 0.1)["key"].to_pylist()
            for split in ("train", "validation")
        }

    def test_a_share_of_the_videos_is_held_out_whole(self, tmp_path):
        found = self.manifest(tmp_path)
        assert sorted(found["train"] + found["validation"]) == sorted(self.KEYS)
        videos = [{key.partition("-")[0] for key in keys} for keys in found.values()]
        assert [len(names) for names in videos] == [18, 2]
        assert not videos[0] & videos[1]
        assert usable_clips(tmp_path, "train", 1.0)["key"].to_pylist() == list(self.KEYS)
        with pytest.raises(InputError, match="no clip in the split 'validation'"):
            usable_clips(tmp_path, "validation", 1.0)

    def test_clips_that_are_added_move_few_others(self, tmp_path):
        before = set(self.manifest(tmp_path)["validation"])
        after = set(self.manifest(tmp_path, [("another-0", "train")])["validation"])
        assert len(before & after) >= 2

    def test_a_split_of_its_own_comes_first(self, tmp_path):
        found = self.manifest(tmp_path, [("v-0", "validation")])
        assert found == {"train": list(self.KEYS), "validation": ["v-0"]}
