"""A contender in a process of its own, asked over a pipe.

Libraries that share a process disturb one another: their thread pools, their allocators, even what
they link. Alone, the memory that a contender takes is what its process grows by."""

from __future__ import annotations

import multiprocessing
import shutil
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import numpy as np

from benchmarks.contender import Contender
from edge_mrl.slices import FloatArray

_PROCESSES = multiprocessing.get_context("spawn")
_FIRST = 100
"""Queries after which memory is read: by then what is loaded when it is needed is there."""


class ContenderFailedError(Exception):
    """A contender raised or died; the message says what it said."""


def resident_bytes() -> int:
    """Memory of this process that is in RAM, mapped files included."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return 1024 * int(line.split()[1])
    raise OSError("/proc/self/status has no VmRSS")


class Hosted:
    """Builds in one process that ends, then opens and searches in a fresh one.

    Attributes:
        contender: the one that runs there; its settings here are sent with each question.
        facts: `build_s`, `file_bytes`, `inserted_per_s` (where it can be told apart),
            `library_bytes` (the import), `open_ms` (open and first query, wall time, file in the
            page cache), `memory_bytes` (growth from the import to after 100 queries).
        note: its settings as it puts them.
    """

    def __init__(self, contender: Contender, documents: Path, queries: Path, folder: Path) -> None:
        """Build and open.

        Args:
            contender: installed.
            documents: a .npy file, (n, d) float32.
            queries: a .npy file, (m, d) float32; questions name them by number.
            folder: for the contender's files; emptied first.

        Raises:
            ContenderFailedError: it cannot be built or opened.
        """
        self.contender = contender
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        builder = _Child(_build, contender, documents, folder)
        self.facts: dict[str, float] = builder.receive()
        builder.close()
        self._served = queries, folder
        self._open()

    def _open(self) -> None:
        self._child = _Child(_serve, self.contender, *self._served)
        self.facts |= self._child.receive()

    def reopen(self) -> None:
        """Take the facts again, with the settings that the contender has by now."""
        self._child.close()
        self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._child.close()

    @property
    def note(self) -> str:
        note: str = self._child.ask("note", self.contender.effort)
        return note

    def search(self, numbers: list[int]) -> list[tuple[float, float, list[int]]]:
        """One query after the other: CPU seconds of the whole process, wall seconds, hits."""
        answers: list[tuple[float, float, list[int]]] = self._child.ask(
            "search", self.contender.effort, numbers
        )
        return answers

    def search_many(self, numbers: list[int], threads: int) -> tuple[float, float]:
        """A batch: CPU seconds, wall seconds."""
        spent: tuple[float, float] = self._child.ask(
            "search_many", self.contender.effort, numbers, threads
        )
        return spent

    def scan_speed(self) -> float | None:
        """See `Contender.scan_speed`."""
        speed: float | None = self._child.ask("scan_speed", self.contender.effort)
        return speed


class _Child:
    def __init__(self, work: Any, *arguments: object) -> None:
        self._pipe, end = _PROCESSES.Pipe()
        self._process = _PROCESSES.Process(target=_run, args=(work, end, *arguments), daemon=True)
        self._process.start()
        end.close()

    def ask(self, *question: object) -> Any:
        self._pipe.send(question)
        return self.receive()

    def receive(self) -> Any:
        try:
            good, answer = self._pipe.recv()
        except EOFError:
            self._process.join()
            raise ContenderFailedError(f"died, exit code {self._process.exitcode}") from None
        if not good:
            self.close()
            raise ContenderFailedError(answer)
        return answer

    def close(self) -> None:
        self._pipe.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _run(work: Any, pipe: Connection, *arguments: object) -> None:
    try:
        work(pipe, *arguments)
    except EOFError:
        return  # the other side is done
    except BaseException as error:  # noqa: BLE001  a rival may raise anything, a panic included
        traceback.print_exc()
        pipe.send((False, f"{type(error).__name__}: {error}"[:300]))


def _build(pipe: Connection, contender: Contender, documents: Path, folder: Path) -> None:
    vectors = np.load(documents)
    start = time.perf_counter()
    contender.build(vectors, folder)
    built = time.perf_counter() - start
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    facts: dict[str, float] = {"build_s": built, "file_bytes": size}
    if contender.insert_s is not None:
        facts["inserted_per_s"] = len(vectors) / contender.insert_s
    pipe.send((True, facts))


def _serve(pipe: Connection, contender: Contender, queries: Path, folder: Path) -> None:
    asked: FloatArray = np.load(queries)
    bare = resident_bytes()
    if contender.package is not None:
        __import__(contender.package)
    imported = resident_bytes()
    start = time.perf_counter()
    contender.open(folder)
    contender.search(asked[0])
    opened = time.perf_counter() - start
    for number in range(1, _FIRST):
        contender.search(asked[number % len(asked)])
    facts = {
        "library_bytes": imported - bare,
        "open_ms": 1e3 * opened,
        "memory_bytes": resident_bytes() - imported,
    }
    pipe.send((True, facts))
    while True:
        what, effort, *rest = pipe.recv()
        contender.effort = effort
        pipe.send((True, _answer(contender, asked, what, rest)))


def _answer(contender: Contender, queries: FloatArray, what: str, rest: list[Any]) -> object:
    if what == "note":
        return contender.note
    if what == "scan_speed":
        return contender.scan_speed(queries[0])
    if what == "search_many":
        numbers, threads = rest
        batch = queries[numbers]
        cpu, wall = time.process_time(), time.perf_counter()
        contender.search_many(batch, threads)
        return time.process_time() - cpu, time.perf_counter() - wall
    answers = []
    for number in rest[0]:
        query = queries[number]
        cpu, wall = time.process_time(), time.perf_counter()
        hits = contender.search(query)
        answers.append((time.process_time() - cpu, time.perf_counter() - wall, hits))
    return answers
