"""What an index keeps beside its documents where it is asked to: indexes of metadata and of words,
token vectors. Loaded when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edge_mrl.errors import InputError
from edge_mrl.index.text_encoder import TextEncoder
from edge_mrl.slices import Slice

if TYPE_CHECKING:
    from edge_mrl.index.storage.store import Store


class Following:
    """The part of `Index` that makes and removes what follows the documents."""

    _store: Store
    _encoder: TextEncoder | None

    def create_payload_index(self, key: str) -> None:
        """Index a metadata key, so that filters on it need not read every document.

        Conditions of `must`, and of `should` where all of them are on indexed keys, are looked up.

        Args:
            key: as in a filter, e.g. ``author.name`` or ``tags[].name``.

        Raises:
            InputError: the key cannot be read.
            IndexFileError: the file cannot be written, or the metadata in it is damaged.
        """
        from edge_mrl.index.companions import payload_index

        with self._store.write():
            payload_index.create(self._store, key)

    def delete_payload_index(self, key: str) -> None:
        """Remove what `create_payload_index` made; does nothing where there is none."""
        from edge_mrl.index.companions import payload_index

        with self._store.write():
            payload_index.drop(self._store, key)

    @property
    def payload_indexes(self) -> tuple[str, ...]:
        """The metadata keys that are indexed, sorted."""
        from edge_mrl.index.companions import payload_index

        with self._store.read():
            return tuple(sorted(payload_index.keys(self._store)))

    def create_lexical_index(self, tokenizer: str = "unicode61") -> None:
        """Index the words of all documents, for BM25; kept in step with them from then on.

        Made anew where there is one already. Words take about half a byte for each byte of text;
        see docs/retrieval.md.

        Args:
            tokenizer: ``"unicode61"`` cuts words at anything that is no letter or digit and drops
                accents; ``"porter"`` takes English words by their stems on top; ``"trigram"`` takes
                every three letters, for scripts without spaces and for parts of words.

        Raises:
            InputError: there is no such tokenizer.
            IndexFileError: the file cannot be written, or this SQLite has no FTS5.
        """
        from edge_mrl.index.companions import lexical

        name = lexical.check_tokenizer(tokenizer)
        with self._store.write():
            lexical.create(self._store, name)

    def delete_lexical_index(self) -> None:
        """Remove what `create_lexical_index` made; does nothing where there is none."""
        from edge_mrl.index.companions import lexical

        with self._store.write():
            lexical.drop(self._store)

    @property
    def lexical_index(self) -> str | None:
        """The tokenizer of the lexical index; None where there is none."""
        from edge_mrl.index.companions import lexical

        with self._store.read():
            return lexical.tokenizer(self._store)

    def create_token_index(
        self,
        dim: int | None = None,
        *,
        matryoshka_dims: Sequence[int] | None = None,
        slice: Slice | tuple[int, int] | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        """Keep token vectors beside the documents from now on, for late interaction.

        Without `dim` they are made by the index's encoder, of the documents that are there now and
        of all texts that `add` and `upsert` embed later; where that was interrupted, asking again
        makes those that are missing. With `dim` they are given to `add` and `upsert`. They are read
        only for the documents that a query hands to a stage ``using="tokens"``; see
        docs/retrieval.md. Does nothing where the index keeps such already.

        Args:
            dim: width of token vectors that are brought, a trained size.
            matryoshka_dims: the sizes that they were trained for; default `dim` alone.
            slice: what is kept of each; default all dimensions at 8 bits.
            on_progress: called with the number of documents looked at so far, where the encoder
                makes them.

        Raises:
            InputError: the sizes cannot be used, the index keeps other token vectors, or there is
                neither a width nor an encoder that gives token vectors.
            SliceError: the slice cannot be, or is wider than `dim`.
            UntrainedDimError: `dim` or the slice is not of a trained size.
            IndexFileError: the file cannot be written.
        """
        from edge_mrl.index.companions import token_encoding, token_filling, tokens
        from edge_mrl.index.format.token_layout import TokenLayout

        if dim is not None:
            wanted = TokenLayout.checked(dim, matryoshka_dims, slice)
        elif matryoshka_dims is not None:
            raise InputError("matryoshka_dims go with dim: an encoder says its own")
        else:
            wanted = token_encoding.layout_of(self._encoder, slice)
        with self._store.write():
            tokens.create(self._store, wanted)
        if wanted.by_model:
            encoder = token_encoding.maker(self._encoder, wanted, self._store.path)
            token_filling.fill(self._store, encoder, wanted, on_progress)

    @property
    def token_vectors_by_model(self) -> bool:
        """Whether the index's own model makes its token vectors, so that texts can be asked for by
        them."""
        from edge_mrl.index.companions import tokens

        with self._store.read():
            kept = tokens.layout(self._store)
        return kept is not None and kept.by_model

    def delete_token_index(self) -> None:
        """Remove all token vectors; does nothing where there are none."""
        from edge_mrl.index.companions import tokens

        with self._store.write():
            tokens.drop(self._store)

    @property
    def token_slice(self) -> Slice | None:
        """What the index keeps of each token vector; None where it keeps none."""
        from edge_mrl.index.companions import tokens

        with self._store.read():
            kept = tokens.layout(self._store)
        return None if kept is None else kept.stored
