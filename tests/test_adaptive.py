"""The shape of the Matryoshka paper's adaptive retrieval, on real vectors: docstrings of the
standard library embedded with a real Matryoshka model."""

import numpy as np
import pytest

from benchmarks import adaptive
from benchmarks.vectors import Sample
from edge_mrl import Encoder, Prefetch
from edge_mrl.slices import Slice
from edge_mrl_export.pydocs import standard_library_docs

TRAINED = (64, 128, 256)


@pytest.fixture(scope="module")
def measured(static_bundle, tmp_path_factory):
    texts = list(dict.fromkeys(doc.text for doc in standard_library_docs()))
    chosen = np.random.default_rng(0).permutation(len(texts))[:2030]
    units = Encoder.load(static_bundle).encode_document([texts[n][:300] for n in chosen])
    units = units[units.any(axis=1)]
    sample = Sample(units[30:], units[:30], "docstrings")
    index = adaptive.build(tmp_path_factory.mktemp("adaptive") / "i.db", sample, TRAINED)
    rows, _ = adaptive.table(index, sample, TRAINED)
    yield index, sample, rows
    index.close()


def recalls(rows, slice_):
    return [row.recall for row in rows if row.slice == slice_ and row.name.count("->") == 1]


def test_recall_grows_with_the_shortlist_and_with_the_slice(measured):
    _, _, rows = measured
    for slice_ in ("64x8", "128x8", "256x8", "64x4", "128x4", "256x1"):
        found = recalls(rows, slice_)
        assert found == sorted(found) and len(found) == len(adaptive.SHORTLISTS)
    for small, large in (("64x8", "128x8"), ("128x8", "256x8"), ("256x1", "256x2")):
        pairs = zip(recalls(rows, small), recalls(rows, large), strict=True)
        assert all(a <= b + 0.01 for a, b in pairs)
    assert recalls(rows, "64x8")[0] < 0.8
    assert recalls(rows, "64x8")[adaptive.SHORTLISTS.index(200)] > 0.95


def test_a_short_prefix_and_a_shortlist_cost_a_fraction_of_one_pass(measured):
    _, sample, rows = measured
    row = next(r for r in rows if (r.slice, r.shortlist) == ("64x4", 200))
    count = len(sample.documents)
    assert row.bytes == count * (32 + 2) + 200 * 1024
    assert row.bytes_ratio == pytest.approx(count * 1024 / row.bytes)
    funnel = next(r for r in rows if r.name == "64 -> 128 -> 256, 4 bits")
    assert funnel.bytes == count * 34 + 200 * (64 + 4) + 100 * 1024
    assert funnel.recall > 0.9


def test_the_second_stage_repairs_the_first(measured):
    index, sample, _ = measured
    truth, _ = adaptive.exact(sample.documents, sample.queries)
    alone = together = 0
    for query, true in zip(sample.queries, truth, strict=True):
        stage = Prefetch(slice=Slice(64, 8), limit=200)
        alone += len(true & {hit.id for hit in index.query(query, using=(64, 8)).hits})
        both = index.query(query, prefetch=stage, using=(256, 32)).hits
        together += len(true & {hit.id for hit in both})
    assert together > alone + 50


def test_the_plot_has_a_line_for_each_slice(measured):
    _, _, rows = measured
    drawn = adaptive.plot(rows, "title <&>")
    assert drawn.startswith("<svg") and "title &lt;&amp;&gt;" in drawn
    for slice_ in ("64x8", "256x1"):
        assert f">{slice_}<" in drawn


def test_the_summary_names_what_saves_most_and_what_the_paper_s_savings_find():
    def row(name, recall, bytes_ratio, speed_ratio):
        return adaptive.Row(name, "64x1", 100, recall, 1.0, bytes_ratio, 1.0, speed_ratio)

    rows = [
        row("a", 0.99, 20, 30),
        row("b", 0.95, 40, 20),
        row("c", 0.91, 130, 10),
        row("d", 0.5, 200, 50),
    ]
    lines = adaptive.summary(rows)
    assert [line.split(": ")[0] for line in lines] == [
        *("recall 0.9", "recall 0.95", "recall 0.99"),
        *("the paper's 128 times less bytes", "the paper's 14 times less time"),
    ]
    assert "fewest bytes c with" in lines[0] and "fastest a with" in lines[0]
    assert "fewest bytes b with" in lines[1] and "fastest a with" in lines[1]
    assert "bytes: c with 100: recall 0.910, 130 times" in lines[3]
    assert "time: a with 100" in lines[4]
    assert "not reached; b with" in adaptive.summary(rows[:2])[3]
