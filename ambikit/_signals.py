"""Signals that end a process, taken as exceptions, so that nothing is left half made."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = (
    signal.SIGTERM,
    *((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()),  # a terminal that is closed
)
"""Signals that request a process to end, without Ctrl-C, which Python makes an exception."""


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Let these signals end this process as an exception does, with its partial files.

    A signal that is ignored stays so, as ``nohup`` has it.

    Raises
    ------
    SystemExit
        With 128 and the number of the signal, when one arrives.
    """

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {n: signal.getsignal(n) for n in ENDING if signal.getsignal(n) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
