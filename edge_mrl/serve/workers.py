"""Threads that answer, one engine each, over one queue.

Encoders and indexes belong to a thread, so they are opened in the thread that uses them. The queue
needs no bound of its own: the gate lets only so many requests in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue

from edge_mrl.serve.engine import Engine

Job = Callable[[Engine], bytes]


@dataclass(frozen=True, slots=True)
class _Waiting:
    job: Job
    answer: Future[bytes]


class Workers:
    """A pool of threads.

    Args:
        open_engine: called once in each thread.
        count: how many threads.
    """

    def __init__(self, open_engine: Callable[[], Engine], count: int) -> None:
        self._open_engine = open_engine
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._opened: list[Future[Engine]] = [Future() for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._work, args=(opened,), name="edge-mrl-worker", daemon=True)
            for opened in self._opened
        ]

    def start(self) -> Engine:
        """Start the threads, and wait until every engine is open.

        Returns:
            One of the engines, to be asked what it serves, and nothing else.

        Raises:
            EdgeMrlError: an engine cannot be opened.
        """
        for thread in self._threads:
            thread.start()
        try:
            first, *_ = [opened.result() for opened in self._opened]
            return first
        except BaseException:
            self.stop()
            raise

    def submit(self, job: Job) -> Future[bytes]:
        """Have a job done; a future that is cancelled before its turn is passed over."""
        waiting = _Waiting(job, Future())
        self._queue.put(waiting)
        return waiting.answer

    def stop(self, seconds: float = 5) -> None:
        """Let the threads finish what they are at, and end.

        Args:
            seconds: how long to wait for each; one that takes longer ends with the process.
        """
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(seconds)

    def _work(self, opened: Future[Engine]) -> None:
        try:
            engine = self._open_engine()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            opened.set_exception(error)
            return
        opened.set_result(engine)
        try:
            while (waiting := self._queue.get()) is not None:
                if not waiting.answer.set_running_or_notify_cancel():
                    continue
                try:
                    waiting.answer.set_result(waiting.job(engine))
                except BaseException as error:  # noqa: BLE001 - handed to the request
                    waiting.answer.set_exception(error)
        finally:
            engine.close()
