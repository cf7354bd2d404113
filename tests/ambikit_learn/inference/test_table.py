"""Many files in one table: complete, resumable, and honest about what is missing."""

from __future__ import annotations

import shutil
import sys

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ambikit
from ambikit import InputError
from ambikit_learn.cli import main
from ambikit_learn.inference.encoder import AmbiEncoder
from ambikit_learn.inference.table import embed_files
from tests.ambikit import media

RATE = 24000
LEFT = (90.0, 10.0)


@pytest.fixture(scope="module")
def files(scene, tmp_path_factory):
    """Five files of different length and content."""
    folder = tmp_path_factory.mktemp("sounds")
    for k in range(5):
        ambikit.write(folder / f"{k}.wav", scene[:, k * 2000 : RATE + k * 6000], RATE)
    return sorted(map(str, folder.glob("*.wav")))


def vectors(table: pa.Table) -> np.ndarray:
    return np.stack(table["embedding"].to_numpy(zero_copy_only=False))


def test_a_row_for_each_file_time_and_direction(encoder, files, tmp_path):
    out = tmp_path / "new" / "embeddings.parquet"
    summary = embed_files(files, encoder, out, directions=[(0.0, 0.0), LEFT], hop=0.4, workers=2)
    assert (summary.embedded, summary.known, summary.failed) == (5, 0, {})
    assert [p.name for p in out.parent.iterdir()] == [out.name]
    table = pq.read_table(out)
    assert table.schema.field("embedding").type == pa.list_(pa.float32(), 128)
    for name in files:
        heard = encoder.embed_file(name, [0, LEFT[0]], [0, LEFT[1]], degrees=True, hop=0.4)
        rows = table.filter(pa.compute.equal(table["file"], name))
        assert len(rows) == 2 * len(heard.times)
        for k, (azimuth, elevation) in enumerate(((0.0, 0.0), LEFT)):
            towards = rows.filter(pa.compute.equal(rows["azimuth"], azimuth))
            assert set(towards["elevation"].to_pylist()) == {elevation}
            np.testing.assert_array_equal(towards["time"], heard.times)
            np.testing.assert_allclose(vectors(towards), heard.frames[k], rtol=1e-5, atol=1e-6)


def test_the_table_does_not_depend_on_threads(encoder, files, tmp_path):
    for workers in (1, 3):
        embed_files(files, encoder, tmp_path / f"{workers}.parquet", workers=workers)
    assert pq.read_table(tmp_path / "1.parquet").equals(pq.read_table(tmp_path / "3.parquet"))


class Interrupted(AmbiEncoder):
    """An encoder during which Ctrl-C is pressed after some files."""

    def __init__(self, encoder: AmbiEncoder, after: int) -> None:
        super().__init__(encoder.model)
        self.after, self.asked = after, []

    def embed_file(self, path, *args, **options):
        self.asked.append(path)
        if len(self.asked) > self.after:
            raise KeyboardInterrupt
        return super().embed_file(path, *args, **options)


def test_an_interrupted_run_goes_on_with_the_rest(encoder, files, tmp_path):
    out, whole = tmp_path / "a.parquet", tmp_path / "whole.parquet"
    with pytest.raises(KeyboardInterrupt):
        embed_files(files, Interrupted(encoder, 2), out, workers=1)
    assert not out.exists()
    second = Interrupted(encoder, 99)
    summary = embed_files(files, second, out, workers=1)
    assert second.asked == files[2:]
    assert (summary.embedded, summary.known) == (3, 2)
    embed_files(files, encoder, whole)
    assert pq.read_table(out).equals(pq.read_table(whole))


def test_more_files_are_added_and_known_ones_passed_over(encoder, files, tmp_path):
    out, whole = tmp_path / "a.parquet", tmp_path / "whole.parquet"
    embed_files(files[:2], encoder, out)
    counting = Interrupted(encoder, 99)
    summary = embed_files([*files[1:], files[4]], counting, out)
    assert sorted(counting.asked) == files[2:]
    assert (summary.embedded, summary.known) == (3, 1)
    embed_files(files, encoder, whole)
    assert pq.read_table(out).equals(pq.read_table(whole))


def test_what_cannot_be_embedded_is_told_and_the_rest_goes_on(encoder, files, scene, tmp_path):
    short, text = tmp_path / "short.wav", tmp_path / "text.wav"
    ambikit.write(short, scene[:, :500], RATE)
    text.write_text("no sound")
    bad = [str(short), str(tmp_path / "none.wav"), str(text)]
    out = tmp_path / "a.parquet"
    summary = embed_files([files[0], *bad, files[1]], encoder, out)
    assert summary.embedded == 2
    assert list(summary.failed) == bad
    assert "too short" in summary.failed[bad[0]]
    assert all(name in reason for name, reason in summary.failed.items())
    assert set(pq.read_table(out)["file"].to_pylist()) == {files[0], files[1]}
    assert embed_files(bad, encoder, tmp_path / "nothing.parquet").embedded == 0
    assert not (tmp_path / "nothing.parquet").exists()


def test_embeddings_made_otherwise_are_not_mixed(encoder, new_encoder, files, tmp_path):
    out = tmp_path / "a.parquet"
    embed_files(files[:1], encoder, out)
    before = out.read_bytes()
    with pytest.raises(InputError, match="another hop"):
        embed_files(files, encoder, out, hop=0.5)
    with pytest.raises(InputError, match="another directions"):
        embed_files(files, encoder, out, directions=[LEFT])
    with pytest.raises(InputError, match="another model"):
        embed_files(files, new_encoder("logmel"), out)
    assert out.read_bytes() == before
    with pytest.raises(KeyboardInterrupt):
        embed_files(files, Interrupted(encoder, 1), tmp_path / "b.parquet", workers=1)
    with pytest.raises(InputError, match="another hop"):
        embed_files(files, encoder, tmp_path / "b.parquet", hop=0.5)


def test_another_file_in_the_place_of_the_table_is_left_alone(encoder, files, tmp_path):
    out = tmp_path / "a.parquet"
    pq.write_table(pa.table({"file": ["x"]}), out)
    with pytest.raises(InputError, match="made with another model"):
        embed_files(files, encoder, out)
    out.write_text("text")
    with pytest.raises(InputError, match="not a table of embeddings"):
        embed_files(files, encoder, out)


def test_a_setting_that_cannot_be_ends_it_before_the_first_file(encoder, files, tmp_path):
    counting = Interrupted(encoder, 0)
    with pytest.raises(InputError, match="±90°"):
        embed_files(files, counting, tmp_path / "a.parquet", directions=[(0.0, 91.0)])
    assert not list(tmp_path.iterdir())


def test_a_file_that_was_recorded_anew_is_embedded_anew(encoder, scene, tmp_path):
    """Its rows are replaced; those of the others stay, byte for byte."""
    folder, out = tmp_path / "sounds", tmp_path / "a.parquet"
    folder.mkdir()
    for k in range(3):
        ambikit.write(folder / f"{k}.WAV", scene[:, k * 2000 : RATE + k * 2000], RATE)
    (folder / "notes.txt").touch()
    assert embed_files([folder], encoder, out).embedded == 3
    before = pq.read_table(out).to_pylist()
    ambikit.write(folder / "1.WAV", scene[:, 9000 : 9000 + RATE], RATE)
    summary = embed_files([folder], encoder, out)
    assert (summary.embedded, summary.known) == (1, 2)
    after = pq.read_table(out).to_pylist()
    assert len(after) == 3
    changed = str(folder / "1.WAV")
    assert [row for row in after if row["file"] != changed] == [
        row for row in before if row["file"] != changed
    ]
    wanted = encoder.embed_file(changed).clip
    (row,) = (row for row in after if row["file"] == changed)
    np.testing.assert_allclose(row["embedding"], wanted, rtol=1e-5, atol=1e-6)
    assert embed_files([folder], encoder, out).embedded == 0
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no sound or video"):
        embed_files([tmp_path / "empty"], encoder, out)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_folder_is_listed_as_prepare_lists_it(encoder, files, tmp_path):
    """Linked folders are entered, once where they lead back; what is hidden is passed over."""
    folder, elsewhere = tmp_path / "sounds", tmp_path / "elsewhere"
    for place in (folder / ".trash", elsewhere):
        place.mkdir(parents=True)
        shutil.copy(files[0], place / "a.wav")
    (folder / "linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)
    assert embed_files([folder], encoder, tmp_path / "a.parquet").embedded == 1
    names = pq.read_table(tmp_path / "a.parquet")["file"].to_pylist()
    assert set(names) == {str(folder / "linked" / "a.wav")}


def test_channels_can_be_stated(encoder, scene, tmp_path):
    """FuMa stored in a WAV that does not say so: the same embedding as of AmbiX."""
    stored = ambikit.convert(scene[:, :RATE], "ambix", "fuma")
    path = tmp_path / "fuma.wav"
    ambikit.write(path, stored, RATE)
    ambikit.write(tmp_path / "ambix.wav", scene[:, :RATE], RATE)
    embed_files([path], encoder, tmp_path / "a.parquet", convention="fuma")
    (row,) = pq.read_table(tmp_path / "a.parquet").to_pylist()
    wanted = encoder.embed_file(tmp_path / "ambix.wav").clip
    np.testing.assert_allclose(row["embedding"], wanted, rtol=1e-3, atol=1e-3)
    with pytest.raises(InputError, match="made with another convention"):
        embed_files([path], encoder, tmp_path / "a.parquet", convention="n3d")
    with pytest.raises(InputError, match="made with another convention"):
        embed_files([path], encoder, tmp_path / "a.parquet")
    assert embed_files([path], encoder, tmp_path / "a.parquet", convention="FuMa").known == 1


def test_a_track_can_be_stated(encoder, scene, tmp_path):
    """Of two tracks of four channels, neither of which says what it is."""
    path = tmp_path / "two.mkv"
    other = np.diff(scene, 2) / 4  # brighter
    with av.open(str(path), "w") as file:
        tracks = [media.add_sound(file, "pcm_s16le", 4, "4.0", RATE) for _ in range(2)]
        for x, track in zip((scene, other), tracks, strict=True):
            media.encode(file, track, x)
    for track, x in ((None, scene), (0, scene), (1, other)):
        found = encoder.embed_file(path, track=track).clip
        np.testing.assert_allclose(found, encoder.embed(x, RATE).clip, atol=5e-3)
    first, second = (encoder.embed_file(path, track=k).clip for k in (0, 1))
    assert np.abs(first - second).max() > 0.1  # or the tolerance above would tell nothing
    summary = embed_files([path], encoder, tmp_path / "a.parquet", track=2)
    assert "has no track 2; its tracks of sound: 0: pcm_s16le" in summary.failed[str(path)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"convention": "bformat"}, "unknown convention 'bformat'"),
        ({"convention": "None"}, "convention 'none' leaves the channels as they are"),
        ({"track": -1}, "track must be a non-negative integer"),
    ],
)
def test_what_no_file_can_be_read_by_is_refused_once(encoder, files, tmp_path, options, said):
    """Before any file is read; channels as they are would be embedded as if they were AmbiX."""
    with pytest.raises(InputError, match=said):
        embed_files(files, encoder, tmp_path / "a.parquet", **options)
    with pytest.raises(InputError, match=said):
        encoder.embed_file(files[0], **options)
    assert not list(tmp_path.iterdir())


def test_command(encoder, files, tmp_path, capfd):
    encoder.save_pretrained(tmp_path / "model")
    common = ["embed", f"--model={tmp_path / 'model'}", f"--out={tmp_path / 'a.parquet'}"]
    towards = ["--direction", "-90", "0", "--direction", "180", "30", "--hop=0.5"]
    assert main([*common, *towards, *files[:2]]) == 0
    table = pq.read_table(tmp_path / "a.parquet")
    assert table["azimuth"].to_pylist()[:3] == [-90, 180, -90]
    assert "2 files embedded, 0 were there already" in capfd.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main([*common, *towards, *files[:3], str(tmp_path / "none.wav")])
    assert stop.value.code == 1
    out, err = capfd.readouterr()
    assert "1 files embedded, 2 were there already" in out
    assert err.splitlines()[-1].startswith("ambikit-learn: left out: ")
    assert "none.wav" in err.splitlines()[-1]
    assert main([*common, *files]) == 2
    assert "another hop, directions" in capfd.readouterr().err


@pytest.mark.parametrize("device", ["cuda:7", "abacus"])
def test_a_device_that_is_not_there_is_one_line(encoder, files, tmp_path, capsys, device):
    encoder.save_pretrained(tmp_path / "model")
    command = ["embed", files[0], f"--model={tmp_path / 'model'}", f"--device={device}"]
    assert main([*command, f"--out={tmp_path / 'a.parquet'}"]) == 2
    assert f"device '{device}' is not there" in capsys.readouterr().err
