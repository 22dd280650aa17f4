"""Reads a filter from plain dicts, strictly: an error names the faulty element's path. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral

from edge_mrl.errors import InputError
from edge_mrl.retrieval.filters import (
    Condition,
    FieldCondition,
    Filter,
    HasId,
    IsEmpty,
    IsNull,
    MatchAny,
    MatchExcept,
    MatchValue,
    MinShould,
    Nested,
    Number,
    Range,
    Scalar,
    as_dict,
)
from edge_mrl.retrieval.json_values import refuse
from edge_mrl.retrieval.keys import parse_key

MAX_DEPTH = 16
"""Filters within filters, those of `nested` included."""
MAX_CONDITIONS = 512
"""In all of a filter. More would be a program's mistake, and SQLite bounds how high an expression
is, which grows by one with each."""
MAX_VALUES = 100_000
_INT_LIMIT = 2**63

_CLAUSES = ("must", "should", "must_not", "min_should")
_CONDITIONS = ("key", "is_empty", "is_null", "has_id", "nested")
_BOUNDS = ("gt", "gte", "lt", "lte")
_KINDS = "key with match or range, is_empty, is_null, has_id, nested, or a filter"


def parse_filter(value: object, where: str = "filter") -> Filter:
    """A checked filter.

    Args:
        value: a `Filter`, or a dict as Qdrant takes it.
        where: what the path in a message starts with.

    Raises:
        InputError: an element is unknown or of the wrong type; its path is named, as in
            ``filter.must[1].range.gte``.
    """
    filter_ = _filter(as_dict(value) if isinstance(value, Filter) else value, where, 0)
    count = _count(filter_)
    if count > MAX_CONDITIONS:
        raise InputError(
            f"{where} has {count} conditions, the limit is {MAX_CONDITIONS}: "
            "for one of many values use match any"
        )
    return filter_


def _count(filter_: Filter) -> int:
    """The conditions in a filter and in those inside it."""
    least = filter_.min_should.conditions if filter_.min_should else ()
    listed = (*filter_.must, *filter_.should, *filter_.must_not, *least)
    inner = (c.filter if isinstance(c, Nested) else c for c in listed)
    return len(listed) + sum(_count(c) for c in inner if isinstance(c, Filter))


def _fields(value: object, where: str, known: tuple[str, ...]) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        refuse(where, f"an object with {', '.join(known)}", value)
    for name in value:
        if name not in known:
            raise InputError(
                f"{where} has the unknown field {str(name)[:60]!r}: known are {', '.join(known)}"
            )
    return value


def _filter(value: object, where: str, depth: int) -> Filter:
    if depth > MAX_DEPTH:
        raise InputError(f"{where}: filters are nested deeper than {MAX_DEPTH}: simplify them")
    if isinstance(value, Mapping) and any(name in value for name in _CONDITIONS):
        raise InputError(
            f"{where} is a condition where a filter must be: write it in a clause, as in "
            '{"must": [{"key": "lang", "match": {"value": "en"}}]}'
        )
    fields = _fields(value, where, _CLAUSES)
    least = None
    if fields.get("min_should") is not None:
        least = _min_should(fields["min_should"], f"{where}.min_should", depth)
    must, should, must_not = (
        _conditions(fields.get(name), f"{where}.{name}", depth)
        for name in ("must", "should", "must_not")
    )
    return Filter(must, should, must_not, least)


def _min_should(value: object, where: str, depth: int) -> MinShould:
    fields = _fields(value, where, ("conditions", "min_count"))
    conditions = _conditions(fields.get("conditions"), f"{where}.conditions", depth)
    count = fields.get("min_count")
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        refuse(f"{where}.min_count", "a whole number of 0 or more", count)
    return MinShould(conditions, count)


def _conditions(value: object, where: str, depth: int) -> tuple[Condition, ...]:
    if value is None:
        return ()
    if isinstance(value, Mapping):
        # Qdrant takes a single condition without brackets too.
        return (_condition(value, where, depth),)
    if not isinstance(value, (list, tuple)):
        refuse(where, "a list of conditions", value)
    return tuple(_condition(item, f"{where}[{number}]", depth) for number, item in enumerate(value))


def _condition(value: object, where: str, depth: int) -> Condition:
    if not isinstance(value, Mapping):
        refuse(where, f"a condition ({_KINDS})", value)
    if "key" in value:
        return _field_condition(value, where)
    if "is_empty" in value or "is_null" in value:
        kind = "is_empty" if "is_empty" in value else "is_null"
        inner = _fields(value, where, (kind,))[kind]
        key = _key(_fields(inner, f"{where}.{kind}", ("key",)).get("key"), f"{where}.{kind}.key")
        return IsEmpty(key) if kind == "is_empty" else IsNull(key)
    if "has_id" in value:
        ids = _fields(value, where, ("has_id",))["has_id"]
        return HasId(_values(ids, f"{where}.has_id"))
    if "nested" in value:
        inner = _fields(
            _fields(value, where, ("nested",))["nested"], f"{where}.nested", ("key", "filter")
        )
        return Nested(
            _key(inner.get("key"), f"{where}.nested.key"),
            _filter(inner.get("filter"), f"{where}.nested.filter", depth + 1),
        )
    if not value or any(name in value for name in _CLAUSES):
        return _filter(value, where, depth + 1)
    refuse(where, f"a condition ({_KINDS})", dict(value))


def _field_condition(value: Mapping[object, object], where: str) -> FieldCondition:
    fields = _fields(value, where, ("key", "match", "range"))
    key = _key(fields["key"], f"{where}.key")
    match, range_ = fields.get("match"), fields.get("range")
    if (match is None) == (range_ is None):
        raise InputError(f"{where} must have one of match and range beside its key")
    if match is not None:
        return FieldCondition(key, match=_match(match, f"{where}.match"))
    return FieldCondition(key, range=_range(range_, f"{where}.range"))


def _match(value: object, where: str) -> MatchValue | MatchAny | MatchExcept:
    fields = _fields(value, where, ("value", "any", "except"))
    if len(fields) != 1:
        raise InputError(f"{where} must have one of value, any and except")
    if "value" in fields:
        return MatchValue(_scalar(fields["value"], f"{where}.value"))
    if "any" in fields:
        return MatchAny(_values(fields["any"], f"{where}.any"))
    return MatchExcept(_values(fields["except"], f"{where}.except"))


def _range(value: object, where: str) -> Range:
    fields = _fields(value, where, _BOUNDS)
    bounds = {
        name: _bound(bound, f"{where}.{name}")
        for name, bound in fields.items()
        if bound is not None
    }
    if not bounds:
        raise InputError(f"{where} must have one of {', '.join(_BOUNDS)}")
    if len({isinstance(bound, str) for bound in bounds.values()}) > 1:
        raise InputError(f"{where} must have bounds of one kind, numbers or texts")
    return Range(**bounds)


def _bound(value: object, where: str) -> Number | str:
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        refuse(where, "a number or a text", value)
    if not math.isfinite(value):
        refuse(where, "a finite number", value)
    return _whole(value, where) if isinstance(value, int) else value


def _key(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        refuse(where, "a text of at most 1000 characters", value)
    parse_key(_text(value, where), where)
    return value


def _scalar(value: object, where: str) -> Scalar:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _whole(value, where)
    if isinstance(value, str):
        return _text(value, where)
    refuse(where, "a text, a whole number, true or false (for other numbers use range)", value)


def _values(value: object, where: str) -> tuple[str | int, ...]:
    if not isinstance(value, (list, tuple)) or len(value) > MAX_VALUES:
        refuse(where, f"a list of at most {MAX_VALUES} texts or whole numbers", value)
    found: list[str | int] = []
    for number, item in enumerate(value):
        if isinstance(item, str):
            found.append(_text(item, f"{where}[{number}]"))
        elif not isinstance(item, bool) and isinstance(item, Integral):  # numpy's too, as ids are
            found.append(_whole(int(item), f"{where}[{number}]"))
        else:
            refuse(f"{where}[{number}]", "a text or a whole number", item)
    return tuple(found)


def _whole(value: int, where: str) -> int:
    if not -_INT_LIMIT <= value < _INT_LIMIT:
        refuse(where, "a number of 64 bits", value)
    return value


def _text(value: str, where: str) -> str:
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        refuse(where, "a text without NUL and lone surrogates", value)
    return value
