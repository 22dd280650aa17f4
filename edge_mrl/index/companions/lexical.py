"""The lexical index in the file: an FTS5 table over the documents' texts, written in the same
transaction as they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import IndexFileError, InputError
from edge_mrl.index.storage.facts import Facts
from edge_mrl.index.storage.schema_sql import WITH_FOLLOWERS

IntArray = npt.NDArray[np.int64]

TOKENIZERS = {
    "unicode61": "unicode61 remove_diacritics 2",
    "porter": "porter unicode61 remove_diacritics 2",
    "trigram": "trigram",
}
"""Names -> what FTS5 calls them. Words without accents; English words by their stems; every three
letters, for scripts without spaces and for parts of words."""

_FACT = "lexical"


def tokenizer(facts: Facts) -> str | None:
    """The tokenizer of the lexical index; None where there is none.

    Raises:
        IndexFileError: the file names one that there is not.
    """
    name = facts.fact(_FACT)
    if name is not None and name not in TOKENIZERS:
        raise IndexFileError(
            f"{facts.path}: the tokenizer of its lexical index is damaged: build it again"
        )
    return name


def check_tokenizer(name: object) -> str:
    """A tokenizer's name.

    Raises:
        InputError: it is not one.
    """
    if name not in TOKENIZERS:
        raise InputError(f"the tokenizer must be one of {', '.join(TOKENIZERS)}, not {name!r}")
    return str(name)


def has_fts5(facts: Facts) -> bool:
    """Whether this Python's SQLite can keep a lexical index."""
    (found,) = facts.connection.execute(
        "SELECT count(*) FROM pragma_module_list WHERE name = 'fts5'"
    ).fetchone()
    return bool(found)


def require_fts5(facts: Facts, what: str) -> None:
    """Refuse where SQLite has no FTS5.

    Raises:
        IndexFileError: it has none.
    """
    if not has_fts5(facts):
        raise IndexFileError(
            f"{what} needs FTS5, which the SQLite of this Python lacks: use another build of "
            "Python; search by vectors works without"
        )


def create(facts: Facts, name: str) -> None:
    """Make the lexical index of all documents, anew where there is one. Call inside
    `Facts.write()`.

    Raises:
        IndexFileError: this SQLite has no FTS5.
    """
    require_fts5(facts, "a lexical index")
    facts.migrate(WITH_FOLLOWERS)
    drop(facts)
    facts.connection.execute(
        "CREATE VIRTUAL TABLE lexical USING fts5(text, content='documents', content_rowid='row', "
        f"tokenize='{TOKENIZERS[name]}')"
    )
    facts.connection.execute("INSERT INTO lexical (lexical) VALUES ('rebuild')")
    facts.set_fact(_FACT, name)


def drop(facts: Facts) -> None:
    """Remove the lexical index; does nothing where there is none. Call inside `Facts.write()`."""
    if tokenizer(facts) is not None:
        require_fts5(facts, "removing a lexical index")
        facts.connection.execute("DROP TABLE lexical")
        facts.connection.execute("DELETE FROM meta WHERE key = ?", (_FACT,))


def optimize(facts: Facts) -> None:
    """Merge what many transactions have left in parts. Call inside `Facts.write()`."""
    if tokenizer(facts) is not None and has_fts5(facts):
        facts.connection.execute("INSERT INTO lexical (lexical) VALUES ('optimize')")


def add(facts: Facts, rows: Sequence[int]) -> None:
    """Index the texts of new documents. See `in_step`."""
    if rows and tokenizer(facts) is not None:
        require_fts5(facts, f"{facts.path} has a lexical index, so writing it")
        facts.connection.execute(
            "INSERT INTO lexical (rowid, text) "
            "SELECT row, text FROM documents WHERE row BETWEEN ? AND ? ORDER BY row",
            (min(rows), max(rows)),
        )


def remove(facts: Facts, rows: Sequence[int]) -> None:
    """Forget documents that are about to be deleted. See `in_step`."""
    if rows and tokenizer(facts) is not None:
        require_fts5(facts, f"{facts.path} has a lexical index, so writing it")
        # FTS5 finds what it must forget by cutting the old text into words again.
        facts.connection.executemany(
            "INSERT INTO lexical (lexical, rowid, text) "
            "SELECT 'delete', row, text FROM documents WHERE row = ?",
            ((row,) for row in rows),
        )
