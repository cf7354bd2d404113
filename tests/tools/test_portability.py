"""Settings of `make portability` are in force, and nothing that fails in one passes for good."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools import portability

IN_FORCE = {
    "torch-default": "import torch\nassert torch.backends.cpu.get_cpu_capability() == 'DEFAULT'",
    "numpy-baseline": portability.FEATURES.replace("print(*", "assert not list("),
    "numba-generic": "import numba\nassert not numba.core.config.CPU_FEATURES\n"
    "assert numba.core.config.CPU_NAME == 'generic'",
    "blas-nehalem": "import threadpoolctl\nimport numpy\n"
    "assert {i['architecture'] for i in threadpoolctl.threadpool_info()} == {'Nehalem'}",
    "one-core": "import os\nassert len(os.sched_getaffinity(0)) == 1",
    "filled-memory": "import numpy\nassert set(numpy.empty(3000, 'u1')) == {0xFE}",
}
NEEDS = {"torch-default": "torch", "blas-nehalem": "threadpoolctl"}
MIXED = """
import pytest

def test_passes(): pass
def test_fails(): assert False
def test_skips(): pytest.skip()
def test_has_an_error(nothing): pass
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep reports and logs here."""
    monkeypatch.setattr(portability, "ROOT", tmp_path)
    monkeypatch.setattr(portability, "FOLDER", tmp_path / "made")
    monkeypatch.setattr(portability, "RESULTS", tmp_path / "made" / "results.json")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    return tmp_path


@pytest.mark.parametrize("name", IN_FORCE)
def test_a_setting_is_in_force(folder: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    if name not in {setting.name for setting in portability.settings(0)}:
        pytest.skip("this machine cannot stand in for that")
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    lines = "".join(f"    {line}\n" for line in IN_FORCE[name].strip().splitlines())
    (folder / "test_it.py").write_text(f"def test_it():\n{lines}")
    status = portability.main([name, "--tests", "test_it.py"])
    assert status == 0, (folder / "made" / f"{name}.log").read_text()
    assert f"{name:16}       1       0       0        0" in capfd.readouterr().out


def test_what_fails_is_counted_and_the_next_setting_runs(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "test_it.py").write_text(MIXED)
    assert portability.main(["one-thread", "two-threads", "--tests", "test_it.py"]) == 1
    out = capfd.readouterr().out
    for name in ("one-thread", "two-threads"):
        assert f"{name:16}       1       1       1        1" in out
        assert f"failed: see {Path('made', f'{name}.log')}" in out
    (folder / "test_it.py").write_text("import os\ndef test_dies(): os._exit(7)")
    assert portability.main(["one-thread", "--tests", "test_it.py"]) == 1
    assert "no report, pytest ended with status 7" in capfd.readouterr().out
    assert portability.main(["one-thread", "--tests", "not_there.py"]) == 1


def test_what_passed_is_not_run_again(folder: Path) -> None:
    test = folder / "test_it.py"
    test.write_text("def test_passes(): pass")
    assert portability.main(["one-thread", "--tests", "test_it.py"]) == 0
    test.write_text("def test_fails(): assert False")
    assert portability.main(["one-thread", "--resume", "--tests", "test_it.py"]) == 0
    assert portability.main(["one-thread", "--resume", "--tests", "test_it.py", "-v"]) == 1
    test.write_text("def test_passes(): pass")
    assert portability.main(["one-thread", "--resume", "--tests", "test_it.py", "-v"]) == 0
    (folder / "made" / "results.json").write_text("{")
    assert portability.main(["one-thread", "--resume", "--tests", "test_it.py"]) == 0


def test_what_was_done_before_a_stop_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(setting: portability.Setting, tests: list[str]) -> portability.Result:
        if setting.name == "two-threads":
            raise KeyboardInterrupt
        return portability.Result(tests, passed=3)

    monkeypatch.setattr(portability, "run", run)
    assert portability.main(["one-thread", "two-threads", "plain"]) == 130
    out = capsys.readouterr().out
    assert "one-thread             3       0       0        0" in out
    assert "plain" not in out


def test_a_setting_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        portability.main(["one-tread"])
    assert stop.value.code == 2
    assert "no setting one-tread: choose from plain, first-run" in capsys.readouterr().err


def test_company_and_affinity_end() -> None:
    with portability.company(True) as processes:
        assert len(processes) == 2 * (os.cpu_count() or 1)
        assert all(process.poll() is None for process in processes)
    assert all(process.poll() is not None for process in processes)
    if hasattr(os, "sched_getaffinity"):
        before = os.sched_getaffinity(0)
        with portability.on_one_core(True):
            assert len(os.sched_getaffinity(0)) == 1
        assert os.sched_getaffinity(0) == before
