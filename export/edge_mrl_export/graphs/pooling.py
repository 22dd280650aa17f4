"""Pooling token vectors to one, as sentence_transformers.models.Pooling does for padded batches."""

from __future__ import annotations

import numpy as np

from edge_mrl_export.graphs.builder import GraphBuilder
from edge_mrl_export.sources.modules import PoolingMode, PoolingModule

_LEAST_WEIGHT = 1e-9
"""sentence-transformers' guard against a division by zero where a row is all padding."""


PROMPT_TOKENS = "prompt_tokens"


def append_pooling(graph: GraphBuilder, module: PoolingModule, hidden: str, mask: str) -> str:
    """Append a Pooling module.

    Where the module leaves prompts out, the graph must have the input `PROMPT_TOKENS`, int64 [1]:
    how many tokens at the beginning of each text are the prompt's.

    Args:
        graph: where to append.
        module: the modes, whose results are joined in order.
        hidden: name of the token vectors, float32 [batch, sequence, dim].
        mask: name of the attention mask, int64 [batch, sequence], 1 for a token and 0 for padding
            on either side.

    Returns:
        The name of the pooled vectors, float32 [batch, modes * dim].
    """
    if not module.include_prompt:
        mask = _after_prompt(graph, mask)
    pooled = [_pool(graph, mode, hidden, mask) for mode in module.modes]
    return pooled[0] if len(pooled) == 1 else graph.node("Concat", pooled, axis=1)


def _after_prompt(graph: GraphBuilder, mask: str) -> str:
    """The mask without each row's first tokens, on whichever side the padding stands."""
    count = graph.node("CumSum", [mask, graph.constant(1, np.int64)])
    after = graph.node("Cast", [graph.node("Greater", [count, PROMPT_TOKENS])], to=_INT64)
    return graph.node("Mul", [mask, after])


def _pool(graph: GraphBuilder, mode: PoolingMode, hidden: str, mask: str) -> str:
    if mode in ("cls", "lasttoken"):
        return _one_token(graph, hidden, mask, last=mode == "lasttoken")
    column = graph.node("Unsqueeze", [mask, graph.constant([2], np.int64)])
    if mode == "max":
        padding = graph.node("Equal", [column, graph.constant(0, np.int64)])
        masked = graph.node("Where", [padding, graph.constant(-np.inf, np.float32), hidden])
        return graph.node("ReduceMax", [masked, graph.constant([1], np.int64)], keepdims=0)
    weights = graph.node("Cast", [column], to=_FLOAT)
    if mode == "weightedmean":
        weights = graph.node("Mul", [weights, _positions(graph, mask)])
    axis = graph.constant([1], np.int64)
    total = graph.node("ReduceSum", [graph.node("Mul", [hidden, weights]), axis], keepdims=0)
    weight = graph.node("ReduceSum", [weights, axis], keepdims=0)
    weight = graph.node("Max", [weight, graph.constant(_LEAST_WEIGHT, np.float32)])
    if mode == "mean_sqrt_len_tokens":
        weight = graph.node("Sqrt", [weight])
    return graph.node("Div", [total, weight])


def _one_token(graph: GraphBuilder, hidden: str, mask: str, *, last: bool) -> str:
    """The vector of the first or last token that is not padding."""
    # ONNX Runtime has ArgMax for float32 on every platform, for int64 only on some.
    weights = graph.node("Cast", [mask], to=_FLOAT)
    place = graph.node("ArgMax", [weights], axis=1, keepdims=1, select_last_index=int(last))
    return graph.node("GatherND", [hidden, place], batch_dims=1)


def _positions(graph: GraphBuilder, mask: str) -> str:
    """1, 2, ... over the sequence, padding counted: float32 [sequence, 1]."""
    length = graph.node("Squeeze", [graph.node("Shape", [mask], start=1, end=2)])
    one = graph.constant(1, np.int64)
    numbers = graph.node("Range", [one, graph.node("Add", [length, one]), one])
    return graph.node("Unsqueeze", [graph.node("Cast", [numbers], to=_FLOAT), one])


_FLOAT, _INT64 = 1, 7
"""onnx.TensorProto.FLOAT and INT64."""
