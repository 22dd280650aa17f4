"""Queries of several stages against the same steps taken one by one in float64."""

import numpy as np
import pytest

from edge_mrl.errors import InputError, SliceError, UntrainedDimError
from edge_mrl.index import Index, IndexLayout
from edge_mrl.index.format.codes import decode, encode
from edge_mrl.retrieval import Dbsf, Lexical, Prefetch, Rrf, SimilarTo, SparseVector
from edge_mrl.slices import Slice

COUNT = 3000
WORDS = ["heron", "reeds", "gzip", "file", "bread", "bake", "moon", "river"]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """An index of 3000 documents with vectors, texts, metadata and sparse vectors."""
    generator = np.random.default_rng(3)
    vectors = generator.standard_normal((COUNT + 20, 64)) * (1 + np.arange(64)) ** -0.6
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    texts = [" ".join(generator.choice(WORDS, 4)) for _ in range(COUNT)]
    path = tmp_path_factory.mktemp("query") / "i.db"
    layout = IndexLayout(Slice(64, 32), Slice(64, 4))
    with Index.create(
        path, dim=64, matryoshka_dims=[8, 16, 32, 64], identity="i", model_name="m", layout=layout
    ) as index:
        index.create_lexical_index()
        index.add(
            texts,
            vectors=vectors[:COUNT],
            ids=list(range(COUNT)),
            metadata=[{"n": n, "shelf": n % 40, "odd": bool(n % 2)} for n in range(COUNT)],
            sparse=[SparseVector([n % 7, 7 + n % 5], [1.0, 1 + n / COUNT]) for n in range(COUNT)],
        )
        yield index, vectors[:COUNT].astype(np.float64), vectors[COUNT:]


def cosines(vectors, query, dim):
    cut, asked = vectors[:, :dim], query[:dim].astype(np.float64)
    return cut @ asked / np.linalg.norm(cut, axis=1) / np.linalg.norm(asked)


def best(scores, among, limit):
    return sorted(among, key=lambda row: (-scores[row], row))[:limit]


def ids(result):
    return [hit.id for hit in result.hits]


def test_a_plain_query_is_a_search(filled):
    index, _, queries = filled
    for query in queries:
        assert index.query(query).hits == index.search(query)
        assert index.query(query, explain=True).hits == index.search(query)
        assert index.query(query, limit=7, offset=5).hits == index.search(query, 12)[5:]


def test_the_papers_funnel_step_by_step(filled):
    index, vectors, queries = filled
    for query in queries:
        stage = None
        for dim, limit in ((8, 200), (16, 100), (32, 50)):
            stage = Prefetch(slice=(dim, 32), limit=limit, prefetch=stage or ())
        found = index.query(query, prefetch=stage, using=(64, 32), limit=10)
        rows = list(range(COUNT))
        for dim, limit in ((8, 200), (16, 100), (32, 50), (64, 10)):
            rows = best(cosines(vectors, query, dim), rows, limit)
        assert ids(found) == rows
        scores = cosines(vectors, query, 64)
        assert [hit.score for hit in found.hits] == pytest.approx(scores[rows], abs=1e-6)


@pytest.mark.parametrize("budget", [None, 0, 200_000])
@pytest.mark.parametrize("slice_", [(8, 8), (16, 4), (32, 2), (64, 1), (64, 4)])
def test_a_leaf_scores_by_the_cosines_that_its_codes_estimate(filled, slice_, budget):
    index, vectors, queries = filled
    wanted = Slice(*slice_)
    codes = encode(vectors.astype(np.float32), wanted)
    decoded = decode(codes, wanted).astype(np.float64)
    with Index.open(index._store.path, memory_budget=budget) as other:
        for query in queries[:3]:
            found = other.query(query, using=slice_, limit=40)
            unit = query[: wanted.dim] / np.linalg.norm(query[: wanted.dim])
            estimated = decoded @ unit.astype(np.float64)
            at = [hit.score for hit in found.hits]
            # The query's table holds whole numbers up to 63: an error of about 0.01 at 4 bits,
            # part of it the same for all documents.
            errors = np.array(at) - estimated[ids(found)]
            assert np.abs(errors).max() < 0.06 and np.abs(errors).mean() < 0.03
            assert at == sorted(at, reverse=True)
            assert len(set(ids(found)) & set(best(estimated, range(COUNT), 40))) >= 36
            kept = index.query(
                query,
                using=slice_,
                limit=40,
                filter={"must": [{"key": "odd", "match": {"value": True}}]},
            )
            assert all(hit.id % 2 for hit in kept.hits)
        if budget is not None:
            assert other._dense.nbytes <= max(budget, 60_000)


def test_branches_are_fused(filled):
    index, _, queries = filled
    branches = [
        Prefetch(slice=(16, 4), limit=50),
        Prefetch(query="heron gzip", using="lexical", limit=40),
        Prefetch(query=SparseVector([3, 8], [1.0, 0.5]), limit=30),
    ]
    query = queries[0]
    lists = [
        index.query(query, using=(16, 4), limit=50),
        index.query(Lexical("heron gzip"), limit=40),
        index.query(SparseVector([3, 8], [1.0, 0.5]), limit=30),
    ]
    expected = {}
    for weight, found in zip((2, 1, 0.5), lists, strict=True):
        for rank, hit in enumerate(found.hits, 1):
            expected[hit.id] = expected.get(hit.id, 0) + 1 / (rank / weight + 10 - 1)
    fused = index.query(query, prefetch=branches, fusion=Rrf(10, (2, 1, 0.5)), limit=15)
    assert ids(fused) == best(expected, expected, 15)
    again = index.query(query, prefetch=branches, fusion=Dbsf(), limit=15)
    assert len(again.hits) == 15
    inner = Prefetch(prefetch=branches, fusion="rrf", limit=60)
    above = index.query(query, prefetch=inner, using=(64, 32), limit=10)
    rows = [hit.id for hit in index.query(query, prefetch=branches, fusion="rrf", limit=60).hits]
    assert ids(above) == best(cosines(filled[1], query, 64), rows, 10)


def test_a_stage_above_may_be_lexical_or_sparse(filled):
    index, _, queries = filled
    dense = Prefetch(query=queries[1], limit=300)
    within = set(ids(index.query(queries[1], limit=300)))
    found = index.query(Lexical("moon"), prefetch=dense, limit=10)
    alone = [hit for hit in index.query(Lexical("moon"), limit=COUNT).hits if hit.id in within]
    assert found.hits == alone[:10] and alone
    sparse = SparseVector([2], [1.0])
    found = index.query(sparse, prefetch=dense, limit=10)
    assert {hit.id % 7 for hit in found.hits} == {2} and set(ids(found)) <= within


def test_filters_hold_below_and_thresholds_cut(filled):
    index, vectors, queries = filled
    odd = {"must": [{"key": "odd", "match": {"value": True}}]}
    low = {"must": [{"key": "n", "range": {"lt": 1000}}]}
    stage = Prefetch(slice=(16, 32), limit=100, filter=low)
    found = index.query(queries[2], prefetch=stage, using=(64, 32), filter=odd, limit=10)
    rows = best(cosines(vectors, queries[2], 16), range(1, 1000, 2), 100)
    assert ids(found) == best(cosines(vectors, queries[2], 64), rows, 10)
    least = found.hits[4].score
    assert (
        index.query(
            queries[2], prefetch=stage, using=(64, 32), filter=odd, score_threshold=least
        ).hits
        == found.hits[:5]
    )
    assert index.query(queries[2], score_threshold=2).hits == []
    with pytest.raises(InputError, match=r"^prefetch\[0\]\.prefetch\[1\]\.filter\.must\[0\]"):
        index.query(
            queries[0], prefetch=Prefetch(prefetch=[Prefetch(), Prefetch(filter={"must": [5]})])
        )


def test_explain_shows_every_stage(filled):
    index, _, queries = filled
    stage = Prefetch(slice=(16, 4), limit=100)
    result = index.query(queries[3], prefetch=stage, using=(64, 32), limit=10, explain=True)
    scan, rerank = result.explanation.stages
    assert (scan.name, scan.depth, scan.documents, scan.kept) == ("search 16x4", 1, COUNT, 100)
    assert scan.bytes_compared == COUNT * (8 + 2) and scan.bytes_read == 0
    assert (rerank.name, rerank.depth, rerank.documents) == ("rescore 64x32", 0, 100)
    assert rerank.bytes_compared == 100 * 256 and rerank.bytes_read == 100 * 260
    assert scan.entered is None and list(rerank.top) == ids(result)
    assert set(rerank.entered) == set(rerank.top) - set(scan.top)
    assert rerank.moved == sum(a != b for a, b in zip(rerank.top, scan.top, strict=True))
    assert all(part.milliseconds > 0 for part in result.explanation.stages)
    own = index.query(queries[3], explain=True).explanation.stages
    assert [part.name for part in own] == ["scan 64x4", "rescore 64x32"]
    assert index.query(queries[3]).explanation is None


def test_like_a_document(filled):
    index, vectors, _ = filled
    found = index.query(SimilarTo(17), limit=5)
    others = [row for row in range(COUNT) if row != 17]
    assert ids(found) == best(cosines(vectors, vectors[17].astype(np.float32), 64), others, 5)
    words = index.query(SimilarTo(17), using="lexical", limit=5)
    assert 17 not in ids(words) and len(words.hits) == 5
    assert (
        ids(words)
        == [
            h.id for h in index.query(Lexical(index.get([17])[0].text), limit=6).hits if h.id != 17
        ][:5]
    )
    assert {hit.id % 7 for hit in index.query(SimilarTo(17), using="sparse", limit=3).hits} == {3}
    with pytest.raises(InputError, match="no document 'x'"):
        index.query(SimilarTo("x"))


def test_groups(filled):
    index, _, queries = filled
    result = index.query(queries[4], group_by="shelf", limit=6, group_size=2)
    everything = index.search(queries[4], COUNT)
    expected = {}
    for hit in everything:
        expected.setdefault(hit.id % 40, []).append(hit.id)
    wanted = [(shelf, rows[:2]) for shelf, rows in list(expected.items())[:6]]
    assert [(group.value, [hit.id for hit in group.hits]) for group in result.groups] == wanted
    paged = index.query(queries[4], group_by="shelf", limit=3, offset=3, group_size=2)
    assert [group.value for group in paged.groups] == [shelf for shelf, _ in wanted[3:]]
    assert index.query(queries[4], group_by="nothing").groups == []
    with pytest.raises(InputError, match="group_by"):
        index.query(queries[4], group_by="a..b")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"using": (48, 8)}, UntrainedDimError, "8, 16, 32, 64"),
        ({"prefetch": Prefetch(slice=(24, 4))}, UntrainedDimError, "24 dimensions"),
        ({"using": "colbert"}, InputError, "using must be"),
        ({"using": "sparse"}, InputError, "SparseVector"),
        ({"using": "lexical"}, InputError, "lexical stage needs a text"),
        ({"limit": 0}, InputError, "limit"),
        ({"offset": -1}, InputError, "offset"),
        ({"fusion": "rrf"}, InputError, "needs prefetches"),
        ({"filter": {"must": 1}}, InputError, r"^filter\.must"),
        ({"group_by": 5}, InputError, "group_by"),
    ],
)
def test_what_a_query_cannot_be(filled, arguments, error, message):
    index, _, queries = filled
    with pytest.raises(error, match=message):
        index.query(queries[0], **arguments)


def test_more_than_is_stored_is_refused(vector_index):
    index = vector_index(32)
    index.add(vectors=np.ones((20, 32)))
    with pytest.raises(SliceError, match="cannot be cut from stored vectors of 32x8"):
        index.query(np.ones(32), using=(32, 16))
    with pytest.raises(InputError, match="nothing to look for"):
        index.query()
    assert index.query(np.ones(32), using=(16, 8), limit=3).hits[0].score == pytest.approx(
        1, abs=0.01
    )


def test_an_explained_search_reads_the_rows_of_a_plain_one(tmp_path):
    generator = np.random.default_rng(4)
    vectors = generator.standard_normal((3020, 64)) * (1 + np.arange(64)) ** -0.6
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    layout = IndexLayout(Slice(64, 8), Slice(64, 1))
    with Index.create(
        tmp_path / "i.db",
        dim=64,
        matryoshka_dims=[8, 16, 32, 64],
        identity="i",
        model_name="m",
        layout=layout,
    ) as index:
        index.add(["text"] * 3000, vectors=vectors[:3000])
        read = kept = 0
        for query in vectors[3000:]:
            plain = index.search(query)
            result = index.query(query, explain=True)
            scan, rescore = result.explanation.stages
            assert result.hits == plain
            assert rescore.bytes_read == rescore.documents * (64 + 4)
            read, kept = read + rescore.documents, kept + scan.kept
        assert read == 20 * index.stats().rows_reread < kept
    # A small index holds the rows that it has read, once it has searched.
    ten = {"must": [{"has_id": [hit.id for hit in plain]}]}
    with Index.open(tmp_path / "i.db") as index:
        for expected in (10 * (64 + 4), 0):
            found = index.query(query, using=(32, 8), filter=ten, explain=True)
            assert found.explanation.bytes_read == expected
            index.search(query)
