"""The plan of an index that grows: when it is made anew, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_mrl.errors import PlanError
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.planning import DeviceProfile, PlanChange, PlanFollower, plan
from edge_mrl.planning.follow import horizon
from edge_mrl.slices import Slice
from tests.planning.bundles import STATIC
from tests.planning.profiles import MIB, board

LAYOUT = IndexLayout(Slice(256, 8), Slice(256, 2))


@dataclass(frozen=True)
class Stats:
    documents: int
    layout: IndexLayout = LAYOUT
    shortlists: tuple[int, ...] = (100,)
    measurement: object | None = None
    expected_recall: float | None = None
    used_bytes: int = 0


def follower(profile: DeviceProfile, documents: int = 0) -> PlanFollower:
    return PlanFollower(STATIC, profile, "table-int8-256", 256, documents)


@given(st.integers(0, 10**9))
def test_a_plan_looks_ahead_by_less_than_double(documents: int) -> None:
    ahead = horizon(documents)
    assert documents <= ahead and (ahead == 1000 or ahead < 2 * documents)
    assert int(f"{ahead}".rstrip("0")) in (1, 15, 2, 3, 5, 7)


@pytest.mark.parametrize(
    ("few", "many"), [(0, 1000), (1000, 1000), (1001, 1500), (70_001, 100_000)]
)
def test_the_numbers_planned_for(few: int, many: int) -> None:
    assert horizon(few) == many


def test_codes_move_to_the_file_when_the_index_outgrows_the_memory() -> None:
    # 40 MiB of process, 15.8 of tokenizer, 7.9 of table, 10 of buffers: 74 MiB leave no room for
    # 66 bytes a row from some 10 000 rows on.
    heard: list[PlanChange] = []
    plans = follower(board(memory_mib=90, latency_ms=5000))
    plans.on_change = heard.append
    first = plans.start(Stats(1000))
    assert (first.scan_home, first.documents) == ("ram", 1000)
    assert not plans.is_outgrown(1000) and plans.is_outgrown(1001)
    plans.grow(Stats(1001))
    assert heard == []
    change = plans.grow(Stats(900_000))
    assert heard == [change] and change is not None and change.after is not None
    assert (change.before.scan_home, change.after.scan_home) == ("ram", "disk")
    assert change.after == plans.plan
    assert (
        "for 1 000 000 documents the plan for board changes: the scan codes now live in the file"
        in (str(change))
    )
    assert plans.grow(Stats(1_000_001)) is None


def test_what_no_longer_fits_is_said_once_and_in_numbers() -> None:
    heard: list[PlanChange] = []
    plans = follower(board(storage_mib=200))
    plans.on_change = heard.append
    before = plans.start(Stats(10_000))
    plans.grow(Stats(900_000))
    assert [one.after for one in heard] == [None]
    assert "documents would fit" in str(heard[0]) and "storage" in str(heard[0])
    assert plans.plan == before and plans.advice == str(heard[0])
    assert not plans.is_outgrown(2_000_000)


def test_an_index_that_does_not_fit_is_refused_at_once() -> None:
    with pytest.raises(PlanError, match="100 000 documents do not fit board"):
        follower(board(storage_mib=30)).start(Stats(100_000))


def test_what_fits_today_is_not_refused_for_what_may_come() -> None:
    profile = board(storage_mib=60)
    assert plan(STATIC, profile, 50_001).documents == 50_001
    tight = next(
        mib
        for mib in range(20, 100)
        if _fits(board(storage_mib=mib), 50_001) and not _fits(board(storage_mib=mib), 70_000)
    )
    assert follower(board(storage_mib=tight)).start(Stats(50_001)).documents == 50_001


def _fits(profile: DeviceProfile, documents: int) -> bool:
    try:
        follower(profile).start(Stats(documents))
    except PlanError:
        return False
    return follower(profile).start(Stats(documents)).documents >= documents


def test_a_better_layout_is_advised_with_both_figures() -> None:
    poor = IndexLayout(Slice(64, 8), Slice(64, 8))
    plans = follower(board())
    plans.start(Stats(10_000, poor))
    assert plans.advice is not None
    assert "would be better than stored 64x8, scan 64x8" in plans.advice
    assert "edge-mrl reslice" in plans.advice


def test_the_budget_of_the_codes_is_what_the_rest_leaves() -> None:
    made = follower(board()).start(Stats(10_000))
    # What adding takes at least, beside the codes and the stored rows, which give way to codes.
    adding = 12.5 * MIB + 3 * 10_000 * (64 + 2) + 100 * (256 * 32 + 500)
    assert made.scan_budget_bytes == 160 * MIB - made.encoder_bytes - adding


@pytest.mark.parametrize("documents", [0, 3, 900, 1200, 40_000])
def test_a_new_index_is_not_told_at_once_that_another_layout_is_better(documents: int) -> None:
    plans = follower(board(), documents)
    layout = plans.new_layout()
    plans.start(Stats(documents, layout, shortlists=(1000,)))
    assert plans.advice is None
