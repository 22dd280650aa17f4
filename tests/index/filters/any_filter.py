"""Hypothesis strategies: documents and filters about them."""

import hypothesis.strategies as st

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
