"""The indexes that `benchmarks.plan` measures: documents are written once for each stored size, and
other codes are made of a copy, as a million documents take a minute to write."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from edge_mrl.bench.compare import work
from edge_mrl.bench.work import Task
from edge_mrl.index import Index
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.opening import read_meta
from edge_mrl.index.storage.store import Store
from edge_mrl.slices import Slice


@dataclass(slots=True)
class Written:
    """The documents that were written last.

    Attributes:
        folder: where files are made.
    """

    folder: Path
    _key: tuple[int, Slice] | None = None

    def index(self, task: Task) -> dict[str, object]:
        """Make the index of a task in its place.

        Returns:
            The fields of `edge_mrl.bench.work.Filled`.
        """
        key = task.documents, task.layout.stored
        whole, place = self.folder / "whole.db", Path(task.index)
        if self._key != key:
            self._key = None
            whole.unlink(missing_ok=True)
            self.truth.unlink(missing_ok=True)
            work("fill", replace(task, index=str(whole)))
            self._key = key
        place.unlink(missing_ok=True)
        shutil.copyfile(whole, place)
        return with_codes(place, task.layout)

    @property
    def truth(self) -> Path:
        """Where the exact answers are kept, which are the same for all codes."""
        return self.folder / "truth.json"


def with_codes(file: Path, layout: IndexLayout) -> dict[str, object]:
    """Make other codes in an index, as if it had been built with them."""
    store = Store(file)
    try:
        meta = read_meta(store)
        with store.write():
            store.set_fact("index", meta._replace(layout=layout).to_json())
    finally:
        store.close()
    with Index.open(file) as index:
        index.optimize()
        stats = index.stats()
    return {
        "documents": stats.documents,
        "shortlists": list(stats.shortlists),
        "expected_recall": stats.expected_recall,
    }
