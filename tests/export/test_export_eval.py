"""`edge-mrl export --eval`: judged quality in the manifest, read by the planner."""

import json

import pytest

from edge_mrl.bundle import Bundle
from edge_mrl.cli.main import main
from edge_mrl_export.evaluation import evaluate
from edge_mrl_export.sample import default_sample

pytest.importorskip("ir_measures", reason="the extra `eval` is not installed here")

COUNT = 60


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """Documentation, with its first sentences as queries and two grades of relevance."""
    folder = tmp_path_factory.mktemp("data") / "pydocs"
    (folder / "qrels").mkdir(parents=True)
    sample = default_sample()
    for name, texts in (("corpus", sample.documents), ("queries", sample.queries)):
        lines = [json.dumps({"_id": f"{n}", "text": t}) for n, t in enumerate(texts[: 4 * COUNT])]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    rows = [
        f"{query}\t{(answer + other) % COUNT}\t{2 - other}"
        for query, answer in enumerate(sample.answers)
        if answer < COUNT
        for other in (0, 1)
    ]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def bundle(labelled, tmp_path_factory):
    out = tmp_path_factory.mktemp("judged") / "bundle"
    command = ["export", "wordllama", "-o", str(out), "--formats", "table"]
    assert main([*command, "--eval", str(labelled)]) == 0
    return out


def test_the_table_is_what_eval_measures_afterwards(bundle, labelled):
    quality = Bundle.open(bundle).manifest.quality
    assert (quality.labels, quality.documents) == ("judged", 4 * COUNT)
    assert quality.method == "judged data, pydocs; table-int8-256"
    measured = {(r.variant, r.slice): r.measures for r in evaluate(bundle, labelled).results}
    assert set(measured) == {(row.variant, row.slice) for row in quality.variants}
    for row in quality.variants:
        for name, stored in (("ndcg@10", row.ndcg_at_10), ("recall@100", row.recall_at_100)):
            found = measured[row.variant, row.slice][name]
            assert (stored.value, stored.low, stored.high) == pytest.approx(
                (found.value, found.low, found.high), abs=6e-5
            )
    by_slice = {row.slice: row for row in quality.variants if row.variant == "table-int8-256"}
    for row in quality.slices:
        assert row.ndcg_at_10 == by_slice[row.slice].ndcg_at_10.value
        assert row.shortlist >= 10


def test_inspect_report_and_plan_read_it(bundle, capsys):
    assert main(["inspect", str(bundle)]) == 0
    shown = capsys.readouterr().out
    assert "recall@100" in shown and "judged data, pydocs" in shown
    assert "People judged" in (bundle / "report.html").read_text("utf-8")
    assert main(["plan", str(bundle), "--docs", "5000", "--profile", "raspberry-pi-5"]) == 0


def test_without_it_the_manifest_says_that_nobody_judged(static_bundle):
    quality = Bundle.open(static_bundle).manifest.quality
    assert (quality.labels, quality.variants) == ("self-labelled", ())


def test_pairs_of_sentences_are_refused_with_the_command_that_takes_them(tmp_path, capsys):
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "pairs.tsv").write_text("a\tb\t1\nc\td\t2\n")
    command = ["export", "wordllama", "-o", str(tmp_path / "b"), "--eval", str(tmp_path / "pairs")]
    assert main(command) == 2
    assert "edge-mrl eval" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()
