"""Frames of every projection are prepared as equirectangular ones, and noted."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

import ambikit
from ambikit_learn.data.format import read_manifest
from ambikit_learn.preparation.command import prepare
from ambikit_learn.sphere.equirect import direction_to_pixel
from ambikit_learn.sphere.projection import (
    EAC_PADDING,
    PROJECTIONS,
)
from ambikit_learn.video.coding import decode_frames
from ambikit_learn.video.files import resize, write_video
from tests.ambikit_learn.sphere.panoramas import (
    EQUI,
    directions,
    disc,
    insert_boxes,
    render,
    set_matrix,
    spherical_boxes,
    v360,
    write_streams,
)

BRIGHTEST = """
import numpy as np
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.equirect import pixel_to_direction

class Brightest:
    name = "brightest"
    def detect(self, frames):
        found = []
        for frame in frames:
            rows, columns = np.nonzero(frame[..., 1] > 200)
            height, width = frame.shape[:2]
            u, v = (np.median(columns) + 0.5) / width, (np.median(rows) + 0.5) / height
            azimuth, elevation = np.rad2deg(pixel_to_direction(u, v))
            found.append(Boxes([azimuth], [elevation], [24], [24], [1], ["disc"]))
        return found
"""


def test_prepare_stores_equirectangular_frames_and_says_so(tmp_path, monkeypatch):
    """The disc is where it was painted, in the stored frames and for the detector."""
    azimuth, elevation = 130.0, 25.0
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "brightest_disc.py").write_text(BRIGHTEST)
    monkeypatch.syspath_prepend(str(tmp_path))
    sound = np.random.default_rng(0).standard_normal((4, 48000)).astype(np.float32) * 0.1
    sound[1:] /= np.sqrt(3)  # a diffuse field, whose X, Y and Z have together the energy of W

    def add(key, frame_of, boxes=None):
        paints = [disc(azimuth, elevation + 2 * (i % 2)) for i in range(16)]
        write_video(source / f"{key}.mp4", map(frame_of, paints), 8.0, quality=8)
        if boxes:
            insert_boxes(source / f"{key}.mp4", boxes)
        ambikit.write(source / f"{key}.wav", sound, 24000)

    equirectangular = directions(96, 192)
    add("cubemap", lambda paint: render(paint, "cubemap", 64), spherical_boxes((b"cbmp", bytes(8))))
    add("eac", lambda paint: resize(render(paint, "eac", 128, EAC_PADDING), (252, 448)))
    add("plain", lambda paint: paint(equirectangular))
    add("stretched", lambda paint: paint(directions(108, 192)))
    add(
        "two-eyes",
        lambda paint: np.tile(paint(equirectangular), (2, 1, 1)),
        spherical_boxes(EQUI, 1),
    )
    add(
        "vr180",
        lambda paint: paint(equirectangular),
        spherical_boxes((b"equi", struct.pack(">4I", 0, 0, 2**30, 2**30))),
    )

    options = {"source": "folder", "frame_size": (80, 160), "workers": 0}
    summary = prepare(source, tmp_path / "out", **options, detector="brightest_disc:Brightest")
    rows = {row["key"]: row for row in read_manifest(tmp_path / "out").to_pylist()}
    assert {key: row["notes"] for key, row in rows.items() if row["status"] == "ok"} == {
        "cubemap": ["cubemap"],
        "eac": ["equi-angular cubemap"],
        "plain": ["projection assumed"],
        "stretched": ["projection assumed"],
        "two-eyes": ["two eyes"],
    }
    assert rows["vr180"]["reason"] == "part of the sphere"
    assert summary.notes["equi-angular cubemap"] == 1

    u, v = direction_to_pixel(*np.deg2rad([azimuth, elevation + 1]))
    shard = (tmp_path / "out" / "shards" / "train-00000.tar").read_bytes()
    for key in (key for key, row in rows.items() if row["status"] == "ok"):

        def member(part, row=rows[key]):
            start = row[f"{part}_offset"]
            return shard[start : start + row[f"{part}_bytes"]]

        frames = decode_frames(member("frames"), [0, 1], 8.0)
        _, i, j = np.nonzero(frames[..., 1] > 180)
        assert abs(np.mean(j) + 0.5 - u * 160) < 1, key
        assert abs(np.mean(i) + 0.5 - v * 80) < 1, key
        (seen,) = json.loads(member("record"))["objects"]
        assert np.abs(np.array(seen["azimuth"]) - azimuth).max() < 2, key
        assert np.abs(np.array(seen["elevation"]) - elevation).max() < 2, key


class TestWhatIsStated:
    """The disc is where it was painted, whatever the frames show it by."""

    AZIMUTH, ELEVATION = 130.0, 25.0
    EQUIRECTANGULAR = directions(96, 192)

    def prepared(self, tmp_path, picture_of, *, change=None, **settings):
        """Prepare one clip; return its row, and if the disc is where it should be."""
        source = tmp_path / "in"
        source.mkdir()
        paints = [disc(self.AZIMUTH, self.ELEVATION + 2 * (i % 2)) for i in range(16)]
        pictures = (np.ascontiguousarray(picture_of(paint)) for paint in paints)
        write_video(source / "a.mp4", pictures, 8.0, quality=8)
        if change is not None:
            change(source / "a.mp4")
        sound = 0.1 * np.random.default_rng(0).standard_normal((4, 48000)).astype(np.float32)
        sound[1:] /= np.sqrt(3)  # a diffuse field
        ambikit.write(source / "a.wav", sound, 24000)
        out = tmp_path / "out"
        prepare(source, out, source="folder", frame_size=(80, 160), workers=0, **settings)
        (row,) = read_manifest(out).to_pylist()
        if row["status"] != "ok":
            return row, False
        shard = (out / "shards" / row["shard"]).read_bytes()
        first = row["frames_offset"]
        frames = decode_frames(shard[first : first + row["frames_bytes"]], [0, 1], 8.0)
        _, i, j = np.nonzero(frames[..., 1] > 180)
        place = (np.mean(j) + 0.5) / frames.shape[2], (np.mean(i) + 0.5) / frames.shape[1]
        wanted = direction_to_pixel(*np.deg2rad([self.AZIMUTH, self.ELEVATION + 1]))
        return row, bool(np.abs(np.subtract(place, wanted)).max() < 0.012)

    @pytest.mark.parametrize("stereo", ["mono", "top-bottom", "left-right"])
    @pytest.mark.parametrize("projection", [p for p in PROJECTIONS if p != "gopro-max"])
    def test_every_projection(self, tmp_path, projection, stereo):
        """As FFmpeg's filter and the cameras of Spherical Video V2 draw them."""
        drawn = {
            "c3x2": "e:c3x2:w=240:h=160",
            "c6x1": "e:c6x1:w=480:h=80",
            "c1x6": "e:c1x6:w=80:h=480",
        }

        def picture_of(paint):
            if projection == "equirectangular":
                eye = paint(self.EQUIRECTANGULAR)
            elif projection in drawn:
                eye = v360(paint(directions(192, 384)), drawn[projection])
            elif projection == "eac":
                eye = resize(render(paint, "eac", 128, EAC_PADDING), (252, 448))
            else:
                eye = render(paint, projection, 64)
            axis = {"top-bottom": 0, "left-right": 1}.get(stereo)
            return eye if axis is None else np.concatenate([eye, eye // 2 + 20], axis)

        row, there = self.prepared(tmp_path, picture_of, projection=projection, stereo=stereo)
        assert there
        notes = {"equirectangular": [], "eac": ["equi-angular cubemap"]}.get(
            projection, ["cubemap"]
        )
        assert row["notes"] == notes + ["two eyes"] * (stereo != "mono")

    @pytest.mark.parametrize("projection", ["auto", "equirectangular"])
    @pytest.mark.parametrize("mode", ["auto", "copy"])
    @pytest.mark.parametrize(
        ("matrix", "stored"),
        [
            ((-1, 0, 0, -1), lambda x: x[::-1, ::-1]),
            ((-1, 0, 0, 1), lambda x: x[:, ::-1]),
            # Shown clockwise, so stored counter-clockwise; and back
            ((0, 1, -1, 0), np.rot90),
            ((0, -1, 1, 0), lambda x: np.rot90(x, -1)),
        ],
    )
    def test_display_matrices(self, tmp_path, matrix, stored, mode, projection):
        row, there = self.prepared(
            tmp_path,
            lambda paint: stored(paint(self.EQUIRECTANGULAR)),
            change=lambda path: set_matrix(path, matrix),
            video_mode=mode,
            projection=projection,
        )
        assert there
        assert not row["copied"]

    def test_a_picture_that_is_shown_upright_is_not_lying(self, tmp_path):
        """As telephones write those that are held upright: 16:9 is stored, 9:16 shown."""
        row, _ = self.prepared(
            tmp_path,
            lambda paint: resize(paint(self.EQUIRECTANGULAR), (108, 192)),
            change=lambda path: set_matrix(path, (0, 1, -1, 0)),
        )
        assert row["reason"] == "not a sphere"
        assert row["detail"].startswith("frames of 108 × 192 are neither")

    @pytest.mark.parametrize("projection", ["auto", "equirectangular"])
    def test_other_matrices_name_the_file(self, tmp_path, projection):
        row, _ = self.prepared(
            tmp_path,
            lambda paint: paint(self.EQUIRECTANGULAR),
            change=lambda path: set_matrix(path, (0.8, 0.6, -0.6, 0.8)),
            projection=projection,
        )
        assert row["reason"] == "part of the sphere"
        assert row["detail"].startswith("a.mp4: its display matrix")

    def test_what_is_not_of_a_gopro_max(self, tmp_path):
        row, _ = self.prepared(
            tmp_path, lambda paint: paint(self.EQUIRECTANGULAR), projection="gopro-max"
        )
        assert row["reason"] == "not a sphere"
        assert "192 × 96, which are not the two streams of a GoPro MAX" in row["detail"]

    def test_a_gopro_max_is_nothing_else(self, tmp_path):
        row, _ = self.prepared(
            tmp_path,
            lambda paint: np.zeros((80, 160, 3), np.uint8),
            change=lambda path: write_streams(path, [np.zeros((30, 736, 2272, 3), np.uint8)] * 2),
            projection="eac",
        )
        assert row["reason"] == "not a sphere"
        assert "leave --projection out" in row["detail"]
