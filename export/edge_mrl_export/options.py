"""What a user can ask of an export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_mrl.bundle.manifest import Precision, VariantFormat
from edge_mrl.errors import ExportError


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Choices of one export; each None means the model's or the source's own default.

    `sequence_lengths` are the tokens per signature of a TFLite file. `texts` is a file of the
    user's own texts on which the slices are measured: a JSONL corpus, or a plain file with one text
    a line. Without it, the documentation of this machine's Python serves. `strict` refuses a model
    whose first coordinates are not shown to be worth more than others (see
    `edge_mrl_export.front_loading`). `revision` is a branch, tag or commit of a model on the hub,
    `trust_remote_code` lets code that a model brings run. `layers` keeps the first so many layers
    of a model trained in both directions. `eval` is a folder of judged data in BEIR's layout on
    which the slices are measured instead of on texts that nobody judged. `allow` keeps a variant
    that misses a gate, and marks it. `opset` is the ONNX operator set. `token_vectors` keeps a
    vector for each token, for late interaction.
    """

    formats: tuple[VariantFormat, ...] | None = None
    precisions: tuple[Precision, ...] | None = None
    dims: tuple[int, ...] | None = None
    sequence_lengths: tuple[int, ...] | None = None
    licence: str | None = None
    texts: Path | None = None
    overwrite: bool = False
    strict: bool = False
    revision: str | None = None
    trust_remote_code: bool = False
    layers: int | None = None
    eval: Path | None = None
    allow: bool = False
    opset: int | None = None
    token_vectors: bool = False


def check_options(options: ExportOptions) -> None:
    """Refuse choices that no model could meet.

    Raises:
        ExportError: the licence says nothing, or does not stand on one line.
    """
    licence = options.licence
    if licence is not None and (not licence.strip() or not licence.isprintable()):
        raise ExportError(
            f"--licence {licence!r} names no licence: give its name on one line, as in --licence "
            "Apache-2.0, or leave it out"
        )
