"""A map over processes that keeps order and outlives the death of a worker."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_HAND = 4
"""Items in hand for each worker: enough that a slow one does not hold up the others, few enough
that their results fit in memory."""


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    lost: Callable[[Item], Result],
) -> Iterator[Result]:
    """Map `work` over `items` in worker processes.

    Parameters
    ----------
    work : callable
        Function that can be pickled. What it raises ends the map.
    items : iterable
        What it is called with.
    workers : int
        Processes; 0 works in this one.
    lost : callable
        Makes the result of an item whose worker dies, as by a crash inside a decoder.

    Yields
    ------
    Result
        One for each item, in order, whatever the number of workers.

    Raises
    ------
    RuntimeError
        Processes cannot be started.

    Notes
    -----
    Nobody knows which item killed a pool. So those in hand are done again, each alone in a fresh
    process, and only an item that kills its process again is lost.

    Workers are spawned, since a forked copy of a process with threads (FFmpeg, torch) may hang.
    They end when their parent does, even by SIGKILL.
    """
    if workers == 0:
        yield from map(work, items)
        return
    todo = deque(items)
    futures: deque[Future[Result]] = deque()
    pool = _pool(workers)
    try:
        while todo:
            try:
                while len(futures) < min(IN_HAND * workers, len(todo)):
                    futures.append(pool.submit(work, todo[len(futures)]))
                result = futures[0].result()
            except BrokenProcessPool:
                in_hand = len(futures)
                futures.clear()
                pool.shutdown(wait=False)
                pool = _pool(workers)
                for _ in range(in_hand):
                    yield _alone(work, todo.popleft(), lost)
            else:
                futures.popleft()
                todo.popleft()
                yield result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _alone(work: Callable[[Item], Result], item: Item, lost: Callable[[Item], Result]) -> Result:
    """Do one item in a process of its own."""
    with _pool(1) as pool:
        try:
            return pool.submit(work, item).result()
        except BrokenProcessPool:
            return lost(item)


def _pool(workers: int) -> ProcessPoolExecutor:
    """Make a pool of spawned workers that is known to work."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)
    try:
        pool.submit(os.getpid).result()
    except BrokenProcessPool:
        raise RuntimeError(
            "worker processes cannot start: a script that starts them needs "
            "`if __name__ == '__main__':` around its calls; workers=0 needs no processes"
        ) from None
    return pool


def _begin() -> None:
    """Set up a worker: one thread, no say in Ctrl-C, and no life after its parent's."""
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End this process when its parent is gone; its queue alone would keep it waiting."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
