"""The static table of the wordllama package: a real Matryoshka model of 8 million numbers, read
from its files.

The package's own loader looks in a folder that the wheel does not have, so the two data files are
read directly. Its inference class gives the reference vectors where it can be imported (there is no
wheel for 64-bit ARM)."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from edge_mrl.errors import ExportError
from edge_mrl.slices import FloatArray, check_trained, normalize
from edge_mrl_export.extras import installed, require
from edge_mrl_export.model import (
    BuiltVariant,
    Gap,
    ModelDescription,
    TokenizerSource,
    VariantRequest,
)
from edge_mrl_export.sources.model_card import check_sizes
from edge_mrl_export.sources.static_model import mean_of_rows, rows_of_tokens
from edge_mrl_export.static_table import build_static_variants, check_static_request
from edge_mrl_export.tokenizer_file import stored_form

if TYPE_CHECKING:
    from wordllama.inference import WordLlamaInference

WEIGHTS = "weights/l2_supercat_256.safetensors"
TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
TRAINING = "config/train/l2_supercat.toml"
TENSOR = "embedding.weight"
LICENCE = "MIT"


@dataclass(frozen=True, slots=True)
class WordLlamaSource:
    """The table, its tokenizer and its trained sizes. Make one with `installed`."""

    table: npt.NDArray[np.float16]
    tokenizer_json: bytes
    dims: tuple[int, ...]
    identity: str
    licence: str = LICENCE

    @classmethod
    def installed(
        cls, *, dims: tuple[int, ...] | None, licence: str | None = None
    ) -> WordLlamaSource:
        """Read the data files of the installed package.

        Args:
            dims: keep only these trained sizes; a table then has no more columns than the largest.
            licence: the model's licence, or None for that of the package.

        Raises:
            UntrainedDimError: a size in `dims` was not trained.
            ExportError: sizes are out of order or repeated; or the package is not installed, or its
                files are not as known.
        """
        spec = importlib.util.find_spec("wordllama")
        if spec is None or not spec.submodule_search_locations:
            raise ExportError("the wordllama package is not installed: run `pip install wordllama`")
        root = Path(next(iter(spec.submodule_search_locations)))
        require("safetensors", "onnx", extra="export-static")
        from safetensors.numpy import load_file

        for name in (WEIGHTS, TOKENIZER, TRAINING):
            if not (root / name).is_file():
                raise ExportError(f"the installed wordllama has no {name}: install wordllama 0.4")
        table = load_file(root / WEIGHTS)[TENSOR]
        recorded = tomllib.loads((root / TRAINING).read_text())["matryoshka"]["dims"]
        trained = tuple(sorted(dim for dim in recorded if dim <= table.shape[1]))
        kept = trained
        if dims is not None:
            kept = tuple(check_trained(dim, trained) for dim in dims)
            check_sizes(kept, max(trained), "--dims")
        tokenizer_json = stored_form(Tokenizer.from_file(str(root / TOKENIZER)))
        digest = hashlib.sha256(
            np.ascontiguousarray(table[:, : max(kept)]).tobytes() + tokenizer_json
        )
        return cls(
            table[:, : max(kept)], tokenizer_json, kept, digest.hexdigest(), licence or LICENCE
        )

    def describe(self) -> ModelDescription:
        """See `Source.describe`."""
        version = importlib.metadata.version("wordllama")
        return ModelDescription(
            name=f"wordllama-l2-supercat-{self.table.shape[1]}",
            architecture="static token table, mean of rows",
            source=f"wordllama {version}",
            licence=self.licence,
            identity=self.identity,
            dim=self.table.shape[1],
            matryoshka_dims=self.dims,
            similarity="cosine",
            prompts={},
            default_prompt_name=None,
            tools=(
                *("onnx", "onnxruntime", "wordllama"),
                *(("ai-edge-litert",) if installed("ai_edge_litert") else ()),
            ),
            tokenizer=TokenizerSource(
                self.tokenizer_json, add_special_tokens=False, max_tokens=None, pad_id=0
            ),
        )

    def default_requests(self) -> tuple[VariantRequest, ...]:
        """See `Source.default_requests`."""
        return (VariantRequest("table", "int8-portable"), VariantRequest("onnx", "int8-portable"))

    def default_gaps(self) -> tuple[Gap, ...]:
        """See `Source.default_gaps`."""
        return ()

    def reference_name(self) -> str:
        """See `Source.reference_name`."""
        if _library() is None:
            return (
                "float64 mean of the package's table (the wordllama library cannot be imported "
                "here)"
            )
        return f"wordllama {importlib.metadata.version('wordllama')}"

    def reference(self, texts: Sequence[str]) -> FloatArray:
        """See `Source.reference`. A text without tokens gives zeros, where the library gives
        NaN."""
        tokenizer = Tokenizer.from_str(self.tokenizer_json.decode())
        library = _library()
        if library is not None:
            vectors = library(self.table, tokenizer).embed(list(texts))
            return normalize(np.nan_to_num(vectors))
        return mean_of_rows(self.table, tokenizer, texts)

    def reference_tokens(self, texts: Sequence[str]) -> list[FloatArray]:
        """See `Source.reference_tokens`: a token's vector is its row."""
        tokenizer = Tokenizer.from_str(self.tokenizer_json.decode())
        return rows_of_tokens(self.table, tokenizer, texts)

    def check(self, request: VariantRequest) -> None:
        """See `Source.check`."""
        check_static_request(request)

    def build(self, request: VariantRequest, folder: Path) -> tuple[BuiltVariant, ...]:
        """See `Source.build`."""
        return build_static_variants(self.table, self.dims, request, folder)


def _library() -> type[WordLlamaInference] | None:
    """The library's inference class, where its compiled parts were built for this machine."""
    try:
        from wordllama.inference import WordLlamaInference as Inference
    except ImportError:
        return None
    found: type[WordLlamaInference] = Inference
    return found
