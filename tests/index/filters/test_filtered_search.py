"""Filtered searches against brute force."""

import numpy as np
import pytest

from edge_mrl.index import Index, IndexLayout
from edge_mrl.slices import Slice


@pytest.mark.parametrize("budget", [None, 0])
@pytest.mark.parametrize("scan", ["64x1", "64x4", "64x8"])
def test_filtered_hits_are_the_nearest_of_what_is_kept(
    tmp_path, vector_index, clustered, brute_force, scan, budget
):
    layout = IndexLayout(Slice(64, 32), Slice.parse(scan))
    vectors = clustered(9000, 64)
    index = vector_index(64, layout=layout)
    index.add(vectors=vectors[:5000], metadata=[{"n": n} for n in range(5000)])
    index.add(vectors=vectors[5000:], metadata=[{"n": n} for n in range(5000, 9000)])
    index.delete([1, 77, 8999])
    index.close()
    alive = np.setdiff1d(np.arange(9000), [0, 76, 8998])
    with Index.open(tmp_path / "v.db", memory_budget=budget) as index:
        asked = clustered(9010, 64)[9000:]
        unfiltered = 0
        for query in asked:
            true = {hit.id for hit in index.search(query, exact=True)}
            unfiltered += len(true & {hit.id for hit in index.search(query)}) / 10
        for share in (0.0001, 0.001, 0.01, 0.1, 0.5, 1):
            kept = alive[(alive - 1) % round(1 / share) == 0]
            range_ = {"key": "n", "match": {"any": kept.tolist()}}
            found = 0
            for query in asked:
                hits = index.search(query, filter={"must": [range_]})
                assert {hit.id - 1 for hit in hits} <= set(kept.tolist())
                true = [kept[place] + 1 for place in brute_force(vectors[kept], query, 10)]
                exact = index.search(query, filter={"must": [range_]}, exact=True)
                assert [hit.id for hit in exact] == true
                found += len({hit.id for hit in hits} & set(true)) / min(10, len(kept))
            assert found >= max(9.5, unfiltered - 0.2)


@pytest.mark.parametrize("budget", [None, 0])
def test_refined_stages_are_filtered_too(tmp_path, vector_index, clustered, brute_force, budget):
    layout = IndexLayout(Slice(64, 32), Slice(64, 1), Slice(64, 8))
    vectors = clustered(6000, 64)
    index = vector_index(64, layout=layout)
    index.add(vectors=vectors, metadata=[{"n": n} for n in range(6000)])
    index.close()
    with Index.open(tmp_path / "v.db", memory_budget=budget) as index:
        kept = np.arange(0, 6000, 3)
        thirds = {"must": [{"key": "n", "match": {"any": kept.tolist()}}]}
        found = 0
        for query in clustered(6010, 64)[6000:]:
            hits = index.search(query, filter=thirds)
            assert hits == index.query(query, filter=thirds, explain=True).hits
            true = [kept[place] + 1 for place in brute_force(vectors[kept], query, 10)]
            found += len({hit.id for hit in hits} & set(true)) / 10
        assert found >= 9.5
        stages = index.query(query, filter=thirds, explain=True).explanation.stages
        assert [s.name for s in stages] == ["scan 64x1", "refine 64x8", "rescore 64x32"]


@pytest.mark.parametrize(
    ("kind", "left_out"), [("clustered", 100), ("clustered", 1000), ("without structure", 1000)]
)
def test_what_a_filter_leaves_beyond_the_nearest_is_found(
    vector_index, clustered, brute_force, kind, left_out
):
    vectors = clustered(6010, 256)
    if kind != "clustered":
        vectors = np.random.default_rng(1).standard_normal((6010, 256)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = vector_index(256)
    index.add(vectors=vectors[:6000], metadata=[{"n": n} for n in range(6000)])
    index.optimize()
    found = 0
    for query in vectors[6000:]:
        nearest = np.asarray(brute_force(vectors[:6000], query, left_out)).tolist()
        others = {"must_not": [{"key": "n", "match": {"any": nearest}}]}
        hits = index.search(query, filter=others)
        assert hits == index.query(query, filter=others, explain=True).hits
        assert not {hit.id - 1 for hit in hits} & set(nearest)
        # Of rows that lie so near each other, the stored 8 bits decide which are the nearest.
        exact = index.search(query, filter=others, exact=True)
        found += len({hit.id for hit in hits} & {hit.id for hit in exact})
    assert found >= 95
