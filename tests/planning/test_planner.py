from __future__ import annotations

from dataclasses import replace

import pytest

from edge_mrl.errors import PlanError
from edge_mrl.planning import BundleFacts, list_profiles, load_profile, plan
from edge_mrl.slices import Slice
from tests.planning.bundles import (
    MINILM,
    MINILM_KEPT,
    MINILM_SHORTLIST,
    STATIC,
    STATIC_KEPT,
    STATIC_SHORTLIST,
    STATIC_VARIANTS,
    VariantRow,
    manifest,
)
from tests.planning.profiles import MIB, board


def test_facts_come_from_the_manifest() -> None:
    assert STATIC.dims == (64, 128, 256)
    assert STATIC.variants[1].name == "table-int8-128"
    assert STATIC.variants[1].disk_bytes == 4_224_000 + 1_842_796
    row = STATIC.quality_of(Slice(256, 1))
    assert row is not None and row.shortlist == 243


def test_a_plan_worked_by_hand() -> None:
    # One stored and one scan slice are left: 256x8 and 256x1, 100 000 documents.
    rows = tuple(
        row for row in STATIC.quality.slices if row.slice in (Slice(256, 8), Slice(256, 1))
    )
    facts = replace(STATIC, quality=STATIC.quality._replace(slices=rows))
    made = plan(facts, board(), 100_000)
    # 243 of 25 339 become 320.7 of 100 000, and with 2.6588 times the odds 831.8.
    assert made.shortlists[-1] == 832
    # 61 319 816 of encoder, 10 MiB of buffers, 100 000 x 34 of codes, 512 x 256 x 24
    # while rescoring, 832 x 80 for the list; 100 000 x 272 for the stored rows.
    without = 61_319_816 + 10 * MIB + 3_400_000 + 131_072 * 24 + 66_560
    assert made.row_cache_bytes == 27_200_000
    assert made.memory_bytes == without + 27_200_000
    # Adding: 12.5 MiB, the codes, three times a segment of 61 632 rows, which is 2 MiB, and for
    # each of 1000 documents 256 x 32 and 500 bytes of text.
    adding = 61_319_816 + 12.5 * MIB + 3_400_000 + 3 * 61_632 * 34
    assert made.add_batch == 1000
    assert made.adding_bytes == adding + 27_200_000 + 1000 * 8692
    # scan: 3.2 MB at 1 GB/s; (0.13 + 832 x 0.000894 / 5) / 0.1 = 2.788; 1 % of 10 ms for the texts.
    assert made.query_latency_ms == pytest.approx(3.2 + 2.787616 + 0.1, rel=1e-4)
    # Without room for the rows: (0.13 + 832 x 0.000894) / 0.1, and 1 % of 842 ms.
    made = plan(facts, board(memory_mib=83), 100_000)
    # 2.6 MB are left for documents on their way.
    assert (made.add_batch, made.adding_bytes) == (250, adding + 250 * 8692)
    assert made.because[-1] == (
        "adding: 250 documents at a time, 82.3 MiB at the peak, because more would not stay within "
        "83.0 MiB"
    )
    assert (made.row_cache_bytes, made.memory_bytes) == (0, without)
    assert made.query_latency_ms == pytest.approx(3.2 + 8.73808 + 8.42, rel=1e-4)
    assert made.quality_kept == pytest.approx(0.999 * 0.99)
    assert (made.variant, made.threads) == ("table-int8-256", 1)
    assert made.bound_by is None


def test_a_small_index_is_not_planned_to_reread_all_of_itself() -> None:
    # Before the first measurement a search takes 1000 rows from the scan alone, which is all, or
    # 150 from finer codes: no more is found by rereading the rest.
    made = plan(STATIC, board(), 1000)
    assert made.layout.refine is not None and made.shortlists == (1000, 150)
    assert made.recall >= 0.99 and made.quality_kept == pytest.approx(0.999 * 0.99)


def test_of_static_tables_the_smallest_that_serves_the_size_is_taken() -> None:
    kept = {64: 0.999, 128: 1.0, 256: 1.0}
    facts = BundleFacts.from_manifest(manifest(STATIC_VARIANTS, kept, STATIC_SHORTLIST))
    made = plan(facts, board(), 1000)
    assert (made.variant, made.layout.stored) == ("table-int8-64", Slice(64, 8))


def reading(limit: int) -> BundleFacts:
    """MiniLM as if its variants read so many tokens."""
    variants = tuple(replace(one, max_tokens=limit) for one in MINILM.variants)
    return replace(MINILM, variants=variants)


def test_texts_are_cut_where_a_longer_one_would_not_fit() -> None:
    assert plan(reading(8192), board(memory_mib=374), 1000).max_tokens == 512
    made = plan(reading(8192), board(memory_mib=124), 1000)
    # 288 x (512 ** 2 - 256 ** 2) are 54 MiB more than 117; what 256 tokens need is counted already.
    assert made.max_tokens == 256
    (reason,) = (one for one in made.because if one.startswith("sequence length"))
    assert "256 tokens, because with 8192 the process would need" in reason
    assert reason.endswith(
        "of 124.0 MiB; the rest of a longer text is not read, which the "
        "quality table does not count"
    )


def test_texts_are_not_cut_shorter_than_they_are() -> None:
    with pytest.raises(PlanError, match="memory: "):
        plan(reading(8192), board(memory_mib=124), 1000, text_tokens=300)
    made = plan(reading(8192), board(memory_mib=374), 1000, text_tokens=300)
    assert made.max_tokens == 512
    assert any(one.endswith("; enough for texts of 300") for one in made.because)
    # The model itself reads no more, whatever comes.
    made = plan(MINILM, board(), 1000, text_tokens=1000)
    assert made.max_tokens == 256
    assert any(one.endswith("; of texts of 1000 the rest is cut") for one in made.because)
    with pytest.raises(PlanError, match="0 tokens"):
        plan(MINILM, board(), 1000, text_tokens=0)


def test_short_texts_may_have_a_short_signature() -> None:
    rows: tuple[VariantRow, ...] = (
        ("tflite-int8", "tflite", "int8-fast", (32, 64, 128, 256, 384), 23_000_000),
    )
    facts = BundleFacts.from_manifest(manifest(rows, MINILM_KEPT, MINILM_SHORTLIST))
    # A query of 32 tokens is padded to 64; one that is cut at 16 has a quarter of the products.
    slow = board(formats=("tflite",), embedding_ms=45)
    with pytest.raises(PlanError, match="embedding: "):
        plan(facts, slow, 1000)
    made = plan(facts, slow, 1000, text_tokens=12)
    assert made.max_tokens == 16
    assert any("with 256 a query would take" in one for one in made.because)


def test_eight_bits_are_stored_where_more_would_gain_nothing() -> None:
    assert plan(MINILM, board(), 10_000).layout.stored == Slice(384, 8)


def test_a_thousandth_never_buys_more_bits_even_across_an_edge_of_the_grid() -> None:
    # 0.917 and 0.916 times 0.99 are 181.6 and 181.4 steps of 0.005.
    rows = tuple(
        row._replace(kept=0.916 if row.slice.bits == 8 else 0.917) for row in STATIC.quality.slices
    )
    facts = replace(STATIC, quality=STATIC.quality._replace(slices=rows))
    assert plan(facts, board(), 100_000).layout.stored.bits == 8


def test_sixteen_bits_are_stored_where_eight_lose_more_than_half_a_point() -> None:
    rows = tuple(
        row._replace(kept=row.kept * (0.95 if row.slice.bits == 8 else 1))
        for row in STATIC.quality.slices
    )
    facts = replace(STATIC, quality=STATIC.quality._replace(slices=rows))
    assert plan(facts, board(), 100_000).layout.stored == Slice(256, 16)


def test_of_transformers_the_fastest_that_fits_is_taken() -> None:
    assert plan(MINILM, board(), 10_000).variant == "onnx-int8-fast"
    # fp32 alone: what the others would be is no longer there.
    slow = replace(MINILM, variants=MINILM.variants[:1])
    assert plan(slow, board(memory_mib=300), 10_000).variant == "onnx-fp32"


def test_memory_binds_and_the_plan_says_so_in_numbers() -> None:
    # Encoder 107.3 MiB; codes that may stay in the file fit, but are too slow for 384 dimensions.
    made = plan(MINILM, board(memory_mib=145, latency_ms=1000), 1_000_000)
    assert made.bound_by == "memory"
    assert made.memory_bytes <= 145 * MIB
    assert made.because[0].startswith("memory: ")
    assert "MiB left after the encoder (384x8 would keep 98.9 %)" in made.because[0]


def test_storage_binds() -> None:
    made = plan(STATIC, board(storage_mib=80), 100_000)
    assert made.bound_by == "storage"
    assert made.layout.stored.dim < 256
    assert made.index_file_bytes < 80 * MIB


def test_no_documents_is_a_plan_too() -> None:
    made = plan(STATIC, board(), 0)
    assert (made.shortlists[-1], made.index_file_bytes, made.recall) == (0, 0, 1.0)


def test_an_engine_that_is_missing_is_given_as_a_reason() -> None:
    rows: tuple[VariantRow, ...] = (
        ("onnx-int8", "onnx", "int8-fast", (32, 64, 128, 256, 384), 23_000_000),
        ("tflite-int8", "tflite", "int8-fast", (32, 64, 128, 256, 384), 23_000_000),
    )
    facts = BundleFacts.from_manifest(manifest(rows, MINILM_KEPT, MINILM_SHORTLIST))
    here = plan(facts, board(formats=("table", "tflite")), 1000)
    assert here.variant == "tflite-int8"
    assert any("there is no engine for onnx-int8 here" in reason for reason in here.because)
    # 32 tokens are padded to 64 for TFLite: 0.35 for each, against 0.45 for each of 32.
    assert plan(facts, board(formats=("table", "onnx", "tflite")), 1000).variant == "onnx-int8"


@pytest.mark.parametrize("profile", list_profiles(), ids=lambda profile: profile.name)
@pytest.mark.parametrize("facts", [STATIC, MINILM], ids=["static", "minilm"])
@pytest.mark.parametrize("documents", [0, 10_000, 100_000, 1_000_000])
def test_every_shipped_device_has_a_plan(
    profile: object, facts: BundleFacts, documents: int
) -> None:
    device = next(one for one in list_profiles() if one == profile)
    if not any(device.facts.runs(one.engines) for one in facts.variants):
        with pytest.raises(PlanError, match="cannot run on .*32bit: the bundle has onnx"):
            plan(facts, device, documents)
        return
    made = plan(facts, device, documents)
    assert made.device == device.name
    assert all(made.because)


def test_a_bundle_that_an_old_engine_cannot_run_is_told_what_it_can() -> None:
    with pytest.raises(PlanError) as refused:
        plan(MINILM, load_profile("raspberry-pi-zero-2w-32bit"), 1000)
    assert str(refused.value).endswith(
        "the device has numpy, tflite-runtime; export it with --formats tflite --precision "
        "int8-portable, or export a static model, whose table numpy runs"
    )


def test_two_million_documents_on_the_smallest_board_take_a_smaller_slice() -> None:
    made = plan(STATIC, load_profile("raspberry-pi-zero-2w"), 2_000_000)
    assert made.layout.stored.dim < 256
    # 256x2 takes 1.43 times the memory that is left, 256x1 more time than there is.
    assert made.bound_by == "memory" and "256x2" in made.because[0]
    assert made.quality_kept == pytest.approx(STATIC_KEPT[made.layout.stored.dim] * 0.999 * 0.99)


def test_what_binds_is_said_of_codes_and_variants_too() -> None:
    # Codes that must stay in the file, where each search reads them.
    made = plan(STATIC, board(memory_mib=90, latency_ms=5000), 900_000)
    assert (made.scan_home, made.bound_by) == ("disk", "memory")
    assert made.because[0].endswith("so each search reads the codes from the file")
    # A faster variant that is too large.
    rows: tuple[VariantRow, ...] = (
        ("onnx-int8", "onnx", "int8-fast", (32, 64, 128, 256, 384), 90_000_000),
        ("onnx-int4", "onnx", "int4", (32, 64, 128, 256, 384), 13_000_000),
    )
    facts = BundleFacts.from_manifest(manifest(rows, MINILM_KEPT, MINILM_SHORTLIST))
    made = plan(facts, board(memory_mib=160), 1000)
    assert (made.variant, made.bound_by) == ("onnx-int4", "memory")
    assert "(onnx-int8 would be faster)" in made.because[0]
    assert plan(facts, board(memory_mib=300), 1000).bound_by is None


@pytest.mark.parametrize("documents", [0, 1, 10])
def test_no_reason_speaks_of_a_difference_that_is_none(documents: int) -> None:
    made = plan(STATIC, board(), documents)
    reasons = [reason for reason in made.because if "would take" in reason]
    assert reasons and not any("0.0 MiB less memory and 0.00 ms" in reason for reason in reasons)
    assert not any("0.0 MiB more memory and 0.00 ms" in reason for reason in reasons)
