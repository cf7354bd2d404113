"""Run the tests with emulated processors, numbers of threads, loads, and in random order.

``make portability`` runs all settings, one after the other, also after failures. Some settings or
tests: ``make portability SETTINGS="torch-avx2 loaded" TESTS="tests/ambikit"``. With ``--resume``,
settings that passed before are not run again. Logs are kept in ``.portability/``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".portability"
RESULTS = FOLDER / "results.json"
TESTS = ("tests",)
SIDE_BY_SIDE = ("-n", "logical", "--maxprocesses", "8")
ALONE = ("-p", "no:xdist")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
BLAS_KERNELS = {
    "x86_64": {"Prescott": "pni", "Nehalem": "sse4_2", "Haswell": "avx2", "SkylakeX": "avx512f"},
    "aarch64": {"ARMV8": "asimd", "NEOVERSEN1": "asimddp"},
}
"""Kernels of OpenBLAS by machine, with the flag in /proc/cpuinfo that a processor needs for it."""

FEATURES = """
import numpy
print(*numpy.show_config("dicts").get("SIMD Extensions", {}).get("found", ()))
"""
# A busy process ends with the one that started it, even if that is killed.
BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: sum(range(100000))"


@dataclass(frozen=True)
class Setting:
    """A way to run the tests: variables (None: not set), arguments of pytest, and company."""

    name: str
    environment: Mapping[str, str | None] = field(default_factory=dict)
    pytest: tuple[str, ...] = SIDE_BY_SIDE
    compiled_anew: bool = False
    one_core: bool = False
    busy: bool = False


@dataclass
class Result:
    """The result of a setting, and the tests that were run."""

    tests: list[str]
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    seconds: float = 0.0
    fault: str = ""

    @property
    def good(self) -> bool:
        """Whether tests ran and all passed."""
        return self.passed > 0 and not (self.failed or self.errors or self.fault)


def settings(seed: int) -> list[Setting]:
    """List the settings that this machine can emulate.

    oneDNN is left as it is: restricted below AVX2 it is no fair emulation. OpenVINO then finds no
    operator to run, and torch crashes, which neither does on a processor without AVX2.
    """
    one, two = ({name: str(count) for name in THREADS} for count in (1, 2))
    found = [
        Setting("plain", one),
        Setting("first-run", one, compiled_anew=True),
        Setting("torch-default", {**one, "ATEN_CPU_CAPABILITY": "default"}),
        Setting("torch-avx2", {**one, "ATEN_CPU_CAPABILITY": "avx2"}),
        Setting("torch-mkl", {**one, "MKL_CBWR": "COMPATIBLE"}),
        Setting("numpy-baseline", {**one, "NPY_DISABLE_CPU_FEATURES": numpy_features()}),
        Setting("numba-generic", {**one, "NUMBA_CPU_NAME": "generic"}, compiled_anew=True),
        Setting("blas-detected", {**one, "OPENBLAS_CORETYPE": None, "OPENBLAS_L2_SIZE": None}),
    ]
    found += [
        Setting(f"blas-{kernel.lower()}", {**one, "OPENBLAS_CORETYPE": kernel})
        for kernel in blas_kernels()
    ]
    found += [
        Setting("one-thread", one, ALONE),
        Setting("two-threads", two, ALONE),
        Setting("loaded", one, busy=True),
        Setting(
            "random-order", one, (*SIDE_BY_SIDE, "--random-order", f"--random-order-seed={seed}")
        ),
    ]
    if hasattr(os, "sched_setaffinity"):
        found.append(Setting("one-core", dict.fromkeys(THREADS), ALONE, one_core=True))
    if platform.libc_ver()[0] == "glibc":
        # Each new byte of memory is 0xfe: what is read before it is written shows.
        found.append(Setting("filled-memory", {**one, "MALLOC_PERTURB_": "1"}))
    return found


def numpy_features() -> str:
    """Return the processor features that numpy uses beyond its baseline."""
    run = [sys.executable, "-c", FEATURES]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()


def blas_kernels() -> list[str]:
    """Return the kernels of OpenBLAS that this processor can run."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return []
    known = BLAS_KERNELS.get(platform.machine(), {})
    return [kernel for kernel, flag in known.items() if flag in flags]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", nargs="*", metavar="SETTING", help="all when none is given")
    parser.add_argument("--seed", type=int, default=1, help="of the random order")
    parser.add_argument("--resume", action="store_true", help="leave out what passed before")
    parser.add_argument(
        "--tests", nargs=argparse.REMAINDER, default=TESTS, help="all that follows is for pytest"
    )
    options = parser.parse_args(arguments)
    known = {setting.name: setting for setting in settings(options.seed)}
    unknown = set(options.settings) - set(known)
    if unknown:
        parser.error(f"no setting {', '.join(sorted(unknown))}: choose from {', '.join(known)}")
    FOLDER.mkdir(exist_ok=True)
    results = load() if options.resume else {}
    tests = list(options.tests)
    chosen = options.settings or list(known)
    done: dict[str, Result] = {}
    try:
        for name in chosen:
            before = results.get(name)
            if before is None or not before.good or before.tests != tests:
                print(f"{name} ...", flush=True)
                results[name] = run(known[name], tests)
                stored = {name: vars(result) for name, result in results.items()}
                RESULTS.write_text(json.dumps(stored, indent=2))
            done[name] = results[name]
    except KeyboardInterrupt:
        print("stopped: --resume leaves out what passed")
    print("\n" + table(done))
    if len(done) < len(chosen):
        return 130
    return int(not all(result.good for result in done.values()))


def load() -> dict[str, Result]:
    """Read the results of earlier settings."""
    try:
        stored = json.loads(RESULTS.read_text())
        return {name: Result(**values) for name, values in stored.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def run(setting: Setting, tests: list[str]) -> Result:
    """Run tests in a setting."""
    environment = {k: v for k, v in os.environ.items() if k not in setting.environment}
    environment |= {k: v for k, v in setting.environment.items() if v is not None}
    report, log = (FOLDER / f"{setting.name}{suffix}" for suffix in (".xml", ".log"))
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}"]
    command += [*setting.pytest, *tests]
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as cache, log.open("w") as file, company(setting.busy):
        if setting.compiled_anew:
            environment["NUMBA_CACHE_DIR"] = cache
        with on_one_core(setting.one_core):
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT
            )
        try:
            status = process.wait()
        finally:
            process.kill()
    result = counted(report, status, tests)
    result.seconds = time.monotonic() - start
    return result


@contextmanager
def on_one_core(asked: bool) -> Iterator[None]:
    """Restrict processes that are started meanwhile to a single core."""
    if not asked:
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def company(asked: bool) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Keep the machine busy: two processes for each core."""
    count = 2 * (os.cpu_count() or 1) if asked else 0
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def counted(report: Path, status: int, tests: list[str]) -> Result:
    """Read the report of a run that ended with some status."""
    result = Result(tests)
    try:
        suite = ElementTree.parse(report).getroot().find("testsuite")
        assert suite is not None
    except (OSError, ElementTree.ParseError, AssertionError):
        result.fault = f"no report, pytest ended with status {status}"
        return result
    total, result.failed, result.errors, result.skipped = (
        int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")
    )
    result.passed = total - result.failed - result.errors - result.skipped
    if status and not (result.failed or result.errors):
        result.fault = f"pytest ended with status {status}"
    return result


def table(results: dict[str, Result]) -> str:
    """Return a table of results, with the logs of failures."""
    columns = (("passed", 8), ("failed", 8), ("errors", 8), ("skipped", 9))
    head = "".join(f"{name:>{width}}" for name, width in columns)
    lines = [f"{'setting':16}{head}  minutes"]
    for name, result in results.items():
        numbers = "".join(f"{getattr(result, column):{width}}" for column, width in columns)
        line = f"{name:16}{numbers}{result.seconds / 60:9.1f}"
        if not result.good:
            log = FOLDER.relative_to(ROOT) / f"{name}.log"
            line += f"  {result.fault or 'failed'}: see {log}"
        lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
