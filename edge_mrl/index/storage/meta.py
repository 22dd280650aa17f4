"""What an index says about itself: its model, its layout. Kept as one JSON object in the table
`meta`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from edge_mrl.errors import IndexFileError, InputError, SliceError
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.schema import Table
from edge_mrl.slices import MAX_DIM, Slice, check_trained, trained_sizes

_MAX_NAME = 1000


class IndexMeta(NamedTuple):
    """The fixed facts of an index.

    Attributes:
        dim: width of the vectors it was made for, a trained size.
        matryoshka_dims: the trained sizes, rising.
        identity: the vector space.
        model_name: the model's name.
        layout: its slices.
    """

    dim: int
    matryoshka_dims: tuple[int, ...]
    identity: str
    model_name: str
    layout: IndexLayout

    @classmethod
    def checked(
        cls, dim: int, trained: Sequence[int], identity: str, model_name: str, layout: IndexLayout
    ) -> IndexMeta:
        """Make one from a caller's values.

        Raises:
            InputError: the trained sizes or the names cannot be used.
            SliceError: the layout is wider than the vectors, or cuts where the model was not
                trained (`UntrainedDimError`).
        """
        sizes = trained_sizes(trained)
        for name, value in (("identity", identity), ("model_name", model_name)):
            if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME:
                raise InputError(f"the {name} must be a text of 1 to {_MAX_NAME} characters")
            if not value.isprintable():
                raise InputError(f"the {name} must be printable: {value[:60]!r}")
        if not isinstance(layout, IndexLayout):
            raise InputError(f"the layout must be an IndexLayout, not {type(layout).__name__}")
        dim = check_trained(dim, sizes)
        if layout.stored.dim > dim:
            raise SliceError(
                f"the stored slice {layout.stored} is wider than the vectors, "
                f"which have {dim} dimensions: choose a smaller one"
            )
        check_trained(layout.stored.dim, sizes)
        for part in layout.resident:
            check_trained(part.dim, sizes)
        return cls(dim, sizes, identity, model_name, layout)

    @property
    def short_identity(self) -> str:
        """The first 12 characters of the identity, for messages."""
        return self.identity[:12]

    def to_json(self) -> str:
        """The JSON text that is stored."""
        facts: dict[str, object] = {
            "dim": self.dim,
            "matryoshka_dims": list(self.matryoshka_dims),
            "identity": self.identity,
            "model_name": self.model_name,
            "stored": str(self.layout.stored),
            "scan": str(self.layout.scan),
        }
        if self.layout.refine is not None:
            facts["refine"] = str(self.layout.refine)
        return json.dumps(facts)

    @classmethod
    def from_json(cls, text: str, where: str) -> IndexMeta:
        """Read it back.

        Raises:
            IndexFileError: it is not what `to_json` writes.
        """
        try:
            table = Table(json.loads(text), where, IndexFileError)
            refine = table.optional_text("refine")
            layout = IndexLayout(
                Slice.parse(table.text("stored")),
                Slice.parse(table.text("scan")),
                None if refine is None else Slice.parse(refine),
            )
            return cls.checked(
                table.integer("dim", 1, MAX_DIM),
                table.integers("matryoshka_dims", 1, MAX_DIM),
                table.text("identity", max_length=_MAX_NAME),
                table.text("model_name", max_length=_MAX_NAME),
                layout,
            )
        except (json.JSONDecodeError, RecursionError, InputError, SliceError) as error:
            raise IndexFileError(f"{where} is damaged ({error}): build the index again") from error
