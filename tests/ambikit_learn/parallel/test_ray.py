"""Preparation on a real Ray cluster of two nodes: the same bytes, whatever dies on the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ambikit import InputError
from ambikit_learn.data.format import read_manifest
from ambikit_learn.parallel.ray import _shares
from ambikit_learn.preparation.command import prepare
from tests.waiting import PATIENCE, wait_for

CLUSTER = Path(__file__).with_name("ray_cluster.py")
COMMAND = "import sys; from ambikit_learn.cli import main; sys.exit(main(sys.argv[1:]))"
DARK = np.zeros((16, 80, 160, 3), np.uint8)
DARK[::2, :10, :10] = 60

DETECTORS = """
import os, signal, time
from ambikit_learn.sphere.boxes import Boxes

class Brightness:
    name = "brightness"
    def detect(self, frames):
        if frames.mean() < 10:
            self.on_darkness()
        return [Boxes([float(f.mean())], [0], [9], [9], [1], ["mean"]) for f in frames]

class Deadly(Brightness):
    def on_darkness(self):
        os.kill(os.getpid(), signal.SIGKILL)

class Patient(Brightness):
    def on_darkness(self):
        with open(os.environ["SEEN"], "a") as file:
            file.write("dark\\n")
        while os.path.exists(os.environ["WAIT_WHILE"]):
            time.sleep(0.02)
"""


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Environment of the nodes and of the runs."""
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"} | more


class Cluster:
    """Two nodes of one CPU each, in processes of their own."""

    def __init__(self, folder: Path) -> None:
        (folder / "ray_detectors.py").write_text(DETECTORS)
        self.seen, self.wait_while = folder / "seen", folder / "wait"
        names = {"SEEN": str(self.seen), "WAIT_WHILE": str(self.wait_while)}
        self.environment = environment(folder, **names)
        self.process = subprocess.Popen(
            [sys.executable, str(CLUSTER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        self.address = self.process.stdout.readline().strip()

    def kill_a_node(self) -> None:
        print("kill", file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == "killed\n"

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start `ambikit-learn prepare` on the cluster."""
        command = ["prepare", *map(str, arguments), "--engine=ray", f"--address={self.address}"]
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", COMMAND, *command],
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            self.process.stdin.close()
            self.process.wait(PATIENCE)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        assert cluster.address
        yield cluster


@pytest.fixture(scope="module")
def source(new_clip_folder, tmp_path_factory):
    """Clips, the first two of which are dark, and one that has no sound."""
    clips = new_clip_folder(tmp_path_factory.mktemp("clips") / "source")
    for key in ("a-dark", "b-dark"):
        clips.add(key, frames=DARK)
    for key in ("c", "d", "e", "mute", "z"):
        clips.add(key)
    clips.path("audio", "mute").unlink()
    return clips.root


@pytest.fixture
def locally(source, cluster, tmp_path, monkeypatch):
    """Prepare in processes of this machine, and return what comes of it."""

    def run(detector):
        for name in ("PYTHONPATH", "SEEN", "WAIT_WHILE"):
            monkeypatch.setenv(name, cluster.environment[name])
        monkeypatch.syspath_prepend(str(cluster.seen.parent))
        options = {"frame_size": (40, 80), "detector": detector, "workers": 1}
        return str(prepare(source, tmp_path / "local", **options)), contents(tmp_path / "local")

    return run


def contents(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file()
    }


SMALL = ("--frame-size", 40, 80)


def test_same_bytes_as_on_one_machine(cluster, source, locally, tmp_path):
    """Although two clips kill every process that works them."""
    summary, files = locally("ray_detectors:Deadly")
    run = cluster.start(source, tmp_path / "ray", *SMALL, "--detector=ray_detectors:Deadly")
    assert run.communicate(timeout=PATIENCE)[0].strip() == summary
    assert run.returncode == 0
    assert contents(tmp_path / "ray") == files
    rows = {row["key"]: row for row in read_manifest(tmp_path / "ray").to_pylist()}
    reasons = {key: row["reason"] for key, row in rows.items() if row["status"] != "ok"}
    assert reasons == {"a-dark": "decoder crash", "b-dark": "decoder crash", "mute": "missing file"}


def test_a_node_may_die(cluster, source, locally, tmp_path):
    """What the dead node had in hand is done by the other, and nothing is left out for it."""
    _, files = locally("ray_detectors:Patient")
    cluster.seen.write_text("")
    cluster.wait_while.touch()
    run = cluster.start(source, tmp_path / "ray", *SMALL, "--detector=ray_detectors:Patient")
    with run:
        wait_for(lambda: cluster.seen.read_text().count("dark") == 2)  # one on each node
        cluster.kill_a_node()
        cluster.wait_while.unlink()
        assert run.wait(PATIENCE) == 0
    assert cluster.seen.read_text().count("dark") == 3
    assert contents(tmp_path / "ray") == files


def test_a_cluster_of_ones_own_only_checks(source, tmp_path):
    """Without a cluster a local one is started, and stopped again."""
    out = tmp_path / "out"
    options = ["--check", "--engine=ray", "--address=local", "--workers=1"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", COMMAND, "prepare", str(source), str(out), *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    rejected, summary = done.stdout.strip().split("\n", 1)
    assert rejected.startswith("mute: missing file")
    assert summary == str(prepare(source, out, check=True, workers=0))
    assert done.returncode == 0
    assert not out.exists()


def test_no_such_cluster(source, tmp_path):
    options = ["--engine=ray", "--address=127.0.0.1:1"]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "prepare", str(source), str(tmp_path / "o"), *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("ambikit-learn: no Ray cluster at address '127.0.0.1:1' (")
    assert "`ray start --head`" in line


class TestArguments:
    """Messages for what cannot be done, without a cluster."""

    def test_ray_is_not_installed(self, source, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "ray", None)
        with pytest.raises(InputError, match=r"pip install 'ambikit\[ray\]'"):
            prepare(source, tmp_path / "out", engine="ray")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"engine": "slurm"}, "engine"),
            ({"address": "auto"}, "take the engine 'ray'"),
            ({"engine": "ray", "workers": 0}, "give 1 or more"),
            ({"workers": -1}, "workers"),
            ({"clip_timeout": 0.0}, "clip_timeout"),
        ],
    )
    def test_wrong_settings(self, source, tmp_path, options, message):
        with pytest.raises(InputError, match=message):
            prepare(source, tmp_path / "out", **options)


@pytest.mark.parametrize(
    ("resources", "items", "workers", "gpus", "wanted"),
    [
        ({"CPU": 8.0}, 100, None, True, (8, 0.0)),
        ({"CPU": 8.0}, 3, None, True, (3, 0.0)),
        ({"CPU": 64.0, "GPU": 2.0}, 100, None, True, (16, 1 / 8)),
        ({"CPU": 64.0, "GPU": 2.0}, 100, None, False, (64, 0.0)),
        ({"CPU": 64.0, "GPU": 2.0}, 100, 7, True, (7, 1 / 4)),
        ({"CPU": 4.0, "GPU": 8.0}, 100, None, True, (4, 1.0)),
        ({}, 5, None, False, (1, 0.0)),
    ],
)
def test_shares_of_gpus(resources, items, workers, gpus, wanted):
    """All actors fit on the GPUs, as many on each."""
    assert _shares(resources, items, workers, gpus) == wanted
