"""What each condition keeps, against a plain Python evaluation."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.index.filters.any_filter import DOCUMENTS, any_filter
from tests.index.filters.plain_python import holds


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
                hits = index.search(np.ones(4), k=20, filter=filter_, exact=exact)
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


def test_ids_may_be_numbers_of_numpy(vector_index):
    index = vector_index(32)
    index.add(vectors=np.ones((3, 32)))
    hits = index.search(np.ones(32), filter={"must": [{"has_id": [np.int64(2), np.int32(3)]}]})
    assert [hit.id for hit in hits] == [2, 3]
