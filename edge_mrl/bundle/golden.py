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
_MAX_VECTOR_CHARS = 400_000
_MAX_TOKEN_CHARS = 100 * _MAX_VECTOR_CHARS


class Golden(NamedTuple):
    """Texts (without any prompt) and what the fp32 model gave for them.

    Attributes:
        texts: n texts, short ones first.
        vectors: (n, dim) float32 of unit length, at full width.
        tokens: a vector for each token of the first few of them, arrays (tokens, dim) float32
            likewise; empty where the bundle has no token vectors, or none to compare with.
    """

    texts: tuple[str, ...]
    vectors: FloatArray
    tokens: tuple[FloatArray, ...] = ()


def dump_golden(golden: Golden) -> bytes:
    """Write golden texts as JSON: vectors are little-endian float32 in base64."""
    rows = [
        {"text": text, "vector": _base64(row)}
        for text, row in zip(golden.texts, golden.vectors, strict=True)
    ]
    for row, tokens in zip(rows, golden.tokens, strict=False):
        row["token_vectors"] = _base64(tokens)
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
    tokens: list[FloatArray] = []
    for row in root.tables("golden", max_items=MAX_GOLDEN_TEXTS):
        found = _vectors(row, "vector", dim, _MAX_VECTOR_CHARS)
        if len(found) != 1:
            row.fail(f"the vector is not {dim} float32 values")
        if "token_vectors" in row:
            if len(tokens) < len(texts):
                row.fail("the texts before it have no token_vectors")
            tokens.append(_vectors(row, "token_vectors", dim, _MAX_TOKEN_CHARS))
        texts.append(row.text("text", max_length=100_000))
        vectors.append(found[0])
    if not texts:
        root.fail("there are no golden texts")
    return Golden(tuple(texts), np.stack(vectors), tuple(tokens))


def _base64(rows: FloatArray) -> str:
    return base64.b64encode(rows.astype("<f4").tobytes()).decode()


def _vectors(row: Table, key: str, dim: int, most: int) -> FloatArray:
    """The (n, dim) float32 of a field."""
    try:
        raw = base64.b64decode(row.text(key, max_length=most), validate=True)
    except binascii.Error:
        row.fail(f"the {key} is not base64")
    if not raw or len(raw) % (4 * dim):
        row.fail(f"the {key} is not of {dim} float32 values each")
    return np.frombuffer(raw, dtype="<f4").astype(np.float32).reshape(-1, dim)
