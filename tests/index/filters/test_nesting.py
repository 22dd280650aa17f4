"""Filters in filters, as deep as they may be: SQLite before 3.46 reads a statement with a stack of
100 places."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl.errors import InputError
from edge_mrl.retrieval.filter_parser import MAX_CONDITIONS, MAX_DEPTH, parse_filter
from tests.index.filters.plain_python import holds

OTHER = {"key": "c[].d[].a", "match": {"any": [1, 2]}}
"""What stands beside a filter in a filter: the deepest condition there is."""

FORMS = {
    "must": lambda inner: {"must": [OTHER, inner]},
    "should": lambda inner: {"should": [OTHER, inner]},
    "must_not": lambda inner: {"must_not": [OTHER, inner]},
    "min_should": lambda inner: {
        "min_should": {"conditions": [OTHER, OTHER, inner], "min_count": 1}
    },
    "last of all": lambda inner: {
        "must": [{"is_null": {"key": "no"}}, inner],
        "should": [OTHER, inner],
        "must_not": [OTHER, inner],
    },
    "least of all": lambda inner: {
        "must": [{"is_empty": {"key": "no"}}],
        "must_not": [OTHER],
        "min_should": {"conditions": [OTHER, inner], "min_count": 1},
    },
    "nested": lambda inner: {"must": [{"nested": {"key": "b", "filter": {"must": [inner]}}}]},
    "nested not": lambda inner: {
        "must_not": [{"nested": {"key": "b[].b", "filter": {"must_not": [OTHER, inner]}}}]
    },
    "nested least": lambda inner: {
        "nested": {
            "key": "b",
            "filter": {"min_should": {"conditions": [OTHER, inner], "min_count": 1}},
        }
    },
}
TWO_LEVELS = {"nested", "nested not"}
REPEATED = {"last of all"}
"""Forms that hold what is inside more than once: in one another they soon are more than allowed."""


def a_document(generator, depth=2 * MAX_DEPTH):
    """Lists of objects in lists of objects, with a value here and there."""
    document = {"a": int(generator.integers(3))}
    if generator.random() < 0.3:
        document["c"] = [{"d": [{"a": int(generator.integers(4))}]}]
    if depth:
        inner = [a_document(generator, depth - 1)]
        document["b"] = [*inner, {"a": 1}] if generator.random() < 0.2 else inner
    return document


def built(names):
    """A filter of these forms, the first outermost, as deep as the limit allows."""
    levels, chosen, repeated = 0, [], 0
    for name in names:
        repeated += name in REPEATED
        if levels + 1 + (name in TWO_LEVELS) > MAX_DEPTH - 1 or repeated > 1:
            continue
        levels += 1 + (name in TWO_LEVELS)
        chosen.append(name)
    innermost = {"key": "a", "match": {"value": 1}}
    filter_ = reduce(lambda inner, name: FORMS[name](inner), reversed(chosen), innermost)
    return {"must": [filter_]}


@pytest.fixture(scope="module")
def deep_documents():
    generator = np.random.default_rng(3)
    return [a_document(generator) for _ in range(6)]


@pytest.fixture(scope="module")
def deep_index(make_index, deep_documents):
    return make_index(deep_documents)


def compare(index, documents, filter_):
    kept = [n for n, document in enumerate(documents) if holds(filter_, document, n)]
    hits = index.search(np.ones(4), k=len(documents), filter=filter_)
    assert [hit.id for hit in hits] == kept
    return kept


@pytest.mark.parametrize("outer", FORMS)
@pytest.mark.parametrize("form", sorted(set(FORMS) - REPEATED))
def test_one_form_as_deep_as_it_may_be(deep_index, deep_documents, outer, form):
    compare(deep_index, deep_documents, built([outer, *[form] * MAX_DEPTH]))


@given(names=st.lists(st.sampled_from(sorted(FORMS)), min_size=MAX_DEPTH, max_size=MAX_DEPTH))
@settings(max_examples=40, deadline=None)
def test_any_forms_as_deep_as_they_may_be(deep_index, deep_documents, names):
    compare(deep_index, deep_documents, built(names))


@pytest.mark.parametrize("indexed", [False, True])
def test_nested_in_nested_in_nested(make_index, deep_documents, indexed):
    """Which elements they are about matters: each level has two lists of which one meets both."""
    one, two = {"x": 1, "y": 2}, {"x": 2, "y": 1}

    def element(*pairs):
        return {"c": [dict(pair) for pair in pairs]}

    documents = [
        {"k": 1, "a": [{"b": [element(one, two)]}]},
        {"k": 1, "a": [{"b": [element(one)]}, {"b": [element(two)]}]},
        {"k": 2, "a": [{"b": [element({"x": 1, "y": 1})]}]},
        {"k": 1, "a": [{"b": [element(two), element(one, {"x": 1, "y": 1})]}]},
        {"k": 1, "a": [{"b": []}, {}, 5]},
        {"k": 1},
    ]
    both = {"must": [{"key": name, "match": {"value": 1}} for name in "xy"]}
    neither = {"must_not": [{"nested": {"key": "c", "filter": both}}]}
    index = make_index(documents, ["k"] if indexed else [])
    expected = {"some": [2, 3], "no": [0, 1, 3], "of one": [3]}
    for name, inner in (
        ("some", {"must": [{"nested": {"key": "c", "filter": both}}]}),
        ("no", neither),
    ):
        deepest = {"nested": {"key": "b", "filter": inner}}
        filter_ = {"must": [{"nested": {"key": "a", "filter": {"must": [deepest]}}}]}
        assert compare(index, documents, filter_) == expected[name]
        filter_["must"].append({"key": "k", "match": {"value": 1}})
        compare(index, documents, filter_)
    # The filter that was kept is asked of the new document alone.
    documents.append({"k": 1, "a": [{"b": [element(one, {"x": 1, "y": 1})]}]})
    index.add(vectors=np.ones((1, 4)), ids=[6], metadata=documents[-1:])
    assert 6 not in compare(index, documents, filter_)
    index.close()


def test_as_many_conditions_as_there_may_be(deep_index, deep_documents):
    many = [{"key": "a", "match": {"value": n % 3}} for n in range(MAX_CONDITIONS)]
    for clause in ("must", "should", "must_not"):
        compare(deep_index, deep_documents, {clause: many})
    compare(deep_index, deep_documents, {"min_should": {"conditions": many, "min_count": 100}})
    for clause in ("must", "must_not"):
        kept = many[: MAX_CONDITIONS - MAX_DEPTH]
        deep = reduce(lambda inner, _: {clause: [inner]}, range(MAX_DEPTH), {"should": kept})
        compare(deep_index, deep_documents, deep)


def test_more_lists_in_lists_than_sqlite_joins_are_no_fault_of_the_file(deep_index):
    filter_ = {"must_not": [OTHER]}
    for _ in range(MAX_DEPTH):
        filter_ = {"must": [{"nested": {"key": "b" + "[]" * 15, "filter": filter_}}]}
    with pytest.raises(InputError, match="more than SQLite .* reads .*: simplify it"):
        deep_index.search(np.ones(4), filter=filter_)
    assert deep_index.search(np.ones(4), filter={"must": [{"key": "a", "match": {"value": 1}}]})


def test_the_deepest_is_refused_one_level_further():
    deep = reduce(lambda inner, _: {"must": [inner]}, range(MAX_DEPTH), {"must": [OTHER]})
    parse_filter(deep)
    with pytest.raises(InputError, match=f"nested deeper than {MAX_DEPTH}"):
        parse_filter({"must": [deep]})
