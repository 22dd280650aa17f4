"""TFLite files through LiteRT, or through tflite-runtime where there is no LiteRT (32-bit Raspberry
Pi OS).

A file has one signature per sequence length, which share the weights; a text is padded to the
shortest that holds it. Texts run one by one, so a vector never depends on its neighbours. Where it
gives token vectors, a signature of its own holds the modules after pooling, so that who wants texts
only runs them once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from edge_mrl.backends.engines import first_installed, imported
from edge_mrl.backends.protocol import ALL_TOKENS, TokenChoice, WithTokens
from edge_mrl.bundle.engines import ENGINES, engines_for
from edge_mrl.bundle.manifest import Variant
from edge_mrl.errors import BackendError, BackendMissingError, BundleError
from edge_mrl.slices import FloatArray, prefix

Outputs = Mapping[str, npt.NDArray[np.float32]]
Run = Callable[..., Outputs]

IDS, MASK, OUTPUT = "input_ids", "attention_mask", "sentence_embedding"
PROMPT, TOKENS = "prompt_tokens", "token_embeddings"
LENGTH_STEP = 32
"""Texts are padded to a multiple of it where the file takes any length: the engine lays out its
memory anew for each other length."""


class _Interpreter(Protocol):
    def get_signature_list(self) -> Mapping[str, Mapping[str, Sequence[str]]]: ...
    def get_signature_runner(self, signature_key: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class _Signature:
    """`length` tokens a text, or None for any length; `width` numbers a vector; `skips` whether it
    takes the number of tokens to leave out of pooling; `token_width` numbers a token, or None where
    it gives texts only."""

    length: int | None
    width: int
    run: Run
    skips: bool = False
    token_width: int | None = None


@dataclass(frozen=True, slots=True)
class _AfterPooling:
    """The modules after pooling: `rows` at once of `token_width` numbers to `width`."""

    rows: int
    token_width: int
    width: int
    run: Run

    def __call__(self, tokens: FloatArray) -> FloatArray:
        """Pass any number of rows on."""
        found = np.empty((len(tokens), self.width), dtype=np.float32)
        for start in range(0, len(tokens), self.rows):
            some = tokens[start : start + self.rows]
            block = np.zeros((self.rows, self.token_width), dtype=np.float32)
            block[: len(some)] = some
            found[start : start + len(some)] = _called(
                self.run, {TOKENS: block}, f"{len(some)} tokens"
            )[OUTPUT][: len(some)]
        return found


class LiteRtBackend:
    """One interpreter; its signatures in order of length.

    A signature takes input_ids and attention_mask, (1, length) int32, and perhaps prompt_tokens,
    (1,) int32; it gives sentence_embedding, (1, width) float32, and perhaps token_embeddings,
    (1, length, token width) float32, what pooling takes. Another one takes token_embeddings, (rows,
    token width), and gives sentence_embedding, (rows, width). The runtime cuts all it gives to the
    wanted size and renormalises.
    """

    def __init__(
        self,
        interpreter: _Interpreter,
        signatures: Sequence[_Signature],
        after_pooling: _AfterPooling | None = None,
        *,
        pad_id: int,
    ) -> None:
        # The runners hold no reference of their own to the interpreter in every version.
        self._interpreter = interpreter
        self._signatures = signatures
        self._after_pooling = after_pooling
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
            runners = [
                interpreter.get_signature_runner(name) for name in interpreter.get_signature_list()
            ]
            signatures = [_signature(one) for one in runners if not _takes_tokens(one)]
            after_pooling = next((_after(one) for one in runners if _takes_tokens(one)), None)
        except (ValueError, RuntimeError, KeyError, IndexError) as error:
            raise BundleError(f"{engine} cannot load {files[0]}: {error}") from error
        if not signatures or signatures[0].width < max(variant.dims):
            raise BundleError(
                f"{files[0]} does not give vectors of {max(variant.dims)} numbers: export the "
                "bundle again"
            )
        signatures.sort(key=lambda signature: signature.length or 0)
        if variant.token_vectors is not None:
            _check_tokens(signatures, after_pooling, max(variant.dims), files[0])
        opened = cls(interpreter, signatures, after_pooling, pad_id=pad_id)
        opened._prepare()
        return opened

    def _prepare(self) -> None:
        """Run a text of one token. The engine packs the weights of all signatures at the first run,
        without the interpreter's lock: a tokenizer can be read meanwhile."""
        self._run([self._pad_id], 1, 0, 0)

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
            vectors = self._run(token_ids[0], len(token_ids[0]), prompt_tokens, room)[OUTPUT]
        else:
            vectors = np.zeros((len(token_ids), width), dtype=np.float32)
            for row, ids in enumerate(token_ids):
                if ids:
                    vectors[row] = self._run(ids, len(ids), prompt_tokens, room)[OUTPUT][0]
        return vectors if dim == width else prefix(vectors, dim)

    def embed_with_tokens(
        self,
        token_ids: Sequence[Sequence[int]],
        dim: int,
        *,
        prompt_tokens: int = 0,
        choice: TokenChoice = ALL_TOKENS,
    ) -> WithTokens:
        """See `TokenBackend`; texts run one by one, as in `embed`."""
        vectors = np.zeros((len(token_ids), self._signatures[0].width), dtype=np.float32)
        tokens = [np.empty((0, dim), dtype=np.float32)] * len(token_ids)
        for row, ids in enumerate(token_ids):
            if not ids:
                continue
            attended = len(ids) if choice.attended is None else choice.attended[row]
            found = self._run(ids, attended, prompt_tokens, 0)
            vectors[row] = found[OUTPUT][0]
            units = found[TOKENS][0, prompt_tokens : len(ids)]
            if choice.skipped:
                units = units[~np.isin(ids[prompt_tokens:], choice.skipped)]
            if self._after_pooling is not None:
                units = self._after_pooling(units)
            units = prefix(units, dim)
            tokens[row] = units[units.any(axis=1)]
        return WithTokens(prefix(vectors, dim), tokens)

    def _run(
        self, tokens: Sequence[int], attended: int, prompt_tokens: int, room: int
    ) -> dict[str, FloatArray]:
        longest = self._signatures[-1].length
        wanted = max(len(tokens), room if longest is None else min(room, longest))
        signature = self._fitting(wanted)
        length = signature.length or -(-wanted // LENGTH_STEP) * LENGTH_STEP
        ids = np.full((1, length), self._pad_id, dtype=np.int32)
        mask = np.zeros((1, length), dtype=np.int32)
        ids[0, : len(tokens)] = tokens
        mask[0, :attended] = 1
        feeds = {IDS: ids, MASK: mask}
        if prompt_tokens and not signature.skips:
            raise BackendError(
                "this TFLite file does not leave prompts out of pooling, as its manifest says: "
                "export the bundle again"
            )
        if signature.skips:
            feeds[PROMPT] = np.array([prompt_tokens], dtype=np.int32)
        return _called(signature.run, feeds, f"a text of {len(tokens)} tokens")

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


def _called(run: Run, feeds: Mapping[str, npt.NDArray[Any]], what: str) -> dict[str, FloatArray]:
    try:
        outputs = run(**feeds)
    except (ValueError, RuntimeError) as error:
        raise BackendError(f"TFLite failed on {what}: {error}") from error
    return {name: np.asarray(output, dtype=np.float32) for name, output in outputs.items()}


def _takes_tokens(runner: Any) -> bool:
    return TOKENS in runner.get_input_details()


def _signature(runner: Any) -> _Signature:
    inputs, outputs = _ends(runner, {IDS, MASK}, PROMPT, TOKENS)
    length = int(inputs[IDS]["shape_signature"][1])
    width = int(outputs[OUTPUT]["shape"][1])
    token_width = int(outputs[TOKENS]["shape"][2]) if TOKENS in outputs else None
    return _Signature(length if length > 0 else None, width, runner, PROMPT in inputs, token_width)


def _after(runner: Any) -> _AfterPooling:
    inputs, outputs = _ends(runner, {TOKENS})
    rows, token_width = map(int, inputs[TOKENS]["shape"])
    if rows < 1:
        raise ValueError(f"a signature takes {rows} tokens")
    return _AfterPooling(rows, token_width, int(outputs[OUTPUT]["shape"][1]), runner)


def _ends(
    runner: Any, needed: set[str], perhaps_in: str = "", perhaps_out: str = ""
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Inputs and outputs of a signature, refused where there are others."""
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    if set(inputs) - {perhaps_in} != needed or set(outputs) - {perhaps_out} != {OUTPUT}:
        raise ValueError(
            f"a signature takes {', '.join(sorted(inputs))} and gives {', '.join(sorted(outputs))}"
        )
    return inputs, outputs


def _check_tokens(
    signatures: Sequence[_Signature], after_pooling: _AfterPooling | None, dim: int, file: Path
) -> None:
    """Refuse a file that gives no token vectors of `dim` numbers."""
    given = {one.token_width or 0 for one in signatures}
    if after_pooling is not None:
        given = {after_pooling.width} if given == {after_pooling.token_width} else {0}
    if min(given) < dim:
        raise BundleError(
            f"{file} does not give token vectors of {dim} numbers, as its manifest says: export "
            "the bundle again"
        )
