"""What an encoder takes in memory and in time. Pure arithmetic; every constant says how it was
measured, or that it is an estimate.

The reference machine, to which `DeviceFacts.core_speed` is relative, is one core of an x86-64
server with AVX-512 (AMD EPYC, Zen 4, 2.6 GHz, 2026).
"""

from __future__ import annotations

import math

from edge_mrl.bundle.manifest import Precision, VariantFormat
from edge_mrl.planning.facts import BundleFacts, VariantFacts
from edge_mrl.profiles.encoder_times import EncoderTimes
from edge_mrl.profiles.profile import DeviceProfile

MIB = 2**20

QUERY_TOKENS = 32
"""The length of a query for which the embedding latency is planned: a long question."""

PROCESS_BASE_BYTES = 40 * MIB
"""Python 3.11 with `Encoder` and `Index` imported, and with them numpy, tokenizers and sqlite3:
33.6 MiB resident on x86-64. OpenSSL, which checks a bundle, is 3.4 more, and the code of tokenizers
that reading the first one touches about 4."""

TOKENIZER_MEMORY_FACTOR = 6.0
"""Resident bytes per byte of tokenizer.json. A process with wordllama's table, whose tokenizer has
1.2 MB, and an index of 1000 documents takes 68 MB; 4 MB more before what reading a tokenizer leaves
was given back."""

ENGINE_BYTES: dict[VariantFormat, float] = {"table": 0.0, "onnx": 30 * MIB, "tflite": 10 * MIB}
"""Resident bytes of an engine and its buffers, without weights.

From the resident memory of a MiniLM with a Dense head (onnxruntime 1.31, one thread, arena off):
int8-fast 111 to 112 MiB at its peak with texts of 256 tokens, fp32 144 to 147, int8-portable 148 to
151; tflite (ai-edge-litert 2.3) 117. With ONNX Runtime's arena and what is given back since,
`benchmarks.plan` measures 103 MiB for a whole process with int8-fast and 1000 documents, 10 of them
for the index.
"""

WEIGHT_FACTOR: dict[tuple[VariantFormat, Precision], float] = {
    ("onnx", "fp32"): 0.7,
    ("onnx", "fp16"): 1.3,
    ("onnx", "int4"): 1.1,
    ("onnx", "int8-portable"): 2.7,
    ("tflite", "fp32"): 2.2,
    ("tflite", "fp16"): 8.3,
    ("tflite", "int8-fast"): 2.8,
    ("tflite", "int8-portable"): 13.1,
}
"""Resident bytes per byte of model file, where it is not 1.

From the same processes, arena off, in MiB: onnx fp32 144 to 147 for files of 90.3, of which what
is packed for products need not stay mapped; int8-portable 148 to 151 for 22.9, since the weights
are unpacked to float32 at load; fp16 153 to 156 for 45.2, likewise; int4 115 to 122 for 18.7.
tflite, with signatures for 16, 64 and 256 tokens, each of which keeps a packed copy of its own,
and unpacks int8-portable and fp16 to float32 for it: fp32 254 for 90.3, int8-fast 117 for 22.9,
int8-portable 354 for 22.9. Plain MiniLM: tflite fp16 416 for 44.3. That is too much for a static
table as TFLite, which has no products to pack; the same table for numpy is cheaper anyway.
Elsewhere the file is read or mapped once.
"""

ENCODE_TIME: dict[tuple[VariantFormat, Precision], float] = {
    ("tflite", "int8-fast"): 0.35,
    ("tflite", "int8-portable"): 0.87,
    ("tflite", "fp16"): 0.89,
    ("tflite", "fp32"): 0.89,
    ("onnx", "int8-fast"): 0.45,
    ("onnx", "int8-portable"): 0.97,
    ("onnx", "fp16"): 0.96,
    ("onnx", "int4"): 0.99,
}
"""CPU time of one text relative to ONNX fp32: MiniLM through this runtime, 256 tokens, one thread,
x86-64, the least of six rounds with all variants in turn.

Only the order matters here. On boards without int8 dot products the gain of int8 is smaller.
"""

PADDED_LENGTHS = (16, 64, 256)
"""Tokens that the signatures of a TFLite file take where its manifest does not say; a text is
padded to the next one. A text of 18 tokens of MiniLM, padded to 64, took 252 million instructions
on a Cortex-A53, and 59 million with ONNX at int8."""

TABLE_ENCODE_TIME = 0.001
"""The same for a static table: 6 to 25 microseconds against milliseconds."""

PRODUCT_SECONDS = 18.8e-12
"""Seconds for one token times one weight with ONNX fp32 on the reference machine. Measured: 256
tokens of MiniLM, whose layers have 10.7 million weights, take 56 ms, attention's products
included."""

WEIGHT_READ_SHARE = 0.5
"""How fast weights are read for their products, as a share of `DeviceFacts.memory_read`: each text
reads all of them once, however short it is."""

WEIGHT_BYTES: dict[Precision, float] = {
    "fp32": 4.0,
    "fp16": 4.0,
    "int8-fast": 1.0,
    "int8-portable": 4.0,
    "int4": 0.5,
}
"""Bytes that are read of a weight: as it lies in memory, where fp16 and int8-portable have become
float32."""

UNPACK_SECONDS: dict[Precision, float] = {"int4": 0.33e-9}
"""Seconds for unpacking one weight, once for each text.

What the three come to, in milliseconds, for a text of 16 tokens (64 for TFLite) at 20 GB/s, beside
what `python -m benchmarks.large` printed: Qwen3-Embedding-0.6B's layout int8-fast 104 and 100,
int8-portable 305 and 292, int4 300 and 304, TFLite int8-fast 230 and 269; EmbeddingGemma's 26 and
26, 75 and 67, 73 and 72.
"""

MULTIPLIED_SHARE = 0.5
"""The share of a model's weights that tokens are multiplied with, where the manifest does not say:
that of a MiniLM, whose other half is its token table. Larger models have more."""

CALL_SECONDS = 0.3e-3
"""What every call of an engine takes besides, on the reference machine: tokenising, feeding."""

TABLE_SECONDS = 48e-6
"""One text through a static table on the reference machine, most of it tokenising; measured by
`edge-mrl calibrate` with 32 tokens."""

WEIGHTS_A_BYTE: dict[Precision, float] = {
    "fp32": 0.25,
    "fp16": 0.5,
    "int8-fast": 1.0,
    "int8-portable": 1.0,
    "int4": 1.58,
}
"""A model's weights per byte of its file. At 4 bits the token table has 8."""

BUFFERED_TOKENS = 256
BUFFER_BYTES = 288
"""`ENGINE_BYTES` holds up to so many tokens; beyond, attention's buffers grow with their square, by
so many bytes each. Measured: MiniLM (12 heads) at int8 had 131 MiB with texts of 256 tokens and 185
with 512."""

SHORTEST_LENGTH = 8

THREADS = 1
"""onnxruntime's default of several threads took 5.1 ms for a short text, one thread 2.3 (x86-64, 2
cores)."""


def encoder_memory(variant: VariantFacts, max_tokens: int | None = None) -> int:
    """Resident bytes of a process that has this variant loaded.

    Args:
        variant: what runs.
        max_tokens: where texts are cut; None for where the variant cuts them itself.
    """
    factor = WEIGHT_FACTOR.get((variant.format, variant.precision), 1.0)
    longest = max_tokens or variant.max_tokens or BUFFERED_TOKENS
    buffers = BUFFER_BYTES * max(0, longest**2 - BUFFERED_TOKENS**2)
    return round(
        PROCESS_BASE_BYTES
        + TOKENIZER_MEMORY_FACTOR * variant.tokenizer_bytes
        + ENGINE_BYTES[variant.format]
        + factor * variant.model_bytes
        + (0 if variant.format == "table" else buffers)
    )


def reading_lengths(variant: VariantFacts, text_tokens: int | None) -> tuple[int | None, ...]:
    """Where texts may be cut, falling: at the variant's own limit, or at a shorter length that
    costs less.

    Args:
        variant: what runs.
        text_tokens: the longest text that will come, special tokens counted; no length is shorter.
            None where nobody knows: none is shorter than a query of `QUERY_TOKENS`.
    """
    limit = variant.max_tokens
    if limit is None or variant.format == "table":
        return (limit,)
    least = max(SHORTEST_LENGTH, QUERY_TOKENS if text_tokens is None else text_tokens)
    if variant.format == "tflite":
        steps = variant.sequence_lengths or PADDED_LENGTHS
    else:
        steps = tuple(2**power for power in range(3, limit.bit_length()))
    found: list[int | None] = [limit]
    for length in sorted(steps, reverse=True):
        # A shorter length that computes as many tokens for a query, and buffers as many, brings
        # nothing.
        if least <= length < limit and _cut_costs(variant, length) < _cut_costs(variant, found[-1]):
            found.append(length)
    return tuple(found)


def _cut_costs(variant: VariantFacts, length: int | None) -> tuple[int, int]:
    tokens = QUERY_TOKENS if length is None else min(QUERY_TOKENS, length)
    return encoder_memory(variant, length), computed_tokens(variant, tokens)


def computed_tokens(variant: VariantFacts, tokens: int) -> int:
    """The tokens that an engine computes for a text of so many: padded for TFLite, cut to what the
    variant reads."""
    limit = math.inf if variant.max_tokens is None else variant.max_tokens
    if variant.format == "tflite":
        lengths = variant.sequence_lengths or PADDED_LENGTHS
        tokens = next((length for length in lengths if length >= tokens), tokens)
    return int(min(tokens, limit))


def encode_time(variant: VariantFacts, tokens: int = QUERY_TOKENS) -> float:
    """Time of one text of so many tokens relative to ONNX fp32 of the same model."""
    if variant.format == "table":
        return TABLE_ENCODE_TIME
    each = ENCODE_TIME.get((variant.format, variant.precision), 1.0)
    return each * computed_tokens(variant, tokens) / max(1, tokens)


def embedding_latency(
    profile: DeviceProfile, bundle: BundleFacts, variant: VariantFacts, tokens: int = QUERY_TOKENS
) -> float:
    """Seconds for one text alone: as the device was calibrated, or else reckoned from the weights:
    each is read once for a text, and multiplied with each token.

    Args:
        profile: the device.
        bundle: the model.
        variant: one of its variants.
        tokens: length of the text; longer ones are cut to what the variant reads.
    """
    tokens = tokens if variant.max_tokens is None else min(tokens, variant.max_tokens)
    known = measured_times(profile, bundle, variant)
    if known is not None:
        return known.at(tokens, padded=variant.format == "tflite")
    if variant.format == "table":
        return TABLE_SECONDS / profile.facts.core_speed
    weights = multiplied_weights(bundle, variant)
    facts = profile.facts
    read = weights * WEIGHT_BYTES[variant.precision] / (WEIGHT_READ_SHARE * facts.memory_read)
    computed = CALL_SECONDS + weights * UNPACK_SECONDS.get(variant.precision, 0.0)
    computed += weights * PRODUCT_SECONDS * tokens * encode_time(variant, tokens)
    return read + computed / facts.core_speed


def multiplied_weights(bundle: BundleFacts, variant: VariantFacts) -> float:
    """With how many weights each token is multiplied: as the manifest says, or estimated from a
    variant's size."""
    if bundle.multiplied_weights is not None:
        return bundle.multiplied_weights
    return MULTIPLIED_SHARE * variant.model_bytes * WEIGHTS_A_BYTE[variant.precision]


def measured_times(
    profile: DeviceProfile, bundle: BundleFacts, variant: VariantFacts
) -> EncoderTimes | None:
    """What this variant took on the device, None where nobody measured it."""
    for one in profile.encoders:
        if (one.identity, one.variant) == (bundle.identity, variant.name):
            return one
    return None
