"""A map over processes that keeps order and outlives the death of a worker."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from functools import partial

import pytest

from ambikit_learn.workers import map_in_order


def run(work, items, workers):
    return list(map_in_order(work, items, workers=workers, lost=lambda item: ("lost", item)))


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
    wanted[5] = ("lost", items[5])
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
        lost=lambda _: None,
    )
    next(results)
    time.sleep(0.3)
    assert len(list(tmp_path.iterdir())) <= 5
    results.close()


def test_a_script_without_a_guard_is_told_of_it(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from ambikit_learn.workers import map_in_order\n"
        "print(list(map_in_order(abs, [1], workers=1, lost=abs)))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert "if __name__ == '__main__':" in done.stderr.splitlines()[-1]
