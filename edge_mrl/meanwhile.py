"""Work for another thread, begun before its result is needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Meanwhile(Generic[T]):
    """One call in a thread of its own. Used in a ``with`` statement, which never leaves the thread
    behind.

    It gains where the call spends its time outside the interpreter: hashing, reading, starting an
    engine. Where no thread can be started, the call is made when its result is asked for.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._at_work = threading.Lock()
        self._at_work.acquire()
        # No daemon: at exit, native code in such a thread would be torn down and abort the process.
        self._thread: threading.Thread | None = threading.Thread(target=self._run)
        try:
            self._thread.start()
        except RuntimeError:
            self._thread = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._wait()

    @property
    def running(self) -> bool:
        """Whether the thread is still at it."""
        return self._thread is not None and self._thread.is_alive()

    def result(self) -> T:
        """What the call returned.

        Raises:
            BaseException: what the call raised.
        """
        if self._thread is None:
            return self._work()
        self._wait()
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _wait(self) -> None:
        if self._thread is not None:
            # Not by join alone: Python 3.11 takes a thread for ended whose join was interrupted,
            # and would not wait for it at exit.
            with self._at_work:
                pass
            self._thread.join()

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as error:  # noqa: BLE001 - handed to who asks for the result
            self._error = error
        finally:
            self._at_work.release()
