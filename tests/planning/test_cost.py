"""Worked by hand from the constants and the sources they name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_mrl.bundle.manifest import Precision, VariantFormat
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.planning import (
    BundleFacts,
    encoder_cost,
    expected_lists,
    file_cost,
    load_profile,
    search_cost,
)
from edge_mrl.planning.facts import VariantFacts
from edge_mrl.slices import Slice
from tests.planning.bundles import MINILM, STATIC
from tests.planning.profiles import BOARD, MIB

MEASURED_MB = {"onnx-fp32": 144, "onnx-int8-fast": 105}
"""Peak resident memory of MiniLM under onnxruntime 1.31 with texts of 256 tokens."""


def layout(stored: str, scan: str, *refine: str) -> IndexLayout:
    return IndexLayout(*map(Slice.parse, (stored, scan, *refine)))


def rows_of(facts: BundleFacts, made: IndexLayout, documents: int, recall: float) -> int | None:
    return expected_lists.list_rows(facts, made.scan, made.stored, documents, recall)


@pytest.mark.parametrize("variant", [v for v in MINILM.variants if v.name in MEASURED_MB])
def test_memory_of_the_encoder_is_near_what_was_measured(variant: object) -> None:
    found = next(one for one in MINILM.variants if one == variant)
    assert encoder_cost.encoder_memory(found) / 1e6 == pytest.approx(
        MEASURED_MB[found.name], rel=0.07
    )


@pytest.mark.parametrize(
    ("precision", "size", "megabytes"),
    [
        ("fp32", 94_673_888, 266),
        ("fp16", 46_542_592, 436),
        ("int8-fast", 23_960_448, 123),
        ("int8-portable", 23_962_624, 371),
    ],
)
def test_memory_of_a_tflite_encoder_is_near_what_was_measured(
    precision: Precision, size: int, megabytes: int
) -> None:
    """Resident memory of MiniLM with a Dense head under ai-edge-litert 2.3, after a text of 256
    tokens; fp16 without the head."""
    variant = VariantFacts(
        "x", "tflite", precision, ("ai-edge-litert",), (384,), size, 466_247, True, 256
    )
    assert encoder_cost.encoder_memory(variant) / 1e6 == pytest.approx(megabytes, rel=0.03)


def test_memory_of_a_static_encoder() -> None:
    # 40 MiB of process, 6 x 1 842 796 bytes of tokenizer, 8 320 000 bytes of table.
    table = STATIC.variants[0]
    assert encoder_cost.encoder_memory(table) == 41_943_040 + 11_056_776 + 8_320_000


def test_memory_of_the_index() -> None:
    # 256x1 is 32 bytes of codes; a gain (2) stands beside them; 100 rows x 256 x 24 bytes are
    # rescored, each listed with 80 bytes; 10 MiB of buffers.
    found = search_cost.index_memory(layout("256x8", "256x1"), 1_000_000, (100,))
    assert found == 34_000_000 + 614_400 + 8000 + 10 * MIB
    # Long shortlists are read again in parts.
    found = search_cost.index_memory(layout("256x8", "256x1"), 1_000_000, (5000,))
    assert found == 34_000_000 + 131_072 * 24 + 400_000 + 10 * MIB
    found = search_cost.index_memory(layout("256x8", "128x1", "256x1"), 1_000_000, (5000, 100))
    assert found == 52_000_000 + 614_400 + 400_000 + 10 * MIB


FILES = [
    ("256x8", "256x1", 100_000, 500, 87_613_496),
    ("256x8", "256x2", 20_000, 200, 11_239_480),
    ("384x32", "128x2", 20_000, 100, 44_060_728),
    ("64x8", "64x4", 50_000, 1500, 101_802_040),
]
"""Sizes of real index files: stored, scan, documents, mean text (gamma-distributed), bytes."""


@pytest.mark.parametrize(("stored", "scan", "documents", "text", "size"), FILES)
def test_file_is_within_five_percent_of_real_ones(
    stored: str, scan: str, documents: int, text: int, size: int
) -> None:
    assert file_cost.index_file(layout(stored, scan), documents, text) == pytest.approx(
        size, rel=0.05
    )


def test_a_vector_longer_than_a_page_takes_whole_pages() -> None:
    # 2048 x 32 bits: 8192 bytes, a checksum and headers, in three pages of 4096.
    without = file_cost.index_file(layout("64x8", "64x8"), 1000, 0)
    with_wide = file_cost.index_file(layout("2048x32", "64x8"), 1000, 0)
    # 64x8 is 79 bytes a row, 51 to a page.
    assert with_wide - without == pytest.approx(1000 * (3 * 4096 - 4096 / 51), abs=1)


def test_latency_of_a_small_index_is_computing_and_cached_rows() -> None:
    # 10 000 rows x (32 bytes x 0.048 ns + 0.35 ns) / 0.05 = 0.377 ms; reading 320 kB at 1 GB/s is
    # less. (0.13 ms + 100 rows x 0.894 us) / 0.05 = 4.388 ms; 1 % of 110 reads of 1 ms = 1.1.
    slow = replace(BOARD.facts, core_speed=0.05, scan_speed=0.05)
    found = search_cost.query_latency(slow, layout("256x8", "256x1"), 10_000, (100,))
    assert found == pytest.approx(0.3772e-3 + 4.388e-3 + 1.1e-3, rel=1e-3)


def test_a_fast_core_is_bound_by_memory() -> None:
    # 1 000 000 x 32 bytes at 1 GB/s = 32 ms, of which the core needs 0.19.
    fast = replace(BOARD.facts, core_speed=10.0, memory_bytes=2**40)
    found = search_cost.query_latency(fast, layout("256x8", "256x1"), 1_000_000, (0,))
    assert found == pytest.approx(32e-3 + 0.013e-3 + 10 * 0.01 * 1e-3)


def test_what_was_measured_on_the_device_takes_the_place_of_its_speed() -> None:
    measured = replace(BOARD.facts, search_base=2e-3, row_read=8e-6, row_held=1e-6)
    plain, lists = layout("256x8", "256x1"), (100,)
    rest = search_cost.query_latency(replace(measured, row_read=0.0), plain, 10_000, lists)
    found = search_cost.query_latency(measured, plain, 10_000, lists)
    assert found - rest == pytest.approx(100 * 8e-6)
    # A row in memory is not read from storage either: 100 reads of 1 ms, 1 % of them.
    held = search_cost.query_latency(measured, plain, 10_000, lists, held=True)
    assert found - held == pytest.approx(100 * 7e-6 + 100 * 0.01 * 1e-3)
    # Other slices go by their bytes: 0.4 + 0.0019 x 132 us against 0.4 + 0.0019 x 260.
    assert search_cost.row_seconds(measured, Slice(128, 8), held=False) == pytest.approx(
        8e-6 * (0.4 + 0.0019 * 132) / (0.4 + 0.0019 * 260)
    )


def test_a_large_file_is_mostly_not_cached() -> None:
    # A quarter of 400 MiB holds 104 857 600 bytes; a row has 270 bytes, 15 to a page of 4096: 273
    # MB.
    assert search_cost.cached_share(BOARD.facts, 1_000_000 * 4096 / 15) == pytest.approx(
        0.384, abs=1e-4
    )


def test_shortlist_for_the_full_vector_is_the_table_grown() -> None:
    # 243 rows at 25 339 documents, four times as many documents: by the law of `list_growth`
    # (233 / 25 329) ** -0.3 - 1 = 3.0813 becomes 4.6707 and the excess 311.4.
    rows = rows_of(STATIC, layout("256x8", "256x1"), 4 * 25_339, 0.99)
    assert rows == 322


def test_shortlist_for_another_recall() -> None:
    # 233 against 25 096 rows left out, times (0.01 / 0.05) ** 0.7 = 0.32413: 76.0 of 25 329.
    rows = rows_of(STATIC, layout("256x8", "256x1"), 25_339, 0.95)
    assert rows == 86


# What 99 % of the smaller stored slice's own top 10 needed: wordllama, 25 339 descriptions, 300
# queries.
MEASURED_PAIRS = {
    ("64x8", "64x4"): 20, ("64x8", "64x2"): 164, ("64x8", "64x1"): 1560,
    ("128x8", "64x8"): 320, ("128x8", "64x4"): 317, ("128x8", "64x2"): 758, ("128x8", "64x1"): 3519,
    ("128x8", "128x4"): 19, ("128x8", "128x2"): 101, ("128x8", "128x1"): 696,
}  # fmt: skip


@pytest.mark.parametrize(("pair", "needed"), MEASURED_PAIRS.items())
def test_shortlist_for_a_smaller_stored_slice_covers_what_was_measured(
    pair: tuple[str, str], needed: int
) -> None:
    rows = rows_of(STATIC, layout(*pair), 25_339, 0.99)
    table = STATIC.quality_of(Slice.parse(pair[1]))
    assert rows is not None and table is not None
    assert needed <= rows <= table.shortlist


def test_two_lists_share_out_misses_by_what_their_rows_cost() -> None:
    # 8 bits lose 0.6 %, so 0.4 % is left. With half of it in each list the odds of 243 and 16 rows
    # are 1.4 x (0.01 / 0.002) ** 0.7 = 4.32 times as high: 987 and 36 rows; with 0.6 of it in the
    # first 874 and 41, with 0.7 788 and 48. A row of the first is 52.8 ns, of the last 2.5 x 894:
    # these are worth 59.3, 61.6 and 66.6 rows reread.
    lists = expected_lists.shortlists(STATIC, layout("256x8", "256x1", "256x4"), 25_339, 0.99)
    assert lists == (987, 36)


def test_finer_codes_cost_memory_and_save_rows() -> None:
    plain, refined = layout("256x8", "256x1"), layout("256x8", "256x1", "256x4")
    # 256x4: 128 bytes of codes and 2 of gain a row.
    more = search_cost.code_memory(refined, 1000) - search_cost.code_memory(plain, 1000)
    assert more == 130_000
    without = search_cost.query_latency(BOARD.facts, plain, 10_000, (200,))
    beside = search_cost.query_latency(BOARD.facts, refined, 10_000, (300, 20))
    # 180 rows fewer are read; 300 are scored in memory, each in 40 + 128 x 0.1 ns / speed.
    assert without - beside == pytest.approx(
        180 * (0.4e-6 + 1.9e-9 * Slice(256, 8).nbytes) / BOARD.facts.core_speed
        + 180 * 0.01 * BOARD.facts.storage_random_read
        - 300 * 52.8e-9 / BOARD.facts.scan_speed
    )


def test_shortlist_of_the_stored_slice_itself_is_the_top_ten() -> None:
    assert rows_of(STATIC, layout("64x8", "64x8"), 25_339, 0.99) == 10


def test_no_shortlist_is_longer_than_the_index() -> None:
    # By the law 5197 of 25 339 rows are 188 of 300.
    assert rows_of(STATIC, layout("256x8", "64x1"), 300, 0.99) == 188
    assert rows_of(STATIC, layout("256x8", "64x1"), 300, 0.9999) <= 300
    assert rows_of(STATIC, layout("256x8", "64x1"), 0, 0.99) == 0


def test_a_slice_outside_the_quality_table_has_no_shortlist() -> None:
    assert rows_of(STATIC, layout("100x8", "64x8"), 300, 0.99) is None


QWEN, GEMMA = 440_400_000, 107_900_000
"""Weights that a token is multiplied with, in the layouts of Qwen3-Embedding-0.6B and
EmbeddingGemma."""


@pytest.mark.parametrize(
    ("weights", "precision", "format_", "milliseconds"),
    # As printed by `python -m benchmarks.large`: 16 tokens, those of TFLite padded to 64.
    [
        (QWEN, "int8-fast", "onnx", 100),
        (QWEN, "int8-portable", "onnx", 292),
        (QWEN, "int4", "onnx", 304),
        (QWEN, "int8-fast", "tflite", 269),
        (GEMMA, "int8-fast", "onnx", 25.6),
        (GEMMA, "int8-portable", "onnx", 67.5),
        (GEMMA, "int4", "onnx", 71.9),
    ],
)
def test_times_of_large_models_are_near_what_was_measured(
    weights: int, precision: Precision, format_: VariantFormat, milliseconds: float
) -> None:
    bundle = replace(MINILM, multiplied_weights=weights)
    variant = VariantFacts(
        "x", format_, precision, ("onnxruntime",), (256,), 2 * weights, 0, True, 64, (64,)
    )
    laptop = load_profile("laptop")
    seconds = encoder_cost.embedding_latency(laptop, bundle, variant, 16)
    assert milliseconds / 1.2 < 1e3 * seconds < 1.2 * milliseconds


def test_a_short_text_takes_at_least_the_reading_of_all_weights() -> None:
    slow = replace(BOARD, facts=replace(BOARD.facts, memory_read=1e9, core_speed=100.0))
    bundle = replace(MINILM, multiplied_weights=10**9)
    variant = VariantFacts("x", "onnx", "int8-fast", ("onnxruntime",), (256,), 1, 0, True, None)
    # A GB at half of a GB a second.
    assert encoder_cost.embedding_latency(slow, bundle, variant, 1) == pytest.approx(2, rel=0.01)


def test_without_a_count_half_of_the_weights_are_multiplied() -> None:
    for variant in MINILM.variants:
        if variant.precision == "fp32":
            counted = encoder_cost.multiplied_weights(MINILM, variant)
            assert counted == pytest.approx(10.7e6, rel=0.1)
            assert (
                encoder_cost.multiplied_weights(replace(MINILM, multiplied_weights=7), variant) == 7
            )


def test_a_tflite_text_is_padded_to_the_next_signature() -> None:
    tflite = VariantFacts(
        "x", "tflite", "int8-fast", ("ai-edge-litert",), (384,), 26 * MIB, 0, True, 256
    )
    onnx = replace(tflite, format="onnx", engines=("onnxruntime",))
    assert [encoder_cost.computed_tokens(tflite, count) for count in (1, 16, 17, 65, 256)] == [
        16, 16, 64, 256, 256,
    ]  # fmt: skip
    assert encoder_cost.computed_tokens(onnx, 17) == 17
    # 0.35 of ONNX fp32 for each token, but 64 of them for 18; ONNX int8 takes 0.45.
    assert encoder_cost.encode_time(tflite, 18) == pytest.approx(0.35 * 64 / 18)
    assert encoder_cost.encode_time(tflite, 16) < encoder_cost.encode_time(onnx, 16)
    assert encoder_cost.encode_time(onnx, 18) < encoder_cost.encode_time(tflite, 18)


def test_the_manifest_says_what_a_text_is_padded_to() -> None:
    variant = VariantFacts(
        "x", "tflite", "fp32", ("ai-edge-litert",), (64,), MIB, 0, True, 128, (32, 128)
    )
    assert [encoder_cost.computed_tokens(variant, count) for count in (1, 32, 33)] == [32, 32, 128]


def test_padding_stops_at_what_the_variant_reads() -> None:
    short = VariantFacts("x", "tflite", "fp32", ("ai-edge-litert",), (64,), MIB, 0, True, 128)
    assert encoder_cost.computed_tokens(short, 100) == 128
