"""Real clips and rendered ones, prepared together by a run that is killed again and again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from ambikit_learn.data.format import read_manifest
from ambikit_learn.preparation.tar import partial_tar
from ambikit_learn.world import render_world

COMMAND = "import sys; from ambikit_learn.cli import main; sys.exit(main(sys.argv[1:]))"


def start(source: Path, out: Path) -> subprocess.Popen[bytes]:
    """Start `ambikit-learn prepare` in a process group of its own."""
    arguments = ["prepare", str(source), str(out), "--workers=2"]
    return subprocess.Popen([sys.executable, "-c", COMMAND, *arguments], start_new_session=True)


def contents(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def kept(out: Path) -> int:
    """Count the clips that another run need not do again."""
    journals = [json.loads(path.read_text()) for path in (out / "journal").glob("[!.]*.json")]
    shards = {path.name.split(".")[1] for path in (out / "shards").glob(".*.log")}
    growing = [partial_tar(out / "shards" / f"{shard}.tar").rows for shard in shards]
    return sum(len(journal["rows"]) for journal in journals) + sum(map(len, growing))


def wait_for(out: Path, count: int, run: subprocess.Popen[bytes]) -> None:
    """Wait until so many clips are kept."""
    while run.poll() is None:
        # A shard that was growing may have its name by now
        with suppress(FileNotFoundError):
            if kept(out) >= count:
                return
        time.sleep(0.05)
    raise AssertionError(f"it ended before {count} clips were kept")


@pytest.mark.slow
def test_real_and_rendered_clips_killed_twice(test_data, tmp_path):
    source = tmp_path / "clips"
    render_world(source, clips=200, duration=1.25, frame_size=(160, 320), workers=2)
    real = 0
    for kind in ("video", "audio"):
        for path in (test_data / "yt360" / kind).iterdir():
            shutil.copy(path, source / kind)
            real += kind == "video"
    with (source / "train.txt").open("a") as file:
        file.writelines(f"{path.stem}\n" for path in (test_data / "yt360" / "video").iterdir())

    begin = time.monotonic()
    calm = start(source, tmp_path / "calm")
    assert calm.wait() == 0
    seconds = time.monotonic() - begin
    rows = read_manifest(tmp_path / "calm").to_pylist()
    assert len(rows) == 200 + real
    assert [row["key"] for row in rows if row["status"] != "ok"] == []

    rng = np.random.default_rng()
    done = [0]
    for count in rng.integers([10, 90], [60, 150]):
        run = start(source, tmp_path / "killed")
        wait_for(tmp_path / "killed", count, run)
        time.sleep(rng.uniform(0.0, 0.3))
        os.killpg(run.pid, signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL, "it must still be at work"
        assert not (tmp_path / "killed" / "manifest.parquet").exists()
        done.append(kept(tmp_path / "killed"))
    assert 0 < done[1] < done[2] < len(rows)
    begin = time.monotonic()
    assert start(source, tmp_path / "killed").wait() == 0
    rest = time.monotonic() - begin
    print(f"undisturbed {seconds:.1f} s; killed with {done[1:]} of {len(rows)}; rest {rest:.1f} s")
    assert contents(tmp_path / "killed") == contents(tmp_path / "calm")
