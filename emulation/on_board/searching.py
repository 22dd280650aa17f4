"""Searches prepared indexes and prints the hits: ``python -m emulation.on_board.searching FOLDER``.

Run in a process of its own for each kernel, since a process chooses its kernel once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from edge_mrl import Index

QUERIES = "queries.npy"
HITS = "hits.json"
K = 10


def layouts_in(folder: Path) -> list[Path]:
    """The index files of a folder."""
    return sorted(folder.glob("*.db"))


def search_all(folder: Path) -> dict[str, list[list[tuple[int, float]]]]:
    """Index file -> for each query its hits, as id and score."""
    queries = np.load(folder / QUERIES)
    found = {}
    for file in layouts_in(folder):
        with Index.open(file) as index:
            found[file.name] = [
                [(int(hit.id), hit.score) for hit in index.search(query, k=K)] for query in queries
            ]
    return found


if __name__ == "__main__":
    json.dump(search_all(Path(sys.argv[1])), sys.stdout)
