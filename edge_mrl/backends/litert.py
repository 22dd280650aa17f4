"""TFLite files through LiteRT, or through tflite-runtime where there is no LiteRT (32-bit Raspberry
Pi OS).

A file has one signature per sequence length, which share the weights; a text is padded to the
shortest that holds it. Texts run one by one, so a vector never depends on its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from edge_mrl.backends.engines import first_installed, imported
from edge_mrl.bundle.engines import ENGINES, engines_for
from edge_mrl.bundle.manifest import Variant
from edge_mrl.errors import BackendError, BackendMissingError, BundleError
from edge_mrl.slices import FloatArray, prefix

Run = Callable[..., Mapping[str, npt.NDArray[np.float32]]]

IDS, MASK, OUTPUT = "input_ids", "attention_mask", "sentence_embedding"
PROMPT = "prompt_tokens"
LENGTH_STEP = 32
"""Texts are padded to a multiple of it where the file takes any length: the engine lays out its
memory anew for each other length."""


class _Interpreter(Protocol):
    def get_signature_list(self) -> Mapping[str, Mapping[str, Sequence[str]]]: ...
    def get_signature_runner(self, signature_key: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class _Signature:
    """`length` tokens a text, or None for any length; `width` numbers a vector; `skips` whether it
    takes the number of tokens to leave out of pooling."""

    length: int | None
    width: int
    run: Run
    skips: bool = False


class LiteRtBackend:
    """One interpreter; its signatures in order of length.

    A signature takes input_ids and attention_mask, (1, length) int32, and perhaps prompt_tokens,
    (1,) int32; it gives sentence_embedding, (1, width) float32. The runtime cuts it to the wanted
    size and renormalises.
    """

    def __init__(
        self, interpreter: _Interpreter, signatures: Sequence[_Signature], *, pad_id: int
    ) -> None:
        # The runners hold no reference of their own to the interpreter in every version.
        self._interpreter = interpreter
        self._signatures = signatures
        self._pad_id = pad_id

    @classmethod
    def open(
        cls, variant: Variant, files: Sequence[Path], *, pad_id: int, threads: int
    ) -> LiteRtBackend:
        """Open a variant's one file.

        Raises:
            BackendMissingError: no engine that is known to run the variant is installed.
            BundleError: the engine does not accept the file, or it is no text encoder.
        """
        if len(files) != 1:
            raise BundleError(f"variant {variant.name!r} must have one file")
        engine = _engine(variant)
        make = imported(engine).Interpreter
        try:
            interpreter = cast(_Interpreter, make(model_path=str(files[0]), num_threads=threads))
            signatures = [
                _signature(interpreter.get_signature_runner(name))
                for name in interpreter.get_signature_list()
            ]
        except (ValueError, RuntimeError, KeyError) as error:
            raise BundleError(f"{engine} cannot load {files[0]}: {error}") from error
        if not signatures or signatures[0].width < max(variant.dims):
            raise BundleError(
                f"{files[0]} does not give vectors of {max(variant.dims)} numbers: export the "
                "bundle again"
            )
        signatures.sort(key=lambda signature: signature.length or 0)
        return cls(interpreter, signatures, pad_id=pad_id)

    def embed(
        self,
        token_ids: Sequence[Sequence[int]],
        dim: int,
        *,
        prompt_tokens: int = 0,
        room: int = 0,
    ) -> FloatArray:
        """See `Backend.embed`. Texts run one by one; the longest signature bounds the memory."""
        width = self._signatures[0].width
        if len(token_ids) == 1 and token_ids[0]:
            # A query: what the engine gives is the result.
            vectors = self._run(token_ids[0], prompt_tokens, room)
        else:
            vectors = np.zeros((len(token_ids), width), dtype=np.float32)
            for row, ids in enumerate(token_ids):
                if ids:
                    vectors[row] = self._run(ids, prompt_tokens, room)[0]
        return vectors if dim == width else prefix(vectors, dim)

    def _run(self, tokens: Sequence[int], prompt_tokens: int, room: int) -> FloatArray:
        longest = self._signatures[-1].length
        wanted = max(len(tokens), room if longest is None else min(room, longest))
        signature = self._fitting(wanted)
        length = signature.length or -(-wanted // LENGTH_STEP) * LENGTH_STEP
        ids = np.full((1, length), self._pad_id, dtype=np.int32)
        mask = np.zeros((1, length), dtype=np.int32)
        ids[0, : len(tokens)] = tokens
        mask[0, : len(tokens)] = 1
        feeds = {IDS: ids, MASK: mask}
        if prompt_tokens and not signature.skips:
            raise BackendError(
                "this TFLite file does not leave prompts out of pooling, as its manifest says: "
                "export the bundle again"
            )
        if signature.skips:
            feeds[PROMPT] = np.array([prompt_tokens], dtype=np.int32)
        try:
            output = signature.run(**feeds)[OUTPUT]
        except (ValueError, RuntimeError) as error:
            raise BackendError(f"TFLite failed on a text of {len(tokens)} tokens: {error}") from (
                error
            )
        return np.asarray(output, dtype=np.float32)

    def _fitting(self, tokens: int) -> _Signature:
        for signature in self._signatures:
            if signature.length is None or signature.length >= tokens:
                return signature
        raise BackendError(
            f"a text of {tokens} tokens is longer than this file reads "
            f"({self._signatures[-1].length}): its manifest must say so as max_tokens; export the "
            "bundle again"
        )


def _engine(variant: Variant) -> str:
    """The first installed engine of those that the variant names."""
    engine = first_installed(engines_for(variant))
    if engine is None:
        needed = " or ".join(variant.engines or ENGINES["tflite"])
        raise BackendMissingError(
            f"variant {variant.name!r} needs {needed}: run "
            "`pip install 'edge-mrl[litert]'`, or choose another variant"
        )
    return engine


def _signature(runner: Any) -> _Signature:
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    if set(inputs) - {PROMPT} != {IDS, MASK} or set(outputs) != {OUTPUT}:
        raise ValueError(
            f"a signature takes {', '.join(sorted(inputs))} and gives {', '.join(sorted(outputs))}"
        )
    length = int(inputs[IDS]["shape_signature"][1])
    width = int(outputs[OUTPUT]["shape"][1])
    return _Signature(length if length > 0 else None, width, runner, PROMPT in inputs)
