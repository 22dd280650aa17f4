"""What a source gives the pipeline: a description of the model, its own vectors, and variants on
request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge_mrl.bundle.manifest import LateInteraction, Precision, Similarity, VariantFormat
from edge_mrl.slices import FloatArray


@dataclass(frozen=True, slots=True)
class TokenizerSource:
    """The tokenizer as the bundle stores it: the bytes of a `tokenizers` JSON file and the settings
    around it.

    The JSON carries neither truncation nor padding; `max_tokens` (special tokens counted) and
    `pad_id` say it."""

    json: bytes
    add_special_tokens: bool
    max_tokens: int | None
    pad_id: int


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """A trained MRL model, before any variant was made.

    `identity` is the SHA-256, in hex, of everything that decides the vectors: weights, tokenizer,
    module list. `tools` are the packages that make the variants, whose versions the bundle records.
    `matryoshka_dims` are the trained sizes in rising order; the last may be smaller
    than `dim`. `include_prompt` is false where the tokens of a prompt are left out of pooling.
    `late_interaction` is there for a model of which token vectors are always kept.
    `multiplied_weights` is as in `edge_mrl.bundle.manifest.ModelInfo`."""

    name: str
    architecture: str
    source: str
    licence: str
    identity: str
    dim: int
    matryoshka_dims: tuple[int, ...]
    similarity: Similarity
    prompts: dict[str, str]
    default_prompt_name: str | None
    tokenizer: TokenizerSource
    tools: tuple[str, ...]
    include_prompt: bool = True
    late_interaction: LateInteraction | None = None
    multiplied_weights: int = 0


@dataclass(frozen=True, slots=True)
class BuiltVariant:
    """A variant whose files were written into the bundle's folder, not yet verified.

    `files` are relative to that folder. `min_cosine` is the gate: the mean cosine with the
    reference that this technique must reach at every trained size, and `reason` why that number.
    `engines`, `max_tokens` and `sequence_lengths` are as in `edge_mrl.bundle.manifest.Variant`;
    `token_vectors` says whether it also gives a vector for each token.
    """

    name: str
    format: VariantFormat
    precision: Precision
    dims: tuple[int, ...]
    files: tuple[str, ...]
    pad_invariant: bool
    session_options: dict[str, str]
    min_cosine: float
    reason: str
    engines: tuple[str, ...] = ()
    max_tokens: int | None = None
    sequence_lengths: tuple[int, ...] = ()
    token_vectors: bool = False


@dataclass(frozen=True, slots=True)
class VariantRequest:
    """One format and precision that the user asked for, and whether token vectors are wanted."""

    format: VariantFormat
    precision: Precision
    token_vectors: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """A format that the defaults lack or, where `precision` is given, a precision of one; `why`
    says so, and how to get it."""

    format: VariantFormat
    precision: Precision | None
    why: str


class Source(Protocol):
    """A model that can be exported."""

    def describe(self) -> ModelDescription:
        """Everything about the model that does not depend on a variant."""
        ...

    def default_requests(self) -> tuple[VariantRequest, ...]:
        """The variants written where the user names none."""
        ...

    def default_gaps(self) -> tuple[Gap, ...]:
        """What the defaults lack on this machine or for this model."""
        ...

    def reference(self, texts: Sequence[str]) -> FloatArray:
        """The model's own vectors in fp32, from the library it was made for: (n, dim) float32, unit
        length."""
        ...

    def reference_tokens(self, texts: Sequence[str]) -> list[FloatArray]:
        """The same for each token that the model reads of a text, one array a text: (tokens, dim)
        float32, unit length; tokens without a direction are left out.

        Raises:
            ExportError: the model's modules fit no single token.
        """
        ...

    def reference_name(self) -> str:
        """That library and its version, for the report."""
        ...

    def check(self, request: VariantRequest) -> None:
        """Say at once what `build` would say after long work.

        Raises:
            ExportError: this source cannot give that format or precision.
        """
        ...

    def build(self, request: VariantRequest, folder: Path) -> tuple[BuiltVariant, ...]:
        """Write the files of a variant below `folder`.

        Raises:
            ExportError: this source cannot give that format or precision.
        """
        ...
