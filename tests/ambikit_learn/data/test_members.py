"""Members of shards: sound as Opus, and shards and manifests that are not what they say."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt

import ambikit
from ambikit import InputError
from ambikit_learn.data.dataset import AlignmentDataset
from ambikit_learn.data.format import Settings, read_manifest, write_manifest
from ambikit_learn.data.sound import OPUS_RATES, decode_sound, encode_sound
from ambikit_learn.preparation.command import prepare


def noise(channels: int, count: int, seed: int = 0) -> np.ndarray:
    """Noise below 0.35 of the sample rate, where even narrow-band Opus codes it."""
    white = np.random.default_rng(seed).standard_normal((channels, count))
    return (0.1 * sosfilt(butter(8, 0.7, output="sos"), white)).astype(np.float32)


@pytest.mark.parametrize("rate", OPUS_RATES)
def test_opus_is_aligned_to_the_sample(rate):
    """Each channel apart: a stray pre-skip, or coupled channels, would show."""
    sound = noise(4, 2 * rate)
    data, gain = encode_sound(sound, rate, "opus", 512)
    found = decode_sound(data, 0, 2 * rate, gain)
    assert (found.shape, found.dtype) == (sound.shape, np.float32)
    a, b = np.fft.rfft(sound), np.fft.rfft(found)
    crosses = np.fft.irfft(a.conj()[:, None] * b[None])
    for i in range(4):
        assert np.argmax(crosses[i, i]) == 0
        assert crosses[i, i, 0] > 0
        others = [np.abs(crosses[i, j]).max() for j in range(4) if j != i]
        assert max(others) < 0.1 * crosses[i, i, 0]
    # The slope of the phase, which tells parts of a sample.
    band = slice(rate // 100, rate // 4)
    turn = np.arange(a.shape[1])[band] * np.pi / a.shape[1]
    phase = np.angle((a.conj() * b)[:, band])
    assert np.abs((phase * turn).sum(axis=1) / (turn**2).sum()).max() < 0.05
    levels = 20 * np.log10(np.linalg.norm(found, axis=1) / np.linalg.norm(sound, axis=1))
    assert np.abs(levels).max() < 0.5
    error = np.linalg.norm(found - sound, axis=1) / np.linalg.norm(sound, axis=1)
    assert error.max() < 0.25


@pytest.mark.parametrize("level", [1e-4, 0.1, 3.0])
def test_opus_keeps_directions(level):
    sound = level * 10 * noise(1, 48000)[0]
    for azimuth, elevation in ((0, 0), (30, 10), (90, -45), (-135, 5), (10, 90), (179, -80)):
        wave = ambikit.encode(sound, azimuth, elevation, degrees=True)
        data, gain = encode_sound(wave, 24000, "opus")
        w, y, z, x = decode_sound(data, 0, 48000, gain)
        intensity = np.array([w @ x, w @ y, w @ z])
        a, e = np.deg2rad([azimuth, elevation])
        wanted = np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])
        apart = np.arccos(min(intensity @ wanted / np.linalg.norm(intensity), 1.0))
        assert np.rad2deg(apart) < 1.0


@pytest.fixture(scope="module")
def coded():
    """Five seconds, of which the middle is loud: (bytes, gain, all of it decoded)."""
    sound = noise(4, 120000, seed=1)
    sound[:, 50000:60000] *= 8
    data, gain = encode_sound(sound, 24000, "opus")
    return data, gain, decode_sound(data, 0, 120000, gain)


@given(st.integers(0, 119999), st.integers(1, 30000))
def test_a_span_of_opus_equals_that_of_the_whole(coded, start, count):
    data, gain, whole = coded
    count = min(count, 120000 - start)
    found = decode_sound(data, start, count, gain)
    assert found.shape == (4, count)
    assert found.flags.c_contiguous
    assert np.abs(found - whole[:, start : start + count]).max() <= 1e-6 * gain


def test_opus_ends_where_its_sound_does(coded):
    data, gain, _ = coded
    with pytest.raises(InputError, match="ends at sample 120000, before 120001"):
        decode_sound(data, 119000, 1001, gain)
    with pytest.raises(InputError, match="ends at sample"):
        decode_sound(data, 200000, 10, gain)


def test_opus_is_small_and_the_same_bytes_every_time():
    sound = noise(4, 120000)
    first, _ = encode_sound(sound, 24000, "opus", 128)
    assert len(first) * 8 / 5.0 == pytest.approx(128e3, rel=0.15)
    encode_sound(noise(4, 30000, seed=2), 24000, "opus", 128)
    assert encode_sound(sound, 24000, "opus", 128)[0] == first


@pytest.mark.parametrize("codec", ["flac", "opus"])
def test_damaged_sound(codec):
    data, gain = encode_sound(noise(4, 48000), 24000, codec)
    magic = data[:4]
    for bad in (b"", data[:50], magic, magic + b"\xff" * 1000, b"{}", b"RIFF" + data[4:]):
        with pytest.raises(InputError, match=r"the sound (is damaged|ends)"):
            decode_sound(bad, 0, 24000, gain)
    with pytest.raises(InputError, match=r"the sound (is damaged|ends)"):
        decode_sound(data[: len(data) // 2], 40000, 8000, gain)


class TestPrepared:
    """Opus in shards."""

    @pytest.fixture(scope="class")
    @staticmethod
    def out(new_clip_folder, tmp_path_factory):
        source = new_clip_folder(tmp_path_factory.mktemp("opus") / "source")
        source.add("left-1", azimuth=90.0, elevation=0.0)
        source.add("up-1", azimuth=0.0, elevation=60.0)
        out = source.root.parent / "out"
        prepare(source.root, out, sound_codec="opus", bitrate=320, frame_size=(40, 80), workers=0)
        return out

    def test_is_read_as_flac_is(self, out):
        data = AlignmentDataset(out, size=8)
        for i, wanted in enumerate(([0, 1, 0], [0.5, 0, 3**0.5 / 2])):
            w, y, z, x = data[i].sound.numpy()
            direction = np.array([w @ x, w @ y, w @ z])
            assert direction @ wanted / np.linalg.norm(direction) > np.cos(np.deg2rad(1))

    def test_members_are_named_by_their_codec(self, out):
        assert b"left-1.opus" in (out / "shards" / "train-00000.tar").read_bytes()

    def test_the_settings_say_so(self, out):
        settings = Settings.load(out)
        assert (settings.sound_codec, settings.bitrate) == ("opus", 320)
        document = json.loads((out / "dataset.json").read_text())
        assert (document["sound_codec"], document["bitrate"]) == ("opus", 320)
        assert all(0.2 < row["gain"] <= 1.0 for row in read_manifest(out).to_pylist())

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({}, "sound_codec 'opus', not 'flac'; bitrate 320, not 0"),
            ({"sound_codec": "opus", "bitrate": 64}, "bitrate 320, not 64"),
            ({"sound_codec": "mp3"}, "unknown sound_codec 'mp3': choose one of flac, opus"),
            (
                {"sound_codec": "opus", "sample_rate": 44100},
                "no sample_rate of 44100 Hz: choose one of",
            ),
            ({"sound_codec": "opus", "bitrate": 7}, "bitrate must lie between 24 and 2048, got 7"),
        ],
    )
    def test_refuses(self, out, options, message):
        source = out.parent / "source"
        with pytest.raises(InputError, match=message):
            prepare(source, out, frame_size=(40, 80), workers=0, **options)


class TestHostile:
    """Folders from strangers: whatever is wrong is one line, and nothing is opened elsewhere."""

    @pytest.fixture(scope="class")
    @staticmethod
    def sound_one(new_clip_folder, tmp_path_factory):
        source = new_clip_folder(tmp_path_factory.mktemp("hostile") / "source")
        for key in ("a-1", "b-1"):
            source.add(key)
        out = source.root.parent / "out"
        prepare(source.root, out, detector="file", frame_size=(40, 80), workers=0)
        return out

    @pytest.fixture
    def out(self, sound_one, tmp_path):
        return shutil.copytree(sound_one, tmp_path / "out")

    @staticmethod
    def shard(out):
        return out / "shards" / "train-00000.tar"

    @staticmethod
    def rewrite(out, **columns):
        """Change columns of both clips in the manifest."""
        rows = read_manifest(out).to_pylist()
        write_manifest(out, [row | columns for row in rows])

    @pytest.mark.parametrize(
        "columns",
        [
            {"shard": "../../secret.tar"},
            {"shard": "sub/train-00000.tar"},
            {"shard": "/etc/hostname.tar"},
            {"shard": ".."},
            {"shard": ""},
            {"shard": None},
            {"frames_offset": -512},
            {"sound_bytes": -1},
            {"record_offset": None},
            {"sound_offset": 2**63 - 1},
            {"gain": None},
            {"samples": None},
            {"key": None},
        ],
    )
    def test_places_that_cannot_be(self, out, columns):
        """The file that a name outside leads to is there, and large enough."""
        secret = out.parent / "secret.tar"
        shutil.copy(self.shard(out), secret)
        (out / "shards" / "sub").mkdir()
        shutil.copy(self.shard(out), out / "shards" / "sub")
        self.rewrite(out, **columns)
        with pytest.raises(InputError, match=r"manifest\.parquet places clips where no shard"):
            AlignmentDataset(out)

    @pytest.mark.parametrize("columns", [{"frames_offset": 10**9}, {"sound_bytes": 10**12}])
    def test_places_beyond_the_end(self, out, columns):
        self.rewrite(out, **columns)
        with pytest.raises(InputError, match=r"train-00000\.tar .* cut short: run the same"):
            AlignmentDataset(out)

    @pytest.mark.parametrize("size", [0, 512, 20000])
    def test_a_shard_that_is_cut(self, out, size):
        data = AlignmentDataset(out, strategy="objects")
        with self.shard(out).open("r+b") as stream:
            stream.truncate(size)
        with pytest.raises(InputError, match=r"train-00000\.tar .* missing or cut short"):
            AlignmentDataset(out)
        with pytest.raises(InputError, match="cut short"):
            [data[i] for i in range(2)]
        self.shard(out).unlink()
        with pytest.raises(InputError, match="missing or cut short"):
            data[0]

    @pytest.mark.parametrize("named", ["frames", "sound", "record"])
    @pytest.mark.parametrize("given", ["frames", "sound", "record", "header"])
    def test_a_member_that_is_something_else(self, out, named, given):
        rows = read_manifest(out).to_pylist()
        for row in rows:
            place = row["frames_offset"] - 512 if given == "header" else row[f"{given}_offset"]
            row[f"{named}_offset"] = place
            row[f"{named}_bytes"] = 512 if given == "header" else row[f"{given}_bytes"]
        write_manifest(out, rows)
        data = AlignmentDataset(out, strategy="objects", size=8)
        if given == named:
            assert data[0].key == "a-1"
            return
        message = rf"train-00000\.tar, {named} of clip 'a-1': .*; delete this shard and run"
        with pytest.raises(InputError, match=message):
            data[0]

    @pytest.mark.parametrize("filling", [b"\0", b"\xff", b"[", b"#EXTM3U\nfile:///etc/passwd\n"])
    def test_members_of_nonsense(self, out, filling):
        size = self.shard(out).stat().st_size
        self.shard(out).write_bytes((filling * (size // len(filling) + 1))[:size])
        for strategy, part in (("random", "sound"), ("objects", "record")):
            data = AlignmentDataset(out, strategy=strategy, size=8)
            message = rf"train-00000\.tar, {part} of clip 'a-1': .*delete this shard"
            with pytest.raises(InputError, match=message):
                data[0]

    def test_links_and_names_within_a_tar_lead_nowhere(self, out, tmp_path):
        """A tar as an attack would have it: its own headers, and then the members as they were."""
        rows, data = read_manifest(out).to_pylist(), self.shard(out).read_bytes()
        wanted = AlignmentDataset(out, size=8)[0]
        with tarfile.open(self.shard(out), "w") as tar:
            for name in ("../outside.mp4", "/tmp/ambikit-outside.mp4", "shards/../../outside.json"):
                info = tarfile.TarInfo(name)
                info.size = 4
                tar.addfile(info, io.BytesIO(b"evil"))
            for kind, target in ((tarfile.SYMTYPE, "/etc/passwd"), (tarfile.LNKTYPE, "../x")):
                info = tarfile.TarInfo("a-1.mp4")
                info.type, info.linkname = kind, target
                tar.addfile(info)
        head = self.shard(out).read_bytes()
        self.shard(out).write_bytes(head + data)
        for row in rows:
            for part in ("frames", "sound", "record"):
                row[f"{part}_offset"] += len(head)
        write_manifest(out, rows)
        before = sorted(tmp_path.rglob("*"))
        found = AlignmentDataset(out, size=8)[0]
        assert (found.video == wanted.video).all()
        assert (found.sound == wanted.sound).all()
        assert sorted(tmp_path.rglob("*")) == before
        assert not Path("/tmp/ambikit-outside.mp4").exists()
        for row in rows:  # the member that its header says is a link has no bytes of its own
            row["frames_offset"], row["frames_bytes"] = 3 * 1024 + 512, 0
        write_manifest(out, rows)
        with pytest.raises(InputError, match=r"train-00000\.tar, frames of clip 'a-1'"):
            AlignmentDataset(out, size=8)[0]

    def test_a_shard_that_is_deleted_is_made_again(self, out, sound_one):
        wanted = self.shard(out).read_bytes()
        self.shard(out).write_bytes(b"\xff" * len(wanted))
        self.shard(out).unlink()
        source = sound_one.parent / "source"
        prepare(source, out, detector="file", frame_size=(40, 80), workers=0)
        assert self.shard(out).read_bytes() == wanted
