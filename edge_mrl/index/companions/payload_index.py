"""Indexes on metadata keys, in the file: what makes a filter on that key fast.

They are a table that writers keep in step with the documents. SQLite's own indexes of JSON
expressions would not do: before 3.41 they need a connection that trusts whatever functions a file's
schema calls.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from edge_mrl.errors import IndexFileError
from edge_mrl.index.companions.payload import entries
from edge_mrl.index.storage.facts import Facts
from edge_mrl.index.storage.schema_sql import METADATA, WITH_FOLLOWERS
from edge_mrl.retrieval.keys import Step, parse_key

_FACT = "payload_keys"

_Steps = Mapping[int, tuple[Step, ...]]
"""Numbers of keys -> their steps."""


def create(facts: Facts, key: str) -> None:
    """Index a key; does nothing where it is indexed. Call inside `Facts.write()`.

    Raises:
        InputError: the key cannot be read.
        IndexFileError: the metadata of a document is damaged.
    """
    steps = parse_key(key, "key")
    numbers = keys(facts)
    if key in numbers:
        return
    facts.migrate(WITH_FOLLOWERS)
    number = max(numbers.values(), default=0) + 1
    _insert(facts, {number: steps}, f"SELECT row, {METADATA} FROM documents")
    facts.set_fact(_FACT, json.dumps({**numbers, key: number}))


def drop(facts: Facts, key: str) -> None:
    """Remove the index of a key; does nothing where there is none. Call inside `Facts.write()`."""
    numbers = dict(keys(facts))
    number = numbers.pop(key, None)
    if number is not None:
        facts.connection.execute("DELETE FROM payload_values WHERE key = ?", (number,))
        facts.set_fact(_FACT, json.dumps(numbers))


def keys(facts: Facts) -> Mapping[str, int]:
    """The keys that are indexed, with their numbers.

    Raises:
        IndexFileError: the file's list of them is damaged.
    """
    text = facts.fact(_FACT)
    if text is None:
        return {}
    try:
        numbers = json.loads(text)
    except (ValueError, RecursionError):
        numbers = None
    if not isinstance(numbers, dict) or not all(
        type(number) is int and 0 < number < 2**62 for number in numbers.values()
    ):
        raise IndexFileError(f"{facts.path}: its list of indexed keys is damaged: build it again")
    return numbers


def add(facts: Facts, rows: Sequence[int]) -> None:
    """Index the metadata of new documents. See `in_step`."""
    steps = _steps(facts)
    if steps and rows:
        _insert(
            facts,
            steps,
            f"SELECT row, {METADATA} FROM documents WHERE row BETWEEN ? AND ?",
            (min(rows), max(rows)),
        )


def remove(facts: Facts, rows: Sequence[int]) -> None:
    """Forget documents that are about to be deleted. See `in_step`."""
    steps = _steps(facts)
    for row in rows if steps else ():
        (text,) = facts.connection.execute(
            f"SELECT {METADATA} FROM documents WHERE row = ?", (row,)
        ).fetchone()
        try:
            gone = list(_values(steps, row, text))
        except IndexFileError:
            # A damaged document can be deleted too; it only takes longer.
            facts.connection.execute("DELETE FROM payload_values WHERE row = ?", (row,))
            continue
        facts.connection.executemany(
            "DELETE FROM payload_values WHERE key = ? AND kind = ? AND value = ? AND row = ?", gone
        )


def _steps(facts: Facts) -> _Steps:
    return {number: parse_key(key, "key") for key, number in keys(facts).items()}


def _insert(facts: Facts, steps: _Steps, select: str, bounds: tuple[int, ...] = ()) -> None:
    facts.connection.executemany(
        "INSERT OR IGNORE INTO payload_values VALUES (?, ?, ?, ?)",
        (
            value
            for row, text in facts.connection.execute(select, bounds)
            for value in _values(steps, row, text)
        ),
    )


def _values(
    steps: _Steps, row: int, text: object
) -> Iterator[tuple[int, int, str | int | float, int]]:
    try:
        metadata = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise IndexFileError(
            f"the metadata of row {row} is damaged: delete its document and add it again"
        )
    for number, path in steps.items():
        for kind, value in entries(metadata, path):
            yield number, kind, value, row
