"""A writer that is to be disturbed, and what must hold of its file afterwards."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np

from edge_mrl.index import Index

SIZE = 200
"""Documents of a batch."""

DIM = 16

WRITER = """
import sys
import numpy as np
from contextlib import nullcontext
from edge_mrl.errors import IndexFileError
from edge_mrl.index import Index

path, first, batches, kind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]

def add(index, number):
    ids = list(range(number * 200, number * 200 + 200))
    vectors = np.random.default_rng(number).standard_normal((200, 16))
    index.add([f"text {id_} " + 100 * "x" for id_ in ids], vectors=vectors, ids=ids)
    print(f"stored {number}", flush=True)

try:
    with Index.open(path) as index:
        with index.bulk_load() if kind == "bulk" else nullcontext():
            for number in range(first, first + batches):
                try:
                    add(index, number)
                except IndexFileError as error:
                    print("refused", error, flush=True)
                    add(index, number)
        print("ended", flush=True)
except IndexFileError as error:
    print("given up", error, flush=True)
    sys.exit(3)
"""


def writer(
    path: Path, *, first: int = 0, batches: int = 100_000, kind: str = "durable", before=()
) -> subprocess.Popen:
    """Start a process that stores batch after batch and says so on standard output.

    Args:
        path: an index file.
        first: the number of the first batch.
        batches: how many.
        kind: "durable", or "bulk" for all of them in one bulk load.
        before: words of a command that runs it.
    """
    words = [sys.executable, "-c", WRITER, path, first, batches, kind]
    return subprocess.Popen(
        [*before, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def new_index(path: Path) -> None:
    """An empty index for the writer."""
    Index.create(path, dim=DIM, matryoshka_dims=[DIM], identity="i", model_name="m").close()


def acknowledged(lines: list[str]) -> int:
    """How many batches the writer's output says are stored, counted from batch 0."""
    # The last line of a writer that was killed may end anywhere.
    found = [line.split() for line in lines if line.startswith("stored ")]
    stored = [int(words[1]) for words in found if len(words) == 2]
    return stored[-1] + 1 if stored else 0


def check(path: Path) -> int:
    """The file is sound, holds whole batches from 0 on without a gap, and can be written.

    Returns:
        How many batches it holds.
    """
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    found = connection.execute("SELECT coalesce(id, row) FROM documents ORDER BY 1")
    ids = [id_ for (id_,) in found]
    connection.close()
    assert ids == list(range(len(ids)))
    assert len(ids) % SIZE == 0
    batches = len(ids) // SIZE
    with Index.open(path) as index:
        assert len(index) == len(ids)
        for number in {0, batches // 2, batches - 1} if batches else ():
            vectors = np.random.default_rng(number).standard_normal((SIZE, DIM))
            for exact in (False, True):
                best = index.search(vectors[7], k=1, exact=exact)[0]
                assert best.id == number * SIZE + 7
                assert best.text.startswith(f"text {best.id} ")
        index.add(vectors=np.ones((1, DIM)), ids=["after"])
        assert index.delete(["after"]) == 1
    return batches
