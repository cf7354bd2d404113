"""Progress of long commands: a bar on a terminal, a line at intervals elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")

EVERY = 10.0
"""Seconds between lines."""


def progress(items: Iterable[Item], total: int, name: str) -> Iterator[Item]:
    """Yield `items`, and report on stderr how many of `total` are done."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
            yield from bar.track(items, total=total, description=name)
        return
    begin = told = time.monotonic()
    for count, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - told > EVERY or count == total:
            told = now
            left = (now - begin) / count * (total - count)
            console.print(f"{name}: {count}/{total}, {left:.0f} s left", highlight=False)
