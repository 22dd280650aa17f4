"""How the rows of a filter are found and kept: indexes of keys, and changes of the file since."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from edge_mrl.errors import InputError
from edge_mrl.index import Index
from tests.index.filters.plain_python import holds


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
    assert "(documents.row > 50) AND" in reading
