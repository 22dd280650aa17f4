"""Planning with an open index: its own measurement holds for its layout."""

from __future__ import annotations

import pytest

from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.planning import IndexFacts, plan
from edge_mrl.slices import Slice
from tests.planning.bundles import STATIC
from tests.planning.profiles import board

LAYOUT = IndexLayout(Slice(256, 8), Slice(256, 2))


def test_the_measured_shortlist_replaces_the_table_s() -> None:
    # By the table 44 rows at 25 339 documents for 99 %; an index holds 99.6 % with an interval.
    assert plan(STATIC, board(), 25_339).shortlists[-1] == 101
    made = plan(STATIC, board(), 25_339, index=IndexFacts(25_339, LAYOUT, (30,)))
    assert (made.layout, made.shortlists[-1]) == (LAYOUT, 30)
    assert any(
        reason == "shortlist: 30 of 25 339 rows hold 99.0 % of the top 10, as measured on the index"
        for reason in made.because
    )


def test_it_grows_with_the_documents_and_the_recall() -> None:
    index = IndexFacts(10_000, LAYOUT, (30,))
    # By `list_growth` 33.96; 20 against 9970 times (0.01 / 0.05) ** 0.7 = 0.32413: 6.49 of 9990.
    made = plan(STATIC, board(), 40_000, index=index)
    assert (made.layout, made.shortlists[-1]) == (LAYOUT, 34)
    lower = plan(STATIC, board(), 10_000, recall=0.95, index=index)
    assert (lower.layout, lower.shortlists[-1]) == (LAYOUT, 17)


def test_a_long_one_makes_another_layout_the_better() -> None:
    # This index's texts are hard on two bits: the table says 44, 5000 were needed.
    made = plan(STATIC, board(), 25_339, index=IndexFacts(25_339, LAYOUT, (5000,)))
    assert made.layout.scan != LAYOUT.scan
    assert made.shortlists[-1] < 5000


@pytest.mark.parametrize("documents", [0, 5, 12])
def test_never_more_rows_than_documents(documents: int) -> None:
    made = plan(STATIC, board(), documents, index=IndexFacts(10_000, LAYOUT, (30,)))
    assert made.shortlists[-1] <= documents


def test_an_empty_index_has_measured_nothing() -> None:
    empty = IndexFacts(0, LAYOUT, (1,))
    assert plan(STATIC, board(), 25_339, index=empty) == plan(STATIC, board(), 25_339)
