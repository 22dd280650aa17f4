"""How much of an index file what follows the documents takes: ids, words, metadata, sparse vectors
and token vectors. Pure arithmetic.

The constants were measured on files of this runtime: for words on English texts of 270 to 1022
bytes (1400 to 25 000 of them), for the rest on 3000 to 20 000 documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.planning.facts import IndexFacts
from edge_mrl.planning.file_cost import index_file, varying_row
from edge_mrl.slices import Slice

WORDS: Mapping[str, tuple[float, float]] = {
    "unicode61": (1.08, 0.87),
    "porter": (1.01, 0.87),
    "trigram": (3.97, 0.95),
}
"""Tokenizer of the lexical index -> factor and exponent of the bytes of text; less than in
proportion, as long texts repeat their words. Measured with unicode61: 139 bytes a document for
texts of 270 (Vaswani), 217 for 446 (Debian package descriptions), 453 for 1022 (Cranfield)."""

ID_ENTRY_BYTES = 9
"""An id in the index of ids: row number and headers beside it. The file is rewritten when it is
built or optimised, so its pages are full. Measured: ids of 8, 16, 36 and 100 bytes took 25, 41, 84
and 220 bytes more a document than none, themselves included."""

PAYLOAD_ENTRY_BYTES = 11
PAYLOAD_ROOM = 1.08
"""A value in the index of a metadata key: key, kind, row and headers beside it; and what its pages
leave free, since values come in any order. Measured: 14 to 34 bytes for numbers and texts."""

SPARSE_RECORD_BYTES = 8
SPARSE_ROW_BYTES = 14
"""A coordinate in a document's record, and what stands beside them."""

SPARSE_LIST_BYTES = 13.0
SPARSE_LIST_ROW_BYTES = 31
"""The same in the lists of dimensions: 8 bytes each, the rest is what lists of rare dimensions
take. Measured: 428, 1077 and 2395 bytes a document, record and lists, for 18, 49 and 111
coordinates out of 30 000 dimensions, drawn by Zipf's law."""

SPARSE_LISTED = 4096
"""Fewer documents have records alone."""

TOKEN_ROW_BYTES = 10
"""A record's checksum, row number and headers."""

LEAST_MEASURED = 1000
"""Documents from which an index's own file says how much a document takes."""


@dataclass(frozen=True, slots=True)
class Companions:
    """What an index keeps beside documents and vectors.

    Attributes:
        id_bytes: size of a document's id, on average: its UTF-8, or 1 to 8 for a number; 0 where
            the index gives the ids, which are then not stored.
        lexical: the tokenizer of the lexical index; None for none.
        payload_values: values that indexed metadata keys have in a document, on average.
        payload_value_bytes: size of one of them: 1 to 8 for a number, its UTF-8 for a text.
        sparse_coordinates: coordinates of a document's sparse vector, on average.
        token_vectors: token vectors of a document, on average.
        token_slice: what is kept of each.
    """

    id_bytes: float = 0.0
    lexical: str | None = None
    payload_values: float = 0.0
    payload_value_bytes: float = 8.0
    sparse_coordinates: float = 0.0
    token_vectors: float = 0.0
    token_slice: Slice | None = None

    def document_bytes(self, documents: int, text_bytes: int) -> float:
        """Bytes of file for one of so many documents with so many bytes of text each."""
        total = 0.0
        if self.id_bytes:
            total += varying_row(round(self.id_bytes) + ID_ENTRY_BYTES)
        if self.lexical is not None:
            factor, exponent = WORDS[self.lexical]
            total += factor * text_bytes**exponent
        entry = self.payload_value_bytes + PAYLOAD_ENTRY_BYTES
        total += self.payload_values * PAYLOAD_ROOM * entry
        if self.sparse_coordinates:
            total += SPARSE_RECORD_BYTES * self.sparse_coordinates + SPARSE_ROW_BYTES
            if documents >= SPARSE_LISTED:
                total += SPARSE_LIST_BYTES * self.sparse_coordinates + SPARSE_LIST_ROW_BYTES
        if self.token_slice is not None and self.token_vectors:
            record = round(self.token_vectors * self.token_slice.code_bytes)
            total += varying_row(record + TOKEN_ROW_BYTES)
        return total


NO_COMPANIONS = Companions()


def whole_file(
    layout: IndexLayout,
    documents: int,
    text_bytes: int,
    companions: Companions,
    index: IndexFacts | None = None,
) -> int:
    """Bytes of the index file with all that it keeps.

    Args:
        layout: the slices.
        documents: how many.
        text_bytes: of each, on average.
        companions: what is kept beside them.
        index: an index that exists. If it is large enough, its own file says what a document
            takes, whatever it keeps; only what other slices would take instead is reckoned.
    """
    if not documents:
        return 0
    if index is None or index.file_bytes is None or index.documents < LEAST_MEASURED:
        each = companions.document_bytes(documents, text_bytes)
        row = text_bytes + round(companions.id_bytes)
        return index_file(layout, documents, row) + round(documents * each)
    measured = index.file_bytes * documents / index.documents
    other = index_file(layout, documents, 0) - index_file(index.layout, documents, 0)
    return max(0, round(measured + other))
