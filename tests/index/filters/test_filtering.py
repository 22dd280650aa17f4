"""Filters against a plain Python evaluation, and filtered searches against brute force."""

import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from edge_mrl.errors import InputError
from edge_mrl.index import Index, IndexLayout
from edge_mrl.index.filters.allowed import _rising
from edge_mrl.index.filters.row_mask import restricted
from edge_mrl.index.format.codes import encode
from edge_mrl.index.format.segments import build
from edge_mrl.index.format.vector_rows import Vectors
from edge_mrl.kernel import unpack
from edge_mrl.retrieval import filter_parser
from edge_mrl.retrieval.filter_parser import MAX_DEPTH
from edge_mrl.slices import Slice

NAMES = ["a", "b", 'o"dd', "ünï", "c.d"]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, -1.5, 2.0, 2**53, 1e300]),
    st.sampled_from(["", "x", "ä", "😀", "it's", 'q"', "2024-05-31", "1"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=8,
)
DOCUMENTS = st.lists(
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4), min_size=1, max_size=12
)


def written(name):
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return name if name in ("a", "b") else f'"{escaped}"'


KEYS = st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 1)), min_size=1, max_size=3).map(
    lambda parts: ".".join(written(name) + "[]" * each for name, each in parts)
)
LISTED = st.one_of(st.integers(-3, 3), st.sampled_from(["", "x", "ä", "😀", "it's", "1"]))
MATCHES = st.one_of(
    st.one_of(LISTED, st.booleans()).map(lambda value: {"value": value}),
    st.lists(LISTED, max_size=3).map(lambda values: {"any": values}),
    st.lists(LISTED, max_size=3).map(lambda values: {"except": values}),
)
NUMBERS = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, 2**53]))
BOUNDS = st.sampled_from(["gt", "gte", "lt", "lte"])
RANGES = st.one_of(
    st.dictionaries(BOUNDS, NUMBERS, min_size=1, max_size=3),
    st.dictionaries(BOUNDS, st.sampled_from(["", "x", "2024", "ä"]), min_size=1, max_size=2),
)
LEAVES = st.one_of(
    st.builds(lambda key, match: {"key": key, "match": match}, KEYS, MATCHES),
    st.builds(lambda key, range_: {"key": key, "range": range_}, KEYS, RANGES),
    KEYS.map(lambda key: {"is_empty": {"key": key}}),
    KEYS.map(lambda key: {"is_null": {"key": key}}),
    st.lists(st.integers(0, 14), max_size=5).map(lambda ids: {"has_id": ids}),
)


@st.composite
def any_filter(draw, depth=0):
    """Hypothesis writes out the strategies of a failing test; drawing by hand keeps that short."""
    filter_ = {}
    for name in ("must", "should", "must_not"):
        if draw(st.booleans()):
            filter_[name] = [draw(any_condition(depth)) for _ in range(draw(st.integers(0, 2)))]
    if draw(st.integers(0, 3)) == 3:
        conditions = [draw(any_condition(depth)) for _ in range(draw(st.integers(0, 3)))]
        filter_["min_should"] = {"conditions": conditions, "min_count": draw(st.integers(0, 2))}
    return filter_


@st.composite
def any_condition(draw, depth):
    kind = draw(st.integers(0, 5))
    if depth == 2 or kind < 4:
        return draw(LEAVES)
    inner = draw(any_filter(depth + 1))
    return inner if kind == 4 else {"nested": {"key": draw(KEYS), "filter": inner}}


def split(key):
    """The steps of a key, read letter by letter; None stands for each element."""
    steps, name, quoted, place = [], "", False, 0
    while place < len(key):
        letter = key[place]
        if quoted and letter == "\\":
            place += 1
            name += key[place]
        elif letter == '"':
            quoted = not quoted
        elif not quoted and letter == ".":
            steps.append(name) if name is not None else None
            name = ""
        elif not quoted and letter == "[":
            if name is not None:
                steps.append(name)
            steps.append(None)
            name = None
            place += 1
        else:
            name += letter
        place += 1
    if name is not None:
        steps.append(name)
    return steps


def reached(value, steps):
    """All values at the end of the steps."""
    if not steps:
        return [value]
    first, *rest = steps
    if first is None:
        return [v for item in value for v in reached(item, rest)] if isinstance(value, list) else []
    return reached(value[first], rest) if isinstance(value, dict) and first in value else []


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same(value, wanted):
    if isinstance(wanted, bool) or isinstance(value, bool):
        return value is wanted
    return (type(value) is type(wanted) and value == wanted) or (
        is_number(value) and is_number(wanted) and value == wanted
    )


def meets(value, condition):
    if "range" in condition:
        bounds = condition["range"]
        text = isinstance(next(iter(bounds.values())), str)
        if not (isinstance(value, str) if text else is_number(value)):
            return False
        order = {"gt": 1, "gte": 1, "lt": -1, "lte": -1}
        for name, bound in bounds.items():
            sign = (value > bound) - (value < bound)
            if sign != order[name] and not (sign == 0 and name.endswith("e")):
                return False
        return True
    ((kind, wanted),) = condition["match"].items()
    if kind == "value":
        return same(value, wanted)
    if kind == "any":
        return any(same(value, item) for item in wanted)
    return isinstance(value, (str, int, float)) and not any(same(value, item) for item in wanted)


def holds(condition, document, id_):
    if "key" in condition:
        for value in reached(document, split(condition["key"])):
            if any(meets(v, condition) for v in (value if isinstance(value, list) else [value])):
                return True
        return False
    if "is_empty" in condition:
        found = reached(document, split(condition["is_empty"]["key"]))
        return all(value is None or value == [] for value in found)
    if "is_null" in condition:
        found = reached(document, split(condition["is_null"]["key"]))
        return any(value is None for value in found)
    if "has_id" in condition:
        return id_ in condition["has_id"]
    if "nested" in condition:
        steps = split(condition["nested"]["key"])
        if steps[-1] is not None:
            steps.append(None)
        return any(
            isinstance(element, dict) and holds(condition["nested"]["filter"], element, id_)
            for element in reached(document, steps)
        )
    parts = [holds(c, document, id_) for c in condition.get("must", [])]
    if condition.get("should"):
        parts.append(any(holds(c, document, id_) for c in condition["should"]))
    parts += [not holds(c, document, id_) for c in condition.get("must_not", [])]
    least = condition.get("min_should")
    if least is not None:
        met = sum(holds(c, document, id_) for c in least["conditions"])
        parts.append(met >= least["min_count"])
    return all(parts)


@pytest.fixture(scope="module")
def make_index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filters")
    layout = IndexLayout(Slice(4, 8), Slice(4, 8))
    made = []

    def make(documents, indexed=()):
        path = folder / "index.db"
        for old in folder.iterdir():
            old.unlink()
        index = Index.create(
            path, dim=4, matryoshka_dims=[4], identity="i", model_name="m", layout=layout
        )
        with index._store.relaxed():
            index.add(
                vectors=np.ones((len(documents), 4)),
                ids=list(range(len(documents))),
                metadata=documents,
            )
            for key in indexed:
                index.create_payload_index(key)
        made.append(index)
        return index

    yield make
    for index in made:
        index.close()


def nested_in(value):
    """How many `nested` stand inside one another."""
    if isinstance(value, list):
        return max(map(nested_in, value), default=0)
    if not isinstance(value, dict):
        return 0
    return max((nested_in(inner) + (name == "nested") for name, inner in value.items()), default=0)


@given(
    documents=DOCUMENTS,
    filters=st.lists(any_filter(), min_size=1, max_size=6),
    indexed=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_a_filter_keeps_what_plain_python_keeps(make_index, documents, filters, indexed):
    index = make_index(documents, ["a", "b[]", "a.b", '"c.d"'] if indexed else [])
    try:
        for filter_ in filters:
            expected = [n for n, d in enumerate(documents) if holds(filter_, d, n)]
            for exact in (False, True):
                try:
                    hits = index.search(np.ones(4), k=20, filter=filter_, exact=exact)
                except InputError as error:
                    # A limit of older SQLite, which docs/retrieval.md states.
                    assert "nested too deep for SQLite" in str(error) and nested_in(filter_) > 1
                    continue
                assert [hit.id for hit in hits] == expected, json.dumps(filter_)
    finally:
        index.close()


EACH_VALUE = (
    *(None, True, False, 0, 1, -3, 0.5, 2.0, 2**53, 1e300, "", "x", "1", [], [None], [[]]),
    *([1, "x", None, True], [[1]], {}, {"a": 1}, {"a": None}, {"a": []}, [{"a": 1}, {"a": []}]),
)
EACH_TEST = (
    *({"match": {"value": value}} for value in (True, False, 0, 1, "x", "1", "")),
    *({"match": {name: value}} for name in ("any", "except") for value in ([], [1, "x"], ["1"])),
    *({"range": {name: value}} for name in ("gt", "lte") for value in (0, 2**53, "", "x")),
)


@pytest.mark.parametrize("indexed", [False, True])
def test_each_value_meets_each_condition_as_in_plain_python(make_index, indexed):
    documents = [{}, *({"a": value} for value in EACH_VALUE)]
    keys = ["a", "a[]", "a.a", "a[].a"]
    conditions = [{"key": key, **test} for key in keys for test in EACH_TEST]
    conditions += [{kind: {"key": key}} for kind in ("is_empty", "is_null") for key in keys]
    conditions += [
        {"nested": {"key": key, "filter": {"must": [{kind: {"key": "a"}}]}}}
        for kind in ("is_empty", "is_null")
        for key in ("a", "a[]")
    ]
    index = make_index(documents, keys if indexed else [])
    for condition in conditions:
        expected = [n for n, d in enumerate(documents) if holds(condition, d, n)]
        for filter_, kept in (
            ({"must": [condition]}, expected),
            ({"must_not": [condition]}, sorted(set(range(len(documents))) - set(expected))),
        ):
            hits = index.search(np.ones(4), k=len(documents), filter=filter_)
            assert [hit.id for hit in hits] == kept, json.dumps(filter_)
    index.close()


def test_an_index_on_a_key_is_used_and_changes_nothing(vector_index, tmp_path):
    index = vector_index(32)
    index.add(
        vectors=np.ones((400, 32)),
        metadata=[
            {"n": n, "tag": ["x", "y"][: n % 3], "deep": {"k": str(n % 7)}} for n in range(400)
        ],
    )
    filters = [
        {"must": [{"key": "n", "range": {"gte": 100, "lt": 150}}]},
        {"must": [{"key": "tag", "match": {"value": "y"}}, {"key": "n", "match": {"value": 20}}]},
        {"must": [{"key": "deep.k", "match": {"any": ["1", "2"]}}], "must_not": [{"has_id": [2]}]},
        {
            "should": [
                {"key": "n", "match": {"value": 5}},
                {"key": "deep.k", "match": {"value": "3"}},
            ]
        },
    ]
    before = [[hit.id for hit in index.search(np.ones(32), 400, filter=f)] for f in filters]
    for key in ("n", "tag", "deep.k"):
        index.create_payload_index(key)
        index.create_payload_index(key)
    assert index.payload_indexes == ("deep.k", "n", "tag")
    statements = []
    # Another connection, because this one keeps what it has found.
    with Index.open(tmp_path / "v.db") as other:
        other._store.connection.set_trace_callback(statements.append)
        after = [[hit.id for hit in other.search(np.ones(32), 400, filter=f)] for f in filters]
    assert before == after
    assert [len(found) for found in before] == [50, 1, 113, 58]
    read = [s for s in statements if s.startswith("SELECT group_concat(row")]
    assert len(read) == 7
    for statement in read:
        plan = index._store.connection.execute("EXPLAIN QUERY PLAN " + statement).fetchall()
        assert not [
            step for step in plan if step[3].startswith(("SCAN documents", "SCAN payload"))
        ], (statement, plan)
    index.delete_payload_index("n")
    assert index.payload_indexes == ("deep.k", "tag")
    for wrong in ("a[0]", 'a"b', "", "a."):
        with pytest.raises(InputError, match="key"):
            index.create_payload_index(wrong)


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


def test_a_filter_sees_what_was_written_after_it(vector_index):
    index = vector_index(32)
    index.add(vectors=np.ones((3, 32)), metadata=[{"a": 1}, {"a": 2}, {"a": 1}])
    ones = {"must": [{"key": "a", "match": {"value": 1}}]}
    assert [hit.id for hit in index.search(np.ones(32), filter=ones)] == [1, 3]
    index.upsert(vectors=np.ones((1, 32)), ids=[2], metadata=[{"a": 1}])
    index.delete([1])
    assert [hit.id for hit in index.search(np.ones(32), filter=ones)] == [3, 2]
    assert (
        index.search(np.ones(32), filter={"must": [{"key": "a", "match": {"value": True}}]}) == []
    )


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 4), st.integers(0, 3)),
        st.tuples(st.just("upsert"), st.integers(1, 12), st.integers(0, 3)),
        st.tuples(st.just("delete"), st.integers(1, 12), st.just(0)),
        st.tuples(st.sampled_from(["optimize", "ask"]), st.just(0), st.just(0)),
    ),
    max_size=12,
)


@given(steps=STEPS, indexed=st.booleans())
@settings(max_examples=40, deadline=None)
def test_kept_filters_follow_the_file(tmp_path_factory, steps, indexed):
    path = tmp_path_factory.mktemp("follow") / "i.db"
    filters = [
        {"must": [{"key": "a", "match": {"value": 1}}]},
        {"must_not": [{"key": "a", "range": {"gte": 2}}]},
        {"must": [{"has_id": [1, 2, 5]}, {"key": "a", "range": {"lt": 3}}]},
    ]
    with (
        Index.create(path, dim=32, matryoshka_dims=[32], identity="i", model_name="m") as index,
        Index.open(path) as reader,
    ):
        if indexed:
            index.create_payload_index("a")
        documents = {}

        def compare():
            for filter_ in filters:
                wanted = {id_ for id_, a in documents.items() if holds(filter_, {"a": a}, id_)}
                for one in (index, reader):
                    hits = one.search(np.ones(32), k=100, filter=filter_)
                    assert {hit.id for hit in hits} == wanted
                    assert len(hits) == len(wanted)

        for kind, number, a in steps:
            if kind == "add":
                ids = index.add(vectors=np.ones((number, 32)), metadata=[{"a": a}] * number)
                documents.update(dict.fromkeys(ids, a))
            elif kind == "upsert":
                index.upsert(vectors=np.ones((1, 32)), ids=[number], metadata=[{"a": a}])
                documents[number] = a
            elif kind == "delete" and number in documents:
                index.delete([number])
                del documents[number]
            elif kind == "optimize":
                index.optimize()
            else:
                compare()
        compare()


def test_a_kept_filter_reads_only_what_came_since(vector_index):
    index = vector_index(32)
    index.add(vectors=np.ones((50, 32)), metadata=[{"a": n % 2} for n in range(50)])
    odd = {"must": [{"key": "a", "match": {"value": 1}}]}
    assert len(index.search(np.ones(32), k=100, filter=odd)) == 25
    index.add(vectors=np.ones((2, 32)), metadata=[{"a": 1}, {"a": 0}])
    asked = []
    index._store.connection.set_trace_callback(asked.append)
    assert len(index.search(np.ones(32), k=100, filter=odd)) == 26
    index._store.connection.set_trace_callback(None)
    (reading,) = [statement for statement in asked if "json_type" in statement]
    assert "row > 50 AND" in reading


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_cut_segments_hold_the_rows_that_were_asked_for(clustered, bits):
    layout = IndexLayout(Slice(32, 8), Slice(16, bits), Slice(32, 8))
    rows = np.array([n for n in range(1, 300) if n % 7])
    codes = encode(clustered(rows.size, 32), layout.stored)
    segment = build(1, 299, Vectors(rows, codes, layout.stored), layout)
    packed = unpack(segment.block)
    for wanted in (np.array([3, 7, 100, 299]), np.arange(1, 400), np.array([5000]), rows[::2]):
        (cut,) = list(restricted([segment], wanted, layout)) or [None]
        expected = np.intersect1d(rows, wanted)
        if cut is None:
            assert not expected.size
            continue
        alive = slice(None) if cut.block.alive is None else cut.block.alive
        assert cut.rows[alive].tolist() == expected.tolist()
        places = np.searchsorted(rows, expected)
        assert np.array_equal(unpack(cut.block)[alive], packed[places])
        assert np.array_equal(cut.refined.codes[alive], segment.refined.codes[places])


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


@given(st.lists(st.integers(-5, 300) | st.integers(0, 2**40), min_size=1, max_size=60))
def test_rows_come_rising_and_once_however_far_apart(rows):
    assert _rising(np.array(rows, dtype=np.int64)).tolist() == sorted(set(rows))


NESTINGS = {
    "must": lambda inner, other: {"must": [other, inner]},
    "should": lambda inner, other: {"should": [inner, other]},
    "must_not": lambda inner, other: {"must_not": [inner, other]},
    # Each takes the place of three.
    "nested": lambda inner, other: {"nested": {"key": "b", "filter": {"must_not": [inner, other]}}},
    "min_should": lambda inner, other: {
        "min_should": {"conditions": [inner, other, other], "min_count": 2}
    },
    "all": lambda inner, other: {
        "must": [other],
        "should": [other, other],
        "must_not": [{"must": [other, inner], "should": [other, other]}],
    },
}


@pytest.mark.parametrize("name", NESTINGS)
def test_filters_as_deep_as_they_may_be_are_answered(make_index, name):
    documents = [{"a": n, "b": [{"a": n}]} for n in range(4)]
    index = make_index(documents, ())
    wrap, other = NESTINGS[name], {"key": "a", "match": {"any": [1, 2]}}
    filter_ = {"is_empty": {"key": "b[].c[].d"}}
    for _ in range({"nested": MAX_DEPTH // 3, "all": MAX_DEPTH // 2}.get(name, MAX_DEPTH - 1)):
        filter_ = wrap(filter_, other)
    filter_ = {"must": [filter_]}
    kept = [n for n, document in enumerate(documents) if holds(filter_, document, n)]
    assert [hit.id for hit in index.search(np.ones(4), k=4, filter=filter_)] == kept


def test_a_filter_too_deep_for_sqlite_is_no_fault_of_the_file(make_index, monkeypatch):
    monkeypatch.setattr(filter_parser, "MAX_DEPTH", 80)
    index = make_index([{"a": 1}], ())
    condition = {"key": "a", "match": {"value": 1}}
    filter_ = condition
    for _ in range(60):
        filter_ = {"must_not": [filter_, condition], "should": [condition]}
    try:
        hits = index.search(np.ones(4), k=1, filter=filter_)
    except InputError as error:
        assert "nested too deep for SQLite" in str(error)
    else:
        assert len(hits) == holds(filter_, {"a": 1}, 0)
    assert index.search(np.ones(4), k=1, filter={"must": [condition]})
