"""The converter and the quantiser in a process of their own.

Both bring engines (jax, MLIR, torchao) that print, start threads and keep a gigabyte; here that
ends with the process. Run by `lite/process.py` as
``python -m edge_mrl_export.lite.worker convert FOLDER OUT LENGTH...`` (``convert-trusted`` where
the folder's own code may run) and
``python -m edge_mrl_export.lite.worker quantize MODEL OUT PRECISION``.
"""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
"""Of Linux' prctl(2)."""


def main(arguments: Sequence[str]) -> int:
    """Carry out one piece of work."""
    end_with_the_parent()
    kind, source, out, *rest = arguments
    if kind in ("convert", "convert-trusted"):
        lengths = [int(length) for length in rest]
        _convert(Path(source), Path(out), lengths, trusted=kind == "convert-trusted")
    else:
        _quantize(Path(source), Path(out), rest[0])
    return 0


def end_with_the_parent() -> None:
    """Let Linux end this process with the one that started it: an export that is killed could not,
    and gigabytes would be worked on for minutes for nobody."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _convert(folder: Path, out: Path, lengths: Sequence[int], *, trusted: bool) -> None:
    """Write a float32 file with one signature for each sequence length; they share the weights."""
    import litert_torch
    import torch

    from edge_mrl_export.lite.encoder import TextEncoder
    from edge_mrl_export.sources.modules_json import read_layout

    layout = read_layout(folder)
    encoder = TextEncoder(layout, trust_remote_code=trusted).eval()
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
