"""A map over processes that keeps order and outlives the death of a worker."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from ambikit_learn.parallel.processes import map_in_order
from tests.waiting import PATIENCE


def run(work, items, workers):
    return list(map_in_order(work, items, workers=workers, lost=lambda *lost: lost))


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_keeps_order(workers):
    assert run(math.sqrt, range(30), workers) == [math.sqrt(i) for i in range(30)]
    assert run(math.sqrt, [], workers) == []


def test_slow_items_do_not_reorder():
    delays = [0.2, 0.0, 0.1, 0.0]
    assert run(partial(max, -1.0), delays, 2) == delays
    assert run(time.sleep, delays, 2) == [None] * 4


@pytest.mark.parametrize("workers", [1, 2])
def test_a_death_costs_one_item(workers):
    # eval stands for a decoder: most inputs give a result, one ends the process.
    items = [f"{i} + 1" for i in range(12)]
    items[5] = "__import__('os')._exit(3)"
    wanted = [i + 1 for i in range(12)]
    wanted[5] = (items[5], "crash")
    assert run(eval, items, workers) == wanted


@pytest.mark.parametrize("workers", [0, 1])
def test_what_work_raises_ends_the_map(workers):
    with pytest.raises(ValueError, match=r"math domain|nonnegative"):
        run(math.sqrt, [1.0, -1.0, 4.0], workers)


def test_work_is_not_done_far_ahead(tmp_path):
    """The results of a long list must not pile up in memory."""
    results = map_in_order(
        partial(os.makedirs, exist_ok=False),
        [tmp_path / str(i) for i in range(50)],
        workers=1,
        lost=lambda *_: None,
    )
    next(results)
    time.sleep(0.3)
    assert len(list(tmp_path.iterdir())) <= 5
    results.close()


def test_a_script_without_a_guard_is_told_of_it(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from ambikit_learn.parallel.processes import map_in_order\n"
        "print(list(map_in_order(abs, [1], workers=1, lost=abs)))\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=PATIENCE
    )
    assert "if __name__ == '__main__':" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_hang_costs_one_item(workers):
    begin = time.monotonic()
    items = [0.0, 0.01, 3600.0, 0.0, 0.01, 0.0]
    results = map_in_order(
        time.sleep,
        items,
        workers=workers,
        lost=lambda *lost: lost,
        limit=lambda seconds: 0.5 if seconds > 1 else PATIENCE,
    )
    assert list(results) == [None, None, (3600.0, "hang"), None, None, None]
    assert time.monotonic() - begin < items[2]


def test_a_death_that_is_not_the_items_fault_costs_nothing(tmp_path):
    """As when the machine is short of memory for a while."""
    mark = str(tmp_path / "died before")
    dies_once = f"__import__('os').mkdir({mark!r}) or __import__('os')._exit(9)"
    items = ["1", f"2 if __import__('os').path.exists({mark!r}) else {dies_once}", "3"]
    assert run(eval, items, 1) == [1, 2, 3]


def test_a_deadly_item_leaves_the_others_their_processes():
    """One process for each death, not one for each item in hand."""
    items = ["__import__('os').getpid()"] * 12
    items[4] = "__import__('os')._exit(3)"
    pids = run(eval, items, 1)
    assert len(set(pids[:4])) == 1
    assert len(set(pids[5:])) == 1
    assert pids[0] != pids[5]


def test_an_error_tells_where_it_was_raised():
    with pytest.raises(ZeroDivisionError) as raised:
        run(eval, ["1 / 0"], 1)
    assert "_serve" in raised.value.__notes__[0]


def test_a_result_that_cannot_be_sent_is_an_error():
    with pytest.raises(Exception, match="pickle"):
        run(eval, ["lambda: 0"], 1)


def test_workers_end_in_order(tmp_path):
    """What the work leaves to be tidied away at exit is tidied away."""
    left = tmp_path / "left"
    left.touch()
    register = f"__import__('atexit').register(__import__('os').remove, {str(left)!r}) and None"
    assert run(eval, [register], 1) == [None]
    assert not left.exists()


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows has no signal masks")
def test_workers_leave_ctrl_c_to_their_parent_from_their_first_moment():
    """A terminal sends it to all; a process that still loads modules would print a traceback."""
    blocked = "__import__('signal').pthread_sigmask(0, [])"
    (found,) = run(eval, [blocked], 1)
    assert signal.SIGINT in found
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
