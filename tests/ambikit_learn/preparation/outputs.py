"""What a preparation leaves, and settings that keep it small."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from ambikit_learn.cli import main
from ambikit_learn.data.format import read_manifest

RATE = 24000
SMALL = {"frame_size": (40, 80), "workers": 0}


def rows_of(out: Path) -> dict[str, dict]:
    return {row["key"]: row for row in read_manifest(out).to_pylist()}


def contents(out: Path) -> dict[str, bytes]:
    """All that a preparation promises to be the same bytes each time."""
    files = [p for p in out.rglob("*") if p.is_file() and p.parent.name != "journal"]
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in files}


def read_shard(path: Path) -> dict[str, dict]:
    """Read a shard by the library whose layout it follows."""
    from webdataset.tariterators import group_by_keys, tar_file_expander

    with path.open("rb") as stream:
        samples = list(group_by_keys(tar_file_expander([{"url": str(path), "stream": stream}])))
    return {sample["__key__"]: sample for sample in samples}


def cut(path: Path, fraction: float) -> None:
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * fraction)])


def index_first(path: Path) -> None:
    """Move the index of an mp4 to its beginning, as for streaming."""
    moved = path.with_name("moved.mp4")
    with (
        av.open(str(path)) as old,
        av.open(str(moved), "w", options={"movflags": "faststart"}) as new,
    ):
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    moved.rename(path)


OPTIONS = {"frame_size": (40, 80), "detector": "file", "clips_per_shard": 2}

DARK = np.zeros((40, 80, 160, 3), np.uint8)
DARK[::2, :10, :10] = 60

DETECTORS = """
import os, signal, time
from ambikit import InputError
from ambikit_learn.cli import main
from ambikit_learn.sphere.boxes import Boxes

class Brightness:
    name = "brightness"
    def detect(self, frames):
        assert frames.shape[1:] == (80, 160, 3), "the source's own size"
        if frames.mean() < 10:
            self.on_darkness()
        return [Boxes([float(f.mean())], [0], [9], [9], [1], ["mean"]) for f in frames]

class Deadly(Brightness):
    def on_darkness(self):
        os.kill(os.getpid(), signal.SIGKILL)

class Raising(Brightness):
    def on_darkness(self):
        raise RuntimeError("too dark")

class Patient(Brightness):
    def detect(self, frames):
        if "SEEN" in os.environ:
            with open(os.environ["SEEN"], "a") as file:
                file.write(f"{len(frames)} frames\\n")
        return super().detect(frames)

    def on_darkness(self):
        while os.path.exists(os.environ.get("WAIT_WHILE", "")):
            time.sleep(0.01)

class Endless(Brightness):
    def on_darkness(self):
        time.sleep(3600)

class Counting(Brightness):
    def detect(self, frames):
        import torch
        return [Boxes([torch.get_num_threads()], [0], [9], [9], [1], ["n"]) for _ in frames]

class Misset:
    name = "misset"
    def detect(self, frames):
        raise InputError("these weights are for something else")
"""


def run(arguments):
    """Run the command line; a status that it exits with counts like one that it returns."""
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code
