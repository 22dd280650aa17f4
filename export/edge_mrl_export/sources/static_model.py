"""A static model that was read from a folder: a table of token vectors, as a source."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from edge_mrl.errors import ExportError
from edge_mrl.slices import MAX_DIM, FloatArray, normalize
from edge_mrl_export.extras import installed
from edge_mrl_export.model import (
    BuiltVariant,
    Gap,
    ModelDescription,
    TokenizerSource,
    VariantRequest,
)
from edge_mrl_export.sources.model_card import EncodingSettings, read_licence, trained_sizes
from edge_mrl_export.sources.origin import Origin
from edge_mrl_export.static_table import build_static_variants, check_static_request


@dataclass(frozen=True, slots=True)
class StaticModel:
    """A text's vector is the mean of its tokens' rows.

    `table` is (vocabulary, dim) float32, cut to the largest of `dims`. Make one with `cut_to`.
    """

    origin: Origin
    kind: str
    table: FloatArray
    tokenizer: TokenizerSource
    settings: EncodingSettings
    dims: tuple[int, ...]
    licence: str

    def describe(self) -> ModelDescription:
        """See `Source.describe`."""
        return ModelDescription(
            name=self.origin.name,
            architecture="static token table, mean of rows",
            source=self.origin.said(self.kind),
            licence=self.licence,
            identity=self._identity(),
            dim=self.table.shape[1],
            matryoshka_dims=self.dims,
            similarity=self.settings.similarity,
            prompts=self.settings.prompts,
            default_prompt_name=self.settings.default_prompt_name,
            tools=(
                *("onnx", "onnxruntime", "safetensors"),
                *(("ai-edge-litert",) if installed("ai_edge_litert") else ()),
            ),
            tokenizer=self.tokenizer,
        )

    def default_requests(self) -> tuple[VariantRequest, ...]:
        """See `Source.default_requests`."""
        return (VariantRequest("table", "int8-portable"), VariantRequest("onnx", "int8-portable"))

    def default_gaps(self) -> tuple[Gap, ...]:
        """See `Source.default_gaps`."""
        return ()

    def reference_name(self) -> str:
        """See `Source.reference_name`."""
        return "the float64 mean of the model's own rows"

    def reference(self, texts: Sequence[str]) -> FloatArray:
        """See `Source.reference`. A text without tokens gives zeros."""
        return mean_of_rows(self.table, self._loaded_tokenizer(), texts)

    def reference_tokens(self, texts: Sequence[str]) -> list[FloatArray]:
        """See `Source.reference_tokens`: a token's vector is its row."""
        return rows_of_tokens(self.table, self._loaded_tokenizer(), texts)

    def check(self, request: VariantRequest) -> None:
        """See `Source.check`."""
        check_static_request(request)

    def build(self, request: VariantRequest, folder: Path) -> tuple[BuiltVariant, ...]:
        """See `Source.build`."""
        return build_static_variants(self.table, self.dims, request, folder)

    def _loaded_tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.from_str(self.tokenizer.json.decode())
        if self.tokenizer.max_tokens is not None:
            tokenizer.enable_truncation(self.tokenizer.max_tokens)
        return tokenizer

    def _identity(self) -> str:
        total = hashlib.sha256(self.table.astype("<f4").tobytes())
        total.update(self.tokenizer.json)
        total.update(str(self.tokenizer.max_tokens).encode())
        return total.hexdigest()


def cut_to(
    asked: tuple[int, ...] | None,
    licence: str | None,
    *,
    origin: Origin,
    kind: str,
    table: npt.NDArray[np.generic],
    tokenizer: TokenizerSource,
    settings: EncodingSettings,
) -> StaticModel:
    """A static model with the columns that its largest size needs and no more.

    Args:
        asked: the sizes that the user gave with `--dims`, or None for the recorded ones.
        licence: the model's licence, or None for what the folder says.
        origin: the model folder.
        kind: what kind of folder it is, in words.
        table: (vocabulary, full width).
        tokenizer: as the bundle stores it.
        settings: prompts and similarity.

    Raises:
        ExportError: the table is no table of finite numbers with a row for each token, or the sizes
            are wrong or not recorded.
    """
    folder = origin.folder
    if table.ndim != 2 or not 1 <= table.shape[1] <= MAX_DIM:
        raise ExportError(
            f"{folder}: the table has the shape {list(table.shape)}, which is not rows of 1 to "
            f"{MAX_DIM} numbers: save or download the model again"
        )
    vocabulary = Tokenizer.from_str(tokenizer.json.decode()).get_vocab(with_added_tokens=True)
    last = max(vocabulary.values(), default=-1)
    if last >= len(table):
        raise ExportError(
            f"{folder}: the tokenizer gives ids up to {last} but the table has {len(table)} rows: "
            "they are of different models"
        )
    dims = trained_sizes(folder, table.shape[1], asked)
    kept = np.ascontiguousarray(table[:, : max(dims)], dtype=np.float32)
    if not np.isfinite(kept).all():
        raise ExportError(f"{folder}: the table holds numbers that are not finite")
    return StaticModel(
        origin, kind, kept, tokenizer, settings, dims, licence or read_licence(folder)
    )


def mean_of_rows(
    table: npt.NDArray[np.floating], tokenizer: Tokenizer, texts: Sequence[str]
) -> FloatArray:
    """The mean of each text's token rows, computed in float64: (n, dim) float32, unit length; zeros
    where there is no token."""
    means = np.zeros((len(texts), table.shape[1]))
    for position, text in enumerate(texts):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        if ids:
            means[position] = table[ids].astype(np.float64).mean(axis=0)
    return normalize(means.astype(np.float32))


def rows_of_tokens(
    table: npt.NDArray[np.floating], tokenizer: Tokenizer, texts: Sequence[str]
) -> list[FloatArray]:
    """The row of each token of each text: arrays (tokens, dim) float32, unit length; rows of zeros
    are left out."""
    found = []
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        units = normalize(table[ids].astype(np.float32))
        found.append(units[units.any(axis=1)])
    return found
