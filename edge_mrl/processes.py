"""This process and others: whether one runs, and an end by SIGTERM that cleans up."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def is_another_running(process: int) -> bool:
    """Whether a process of this number runs that is not this one.

    Where the system has no harmless way to ask, it is taken to run.
    """
    if process == os.getpid():
        return False
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """SIGTERM unwinds the block like an interrupt; by itself it would end the process at once.

    In another thread than the main one, which alone hears signals, nothing changes.

    Raises:
        SystemExit: with 128 + 15, in the block, when the signal comes.
    """

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
