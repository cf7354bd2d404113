"""The map of `ambikit_learn.parallel.processes` on the nodes of a Ray cluster."""

from __future__ import annotations

import heapq
import logging
import math
import os
import socket
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from ambikit import InputError, checks
from ambikit_learn.parallel.processes import IN_HAND, Item, Loss, Result, Worker

GPU_SHARERS = 8
"""Workers per GPU when their number is not given: each holds its own copy of a detector there."""

LOSSES = 5
"""Consecutive actors that may be lost with an item, or before they are ready."""

_GRACE = 5.0
"""Seconds that actors have to end in order."""


def map_on_ray(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    lost: Callable[[Item, Loss], Result],
    limit: Callable[[Item], float] | None = None,
    address: str | None = None,
    gpus: bool = False,
) -> Generator[Result, None, None]:
    """Map `work` over `items` on a Ray cluster, as `map_in_order` does on this machine.

    Parameters
    ----------
    work : callable
        Function that can be pickled, of a module that the nodes have. An exception ends the map.
    items : iterable
        Its arguments.
    workers : int, optional
        Actors of one CPU each; by default one per CPU, and at most `GPU_SHARERS` per GPU.
    lost, limit : callable
        As for `map_in_order`.
    address : str, optional
        Address of the cluster, as for ``ray.init``: ``"auto"`` or ``"HOST:PORT"`` of a cluster that
        this machine is a node of; ``"local"`` starts one here, which ends with the map. By default
        the cluster that ``RAY_ADDRESS`` names or that runs on this machine, or else a new one.
    gpus : bool
        Whether the work can use GPUs: those of the cluster are divided evenly.

    Yields
    ------
    Result
        One for each item, in order.

    Raises
    ------
    InputError
        Ray is not installed, the cluster does not exist, `workers` is 0, or the nodes cannot start
        the workers.

    Notes
    -----
    An actor holds a `Worker`, whose process does the work, so that a crash or a hang is handled
    where it happens. A loss that Ray reports is thus that of a node: its item goes to the next free
    actor, and a new actor starts as soon as a node has room. The cluster may shrink and grow.
    """
    if workers == 0:
        raise InputError("Ray needs workers: give 1 or more, or no number for one per CPU")
    todo = list(items)
    left = list(range(len(todo)))
    results: dict[int, Result] = {}
    losses: Counter[int | None] = Counter()
    given = 0
    with _cluster(address) as ray:
        size, share = _shares(ray.cluster_resources(), len(todo), workers, gpus)
        with closing(_Pool(ray, size, share, (work, lost, limit))) as pool:
            while given < len(todo):
                while pool.idle and left and left[0] < given + IN_HAND * size:
                    pool.give(number := heapq.heappop(left), todo[number])
                done, result, error = pool.wait()
                losses[done] = 0 if error is None else losses[done] + 1
                if done is None:
                    if losses[None] == LOSSES:
                        raise InputError(f"no node can start workers: {error}") from error
                elif error is None:
                    results[done] = result
                elif losses[done] == LOSSES:
                    results[done] = lost(todo[done], "crash")
                else:
                    heapq.heappush(left, done)
                while given in results:
                    yield results.pop(given)
                    given += 1


class _Pool:
    """Actors that are idle, busy with an item, or starting.

    Parameters
    ----------
    ray : module
    size : int
        Number of actors.
    share : float
        Fraction of a GPU for each.
    arguments : tuple
        Arguments of `Worker`.
    """

    def __init__(self, ray: Any, size: int, share: float, arguments: tuple[Any, ...]) -> None:
        self.idle: list[Any] = []
        self._ray, self._arguments = ray, arguments
        self._actor = ray.remote(num_cpus=1, num_gpus=share)(Worker)
        # By reference: the actor, and the number of its item, or None while it starts.
        self._busy: dict[Any, tuple[Any, int | None]] = {}
        for _ in range(size):
            self._start_actor()

    def give(self, number: int, item: Any) -> None:
        """Send an item to an idle actor."""
        actor = self.idle.pop()
        self._busy[actor.do.remote(item)] = actor, number

    def wait(self) -> tuple[int | None, Any, Exception | None]:
        """Wait for an actor: return the number of its item, the result, and the error if lost."""
        (reference, *_), _ = self._ray.wait(list(self._busy))
        actor, number = self._busy.pop(reference)
        try:
            result = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayError as error:
            self._start_actor()
            return number, None, error
        self.idle.append(actor)
        return number, result, None

    def close(self) -> None:
        """End all actors: the idle ones in order, the others at once."""
        for actor, _ in self._busy.values():
            self._ray.kill(actor)
        closed = [actor.close.remote() for actor in self.idle]
        if closed:
            self._ray.wait(closed, num_returns=len(closed), timeout=_GRACE)

    def _start_actor(self) -> None:
        """Request an actor, which starts as soon as a node has room."""
        actor = self._actor.remote(*self._arguments)
        self._busy[actor.prepare.remote()] = actor, None


def _shares(
    resources: Mapping[str, float], items: int, workers: int | None, gpus: bool
) -> tuple[int, float]:
    """Return the number of actors, and the fraction of a GPU for each."""
    devices = int(resources.get("GPU", 0)) if gpus else 0
    if workers is None:
        workers = int(resources.get("CPU", 1))
        if devices:
            workers = min(workers, GPU_SHARERS * devices)
    size = max(1, min(workers, items))
    return size, 1 / math.ceil(size / devices) if devices else 0.0


@contextmanager
def _cluster(address: str | None) -> Iterator[Any]:
    """Connect to a cluster, unless this process is connected already; yield the package ray."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray: Any = checks.package("ray", "the engine 'ray' needs")
    if ray.is_initialized():
        yield ray
        return
    try:
        _check_reachable(address)
        ray.init(address, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"no Ray cluster at address {address!r} ({reason}): start one by `ray start --head`, "
            "or give no address for one on this machine"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_reachable(address: str | None) -> None:
    """Raise OSError if nothing answers at a host and port; Ray itself reports it after minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), _GRACE).close()
