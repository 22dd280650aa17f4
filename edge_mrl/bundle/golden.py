"""Golden texts: a few inputs with the vectors that the fp32 model gave at export.

A variant that does not come near them on a device is broken there (one known engine loads an int8
transformer without complaint and answers noise), so the runtime compares before it serves."""

from __future__ import annotations

import base64
import binascii
import json
from typing import NamedTuple

import numpy as np

from edge_mrl.errors import BundleError
from edge_mrl.schema import Table
from edge_mrl.slices import FloatArray

MAX_GOLDEN_TEXTS = 1000


class Golden(NamedTuple):
    """Texts (without any prompt) and their full-width fp32 vectors, (n, dim) float32 of unit
    length."""

    texts: tuple[str, ...]
    vectors: FloatArray


def dump_golden(golden: Golden) -> bytes:
    """Write golden texts as JSON: vectors are little-endian float32 in base64."""
    rows = [
        {"text": text, "vector": base64.b64encode(row.astype("<f4").tobytes()).decode()}
        for text, row in zip(golden.texts, golden.vectors, strict=True)
    ]
    return (json.dumps({"golden": rows}, indent=1, ensure_ascii=True) + "\n").encode()


def parse_golden(data: bytes, dim: int) -> Golden:
    """Read golden texts of vectors `dim` wide.

    Raises:
        BundleError: the data is not of that form.
    """
    try:
        root = Table(json.loads(data), "golden.json", BundleError)
    except (ValueError, RecursionError) as error:
        raise BundleError(
            f"golden.json is not valid JSON ({error}): export the bundle again"
        ) from error
    texts: list[str] = []
    vectors: list[FloatArray] = []
    for row in root.tables("golden", max_items=MAX_GOLDEN_TEXTS):
        texts.append(row.text("text", max_length=100_000))
        try:
            raw = base64.b64decode(row.text("vector", max_length=400_000), validate=True)
        except binascii.Error:
            row.fail("the vector is not base64")
        if len(raw) != 4 * dim:
            row.fail(f"the vector is not {dim} float32 values")
        vectors.append(np.frombuffer(raw, dtype="<f4").astype(np.float32))
    if not texts:
        root.fail("there are no golden texts")
    return Golden(tuple(texts), np.stack(vectors))
