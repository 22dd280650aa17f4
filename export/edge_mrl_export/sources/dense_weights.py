"""The weights of a Dense module, arranged so that they survive 8 bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_mrl.slices import FloatArray
from edge_mrl_export.sources.model_files import weight_files
from edge_mrl_export.sources.modules import DenseModule
from edge_mrl_export.sources.safetensors_file import read_float32

_SMALLEST_GAIN_EXPONENT = -20


@dataclass(frozen=True, slots=True)
class DenseWeights:
    """output = (input * gains) @ matrix.T + bias.

    `gains` (in,) float32 powers of two, or None where all are 1; `matrix` (out, in) float32; `bias`
    (out,) float32 or None.
    """

    gains: FloatArray | None
    matrix: FloatArray
    bias: FloatArray | None


def read_dense(module: DenseModule) -> DenseWeights:
    """Read a Dense module's weights from its folder.

    An adapter's columns can differ in size a hundredfold. Quantised with one scale for each output,
    all but the largest would lose most of their bits. So half of the difference, in powers of two,
    goes from the columns to the input, as in SmoothQuant (Xiao et al. 2023, arXiv 2211.10438): all
    of it would cost the input its bits where that becomes 8-bit too. Powers of two make the float32
    products the same bits as before, and the input is one vector a text, which costs nothing.

    Raises:
        ExportError: the weights are missing or do not fit the config.
    """
    files = weight_files(module.folder)
    matrix = read_float32(files, "linear.weight", (module.out_features, module.in_features))
    bias = read_float32(files, "linear.bias", (module.out_features,)) if module.bias else None
    gains = column_gains(matrix)
    return DenseWeights(None if (gains == 1).all() else gains, matrix / gains, bias)


def column_gains(matrix: FloatArray) -> FloatArray:
    """The square root of the largest number of each column over the largest of all, as the nearest
    power of two.

    Args:
        matrix: (r, c) float32.

    Returns:
        (c,) float32, from 2^-20 to 1; 1 for a column of zeros.
    """
    peaks = np.abs(matrix).max(axis=0).astype(np.float64)
    ratios = np.divide(peaks, peaks.max(), out=np.ones_like(peaks), where=peaks > 0)
    exponents = np.maximum(np.rint(np.log2(ratios) / 2), _SMALLEST_GAIN_EXPONENT)
    gains: FloatArray = np.exp2(exponents).astype(np.float32)
    return gains
