"""What each node of a query asks, made ready: texts embedded once, ids looked up, kinds checked."""

from __future__ import annotations

from dataclasses import dataclass

from edge_mrl.errors import InputError
from edge_mrl.index.companions import sparse, tokens
from edge_mrl.index.companions.token_encoding import encode_query, maker
from edge_mrl.index.querying.vectors import query_vector
from edge_mrl.index.storage.meta import IndexMeta
from edge_mrl.index.storage.store import Store
from edge_mrl.index.text_encoder import TextEncoder
from edge_mrl.index.writing import batch
from edge_mrl.retrieval.multi_vector import MultiVector
from edge_mrl.retrieval.request import (
    DENSE,
    LEXICAL,
    SPARSE,
    TOKENS,
    Lexical,
    QueryValue,
    SimilarTo,
    Using,
)
from edge_mrl.retrieval.sparse_vector import SparseVector
from edge_mrl.slices import FloatArray, Slice, check_trained


@dataclass(frozen=True, slots=True)
class Likeness:
    """A document that stands in for a query.

    Attributes:
        row: its row.
        vector: (stored dim,) float32.
        text: its text.
        sparse: its sparse vector, if it has one.
    """

    row: int
    vector: FloatArray
    text: str
    sparse: SparseVector | None


class Asker:
    """Turns the values that nodes ask into what a stage compares with.

    Args:
        store: the index's.
        meta: the index.
        encoder: embeds texts.
        with_tokens: whether a stage asks a text's token vectors; the model then runs once for both.
    """

    def __init__(
        self,
        store: Store,
        meta: IndexMeta,
        encoder: TextEncoder | None,
        *,
        with_tokens: bool = False,
    ) -> None:
        self._store = store
        self._meta = meta
        self._encoder = encoder
        self._with_tokens = with_tokens
        self._embedded: dict[str, FloatArray] = {}
        self._by_token: dict[str, MultiVector | None] = {}
        self._likenesses: dict[int | str, Likeness] = {}

    def using(self, given: Using | None, query: QueryValue | None) -> Using:
        """What a node scores with.

        Raises:
            UntrainedDimError: a slice cuts where the model was not trained.
        """
        if isinstance(given, Slice):
            check_trained(given.dim, self._meta.matryoshka_dims)
        if given is not None:
            return given
        if isinstance(query, Lexical):
            return LEXICAL
        if isinstance(query, MultiVector):
            return TOKENS
        return SPARSE if isinstance(query, SparseVector) else DENSE

    def dense(self, query: QueryValue | None) -> FloatArray:
        """The vector that is asked.

        Raises:
            InputError: it is none.
        """
        if isinstance(query, SimilarTo):
            return self.likeness(query).vector
        if isinstance(query, Lexical):
            query = None if query.syntax else query.text
        if query is None or isinstance(query, (SparseVector, MultiVector)):
            raise InputError("a dense stage needs a text or a vector to ask: give it a query")
        if not isinstance(query, str):
            return query_vector(query, self._encoder, self._meta)
        if query not in self._embedded:
            asked = self._embed_tokens(query) if self._with_tokens else query
            self._embedded[query] = query_vector(asked, self._encoder, self._meta)
        return self._embedded[query]

    def lexical(self, query: QueryValue | None) -> Lexical:
        """The words that are asked.

        Raises:
            InputError: there are none.
        """
        if isinstance(query, SimilarTo):
            return Lexical(self.likeness(query).text)
        if isinstance(query, str):
            query = Lexical(query)
        if not isinstance(query, Lexical):
            raise InputError("a lexical stage needs a text to ask: give it query='...'")
        batch.check_text(query.text, "the query")
        return query

    def sparse(self, query: QueryValue | None) -> SparseVector:
        """The sparse vector that is asked.

        Raises:
            InputError: there is none.
        """
        if isinstance(query, SimilarTo):
            found = self.likeness(query).sparse
            if found is None:
                raise InputError(f"the document {query.id!r} has no sparse vector")
            return found
        if not isinstance(query, SparseVector):
            raise InputError("a sparse stage needs a SparseVector to ask: give it one as query")
        return query

    def tokens(self, query: QueryValue | None) -> MultiVector:
        """The token vectors that are asked.

        Raises:
            InputError: there are none.
        """
        if isinstance(query, Lexical) and not query.syntax:
            query = query.text
        if isinstance(query, str):
            return self._tokens_of(query)
        if isinstance(query, SimilarTo):
            row = self.likeness(query).row
            with self._store.read():
                found = tokens.vectors_of(self._store, row)
            if found is None:
                raise InputError(f"the document {query.id!r} has no token vectors")
            return found
        if not isinstance(query, MultiVector):
            raise InputError(
                "a tokens stage needs token vectors to ask: give it a text, a MultiVector, or a "
                "document that it is like"
            )
        return query

    def _tokens_of(self, text: str) -> MultiVector:
        if text not in self._by_token:
            self._embed_tokens(text)
        found = self._by_token[text]
        if found is None:
            raise InputError(
                "the query has no token that the model knows, so nothing is like it: ask with "
                "other words"
            )
        return found

    def _embed_tokens(self, text: str) -> FloatArray:
        """Embed a text and its tokens; the tokens are kept for the stage that asks them."""
        batch.check_text(text, "the query")
        with self._store.read():
            kept = tokens.required(self._store)
        if not kept.by_model:
            raise InputError(
                f"the token vectors of {self._store.path} were made elsewhere, so a text cannot be "
                "asked by them: give a MultiVector, or a document that it is like"
            )
        encoder = maker(self._encoder, kept, self._store.path)
        vector, self._by_token[text] = encode_query(encoder, text, kept)
        return vector

    def likeness(self, query: SimilarTo) -> Likeness:
        """A document that stands in for a query.

        Raises:
            InputError: there is no such document.
            IndexFileError: its vector is damaged.
        """
        id_ = batch.check_id(query.id)
        if id_ not in self._likenesses:
            with self._store.read():
                found = self._store.row_of(id_)
                if found is None:
                    raise InputError(f"the index has no document {id_!r}: give the id of one")
                text = self._store.documents_of([found])[0][1]
                vector = self._store.vectors([found], self._meta.layout.stored).units[0]
                kept = sparse.vector_of(self._store, found)
            self._likenesses[id_] = Likeness(found, vector, text, kept)
        return self._likenesses[id_]
