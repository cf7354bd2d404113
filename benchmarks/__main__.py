"""Run the suite: `make bench`, or python -m benchmarks [--peers PYTHON].

Each contender runs in a separate process, one after the other. Results are written to
benchmarks/results and into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import ambikit
from benchmarks import blocks, report, starts
from benchmarks.timing import sound

HERE = Path(__file__).resolve().parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
OWN_PACKAGES = ("numpy", "scipy", "numba", "torch")
PEER_PACKAGES = ("numpy", "scipy", "spaudiopy", "spherical-array-processing", "librosa")
PEERS = ("with_spaudiopy", "with_sap", "dcase")


def main() -> None:
    """Measure everything, and write and print the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--peers", default="", help="a Python that has the peers installed")
    peers = parser.parse_args().peers
    os.environ.update(dict.fromkeys(THREADS, "1"))
    outcome: dict[str, Any] = {"machine": machine(peers), "results": [], "skipped": {}}
    jobs = [(sys.executable, "own"), (sys.executable, "with_torch")]
    if Path(peers).is_file():
        jobs += [(peers, name) for name in PEERS]
    else:
        reason = "their environment could not be made" if peers else "no --peers given"
        outcome["skipped"] = dict.fromkeys(PEERS, reason)
    for python, name in jobs:
        results, failure = run(python, name)
        outcome["results"] += results
        if failure:
            outcome["skipped"][name] = failure
    timed = {result["contender"] for result in outcome["results"]}
    outcome["agreement"] = agreement(peers) if any("DCASE" in who for who in timed) else None
    outcome["starts"] = starts.measure()
    save(outcome)
    text = report.render(outcome)
    report.write("\n" + text, "results")
    print(text)
    blocks.main()


def run(python: str, name: str) -> tuple[list[dict[str, Any]], str]:
    """Return the results of a module of tasks, and the reason if they are missing."""
    print(f"measuring {name} ...", file=sys.stderr, flush=True)
    command = [python, "-W", "ignore", "-m", "benchmarks.worker", name]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True)
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    failure = done.stderr.strip().splitlines()[-1] if done.returncode else ""
    return results, failure


def agreement(peers: str) -> dict[str, float]:
    """Return the largest differences between our features and the restated baseline's."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "features.npy")
        command = [peers, "-W", "ignore", "-m", "benchmarks.dcase", file]
        subprocess.run(command, cwd=HERE.parent, check=True, capture_output=True)
        theirs = np.load(file, allow_pickle=False)
    ours = ambikit.foa_features(sound(samples=480_000), 24000, preset="dcase")
    return {
        "level_db": float(np.abs(ours[:4] - theirs[:4]).max()),
        "intensity": float(np.abs(ours[4:] - theirs[[6, 4, 5]]).max()),
    }


def machine(peers: str) -> dict[str, Any]:
    """Return the machine and the versions with which this is measured."""
    versions = {name: found for name in OWN_PACKAGES if (found := _version(name))}
    if Path(peers).is_file():
        code = f"from importlib.metadata import version; print(*map(version, {PEER_PACKAGES}))"
        done = subprocess.run([peers, "-c", code], capture_output=True, text=True)
        found = zip(PEER_PACKAGES, done.stdout.split(), strict=False)
        versions |= {f"{name} (peers)": number for name, number in found}
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": report.commit(),
        "processor": report.processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": versions,
    }


def save(outcome: dict[str, Any]) -> None:
    """Write the results of this machine and day."""
    host = re.sub(r"\W+", "-", outcome["machine"]["processor"]).strip("-").lower()
    file = HERE / "results" / f"{outcome['machine']['date']}-{host}.json"
    file.parent.mkdir(exist_ok=True)
    draft = file.with_suffix(".tmp")
    draft.write_text(json.dumps(outcome, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(file)


def _version(name: str) -> str:
    """Return the version of a package, if it is installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    main()
