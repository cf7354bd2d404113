"""Frames of every projection are prepared as equirectangular ones, and noted."""

from __future__ import annotations

import json
import struct

import numpy as np

import ambikit
from ambikit_learn.data.format import read_manifest
from ambikit_learn.preparation.command import prepare
from ambikit_learn.sphere.equirect import direction_to_pixel
from ambikit_learn.sphere.projection import (
    EAC_PADDING,
)
from ambikit_learn.video.coding import decode_frames
from ambikit_learn.video.files import resize, write_video
from tests.ambikit_learn.sphere.panoramas import (
    EQUI,
    directions,
    disc,
    insert_boxes,
    render,
    spherical_boxes,
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
