"""Gains of a layer normalisation that stick out, moved into the weights after it.

Some post-norm transformers have a few coordinates with two to three times the gain of the others,
where the first token carries a very large number. One scale for all of a text's activations then
leaves few steps to the rest. Divided by such a gain before it is quantised, and the weights
multiplied by it, the activation is spread evenly and the product stays what it was.
"""

from __future__ import annotations

import numpy as np
import onnx

from edge_mrl.slices import FloatArray
from edge_mrl_export.graphs.constants import values

OUTSTANDING = 2
"""A largest gain this many times the median one is moved. In MiniLM the normalisations before the
feed-forward blocks have 2.4 to 2.9 times, those before attention 1.1 to 1.5, where moving them
gains nothing."""


def outstanding_gains(model: onnx.ModelProto) -> dict[str, FloatArray]:
    """What to divide the outputs of layer normalisations by that have outstanding gains: (width,)
    float32, none below 1, by the output's name."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        if node.op_type != "LayerNormalization" or node.input[1] not in constants:
            continue
        gains = np.abs(np.asarray(values(constants[node.input[1]]), dtype=np.float32))
        median = np.median(gains)
        if gains.ndim == 1 and gains.max() > OUTSTANDING * median > 0:
            found[node.output[0]] = np.maximum(1, gains / median).astype(np.float32)
    return found
