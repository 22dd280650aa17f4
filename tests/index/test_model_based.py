"""Random histories of an index, compared with a dict."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge_mrl.errors import InputError
from edge_mrl.index import Index, IndexLayout
from edge_mrl.index.format import segments
from edge_mrl.index.storage.schema_sql import SCHEMA_VERSION
from edge_mrl.slices import Slice
from tests.index.older import make_older

DIM = 12
IDS = st.one_of(st.integers(0, 15), st.sampled_from([*"abcdef", "1", "2"]))
BATCHES = st.lists(
    st.tuples(IDS, st.integers(0, 2**16)), min_size=1, max_size=6, unique_by=lambda p: p[0]
)


def vector_of(seed):
    return np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)


class IndexHistory(RuleBasedStateMachine):
    """The model: id -> (order of adding, vector)."""

    @initialize(
        scan=st.sampled_from(["12x1", "12x4", "12x8", "7x2"]),
        stored=st.sampled_from([8, 32]),
        schema=st.sampled_from([1, 3, 4, SCHEMA_VERSION]),
    )
    def create(self, scan, stored, schema):
        self.folder = Path(tempfile.mkdtemp())
        self.least = segments.MIN_ROWS
        # Segments of ten rows, so that short histories have several.
        segments.MIN_ROWS = 10
        Index.create(
            self.folder / "i.db",
            dim=DIM,
            matryoshka_dims=[7, DIM],
            identity="i",
            model_name="m",
            layout=IndexLayout(Slice(DIM, stored), Slice.parse(scan)),
        ).close()
        if schema < SCHEMA_VERSION:
            make_older(self.folder / "i.db", schema)
        # What a stored coordinate may be off by, and so a cosine.
        self.off = 1e-5 if stored == 32 else 0.03
        self.index = Index.open(self.folder / "i.db")
        self.reader = Index.open(self.folder / "i.db")
        self.model: dict[int | str, tuple[int, np.ndarray]] = {}
        self.order = 0
        self.next_number = 1

    def _remember(self, batch):
        for id_, seed in batch:
            self.order += 1
            self.model[id_] = (self.order, vector_of(seed))
            if isinstance(id_, int):
                self.next_number = max(self.next_number, id_ + 1)

    @rule(batch=BATCHES)
    def add(self, batch):
        ids, vectors = [id_ for id_, _ in batch], [vector_of(seed) for _, seed in batch]
        if set(ids) & set(self.model):
            try:
                self.index.add(vectors=vectors, ids=ids)
            except InputError:
                return
            raise AssertionError("a taken id was accepted")
        self.index.add(vectors=vectors, ids=ids)
        self._remember(batch)

    @rule(seeds=st.lists(st.integers(0, 2**16), min_size=1, max_size=6))
    def add_without_ids(self, seeds):
        expected = list(range(self.next_number, self.next_number + len(seeds)))
        assert self.index.add(vectors=[vector_of(seed) for seed in seeds]) == expected
        self._remember(zip(expected, seeds, strict=True))

    @rule(batch=BATCHES)
    def upsert(self, batch):
        ids, vectors = [id_ for id_, _ in batch], [vector_of(seed) for _, seed in batch]
        assert self.index.upsert(vectors=vectors, ids=ids) == ids
        self._remember(batch)

    @rule(ids=st.lists(IDS, max_size=5))
    def delete(self, ids):
        assert self.index.delete(ids) == len(set(ids) & set(self.model))
        for id_ in ids:
            self.model.pop(id_, None)

    @rule()
    def reopen(self):
        self.index.close()
        self.index = Index.open(self.folder / "i.db")

    @rule(damage=st.sampled_from(["DELETE FROM meta", "UPDATE meta SET value = 'x'"]))
    def lose_the_count(self, damage):
        with self.index._store.write():
            self.index._store.connection.execute(f"{damage} WHERE key = 'documents'")

    @rule()
    def optimize(self):
        self.index.optimize()

    @rule(seed=st.integers(0, 2**16), k=st.integers(1, 40))
    def search(self, seed, k):
        query = vector_of(seed)
        cosines = {
            id_: float(vector @ query / np.linalg.norm(vector) / np.linalg.norm(query))
            for id_, (_, vector) in self.model.items()
        }
        expected = sorted(cosines.values(), reverse=True)[:k]
        for index in (self.index, self.reader):
            for exact in (False, True):
                hits = index.search(query, k=k, exact=exact)
                assert [hit.score for hit in hits] == pytest.approx(expected, abs=self.off)
                assert [cosines[hit.id] for hit in hits] == pytest.approx(expected, abs=self.off)
                places = [(-hit.score, self.model[hit.id][0]) for hit in hits]
                assert places == sorted(set(places))

    @invariant()
    def same_contents(self):
        if not hasattr(self, "model"):
            return
        assert len(self.index) == len(self.reader) == len(self.model)
        with self.index._store.read():
            assert self.index._store._counted() == len(self.model)
        assert {document.id for document in self.index.get(list(self.model))} == set(self.model)
        gone = [id_ for id_ in (*range(40), *"abcdef12") if id_ not in self.model]
        assert self.index.get(gone) == []

    def teardown(self):
        if hasattr(self, "model"):
            segments.MIN_ROWS = self.least
            self.index.close()
            self.reader.close()
            shutil.rmtree(self.folder)


IndexHistory.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestIndexHistory = IndexHistory.TestCase
