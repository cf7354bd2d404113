"""Options of reading: crops that go with their objects, what is drawn, and jitters."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ambikit
from ambikit import InputError
from ambikit_learn.data.dataset import RELEASED, AlignmentDataset
from ambikit_learn.data.record import read_objects
from ambikit_learn.data.shards import member
from ambikit_learn.detection import read_boxes
from ambikit_learn.preparation.command import prepare
from ambikit_learn.sphere.crops import ORIGINS
from ambikit_learn.sphere.equirect import angular_distance
from ambikit_learn.sphere.listening import listen
from ambikit_learn.world import render_world

SPEED = 40.0
DETECTOR = """
import numpy as np
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.equirect import pixel_to_direction


class Bright:
    name = "bright"

    def detect(self, frames):
        found = []
        for frame in frames:
            rows, columns = np.nonzero(frame.mean(axis=-1) > 128)
            height, width, _ = frame.shape
            u, v = (columns + 0.5) / width, (rows + 0.5) / height
            a, e = pixel_to_direction(u, v)
            weight = np.cos(e)
            x, y, z = weight * np.cos(e) * [np.cos(a), np.sin(a), np.tan(e)]
            x, y, z = x.sum(), y.sum(), z.sum()
            direction = np.rad2deg([np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))])
            found.append(Boxes(*direction, 30, 30, 0.9, ["disc"]))
        return found
"""


@pytest.fixture(scope="module")
def moving(new_clip_folder, tmp_path_factory):
    """Three seconds of a disc that goes 40° a second over the seam, found twice a second."""
    root = tmp_path_factory.mktemp("moving")
    source = new_clip_folder(root / "source")
    azimuth = 130.0 + SPEED * np.arange(24) / 8
    frames = np.concatenate([source.disc(a, 20.0, 1) for a in azimuth])
    source.add("disc", frames=frames, duration=3.0)
    with pytest.MonkeyPatch.context() as patch:
        (root / "bright.py").write_text(DETECTOR)
        patch.syspath_prepend(str(root))
        prepare(
            source.root, root / "out", detector="bright:Bright", frame_size=(80, 160), workers=0
        )
    return root / "out"


@pytest.fixture(scope="module")
def prepared(new_clip_folder, tmp_path_factory):
    """Three clips of 2 s."""
    root = tmp_path_factory.mktemp("prepared")
    source = new_clip_folder(root / "source")
    for i in range(3):
        source.add(f"clip-{i}", 90.0 * i)
    prepare(source.root, root / "out", frame_size=(80, 160), workers=0)
    return root / "out"


class TestFollowing:
    """Crops on objects go with them."""

    def offsets(self, item):
        """Degrees by which the disc is off the middle of its crop, (T, 2): left, up."""
        bright = item.video[0].float().numpy().mean(axis=-1) > 128
        size = bright.shape[-1]
        tangent = np.tan(item.width[0].numpy() / 2), np.tan(item.height[0].numpy() / 2)
        places = np.array([[np.nonzero(b)[1].mean(), np.nonzero(b)[0].mean()] for b in bright])
        return np.rad2deg(np.arctan((1 - (2 * places + 1) / size) * tangent))

    def test_the_item_knows_the_path(self, moving):
        data = AlignmentDataset(moving, strategy="objects", views=2, epoch_length=6, mirror=True)
        for i in range(6):
            item = data[i]
            azimuth, elevation = item.listening
            assert azimuth.shape == elevation.shape == (2, 5)  # a point in a quarter of a second
            steps = (np.diff(np.rad2deg(azimuth.numpy())) + 180) % 360 - 180
            on = item.on_object.numpy()
            assert np.abs(np.abs(steps[on]) - SPEED / 4).max() < 1.5
            assert (steps[~on] == 0).all()
            # The middle of the path is the direction of the item, mirrored or not.
            middle = angular_distance(azimuth[:, 2], elevation[:, 2], item.azimuth, item.elevation)
            assert np.rad2deg(middle).max() < 0.1
        still = AlignmentDataset(moving, strategy="objects", views=2, follow=False)[0]
        assert still.path.numel() == 0
        assert still.listening[0] is still.azimuth

    def test_the_object_stays_in_the_middle(self, moving):
        data = AlignmentDataset(moving, strategy="objects", views=1, epoch_length=30, size=64)
        starts = set()
        for i in range(30):
            item = data[i]
            assert np.abs(self.offsets(item)).max() < 1.5
            # The direction that the sound is turned to is that of the middle.
            middle = 130 + SPEED * (item.start + 0.5)
            assert abs((np.rad2deg(float(item.azimuth[0])) - middle + 180) % 360 - 180) < 1
            starts.add(float(item.start))
        assert max(starts) - min(starts) > 1.5

    def test_fixed_crops_let_it_pass(self, moving):
        data = AlignmentDataset(
            moving, strategy="objects", views=1, epoch_length=8, size=64, follow=False
        )
        for i in range(8):
            left = self.offsets(data[i])[:, 0]
            # It goes 20° to the left between the first and the last frame.
            assert left[-1] - left[0] == pytest.approx(20 * np.cos(np.deg2rad(20)), abs=2)
            assert abs(left[1]) < 1.5

    def test_random_crops_stay(self, moving):
        still, moved = (
            AlignmentDataset(moving, strategy="mixed", views=2, follow=f) for f in (False, True)
        )
        assert moved[0].on_object.tolist() == [True, False]
        assert torch.equal(still[0].video[1], moved[0].video[1])
        assert not torch.equal(still[0].video[0], moved[0].video[0])


def test_found_objects_are_where_the_world_has_them(tmp_path):
    """YOLO, linking and interpolation together, against the paths of what moves in a world."""
    source = tmp_path / "world"
    render_world(source, clips=5, seed=3, duration=3.0, test_fraction=0.0, workers=0)
    prepare(source, tmp_path / "out", detector="world", workers=0)
    data = AlignmentDataset(tmp_path / "out")
    span = np.linspace(1.0, 2.0, 11)
    followed, fixed = [], []
    for clip in data.clips.to_pylist():
        with member(data.root, clip, "record") as record:
            objects = read_objects(record)
        truth = read_boxes(source / "boxes" / f"{clip['key']}.json", span)
        for k in range(len(truth[0])):
            azimuth = np.array([boxes.azimuth[k] for boxes in truth])
            elevation = np.array([boxes.elevation[k] for boxes in truth])

            def off(boxes, azimuth=azimuth, elevation=elevation):
                return angular_distance(
                    boxes.azimuth, boxes.elevation, azimuth, elevation, degrees=True
                ).max()

            if off(truth[5].take([k])) > 3:
                followed.append(min(off(t.at(span * objects.rate)) for t in objects.tracks))
                fixed.append(min(off(t.at(1.5 * objects.rate)) for t in objects.present(1.5)))
    assert len(followed) >= 4
    assert max(followed) < 2
    assert min(fixed) > 2.5


class TestOptions:
    """How crops, frames and clips are drawn, and jitters."""

    def nearest(self, data):
        """Least angle between two crops of each item, in degrees."""
        angles = []
        for i in range(len(data)):
            item = data[i]
            v = ambikit.angles_to_vector(item.azimuth.double(), item.elevation.double())
            cosine = (v @ v.T)[np.triu_indices(len(v), 1)].max()
            angles.append(np.rad2deg(np.arccos(min(cosine, 1))))
        return np.array(angles)

    def test_spacing(self, prepared):
        near = self.nearest(AlignmentDataset(prepared, epoch_length=30, size=4, spacing=0.0))
        assert 0.4 < np.mean(near < 36) < 0.95
        assert self.nearest(AlignmentDataset(prepared, epoch_length=30, size=4)).min() > 35.9
        wide = AlignmentDataset(prepared, epoch_length=9, size=4, views=2, spacing=90.0)
        assert self.nearest(wide).min() > 89.9

    def test_videos_before_clips(self, new_clip_folder, tmp_path):
        source = new_clip_folder(tmp_path / "source")
        for key in ("a-0", "a-10", "a-20", "b-c-5"):
            source.add(key)
        prepare(source.root, tmp_path / "out", frame_size=(80, 160), workers=0)
        data = AlignmentDataset(tmp_path / "out", sampling="videos", size=4, views=1)
        assert len(data) == 2
        keys = {0: set(), 1: set()}
        for epoch in range(16):
            data.set_epoch(epoch)
            for i in range(2):
                keys[i].add(data[i].key)
        assert keys == {0: {"a-0", "a-10", "a-20"}, 1: {"b-c-5"}}
        assert len(AlignmentDataset(tmp_path / "out", sampling="clips")) == 4

    def test_frames_that_follow_each_other(self, clip_folder, tmp_path):
        frames = np.broadcast_to(
            (40 + 4 * np.arange(48, dtype=np.uint8))[:, None, None, None], (48, 80, 160, 3)
        )
        clip_folder.add("ramp", frames=frames[::2], duration=3.0)
        out = tmp_path / "out"
        prepare(clip_folder.root, out, frame_size=(80, 160), frame_rate=8.0, workers=0)
        data = AlignmentDataset(
            out, epoch_length=40, views=1, size=4, frames=4, picture_rate=8.0, span=1.0
        )
        later = []
        for i in range(40):
            item = data[i]
            numbers = (item.video.float().mean(dim=(0, 2, 3, 4)).numpy() - 40) / 8
            assert np.diff(numbers) == pytest.approx(1, abs=0.35)
            later.append(round(float(numbers[0]) - 8 * float(item.start)))
        assert set(later) == {0, 1, 2, 3}  # four frames of eight: half of the span to move in
        with pytest.raises(InputError, match=r"picture_rate is 16 Hz, .* have 8: ask for less"):
            AlignmentDataset(out, picture_rate=16.0)
        with pytest.raises(
            InputError, match=r"9 frames at picture_rate 8 Hz last 1\.125 s, longer"
        ):
            AlignmentDataset(out, frames=9, picture_rate=8.0)

    def test_flipped_crops_keep_their_sound(self, prepared):
        options = {"views": 3, "size": 9, "epoch_length": 20}
        plain, flipped = (AlignmentDataset(prepared, flip=f, **options) for f in (False, True))
        turned = []
        for i in range(20):
            one, other = plain[i], flipped[i]
            for name in ("sound", "azimuth", "elevation"):
                assert torch.equal(getattr(one, name), getattr(other, name))
            for a, b in zip(one.video, other.video, strict=True):
                assert torch.equal(a, b) or torch.equal(a.flip(2), b)
                if not torch.equal(a, a.flip(2)):  # where it can be told
                    turned.append(not torch.equal(a, b))
        assert len(turned) > 15
        assert 0.25 < np.mean(turned) < 0.75

    def test_one_jitter_of_colours_an_item(self, new_clip_folder, tmp_path):
        rng = np.random.default_rng(0)
        tiles = rng.integers(90, 160, (10, 20, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        source = new_clip_folder(tmp_path / "source")
        source.add("a", frames=np.stack([np.roll(tiles, 3 * i, axis=1) for i in range(16)]))
        out = tmp_path / "out"
        prepare(source.root, out, frame_size=(80, 160), workers=0)
        options = {"epoch_length": 12, "size": 16}
        plain = AlignmentDataset(out, **options)
        jittered, again = (AlignmentDataset(out, colour_jitter=0.3, **options) for _ in range(2))
        maps = []
        for i in range(12):
            one, other = plain[i], jittered[i]
            assert torch.equal(other.video, again[i].video)
            assert torch.equal(one.sound, other.sound)
            assert torch.equal(one.azimuth, other.azimuth)
            assert torch.equal(one.width, other.width)
            before = np.c_[one.video.reshape(-1, 3).numpy(), np.ones(4 * 3 * 256)]
            after = other.video.reshape(-1, 3).numpy().astype(float)
            inside = ((after > 0) & (after < 255)).all(axis=1)
            fit, *_ = np.linalg.lstsq(before[inside], after[inside], rcond=None)
            assert np.abs(before[inside] @ fit - after[inside]).max() < 1.0
            maps.append(fit)
        assert np.ptp(maps, axis=0)[:3].max(axis=1).min() > 0.3
        data = AlignmentDataset(out, colour_jitter=0.3, **options)
        data.set_epoch(1)
        assert not torch.equal(data[0].video, jittered[0].video)

    def test_one_gain_an_item(self, prepared):
        plain, louder = (
            AlignmentDataset(prepared, gain_jitter=g, epoch_length=40, size=4) for g in (0.0, 6.0)
        )
        gains = []
        for i in range(40):
            ratio = louder[i].sound / plain[i].sound
            ratio = ratio[torch.isfinite(ratio)]
            assert float(ratio.max() / ratio.min()) == pytest.approx(1, abs=1e-5)
            gains.append(20 * np.log10(float(ratio.mean())))
            assert torch.equal(louder[i].video, plain[i].video)
        assert -6 <= min(gains) < -4
        assert 4 < max(gains) <= 6
        assert abs(np.mean(gains)) < 1.8

    def test_jittered_sound_is_in_the_covariance(self, prepared):
        sound = AlignmentDataset(prepared, gain_jitter=6.0, size=4)[0].sound.numpy()
        found = AlignmentDataset(prepared, gain_jitter=6.0, size=4, covariance={})[0].sound.values
        np.testing.assert_array_equal(found, ambikit.mel_covariance(sound, 24000))

    def test_as_the_released_code_reads(self, new_clip_folder, tmp_path):
        source = new_clip_folder(tmp_path / "source")
        source.add("a-0")
        source.add("a-10")
        prepare(source.root, tmp_path / "out", frame_size=(80, 160), frame_rate=16.0, workers=0)
        data = AlignmentDataset(tmp_path / "out", **RELEASED)
        assert len(data) == 1
        assert data[0].video.shape == (4, 8, 112, 112, 3)
        assert data[0].sound.shape == (4, 24000)
        # Gains from 0.9 to 1.1.
        assert 10 ** (RELEASED["gain_jitter"] / 20) == pytest.approx(1.1, abs=0.01)
        near = self.nearest(AlignmentDataset(tmp_path / "out", epoch_length=30, **RELEASED))
        assert near.min() < 20

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ({"spacing": 200.0}, "spacing must lie between 0 and 180"),
            ({"sampling": "clip"}, "unknown sampling 'clip': choose one of clips, videos"),
            ({"colour_jitter": 1.5}, "colour_jitter must lie between 0 and 1"),
            ({"gain_jitter": -3.0}, "gain_jitter must lie between 0 and 60"),
            ({"picture_rate": 0.0}, "picture_rate must be positive"),
        ],
    )
    def test_wrong_options(self, prepared, option, message):
        with pytest.raises(InputError, match=message):
            AlignmentDataset(prepared, **option)


def test_sounding_crops_of_clips(moving):
    """Crops look where the sound comes from; their origin is in the item."""
    data = AlignmentDataset(moving, strategy="sounding", views=3, epoch_length=6)
    for i in range(6):
        item = data[i]
        heard = listen(item.sound.numpy(), data.settings.sample_rate)
        origins = [ORIGINS[k] for k in item.origin]
        if heard is None:
            assert origins == ["fallback"] * 3
        else:
            assert set(origins) <= {"object", "sound", "fallback"}
            assert origins[0] != "fallback"
        assert item.on_object.tolist() == [origin == "object" for origin in origins]
