"""ONNX Runtime, set up for small machines: memory used again from text to text, stated threads,
bounded batches."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_mrl.backends.engines import imported
from edge_mrl.backends.onnx_constants import places_outside
from edge_mrl.backends.protocol import ALL_TOKENS, TokenChoice, WithTokens
from edge_mrl.bundle.manifest import Variant
from edge_mrl.errors import BackendError, BundleError
from edge_mrl.slices import FloatArray

if TYPE_CHECKING:
    import onnxruntime

MAX_BATCH_TOKENS = 256
"""Padded tokens in one run. Activations grow with it, and a MiniLM is embedded no faster by more:
texts of 250 tokens took 4 MiB more than one alone at 256, 58 at 512, 113 at 1024, 273 at 2048."""

FATAL_ONLY = 4


class OnnxBackend:
    """One ONNX Runtime session.

    The graph takes input_ids and attention_mask, (batch, sequence) int64, perhaps token_type_ids,
    perhaps prompt_tokens, (1,) int64, and `dim`, (1,) int64; it gives unit vectors (batch, dim). It
    does not check `dim`: the encoder has. A graph that gives token vectors takes `tokens_wanted`,
    (1,) int64, too: without it, it makes none."""

    def __init__(
        self, session: onnxruntime.InferenceSession, *, pad_id: int, batched: bool
    ) -> None:
        self._session = session
        self._inputs = {entry.name for entry in session.get_inputs()}
        self._pad_id = pad_id
        self._batched = batched

    @classmethod
    def open(
        cls, variant: Variant, files: Sequence[Path], *, pad_id: int, threads: int
    ) -> OnnxBackend:
        """Start a session on a variant's graph, and on the constants in the file beside it where it
        has a second one.

        Raises:
            BundleError: ONNX Runtime does not accept the graph, or it names constants elsewhere.
        """
        ort = imported("onnxruntime")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # The arena uses memory again. From the C library, texts of 256 tokens got new pages each
        # time. A pattern is one more block for every length of text, which the arena keeps.
        options.enable_cpu_mem_arena = True
        options.enable_mem_pattern = False
        options.log_severity_level = FATAL_ONLY
        for key, value in variant.session_options.items():
            options.add_session_config_entry(key, value)
        if len(files) not in (1, 2):
            raise BundleError(
                f"variant {variant.name!r} must have one file or two, a graph and its constants: "
                "export the bundle again"
            )
        graph, *constants = files
        _check_places(graph, *constants)
        try:
            session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise BundleError(
                f"ONNX Runtime {ort.__version__} cannot load {graph}: {error}"
            ) from error
        return cls(session, pad_id=pad_id, batched=variant.pad_invariant)

    def embed(
        self,
        token_ids: Sequence[Sequence[int]],
        dim: int,
        *,
        prompt_tokens: int = 0,
        room: int = 0,
    ) -> FloatArray:
        """See `Backend.embed`.

        Texts are run longest first, in batches of similar length. A variant whose vectors depend on
        the batch (dynamic quantisation takes one scale per tensor) runs every text alone and never
        padded, so that they do not."""
        room = room if self._batched else 0
        if len(token_ids) == 1 and len(token_ids[0]):
            # A query: what the engine gives is the result.
            (vectors,) = self._run(
                self._feeds(token_ids, dim, prompt_tokens, room), ["sentence_embedding"]
            )
            return vectors
        vectors = np.zeros((len(token_ids), dim), dtype=np.float32)
        for rows in self._batches(token_ids):
            batch = [token_ids[row] for row in rows]
            feeds = self._feeds(batch, dim, prompt_tokens, room)
            (vectors[rows],) = self._run(feeds, ["sentence_embedding"])
        return vectors

    def embed_with_tokens(
        self,
        token_ids: Sequence[Sequence[int]],
        dim: int,
        *,
        prompt_tokens: int = 0,
        choice: TokenChoice = ALL_TOKENS,
    ) -> WithTokens:
        """See `TokenBackend`; batches as in `embed`. One run gives both."""
        vectors = np.zeros((len(token_ids), dim), dtype=np.float32)
        tokens = [np.empty((0, dim), dtype=np.float32)] * len(token_ids)
        for rows in self._batches(token_ids):
            batch = [token_ids[row] for row in rows]
            feeds = self._feeds(batch, dim, prompt_tokens, 0)
            feeds["tokens_wanted"] = np.array([len(batch[0])], dtype=np.int64)
            if choice.attended is not None:
                for row, mask in zip(rows, feeds["attention_mask"], strict=True):
                    mask[choice.attended[row] :] = 0
            vectors[rows], found = self._run(feeds, ["sentence_embedding", "token_embeddings"])
            for row, ids, units in zip(rows, batch, found, strict=True):
                kept = units[prompt_tokens : len(ids)]
                skipped = np.isin(ids[prompt_tokens:], choice.skipped)
                tokens[row] = kept[kept.any(axis=1) & ~skipped]
        return WithTokens(vectors, tokens)

    def _batches(self, token_ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        order = [row for row, ids in enumerate(token_ids) if len(ids)]
        if len(order) > 1:
            order.sort(key=lambda row: len(token_ids[row]), reverse=True)
        start = 0
        while start < len(order):
            longest = len(token_ids[order[start]])
            count = max(1, MAX_BATCH_TOKENS // longest) if self._batched else 1
            yield list(order[start : start + count])
            start += count

    def _feeds(
        self, batch: Sequence[Sequence[int]], dim: int, prompt_tokens: int, room: int
    ) -> dict[str, Any]:
        """Inputs of one run; the longest text comes first."""
        shape = len(batch), max(len(batch[0]), room)
        ids = np.full(shape, self._pad_id, dtype=np.int64)
        mask = np.zeros(shape, dtype=np.int64)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        feeds: dict[str, Any] = {
            "input_ids": ids,
            "attention_mask": mask,
            "dim": np.array([dim], dtype=np.int64),
        }
        if "token_type_ids" in self._inputs:
            feeds["token_type_ids"] = np.zeros(shape, dtype=np.int64)
        if prompt_tokens and "prompt_tokens" not in self._inputs:
            raise BackendError(
                "this ONNX file does not leave prompts out of pooling, as its manifest says: "
                "export the bundle again"
            )
        if "prompt_tokens" in self._inputs:
            feeds["prompt_tokens"] = np.array([prompt_tokens], dtype=np.int64)
        return feeds

    def _run(self, feeds: dict[str, Any], outputs: Sequence[str]) -> list[FloatArray]:
        try:
            found = self._session.run(list(outputs), feeds)
        except Exception as error:
            texts, tokens = feeds["input_ids"].shape
            raise BackendError(
                f"ONNX Runtime failed on a batch of {texts} x {tokens} tokens: {error}"
            ) from error
        return [np.asarray(output, dtype=np.float32) for output in found]


def _check_places(graph: Path, constants: Path | None = None) -> None:
    """Refuse a graph whose constants lie elsewhere than in the one file that was checked: ONNX
    Runtime would open whatever file it names, and map what is beyond the end of one."""
    beside = constants is not None and constants.parent == graph.parent
    size = constants.stat().st_size if constants is not None and beside else 0
    try:
        with (
            graph.open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as model,
        ):
            places = list(places_outside(model))
    except ValueError as error:
        raise BundleError(
            f"{graph} is not an ONNX file ({error}): export the bundle again"
        ) from error
    for place in places:
        if constants is None or not beside or place.location != constants.name:
            raise BundleError(
                f"{graph} has constants in {place.location!r}, which is not a file of this variant "
                "beside it: export the bundle again"
            )
        if place.offset < 0 or place.length < 0 or place.offset + place.length > size:
            raise BundleError(
                f"{graph} has constants beyond the end of {constants.name}: export the bundle again"
            )
