from __future__ import annotations

import re

import pytest

from edge_mrl.cli.plan_table import plan_rows, render_plans
from edge_mrl.planning import BundleFacts, plan
from tests.planning.bundles import static_manifest
from tests.planning.profiles import board

FACTS = BundleFacts.from_manifest(static_manifest())


def test_a_row_for_each_device_and_count_and_a_reason_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    rows = plan_rows(FACTS, [board()], [1000, 100_000])
    lines = render_plans(rows).splitlines()
    assert lines[0].split()[:5] == ["device", "documents", "variant", "stored", "scan"]
    assert lines[2].startswith("board") and "1 000" in lines[2]
    assert lines[5].startswith("Predicted")
    assert lines[7] == "why"
    assert [line for line in lines[8:] if line.endswith(":")] == [
        "  board, 1 000:",
        "  board, 100 000:",
    ]
    assert sum(line.startswith("    - scan: ") for line in lines) == 2


def test_many_plans_give_reasons_where_one_does_not_fit_or_on_request() -> None:
    rows = plan_rows(FACTS, [board()], [1, 10, 100, 1000, 10**9])
    text = render_plans(rows)
    assert text.count("\n    - ") == 1 and "  board, 1 000 000 000:" in text
    assert render_plans(rows, every_reason=True).count("  board, ") == 5


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_a_wide_table_is_cut_below_itself(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    rows = plan_rows(FACTS, [board()], [1000, 2_000_000])
    monkeypatch.setenv("COLUMNS", "200")
    whole = render_plans(rows).splitlines()[:4]
    monkeypatch.setenv("COLUMNS", str(columns))
    tables = render_plans(rows).split("\n\nPredicted")[0].split("\n\n")
    assert len(tables) > 1
    assert max(len(line) for table in tables for line in table.splitlines()) <= columns
    # Every row of each begins alike, and together they say what the whole one says.
    pieces = [[re.split(r"  +", line) for line in table.splitlines()] for table in tables]
    for number, line in enumerate(whole):
        first, *others = [piece[number] for piece in pieces]
        assert all(row[:2] == first[:2] for row in others)
        assert first + [cell for row in others for cell in row[2:]] == re.split(r"  +", line)


def test_reasons_are_cut_to_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    text = render_plans(plan_rows(FACTS, [board()], [1000]), every_reason=True)
    reasons = text.split("why\n")[1].splitlines()
    assert max(map(len, reasons)) <= 60 and len(reasons) > 8


def test_what_does_not_fit_is_a_row_with_its_reason() -> None:
    rows = plan_rows(FACTS, [board(memory_mib=50)], [1000])
    text = render_plans(rows)
    assert "does not fit" in text
    assert "1 000 documents do not fit board" in text
    assert rows[0].to_json()["fits"] is False


def test_every_reason_on_request() -> None:
    rows = plan_rows(FACTS, [board()], [100_000])
    text = render_plans(rows, every_reason=True)
    for word in ("scan: ", "stored: ", "shortlist: ", "encoder: ", "threads: "):
        assert f"    - {word}" in text


def test_a_row_says_what_binds_or_what_is_used_most() -> None:
    def cell(memory_mib: float) -> str:
        (row,) = plan_rows(FACTS, [board(memory_mib=memory_mib)], [1_000_000])
        return row.cells()[-1]

    assert (cell(81), cell(120)) == ("latency", "memory")
    assert re.fullmatch(r"nothing \(\d+ % of (memory|latency|storage)\)", cell(400))


def test_smaller_budgets_keep_less_or_take_longer() -> None:
    """What a table of one device with ever less memory tells."""
    made = [
        plan(FACTS, board(memory_mib=memory, latency_ms=1000), 1_000_000)
        for memory in (400, 160, 120, 100, 90, 81)
    ]
    kept = [one.quality_kept for one in made]
    assert kept == sorted(kept, reverse=True) and kept[0] > kept[-1]
    codes = [sum(part.code_bytes for part in one.layout.resident) for one in made]
    assert codes[0] > codes[-1]
