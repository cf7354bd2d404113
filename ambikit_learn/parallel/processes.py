"""A map over processes that keeps the order and survives crashes and hangs of single processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection, wait
from queue import LifoQueue
from typing import Any, Generic, Literal, TypeVar, cast

from ambikit_learn._threads import cores

Item = TypeVar("Item")
Result = TypeVar("Result")

Loss = Literal["crash", "hang"]
"""Reasons why an item has no result: its process died, or did not finish in time."""

IN_HAND = 4
"""Items in flight per worker: enough that a slow one does not block the others, few enough that the
results fit in memory."""

TRIES = 2
"""Attempts per item. The first process may have died of another cause, such as a lack of memory."""

_GRACE = 5.0
"""Seconds that a process has to end by itself."""


def map_in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    lost: Callable[[Item, Loss], Result],
    limit: Callable[[Item], float] | None = None,
) -> Generator[Result, None, None]:
    """Map `work` over `items` in worker processes.

    Parameters
    ----------
    work : callable
        Function that can be pickled. An exception in it ends the map.
    items : iterable
        Its arguments.
    workers : int, optional
        Number of processes; by default one per core; 0 works in this process.
    lost : callable
        Returns the result of an item for a `Loss`: ``"crash"``, its process died, for example
        in a decoder, and so did the one that retried; or ``"hang"``, it took too long.
    limit : callable, optional
        Returns the seconds that an item may take; by default there is no limit.

    Yields
    ------
    Result
        One for each item, in order, for any number of workers.

    Raises
    ------
    RuntimeError
        Processes cannot be started.

    Notes
    -----
    Workers are spawned, since a forked copy of a process with threads (FFmpeg, torch) may hang.
    They end when their parent does, even by SIGKILL.
    """
    if workers == 0:
        yield from map(work, items)
        return
    count = cores() if workers is None else workers
    idle: LifoQueue[Worker[Item, Result]] = LifoQueue()

    def do(item: Item) -> Result:
        worker = idle.get()
        try:
            return worker.do(item)
        finally:
            idle.put(worker)

    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(count))
        for _ in range(count):
            idle.put(worker := Worker(work, lost, limit))
            stack.callback(worker.close)
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        futures: deque[Future[Result]] = deque()
        for item in items:
            futures.append(threads.submit(do, item))
            if len(futures) == IN_HAND * count:
                yield futures.popleft().result()
        while futures:
            yield futures.popleft().result()


class Worker(Generic[Item, Result]):
    """A process that handles one item after the other, and is replaced when it dies.

    Parameters
    ----------
    work, lost, limit : callable
        As for `map_in_order`.
    """

    def __init__(
        self,
        work: Callable[[Item], Result],
        lost: Callable[[Item, Loss], Result],
        limit: Callable[[Item], float] | None = None,
    ) -> None:
        self._work, self._lost, self._limit = work, lost, limit
        self._process: Any = None
        self._connection: Connection | None = None
        self._closed = False
        self._lock = threading.Lock()

    def do(self, item: Item) -> Result:
        """Handle an item, in at most `TRIES` processes.

        Parameters
        ----------
        item
            Argument of `work`.

        Returns
        -------
        Result
            Result of `work`, or else of `lost`.

        Raises
        ------
        Exception
            An exception of `work`.
        RuntimeError
            A process cannot be started, or the worker is closed.
        """
        limit = None if self._limit is None else self._limit(item)
        for _ in range(TRIES):
            connection = self._ready()
            try:
                connection.send(item)
                if not connection.poll(limit):
                    self._kill()
                    return self._lost(item, "hang")
                result, error = connection.recv()
            except (EOFError, OSError):
                self._kill()
                continue
            if error is not None:
                raise error
            return cast(Result, result)
        return self._lost(item, "crash")

    def prepare(self) -> None:
        """Start a process, so that the first item does not wait for it."""
        self._ready()

    def close(self) -> None:
        """End the process, whatever it is doing, from any thread."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.terminate()
                self._process.join(_GRACE)
                self._process.kill()

    def _ready(self) -> Connection:
        """Return the connection to a process that is ready for an item."""
        with self._lock:
            if self._closed:
                raise RuntimeError("this worker is closed")
            if self._connection is None:
                self._connection = self._started()
            return self._connection

    def _kill(self) -> None:
        """End the process and forget it."""
        self._process.kill()
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _started(self) -> Connection:
        """Start a process, and wait until it has imported what the work needs."""
        context = multiprocessing.get_context("spawn")
        connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other,))
        with _no_interrupt():
            self._process.start()
        other.close()
        try:
            connection.send(self._work)
            error = connection.recv()
        except (EOFError, OSError):
            raise RuntimeError(
                "worker processes cannot start: a script that starts them needs "
                "`if __name__ == '__main__':` around its calls; workers=0 needs no processes"
            ) from None
        if error is not None:
            raise error
        return connection


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Let a process that starts here ignore Ctrl-C from its first moment, before `_serve` does."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection) -> None:
    """Serve the requests of a connection: the main function of a worker's process."""
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # An orderly exit, so that functions registered with atexit run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        work = connection.recv()
    except Exception as error:
        connection.send(error)
        return
    connection.send(None)
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        try:
            connection.send((work(item), None))
        except Exception as error:
            error.add_note(traceback.format_exc())
            connection.send((None, error))


def _follow_parent() -> None:
    """End this process when its parent has ended, even in the middle of its work."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
