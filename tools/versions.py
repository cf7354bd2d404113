"""Run the tests on every supported Python, with the lowest, locked and newest dependencies.

``make versions`` runs all rows, ``make versions ROWS="plain-3.11-lowest learn-3.13-locked"`` some.
Interpreters are those found on this machine; rows of others are listed as not run. Environments and
logs are kept in ``.versions/``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".versions"
PYTHONS = ("3.11", "3.12", "3.13")
AMBIKIT = ("--doctest-modules", "ambikit", "tests/ambikit")
ALL = ("--doctest-modules", "ambikit", "ambikit_learn", "tests")
OPTIONAL = "test,media,plot,sofa"


@dataclass(frozen=True)
class Row:
    """An environment, and the tests that must pass in it."""

    name: str
    python: str
    extras: str
    resolution: str
    tests: tuple[str, ...]


def rows() -> list[Row]:
    """List what is tried."""
    found = []
    for python in PYTHONS:
        found.append(Row(f"plain-{python}-locked", python, "test", "locked", AMBIKIT))
        found.append(Row(f"ambikit-{python}-locked", python, OPTIONAL, "locked", AMBIKIT))
        found.append(Row(f"learn-{python}-locked", python, "dev", "locked", ALL))
    oldest, newest = PYTHONS[0], PYTHONS[-1]
    found.append(Row(f"plain-{oldest}-lowest", oldest, "test", "lowest", AMBIKIT))
    found.append(Row(f"ambikit-{oldest}-lowest", oldest, OPTIONAL, "lowest", AMBIKIT))
    found.append(Row(f"ambikit-{newest}-newest", newest, OPTIONAL, "newest", AMBIKIT))
    found.append(Row(f"learn-{newest}-newest", newest, "dev", "newest", ALL))
    return found


def main() -> int:
    """Run the command line."""
    known = {row.name: row for row in rows()}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(known))
    parser.add_argument("--jobs", default="logical", help="processes that run tests side by side")
    options = parser.parse_args()
    unknown = set(options.rows) - set(known)
    if unknown:
        parser.error(f"no row {', '.join(sorted(unknown))}: choose from {', '.join(known)}")
    FOLDER.mkdir(exist_ok=True)
    results = {}
    for name in options.rows or known:
        print(f"{name} ...", flush=True)
        results[name] = outcome(known[name], options.jobs)
        print(f"{name}: {results[name]}", flush=True)
        (FOLDER / "results.json").write_text(json.dumps(results, indent=2))
    width = max(map(len, results))
    print("\n" + "\n".join(f"{name:{width}}  {text}" for name, text in results.items()))
    return int(any("failed" in text or "error" in text for text in results.values()))


def outcome(row: Row, jobs: str) -> str:
    """Make the environment of a row, run its tests, and return their last line."""
    interpreter = find(row.python)
    if interpreter is None:
        return f"not run: no Python {row.python} on this machine"
    venv = FOLDER / row.name
    log = FOLDER / f"{row.name}.log"
    with log.open("w") as file:
        if not (venv / "pyvenv.cfg").exists():
            uv(file, "venv", "--quiet", "--python", interpreter, str(venv))
        python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        install = ["pip", "install", "--python", str(python), "-e", f"{ROOT}[{row.extras}]"]
        install += {
            "lowest": ["--resolution", "lowest-direct"],
            "locked": ["--constraint", str(ROOT / "constraints.txt")],
            "newest": ["--upgrade"],
        }[row.resolution]
        if uv(file, *install):
            return f"error: the installation failed, see {log.relative_to(ROOT)}"
        command = [str(python), "-m", "pytest", "-q", "-n", jobs, "--maxprocesses", "8", *row.tests]
        # numba's caches of one release are not read by another.
        environment = {"OMP_NUM_THREADS": "1", "NUMBA_CACHE_DIR": str(venv / "numba")}
        subprocess.run(
            command, cwd=ROOT, stdout=file, stderr=file, env=os.environ | environment, check=False
        )
    lines = log.read_text(errors="replace").splitlines()
    summary = [line for line in lines if re.search(r"\d+ (passed|failed|error)", line)]
    if not summary:
        return f"error: no tests ran, see {log.relative_to(ROOT)}"
    return summary[-1].strip("= ")


def uv(file: TextIO, *arguments: str) -> int:
    """Run uv, its output in a log."""
    command = [sys.executable, "-m", "uv", *arguments]
    return subprocess.run(command, stdout=file, stderr=file, check=False).returncode


def find(version: str) -> str | None:
    """Return an interpreter of a version, wherever uv or pyenv keep it."""
    ask = ["python", "find", "--no-python-downloads", "--system", version]
    run = subprocess.run(
        [sys.executable, "-m", "uv", *ask], capture_output=True, text=True, check=False
    )
    candidates = [Path(run.stdout.strip())] if run.returncode == 0 else []
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates += sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True)
    return next((str(path) for path in candidates if path.exists()), None)


if __name__ == "__main__":
    sys.exit(main())
