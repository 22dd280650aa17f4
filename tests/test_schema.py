"""Strict reading: right types pass, everything else is named."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_mrl.errors import BundleError, ProfileError
from edge_mrl.schema import Table, load_json


def table(**fields):
    return Table(fields, "here", BundleError)


def test_right_values_come_back():
    t = table(a="x", b=3, c=2.5, d=[1, 2], e=["p"], f=True, g={"h": "i"}, j=[{"k": "l"}], m=None)
    assert (t.text("a"), t.integer("b", 0, 9), t.number("c", 0, 9)) == ("x", 3, 2.5)
    assert (t.integers("d", 0, 9), t.texts("e"), t.flag("f")) == ((1, 2), ("p",), True)
    assert t.table("g").text("h") == "i"
    assert [row.text("k") for row in t.tables("j")] == ["l"]
    assert t.optional_text("m") is None
    assert t.optional_integer("m", 0, 1) is None


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda t: t.text("x"), 3),
        (lambda t: t.text("x", max_length=2), "long"),
        (lambda t: t.integer("x", 0, 9), 10),
        (lambda t: t.integer("x", 0, 9), True),
        (lambda t: t.integer("x", 0, 9), 1.0),
        (lambda t: t.number("x", 0, 9), float("nan")),
        (lambda t: t.number("x", 0, 9), float("inf")),
        (lambda t: t.number("x", 0, 9), "1"),
        (lambda t: t.number("x", 0, 9), True),
        (lambda t: t.number("x"), float("inf")),
        (lambda t: t.number("x"), float("nan")),
        (lambda t: t.number("x"), 10**400),
        (lambda t: t.integers("x", 0, 9), [1, True]),
        (lambda t: t.integers("x", 0, 9), "12"),
        (lambda t: t.texts("x"), [1]),
        (lambda t: t.flag("x"), 1),
        (lambda t: t.table("x"), []),
        (lambda t: t.tables("x"), {}),
        (lambda t: t.tables("x", max_items=1), [{}, {}]),
    ],
)
def test_wrong_values_are_named_with_their_place(read, value):
    with pytest.raises(BundleError, match="here.*x"):
        read(table(x=value))


def test_a_missing_field_says_what_it_must_be():
    with pytest.raises(BundleError, match="'x' is missing; it must be a whole number from 1 to 4"):
        table().integer("x", 1, 4)


def test_unknown_fields_are_refused():
    table(a=1).only("a", "b")
    with pytest.raises(BundleError, match="unknown field 'z'; known fields are a, b"):
        table(a=1, z=2).only("a", "b")


def test_the_error_class_is_the_caller_s():
    with pytest.raises(ProfileError):
        Table([], "profile", ProfileError)


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\0b", "a\x9b2J", "half \ud800", "bell\x07"])
def test_what_would_steer_a_terminal_is_refused(text):
    with pytest.raises(BundleError, match="'x' holds the control character"):
        table(x=text).text("x")
    with pytest.raises(BundleError, match="'x' holds the control character"):
        table(x=["fine", text]).texts("x")
    with pytest.raises(BundleError, match="control characters in its name"):
        Table({text: 1}, "here", BundleError)
    # As prompts have them.
    assert table(x="Instruct: find\n\tQuery: ").text("x") == "Instruct: find\n\tQuery: "


def test_a_long_value_is_repeated_in_part():
    with pytest.raises(BundleError) as caught:
        Table({"a": 1}, "here", BundleError).fail(f"{'x' * 9000} is too long: shorten it")
    assert len(str(caught.value)) < 1100
    assert str(caught.value).startswith("here: xxx") and str(caught.value).endswith("shorten it")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_what_json_holds_comes_back(value):
    text = json.dumps(value)
    assert load_json(text) == load_json(text.encode()) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value: line 1 column 1"),
        ('{"a": 1', "Expecting ',' delimiter: line 1 column 8"),
        ("[1] 2", "Extra data"),
        ("[NaN]", "NaN is no JSON number"),
        ("-Infinity", "-Infinity is no JSON number"),
        (b"\xff", "can't decode byte 0xff"),
        ("[" * 100_000, "it is nested too deeply"),
        ("[" + "9" * 5000 + "]", "a number in it has too many digits"),
    ],
)
def test_what_is_wrong_is_said_of_the_text(text, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        load_json(text)
    assert "sys." not in str(caught.value) and "recursion" not in str(caught.value)
