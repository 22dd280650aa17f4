"""BM25 over the lexical index.

FTS5 cuts texts into words and knows where each word stands; the scores are made here and added up
by the kernel. Its own `bm25` reads positions and length of each document that has one of the words,
and skips none: hundreds of times what adding up kept lists takes (see benchmarks/bm25.py for both).
The scores are the same. An FTS5 expression is scored by FTS5.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict

import numpy as np
import numpy.typing as npt

from edge_mrl import kernel
from edge_mrl.errors import InputError
from edge_mrl.index.companions import lexical
from edge_mrl.index.companions.lexical_lengths import Lengths
from edge_mrl.index.storage.store import Store
from edge_mrl.kernel import ScoreList
from edge_mrl.retrieval import bm25
from edge_mrl.retrieval.bm25 import Postings
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
        self._lengths = Lengths(0, None, np.empty(0, dtype=np.uint8), 1.0)
        self._kept: OrderedDict[str, ScoreList] = OrderedDict()
        self._kept_bytes = 0

    @property
    def nbytes(self) -> int:
        """Bytes held for the next query."""
        return self._kept_bytes + self._lengths.nbytes

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
        if query.syntax:
            lexical.require_fts5(self._store, "lexical search")
            return self._expression(query.text, limit, rows)
        self._sync(name)
        words = self._words(query.text)
        found = [self._scores(word) for word in words]
        if query.prefix and words:
            found[-1] = self._beginning(words[-1])
        if meter is not None:
            meter.count(sum(one.rows.size for one in found), sum(one.nbytes for one in found))
        allowed = None
        if rows is not None:
            allowed = np.zeros(self._lengths.count, dtype=np.bool_)
            allowed[self._lengths.places(rows)] = True
        best = kernel.best_rows(found, self._lengths.count, limit, allowed, query.match == "all")
        return Ranking(self._lengths.rows(best.rows), best.sums)

    def _sync(self, name: str) -> None:
        """Read the lengths of all documents, if the file has changed."""
        self._prepare(name)
        stamp = self._store.change_stamp()
        if stamp == self._stamp:
            return
        self._forget()
        self._lengths = Lengths.read(self._store)
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
        lexical.require_fts5(self._store, "lexical search")
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

    def _scores(self, word: str) -> ScoreList:
        """What a word adds to the score of each document."""
        if word in self._kept:
            self._kept.move_to_end(word)
            return self._kept[word]
        return self._keep(word, self._read("term = ?", (word,)))

    def _beginning(self, word: str) -> ScoreList:
        """The same of any word that begins like this; taken as one word, as FTS5 does."""
        if len(word) > _LONGEST_BEGINNING:
            return self._scores(word)
        # No word has a space, so the name is nobody else's.
        name = f"{word} *"
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        return self._keep(name, self._read("term >= ? AND term < ?", (word, word + "\U0010ffff")))

    def _read(self, condition: str, values: tuple[str, ...]) -> ScoreList:
        """The scores of some words, taken as one, from where they stand."""
        # One text instead of a Python number for each occurrence: 115 000 in 15 ms instead of 34.
        (listed,) = self._store.connection.execute(
            f"SELECT group_concat(doc, ' ') FROM temp.lexical_words WHERE {condition}", values
        ).fetchone()
        rows = np.fromstring(listed or "", dtype=np.int64, sep=" ")
        del listed
        # Those of one word rise already, which a stable sort finds out in one pass.
        rows.sort(kind="stable")
        word = Postings.of(self._lengths.places(rows))
        norms = bm25.norms(self._lengths.words[word.places], self._lengths.mean)
        return ScoreList.of(word.places, bm25.scores(word, norms, self._lengths.count))

    def _keep(self, name: str, scores: ScoreList) -> ScoreList:
        self._kept[name] = scores
        self._kept_bytes += scores.nbytes
        while self._kept and self._kept_bytes > self._limit:
            self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes
        return scores

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
