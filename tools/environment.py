"""Create or renew .venv with exactly the packages of constraints.txt, by the standard library.

``python3 tools/environment.py learn|dev`` is what `make demo` and `make test` call first. It does
nothing where the environment is up to date, and repairs it where an installation was interrupted,
the constraints have changed, or the environment was made by another Python.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
OLDEST = (3, 11)
GIGABYTES = {"learn": 7, "dev": 8}
"""Disk space that an environment takes on Linux, where torch comes with CUDA."""
INCLUDED = {"learn": ("learn", "dev"), "dev": ("dev",)}
"""Extras whose environments include all packages of an extra."""


class Failure(Exception):
    """A failure and its remedy, in one line."""


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("extra", choices=sorted(GIGABYTES))
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    options = parser.parse_args()
    try:
        prepare(options.venv, options.extra)
    except Failure as failure:
        print(f"environment: {failure}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("environment: interrupted; the same command starts again", file=sys.stderr)
        return 130
    return 0


def prepare(venv: Path, extra: str) -> None:
    """Update an environment, or create it anew where it cannot be trusted."""
    if sys.version_info < OLDEST:
        raise Failure(
            f"Python {version(sys.version_info)} is too old: name a newer one, "
            "for example make test PYTHON=python3.12"
        )
    stamps = {name: venv / f".installed-{name}" for name in GIGABYTES}
    interrupted = venv / ".installing"
    reason = distrusted(venv, interrupted)
    if reason is None and any(up_to_date(stamps[name], name) for name in INCLUDED[extra]):
        return
    if reason is not None:
        remove(venv, reason)
        say(f"making {venv.name} with Python {version(sys.version_info)}")
        create(venv)
    interrupted.touch()
    for stamp in stamps.values():
        stamp.unlink(missing_ok=True)
    say(f"installing ambikit[{extra}] with the versions of {CONSTRAINTS.name}")
    install(venv, extra)
    stamps[extra].write_text(fingerprint(extra))
    interrupted.unlink()


def distrusted(venv: Path, interrupted: Path) -> str | None:
    """Return why an environment must be created anew, or None."""
    if not venv.exists():
        return ""
    if interrupted.exists():
        return "its last installation was interrupted"
    ask = "import sys, pip; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [python(venv), "-c", ask], capture_output=True, text=True, check=True, timeout=60
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "its Python does not run"
    if answer != version(sys.version_info):
        return f"it was made by Python {answer}, and {version(sys.version_info)} is asked for"
    return None


def remove(venv: Path, reason: str) -> None:
    """Delete an environment, but nothing that is not one."""
    if not venv.exists() and not venv.is_symlink():
        return
    if (
        venv.is_symlink()
        or not venv.is_dir()
        or not (
            (venv / "pyvenv.cfg").exists()
            or (venv / ".installing").exists()
            or not any(venv.iterdir())
        )
    ):
        raise Failure(f"{venv} is not an environment made here: move it away, then try again")
    say(f"deleting {venv.name}: {reason}")
    try:
        shutil.rmtree(venv)
    except OSError as error:
        raise Failure(f"{venv} cannot be deleted ({error}): delete it by hand") from None


def create(venv: Path) -> None:
    """Create an environment that is marked as incomplete from the start."""
    try:
        venv.mkdir(parents=True)
        (venv / ".installing").touch()
    except OSError as error:
        raise Failure(f"{venv} cannot be made ({error}){space(venv, 'learn')}") from None
    run([sys.executable, "-m", "venv", str(venv)], venv, "learn")


def install(venv: Path, extra: str) -> None:
    """Install the project and what the extra needs, at the versions of the constraints."""
    pip = [str(python(venv)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # The build tool is installed first and used without isolation: otherwise pip would fetch its
    # newest release, regardless of the constraints.
    run([*pip, "-c", str(CONSTRAINTS), "setuptools"], venv, extra)
    project = ["--no-build-isolation", "-c", str(CONSTRAINTS), "-e", f"{ROOT}[{extra}]"]
    run([*pip, *project], venv, extra)


def run(command: list[str], venv: Path, extra: str) -> None:
    """Run a step of the installation."""
    if subprocess.run(command, cwd=ROOT).returncode:
        raise Failure(f"the installation failed, as said above{space(venv, extra)}")


def space(venv: Path, extra: str) -> str:
    """Return a hint that the disk may be full, if it may be, and the next step."""
    folder = venv if venv.exists() else venv.parent
    free = shutil.disk_usage(folder).free / 1e9
    needed = GIGABYTES[extra]
    if free < needed:
        return (
            f"; {free:.1f} GB are free on its disk and an empty environment takes {needed}: "
            "free some, then type the same command again"
        )
    return "; the same command starts again"


def up_to_date(stamp: Path, extra: str) -> bool:
    """Return whether an installation matches the present constraints."""
    return stamp.exists() and stamp.read_text() == fingerprint(extra)


def fingerprint(extra: str) -> str:
    """Return a hash of what an installation depends on."""
    contents = b"\0".join((ROOT / name).read_bytes() for name in ("pyproject.toml", CONSTRAINTS))
    return hashlib.sha256(contents + extra.encode() + str(ROOT).encode()).hexdigest()


def python(venv: Path) -> Path:
    """Return the interpreter of an environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def version(info: tuple[int | str, ...]) -> str:
    """Return a version as major.minor."""
    return f"{info[0]}.{info[1]}"


def say(what: str) -> None:
    """Report a step."""
    print(f"environment: {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
