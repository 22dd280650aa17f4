"""The positions of tokens, which decoders ask for and a text encoder is not given."""

from __future__ import annotations

import numpy as np

from edge_mrl_export.graphs.builder import GraphBuilder

POSITIONS = "position_ids"


def append_positions(graph: GraphBuilder) -> None:
    """Append the value `POSITIONS`, int64 [batch, sequence]: 0, 1, ... in every row.

    That is what transformers takes where nothing is given. A text is padded on the right here, so
    its tokens have the positions that they have alone. A model that was trained with padding on the
    left gives the same vectors, since its rotary positions are relative.
    """
    zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
    shape = graph.node("Shape", ["input_ids"])
    length = graph.node("Gather", [shape, one])
    graph.node("Expand", [graph.node("Range", [zero, length, one]), shape], POSITIONS)
