"""What no plan can be made of, and what it would take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_mrl.errors import PlanError
from edge_mrl.planning import load_profile, plan
from tests.planning.bundles import (
    MINILM,
    STATIC,
)
from tests.planning.profiles import board


@pytest.mark.parametrize(
    ("documents", "options", "said"),
    [
        (-1, {}, "give a number from 0"),
        (10, {"recall": 1.0}, "recall of 1"),
        (10, {"text_bytes_per_document": -5}, "give 0 or more"),
    ],
)
def test_arguments_out_of_range_are_refused(
    documents: int, options: dict[str, float], said: str
) -> None:
    with pytest.raises(PlanError, match=said):
        plan(STATIC, board(), documents, **options)  # type: ignore[arg-type]


def test_too_many_documents_say_how_many_would_fit_and_that_many_do() -> None:
    with pytest.raises(PlanError) as caught:
        plan(STATIC, board(memory_mib=80), 5_000_000)
    message = str(caught.value)
    assert message.startswith("5 000 000 documents do not fit board: ")
    fitting = int(message.split(" documents would fit")[0].rsplit(": ", 1)[1].replace(" ", ""))
    assert plan(STATIC, board(memory_mib=80), fitting).documents == fitting
    with pytest.raises(PlanError):
        plan(STATIC, board(memory_mib=80), round(fitting * 1.1))


def test_what_it_would_take_is_enough() -> None:
    # 94.6 MiB of encoder, 12.5 of buffers while adding, 0.2 of rows and documents.
    with pytest.raises(PlanError, match=r"otherwise it takes budgets\.memory 108 MiB"):
        plan(MINILM, board(memory_mib=91), 1000)
    assert plan(MINILM, board(memory_mib=108), 1000)


def test_an_encoder_that_is_too_large_is_named() -> None:
    with pytest.raises(
        PlanError, match=r"onnx-int8-fast needs .* before any document.*export a smaller variant"
    ):
        plan(MINILM, board(memory_mib=60), 1000)


def test_a_quality_floor_that_nothing_reaches() -> None:
    with pytest.raises(
        PlanError, match=r"quality: .* less than the 100\.0 % asked for.*quality_kept 0\.989"
    ):
        plan(STATIC, board(kept=1.0), 100_000)


def test_a_bundle_without_a_variant_for_the_device() -> None:
    with pytest.raises(
        PlanError,
        match="the bundle has onnx, which needs onnxruntime, and the device has "
        "numpy; export a static model, whose table numpy runs",
    ):
        plan(MINILM, board(formats=("table",)), 1000)


def test_a_bundle_without_a_quality_table() -> None:
    bare = replace(STATIC, quality=STATIC.quality._replace(slices=()))
    with pytest.raises(PlanError, match="no quality table"):
        plan(bare, board(), 1000)
    stored_only = tuple(row for row in STATIC.quality.slices if row.slice.bits == 16)
    with pytest.raises(PlanError, match="lacks a stored slice"):
        plan(replace(STATIC, quality=STATIC.quality._replace(slices=stored_only)), board(), 1000)


def test_the_name_of_a_device_is_no_profile() -> None:
    with pytest.raises(PlanError, match=r"not 'laptop': load_profile\(name\) gives one"):
        plan(STATIC, "laptop", 1000)  # type: ignore[arg-type]
    assert plan(STATIC, load_profile("laptop"), 1000).device == "laptop"
