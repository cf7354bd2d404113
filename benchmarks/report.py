"""Results as tables in Markdown, and what they were measured on."""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
OWN = "ambikit"

GOALS = {
    "rotate, `out=`": 1.3,
    "rotate, allocating": 3.0,
    "rotate along 6,001 keys, `out=`": 1.5,
    "rotate 64 × 4 × 24,000, `out=`": 1.5,
    "encode, `out=`": 0.6,
    "encode along 6,001 keys, `out=`": 0.8,
    "one beam, `out=`": 0.7,
    "diffuseness": 2.0,
    "64 beams, `out=`": 11.0,
    "first order to 7.1.4, `out=`": 1.9,
    "third order (16 × 720,000) to 22.2, `out=`": 2.8,
    "to two ears, 512 taps, `out=`": 10.0,
    "log-mel and intensity (dcase)": 12.0,
}
"""Goals: multiples of a copy that the tasks should not exceed."""
IMPORT_MS, COMPILED_S, CACHED_S, EXTRA_MB = 50.0, 1.5, 0.4, 16.0


def write(text: str, mark: str, page: Path = PAGE) -> None:
    """Replace the text between two marks of the page."""
    begin, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->\n"
    head, rest = page.read_text(encoding="utf-8").split(begin)
    _, tail = rest.split(end)
    draft = page.with_suffix(".tmp")
    draft.write_text(head + begin + text + "\n" + end + tail, encoding="utf-8")
    draft.replace(page)


def render(report: dict[str, Any]) -> str:
    """Return all tables."""
    return "\n".join(
        [
            _machine(report["machine"], report["skipped"]),
            "### ambikit\n",
            _own(report["results"]),
            "### Beside others\n",
            _others(report["results"]),
            "### The same numbers\n",
            _agreement(report["agreement"]),
            "### First calls\n",
            _starts(report["starts"]),
        ]
    )


def _machine(machine: dict[str, Any], skipped: dict[str, str]) -> str:
    """Return the line about the machine and the versions."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [
        f"Measured on {machine['date']} at commit {machine['commit']}: {machine['processor']}, "
        f"{machine['cores']} cores, load {machine['load']:.1f} when it began; Python "
        f"{machine['python']}, {versions}. One thread, CPU time.\n"
    ]
    lines += [f"Not measured: {name} ({reason}).\n" for name, reason in skipped.items()]
    return "\n".join(lines)


def _own(results: list[dict[str, Any]]) -> str:
    """Return the table of ambikit's own tasks."""
    rows = []
    for r in results:
        if r["contender"] == OWN:
            goal = GOALS.get(r["name"])
            verdict = "" if goal is None else f"{goal:g}" + ("" if r["copies"][1] <= goal else " ✗")
            extra = f"{r['extra_mb']:.1f}" + ("" if r["extra_mb"] <= EXTRA_MB else " ✗")
            rows.append(
                [r["name"], f"{r['ms'][1]:.1f}", f"{r['copy_ms']:.1f}", _ratio(r), verdict, extra]
            )
    head = ["task", "ms", "a copy, ms", "copies (quartiles)", "goal", "MB beyond the result"]
    return table(head, rows)


def _others(results: list[dict[str, Any]]) -> str:
    """Return the table of other libraries, task by task."""
    own = {r["name"]: r for r in results if r["contender"] == OWN}
    rows = [
        [
            r["name"],
            r["contender"] + (f" ({r['share']:.2g} of it measured)" if r["share"] < 1 else ""),
            f"{r['ms'][1]:,.1f}",
            _ratio(r),
            f"{r['copies'][1] / own[r['name']]['copies'][1]:.3g}",
        ]
        for name in own
        for r in results
        if r["name"] == name and r["contender"] != OWN
    ]
    head = ["task", "contender", "ms", "copies (quartiles)", "times ambikit's"]
    return table(head, rows)


def _agreement(agreement: dict[str, float] | None) -> str:
    """Return the differences between two ways to the same features."""
    if agreement is None:
        return "Not compared: the baseline was not measured.\n"
    return (
        "The features of the DCASE baselines, restated with librosa in double precision, and those "
        f'of `foa_features(preset="dcase")` differ by at most {agreement["intensity"]:.1e} in the '
        f"intensity (goal 1e-6) and {agreement['level_db']:.1e} dB in the levels (goal 1e-3 dB).\n"
    )


def _starts(starts: dict[str, Any]) -> str:
    """Return imports and first calls."""
    low, median, high = starts["import_ms"]
    rows = [
        [
            f"`{name}`",
            f"{times['compiled']:.2f}" + ("" if times["compiled"] <= COMPILED_S else " ✗"),
            f"{times['cached']:.2f}" + ("" if times["cached"] <= CACHED_S else " ✗"),
        ]
        for name, times in starts["first_call_s"].items()
    ]
    return (
        f"`import ambikit` takes {median:.1f} ms more than numpy ({low:.1f} to {high:.1f}; goal "
        f"{IMPORT_MS:g}). Importing numba and compiling `lambda x: x` takes "
        f"{starts['numba_s']:.2f} s; the first call of a kernel, with that, in seconds (goals "
        f"{COMPILED_S:g} and {CACHED_S:g}):\n\n"
        + table(["first call", "compiled", "from numba's cache on disk"], rows)
    )


def _ratio(r: dict[str, Any]) -> str:
    """Return a median and its quartiles, in copies."""
    low, median, high = r["copies"]
    return f"**{median:.3g}** ({low:.3g} – {high:.3g})"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def commit() -> str:
    """Return the commit that is measured."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=HERE,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or "unknown"


def processor() -> str:
    """Return the name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*: (.+)", info.read_text())
        if found:
            return found[1]
    return platform.processor() or platform.machine()
