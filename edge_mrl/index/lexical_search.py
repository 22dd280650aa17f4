"""BM25 over the lexical index.

FTS5 cuts texts into words and knows where each word stands; the scores are added up here, over
arrays. Its own `bm25` reads positions and length of each document that has one of the words, 3.4 us
each, and skips none: 140 ms for a median query over 100 000 texts (see benchmarks/retrieval.py for
both). The scores are the same. An FTS5 expression is scored by FTS5.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import IndexFileError, InputError
from edge_mrl.index import lexical
from edge_mrl.index.store import Store
from edge_mrl.retrieval import bm25
from edge_mrl.retrieval.bm25 import Impacts, Postings
from edge_mrl.retrieval.explain import Meter
from edge_mrl.retrieval.ranking import Ranking
from edge_mrl.retrieval.request import Lexical

IntArray = npt.NDArray[np.int64]

MAX_WORDS = 256
"""Different words of a query that count, the first ones; a page of text has more."""
_KEPT_BYTES = 32 << 20
"""Of words kept for the next query, 8 bytes for each document that has one."""
_LONGEST_BEGINNING = 200
"""Letters; a longer beginning of a word is taken as the word itself."""


class LexicalSearch:
    """Searches the lexical index of one store. Called inside `store.read()`."""

    def __init__(self, store: Store, budget: int | None) -> None:
        self._store = store
        self._limit = _KEPT_BYTES if budget is None else min(_KEPT_BYTES, budget)
        self._stamp = (-1, -1)
        self._tokenizer: str | None = None
        self._rows = np.empty(0, dtype=np.int64)
        self._norms = np.empty(0)
        self._kept: OrderedDict[str, Impacts] = OrderedDict()
        self._kept_bytes = 0

    @property
    def nbytes(self) -> int:
        """Bytes held for the next query."""
        return self._kept_bytes + self._rows.nbytes + self._norms.nbytes

    def nearest(
        self, query: Lexical, limit: int, rows: IntArray | None = None, meter: Meter | None = None
    ) -> Ranking:
        """The best documents that hold the words.

        Args:
            query: what is looked for.
            limit: how many are kept.
            rows: the only rows that may be returned, rising; None for all.
            meter: what was looked at is counted here.

        Raises:
            InputError: the index has no lexical index, or the expression cannot be read.
            IndexFileError: the lexical index is damaged, or this SQLite has no FTS5.
        """
        name = lexical.tokenizer(self._store)
        if name is None:
            raise InputError(
                f"{self._store.path} has no lexical index: make one with create_lexical_index, "
                "or `edge-mrl optimize --lexical`"
            )
        lexical.require_fts5(self._store, "lexical search")
        if query.syntax:
            return self._expression(query.text, limit, rows)
        self._sync(name)
        words = self._words(query.text)
        found = [self._impacts(word) for word in words]
        if query.prefix and words:
            found[-1] = self._beginning(words[-1])
        if meter is not None:
            meter.count(sum(word.places.size for word in found), sum(word.nbytes for word in found))
        scores = bm25.summed(found, self._rows.size)
        if query.match == "all":
            scores[~bm25.holding_all(found, self._rows.size)] = 0
        if rows is not None:
            outside = np.ones(scores.size, dtype=np.bool_)
            outside[self._places(rows)] = False
            scores[outside] = 0
        places = bm25.best_places(scores, limit)
        return Ranking.of(self._rows[places], scores[places], limit)

    def _sync(self, name: str) -> None:
        """Read the lengths of all documents, if the file has changed."""
        self._prepare(name)
        stamp = self._store.change_stamp()
        if stamp == self._stamp:
            return
        self._forget()
        found = self._store.connection.execute("SELECT id, sz FROM lexical_docsize ORDER BY id")
        pairs = found.fetchall()
        known: dict[bytes, int] = {}
        for _, size in pairs:
            if size not in known:
                known[size] = _varint(size)
        self._rows = np.fromiter((row for row, _ in pairs), dtype=np.int64, count=len(pairs))
        lengths = np.fromiter((known[s] for _, s in pairs), dtype=np.int64, count=len(pairs))
        self._norms = bm25.norms(lengths)
        self._stamp = stamp

    def _forget(self) -> None:
        self._kept.clear()
        self._kept_bytes = 0

    def _prepare(self, name: str) -> None:
        """Tables of this connection alone: the words of the index, and a place to cut a query into
        words as documents are cut."""
        execute = self._store.connection.execute
        # Asked of SQLite: where a query failed they went with its transaction.
        there = execute("SELECT 1 FROM temp.sqlite_schema WHERE name = 'asked_words'").fetchone()
        if there and name == self._tokenizer:
            return
        self._forget()
        for table in ("lexical_words", "asked", "asked_words"):
            execute(f"DROP TABLE IF EXISTS temp.{table}")
        execute("CREATE VIRTUAL TABLE temp.lexical_words USING fts5vocab(main, lexical, instance)")
        execute(
            "CREATE VIRTUAL TABLE temp.asked "
            f"USING fts5(text, content='', tokenize='{lexical.TOKENIZERS[name]}')"
        )
        execute("CREATE VIRTUAL TABLE temp.asked_words USING fts5vocab(temp, asked, instance)")
        self._tokenizer = name

    def _words(self, text: str) -> list[str]:
        """The different words of a text, in order. Nothing in it can be an operator, as it is never
        part of an expression."""
        execute = self._store.connection.execute
        execute("INSERT INTO temp.asked (asked) VALUES ('delete-all')")
        execute("INSERT INTO temp.asked (rowid, text) VALUES (1, ?)", (text,))
        found = execute("SELECT term FROM temp.asked_words ORDER BY offset").fetchall()
        return list(dict.fromkeys(word for (word,) in found))[:MAX_WORDS]

    def _impacts(self, word: str) -> Impacts:
        """What a word adds to the score of each document."""
        if word in self._kept:
            self._kept.move_to_end(word)
            return self._kept[word]
        occurrences = self._occurrences("term = ?", (word,))
        return self._keep(word, bm25.impacts(Postings.of(occurrences), self._norms))

    def _beginning(self, word: str) -> Impacts:
        """The same of any word that begins like this; taken as one word, as FTS5 does."""
        if len(word) > _LONGEST_BEGINNING:
            return self._impacts(word)
        # No word has a space, so the name is nobody else's.
        name = f"{word} *"
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        found = self._occurrences("term >= ? AND term < ?", (word, word + "\U0010ffff"))
        return self._keep(name, bm25.impacts(Postings.of(found), self._norms))

    def _occurrences(self, condition: str, values: tuple[str, ...]) -> IntArray:
        """The document of each occurrence of some words, rising."""
        (listed,) = self._store.connection.execute(
            f"SELECT group_concat(doc, ' ') FROM temp.lexical_words WHERE {condition}", values
        ).fetchone()
        return self._places(np.sort(np.fromstring(listed or "", dtype=np.int64, sep=" ")))

    def _keep(self, name: str, impacts: Impacts) -> Impacts:
        self._kept[name] = impacts
        self._kept_bytes += impacts.nbytes
        while self._kept and self._kept_bytes > self._limit:
            self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes
        return impacts

    def _places(self, rows: IntArray) -> IntArray:
        """Where rows stand among those of the lexical index; rows it does not have are left out."""
        if not self._rows.size:
            return np.empty(0, dtype=np.int64)
        places = np.minimum(np.searchsorted(self._rows, rows), self._rows.size - 1)
        known: IntArray = places[self._rows[places] == rows]
        return known

    def _expression(self, text: str, limit: int, rows: IntArray | None) -> Ranking:
        if "\0" in text:
            raise InputError("an FTS5 expression cannot hold a NUL character: leave it out")
        try:
            found = self._store.connection.execute(
                "SELECT rowid, -bm25(lexical) FROM lexical WHERE lexical MATCH ?", (text,)
            ).fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
            raise InputError(
                f"the FTS5 expression {text[:60]!r} cannot be read ({error}): correct it, or leave "
                "syntax out to search for the words as they are"
            ) from error
        ranked = Ranking.of([row for row, _ in found], [score for _, score in found])
        if rows is not None:
            inside = np.isin(ranked.rows, rows, assume_unique=True)
            ranked = Ranking(ranked.rows[inside], ranked.scores[inside])
        return ranked.part(0, limit)


def _varint(size: object) -> int:
    """A document's length as FTS5 keeps it: seven bits a byte, the highest first.

    Raises:
        IndexFileError: it is not one.
    """
    if not isinstance(size, bytes) or not size or len(size) > 9 or size[-1] > 127:
        raise IndexFileError(
            "the lexical index is damaged, a document has no length: make it anew with "
            "create_lexical_index"
        )
    value = 0
    for byte in size:
        value = value << 7 | byte & 127
    return value
