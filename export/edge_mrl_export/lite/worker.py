"""The converter and the quantiser in a process of their own.

Both bring engines (jax, MLIR, torchao) that print, start threads and keep a gigabyte; here that
ends with the process. Run by `lite/process.py` as
``python -m edge_mrl_export.lite.worker convert FOLDER OUT LENGTH... [--trust-remote-code]
[--token-vectors]`` and ``python -m edge_mrl_export.lite.worker quantize MODEL OUT PRECISION``.
"""

from __future__ import annotations

import argparse
import ctypes
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
"""Of Linux' prctl(2)."""

ROWS = 32
"""Tokens that pass the modules after pooling at once: a query. More would be padding for it, fewer
more calls for a page."""


def main(arguments: Sequence[str]) -> int:
    """Carry out one piece of work."""
    end_with_the_parent()
    parser = argparse.ArgumentParser()
    kinds = parser.add_subparsers(dest="kind", required=True)
    convert = kinds.add_parser("convert")
    convert.add_argument("folder", type=Path)
    convert.add_argument("out", type=Path)
    convert.add_argument("lengths", type=int, nargs="+")
    convert.add_argument("--trust-remote-code", action="store_true")
    convert.add_argument("--token-vectors", action="store_true")
    quantize = kinds.add_parser("quantize")
    quantize.add_argument("model", type=Path)
    quantize.add_argument("out", type=Path)
    quantize.add_argument("precision")
    given = parser.parse_args(arguments)
    if given.kind == "convert":
        _convert(
            given.folder,
            given.out,
            given.lengths,
            trusted=given.trust_remote_code,
            token_vectors=given.token_vectors,
        )
    else:
        _quantize(given.model, given.out, given.precision)
    return 0


def end_with_the_parent() -> None:
    """Let Linux end this process with the one that started it: an export that is killed could not,
    and gigabytes would be worked on for minutes for nobody."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _convert(
    folder: Path, out: Path, lengths: Sequence[int], *, trusted: bool, token_vectors: bool
) -> None:
    """Write a float32 file with one signature for each sequence length, and one for the modules
    after pooling where tokens must pass them; they share the weights."""
    import litert_torch
    import torch

    from edge_mrl_export.lite.encoder import TextEncoder, turns_rows
    from edge_mrl_export.sources.layout import layout_of

    layout = layout_of(folder)
    encoder = TextEncoder(layout, trust_remote_code=trusted, token_vectors=token_vectors).eval()
    skipped = {} if layout.pooling.include_prompt else {"prompt_tokens": torch.zeros(1).int()}
    converter = litert_torch.Converter()
    for length in lengths:
        converter.add_signature(
            f"tokens_{length}",
            encoder,
            # Two tensors: one and the same given twice would be taken for one input.
            sample_kwargs={
                "input_ids": torch.zeros(1, length, dtype=torch.int32),
                "attention_mask": torch.ones(1, length, dtype=torch.int32),
                **skipped,
            },
        )
    if token_vectors and turns_rows(layout):
        converter.add_signature(
            "after_pooling",
            encoder.after_pooling,
            sample_kwargs={"token_embeddings": torch.zeros(ROWS, layout.pooling.dim)},
        )
    with torch.no_grad():
        converter.convert().export(str(out))


def _quantize(source: Path, out: Path, precision: str) -> None:
    """Write a smaller file: ``fp16``, ``int8-fast`` or ``int8-portable``."""
    from ai_edge_quantizer import qtyping, quantizer, recipe_manager
    from ai_edge_quantizer.algorithm_manager import AlgorithmName

    recipe = recipe_manager.RecipeManager()
    operations = (
        qtyping.TFLOperationName.FULLY_CONNECTED,
        qtyping.TFLOperationName.EMBEDDING_LOOKUP,
    )
    for operation in operations:
        if precision == "int8-fast":
            recipe.add_dynamic_config(".*", operation, num_bits=8)
        elif precision == "int8-portable":
            recipe.add_weight_only_config(".*", operation, num_bits=8)
        else:
            recipe.add_weight_only_config(
                ".*", operation, num_bits=16, algorithm_key=AlgorithmName.FLOAT_CASTING
            )
    work = quantizer.Quantizer(str(source))
    work.load_quantization_recipe(recipe.get_quantization_recipe())
    out.write_bytes(bytes(work.quantize().quantized_model))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
