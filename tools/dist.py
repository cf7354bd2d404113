"""Build sdist and wheel into dist/, check what they contain, and try the wheel alone elsewhere.

``make dist`` runs it; so does the workflow that publishes. In an empty environment in a temporary
folder, with nothing of the repository on the path, it runs the README's first program, a file
round trip, and the command lines.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
LARGEST = 4_000_000
"""Largest size of a file to publish, in bytes."""
PACKAGES = ("ambikit", "ambikit_learn")

ROUND_TRIP = """
import numpy as np
import ambikit

x = ambikit.encode(np.sin(np.arange(4800) / 7).astype(np.float32), 0.5, 0.2)
for name in ("x.wav", "x.flac", "x.amb"):
    ambikit.write(name, x, 48000, convention="fuma" if name == "x.amb" else "ambix")
    y, rate = ambikit.read(name)
    assert rate == 48000 and np.abs(y - x).max() < 1e-4, name
print(ambikit.__version__, ambikit.__file__)
"""


def main() -> int:
    """Run the command line."""
    shutil.rmtree(DIST, ignore_errors=True)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(DIST), str(ROOT)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    wheel, sdist = next(DIST.glob("*.whl")), next(DIST.glob("*.tar.gz"))
    problems = wrong_contents(wheel, sdist)
    if not problems:
        problems = try_alone(wheel)
    for problem in problems:
        print(f"dist: {problem}", file=sys.stderr)
    if not problems:
        sizes = ", ".join(
            f"{path.name} ({path.stat().st_size // 1000} kB)" for path in (wheel, sdist)
        )
        print(f"dist: {sizes}: checked")
    return 2 if problems else 0


def wrong_contents(wheel: Path, sdist: Path) -> list[str]:
    """Return what the archives should not contain, or lack."""
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    with tarfile.open(sdist) as archive:
        source = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    problems = [f"{wheel.name} lacks {name}" for name in tracked if name not in packed]
    problems += [f"{sdist.name} lacks {name}" for name in tracked if name not in source]
    own = [name for name in packed if not re.match(r"ambikit-[^/]+\.dist-info/", name)]
    problems += [f"{wheel.name} holds {name}" for name in own if name not in tracked]
    unwanted = re.compile(r"^(tests|tools|benchmarks|docs|shared)/|\.(wav|mp4|sofa|ogg)$")
    problems += [f"{sdist.name} holds {name}" for name in sorted(source) if unwanted.search(name)]
    problems += [
        f"{path.name} has {path.stat().st_size:,} bytes, more than {LARGEST:,}"
        for path in (wheel, sdist)
        if path.stat().st_size > LARGEST
    ]
    return problems


def try_alone(wheel: Path) -> list[str]:
    """Install the wheel without extras in an empty environment, and use it as a reader would."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first = re.findall(r"^```python\n(.*?)^```", readme, re.S | re.M)[0]
    with tempfile.TemporaryDirectory(prefix="ambikit-dist-") as folder:
        home = Path(folder)
        venv.create(home / "env", with_pip=True)
        scripts = home / "env" / ("Scripts" if sys.platform == "win32" else "bin")
        install = [str(scripts / "python"), "-m", "pip", "install", "--quiet"]
        constraints = ["-c", str(ROOT / "constraints.txt")]
        subprocess.run([*install, *constraints, str(wheel)], check=True)
        trials = [
            (["python", "-I", "-c", first], 0, ""),
            (["python", "-I", "-c", ROUND_TRIP], 0, ""),
            (["ambikit", "--version"], 0, "ambikit "),
            (["ambikit", "info", "x.wav"], 0, "x.wav"),
            (["ambikit", "doa", "left.wav"], 0, ""),
            (["ambikit-learn", "--version"], 0, "ambikit-learn "),
            (["ambikit-learn", "demo"], 2, "pip install 'ambikit[learn]'"),
        ]
        return [
            problem
            for command, status, words in trials
            if (problem := wrong_outcome(scripts, home, command, status, words))
        ]


def wrong_outcome(
    scripts: Path, home: Path, command: list[str], status: int, words: str
) -> str | None:
    """Return the failure of a command, or None."""
    run = subprocess.run(
        [str(scripts / command[0]), *command[1:]],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    output = run.stdout + run.stderr
    if run.returncode != status or words not in output or "Traceback" in output:
        last = (output.strip().splitlines() or ["no output"])[-1]
        return f"{' '.join(command)[:60]!r} ended with {run.returncode}: {last}"
    return None


if __name__ == "__main__":
    sys.exit(main())
