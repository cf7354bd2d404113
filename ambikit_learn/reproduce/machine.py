"""What a run was made with: software and machine, without names of people or places."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from pathlib import Path

import torch

from ambikit import __version__
from ambikit_learn._threads import cores


@cache
def software() -> dict[str, str | None]:
    """Return versions, and the commit if this package lies in a git working tree."""
    return {
        "version": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


@cache
def machine() -> dict[str, str | int | None]:
    """Return the kind of machine, and the number of cores that this process may use."""
    return {
        "system": platform.system(),
        "processor": _processor(),
        "cores": cores(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _commit() -> str | None:
    """Return the commit of this file, with a plus if the working tree differs from it."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _processor() -> str:
    """Return the name of the processor, as far as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
