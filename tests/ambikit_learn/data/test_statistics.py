"""What `ambikit-learn data stats` counts, against what was put in."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from PIL import Image

from ambikit import InputError
from ambikit_learn.cli import main
from ambikit_learn.data.format import MEMBERS, Settings, write_manifest
from ambikit_learn.data.statistics import data_statistics
from ambikit_learn.detection import write_boxes
from ambikit_learn.preparation.command import prepare

SILENCE = np.zeros((4, 48000), np.float32)


@pytest.fixture(scope="module")
def prepared(new_clip_folder, tmp_path_factory):
    """Four clips of which one is silent; two objects in the first, one moving over the seam."""
    root = tmp_path_factory.mktemp("statistics")
    source = new_clip_folder(root / "source")
    source.add("a-0", 100.0, -20.0)
    source.add("a-10", -80.0, 50.0, duration=3.0)
    source.add("b-0", 0.0, 0.0)
    source.add("b-10", sound=SILENCE)
    (source.root / "train.txt").write_text("a\n")
    (source.root / "test.txt").write_text("b\n")
    tracks = [("disc", [100.0] * 20), ("car", [170.0 if i < 10 else -170.0 for i in range(20)])]
    objects = [
        {
            "label": name,
            "azimuth": a,
            "elevation": [-20.0] * 20,
            "width": [30] * 20,
            "height": [30] * 20,
        }
        for name, a in tracks
    ]
    write_boxes(source.path("boxes", "a-0"), 10.0, objects)
    prepare(source.root, root / "out", detector="file", frame_size=(80, 160), workers=0)
    return root / "out"


def test_counts(prepared):
    found = data_statistics(prepared)
    splits = {s.name: (s.clips, s.prepared, round(s.hours * 3600)) for s in found.splits}
    assert splits == {"train": (2, 2, 5), "test": (2, 1, 2)}
    assert found.reasons == {"silent": 1}
    assert sorted(found.seconds) == [2.0, 2.0, 3.0]
    size = sum(p.stat().st_size for p in (prepared / "shards").iterdir())
    assert 0.5 * size < found.bytes < size
    disc, car = found.classes
    # Twice a second, in clips of 2, 3 and 2 s.
    assert (disc.label, disc.clips, disc.objects, disc.boxes) == ("disc", 3, 3, 14)
    assert (car.label, car.clips, car.objects, car.boxes) == ("car", 1, 1, 4)
    bins = {
        int(b): int(n) for b, n in zip(np.arange(-180, 180, 15), disc.azimuth, strict=True) if n
    }
    assert bins == {90: 4, -90: 6, 0: 4}
    assert {int(b) for b in np.flatnonzero(car.azimuth)} == {0, 23}
    assert disc.elevation.tolist() == [0, 0, 0, 0, 4, 0, 4, 0, 0, 6, 0, 0]


def test_the_command_prints_tables_and_draws(prepared, tmp_path, capfd):
    picture = tmp_path / "new" / "a b.png"
    assert main(["data", "stats", str(prepared), "--picture", str(picture)]) == 0
    words = capfd.readouterr().out.split()
    for word in ("train", "test", "silent", "disc", "car", "0.00"):
        assert word in words
    with Image.open(picture) as drawn:
        assert drawn.size[0] > 1000
        assert len(np.unique(np.asarray(drawn.convert("L")))) > 20
    assert [p.name for p in picture.parent.iterdir()] == [picture.name]


def test_the_command_prints_json(prepared, capfd):
    assert main(["data", "stats", str(prepared), "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["seconds"] == [2.0, 2.0, 2.0, 2.5, 3.0]
    assert document["classes"][0]["label"] == "disc"
    assert sum(document["classes"][0]["azimuth"]) == 14
    assert document["settings"]["detector"] == "file"


def test_without_objects_or_clips(clip_folder, tmp_path, capfd):
    clip_folder.add("quiet", sound=SILENCE)
    out = tmp_path / "out"
    prepare(clip_folder.root, out, frame_size=(80, 160), workers=0)
    picture = tmp_path / "p.svg"
    assert main(["data", "stats", str(out), "--picture", str(picture)]) == 0
    assert main(["data", "stats", str(out), "--json"]) == 0
    assert '"seconds": [], ' in capfd.readouterr().out
    assert picture.stat().st_size > 1000


def one_line(capfd, *arguments):
    """Standard error of a refused command."""
    assert main(["data", "stats", *map(str, arguments)]) == 2
    captured = capfd.readouterr()
    assert captured.err.count("\n") == 1
    return captured.err


def test_what_is_refused(prepared, tmp_path, capfd):
    assert "holds no prepared data" in one_line(capfd, tmp_path)
    assert "does not exist: give the folder" in one_line(capfd, tmp_path / "absent")
    (tmp_path / "file").touch()
    assert "is a file: give the folder" in one_line(capfd, tmp_path / "file")
    (tmp_path / "file").unlink()
    bad = one_line(capfd, prepared, "--picture", tmp_path / "a.doc")
    assert "a.doc is not a picture: give a name that ends in" in bad
    assert not list(tmp_path.iterdir())
    shard = prepared / "shards" / "train-00000.tar"
    whole = shard.read_bytes()
    try:
        shard.write_bytes(whole[:3000])
        with pytest.raises(InputError, match="cut short"):
            data_statistics(prepared)
        shard.write_bytes(b"x" * len(whole))
        with pytest.raises(InputError, match=r"train-00000\.tar, record of clip 'a-0'"):
            data_statistics(prepared)
    finally:
        shard.write_bytes(whole)


def test_many_clips_are_quick(prepared, tmp_path):
    """Two seconds for twenty thousand clips, of which decoding a frame each would take minutes."""
    record = json.dumps(
        {
            "format": "ambikit-clip/2",
            "objects": [
                {"label": f"class {k}", "azimuth": [float(k)] * 20, "elevation": [0.0] * 20}
                for k in range(4)
            ],
        }
    ).encode()
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "train-00000.tar").write_bytes(record)
    Settings.load(prepared).save(tmp_path)
    place = {f"{part}_offset": 0 for part in MEMBERS} | {f"{part}_bytes": 1 for part in MEMBERS}
    place["record_bytes"] = len(record)
    row = {
        "split": "train",
        "status": "ok",
        "duration": 10.0,
        "boxes": 80,
        "samples": 1,
        "gain": 1.0,
    }
    row |= {"shard": "train-00000.tar", "notes": [], "copied": False} | place
    write_manifest(tmp_path, [row | {"key": f"{i}"} for i in range(20_000)])
    begin = time.process_time()
    found = data_statistics(tmp_path)
    assert time.process_time() - begin < 20
    assert found.classes[0].boxes == 400_000
