"""`edge-mrl eval` from end to end on a small labelled set, and on the real ones where at hand."""

import json
import math

import pytest

from edge_mrl.cli.main import main
from edge_mrl.encoder import Encoder
from edge_mrl.index import Index
from edge_mrl_export.evaluation import Choice, evaluate
from edge_mrl_export.evaluation.branches import compare
from tests.evaluation.test_data import lines

pytest.importorskip("ir_measures", reason="the extra `eval` is not installed here")

TOPICS = ("bread and yeast", "herons in reeds", "trains on rails", "rain on windows")


@pytest.fixture
def labelled(tmp_path):
    folder = tmp_path / "set"
    documents = [
        {"_id": f"d{n}", "text": f"a long note about {t}, {t}"} for n, t in enumerate(TOPICS)
    ]
    lines(folder / "corpus.jsonl", documents)
    lines(folder / "queries.jsonl", [{"_id": f"q{n}", "text": t} for n, t in enumerate(TOPICS)])
    (folder / "qrels").mkdir()
    rows = "".join(f"q{n}\td{n}\t1\n" for n in range(len(TOPICS)))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)
    return folder


def test_json_has_a_row_for_each_variant_size_and_bits(static_bundle, labelled, capsys):
    command = ["eval", str(static_bundle), "--data", str(labelled), "--json"]
    names = ["table-int8-256", "table-int8-64"]
    assert main([*command, "--variants", *names, "--dims", "64,256", "--bits", "1,32"]) == 0
    out = json.loads(capsys.readouterr().out)
    rows = [(row["variant"], row["dim"], row["bits"]) for row in out["results"]]
    assert rows == [
        (names[0], 64, 1),
        (names[0], 64, 32),
        (names[0], 256, 1),
        (names[0], 256, 32),
        (names[1], 64, 1),
        (names[1], 64, 32),
    ]
    best = out["results"][3]
    assert best["ndcg@10"] == best["recall@100"] == 1
    assert best["ndcg@10_interval"] == [1, 1]
    assert (out["queries"], out["documents"]) == (4, 4)


def test_the_table_for_people(static_bundle, labelled, capsys):
    assert main(["eval", str(static_bundle), "--data", str(labelled), "--bits", "8"]) == 0
    printed = capsys.readouterr()
    assert "ndcg@10" in printed.out and "4 queries, 4 documents" in printed.out
    assert "8/8 texts" in printed.err


def test_pairs_give_a_correlation(static_bundle, tmp_path, capsys):
    pairs = [("bread", "a loaf of bread", 5), ("bread", "a train", 0), ("rain", "rainy weather", 4)]
    text = "".join(f"{a}\t{b}\t{score}\n" for a, b, score in pairs)
    (tmp_path / "pairs.tsv").write_text("sentence1\tsentence2\tscore\n" + text)
    arguments = ["--variants", "table-int8-256", "--dims", "256", "--bits", "32"]
    assert main(["eval", str(static_bundle), "--data", str(tmp_path), *arguments]) == 0
    assert f"{tmp_path.name}: 3 pairs; measures" in capsys.readouterr().out
    assert main(["eval", str(static_bundle), "--data", str(tmp_path), *arguments, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["results"]
    assert row["spearman"] >= 0.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dims", "100"], "64, 128, 256"),
        (["--dims", "many"], "write them as 64,128,256"),
        (["--bits", "3"], "bits"),
        (["--variants", "best"], "no variant 'best'"),
        (["--variants", "table-int8-64", "--dims", "256"], "none of the variants gives"),
    ],
)
def test_a_wrong_choice_is_one_sentence(static_bundle, labelled, capsys, arguments, words):
    assert main(["eval", str(static_bundle), "--data", str(labelled), *arguments]) == 2
    assert words in capsys.readouterr().err


def test_an_empty_folder_is_one_sentence(static_bundle, tmp_path, capsys):
    assert main(["eval", str(static_bundle), "--data", str(tmp_path)]) == 2
    assert "holds no labelled data" in capsys.readouterr().err


# Published beside the sets: nDCG@10 and recall@100 of the wordllama library, in percent.
KNOWN = [
    ("cranfield", {64: (31.5, 59.2), 128: (38.6, 66.8), 256: (42.1, 70.1)}),
    ("xquad-en", {64: (82.9, 99.8), 128: (88.3, 100), 256: (91.0, 100)}),
]


@pytest.mark.parametrize(("name", "figures"), KNOWN)
def test_the_figures_are_those_of_the_wordllama_library(
    static_bundle, labelled_sets, name, figures
):
    choice = Choice(variants=("table-int8-256",), bits=(32,))
    for result in evaluate(static_bundle, labelled_sets / name, choice).results:
        ndcg, recall = figures[result.slice.dim]
        assert 100 * result.measures["ndcg@10"].value == pytest.approx(ndcg, abs=0.3)
        assert 100 * result.measures["recall@100"].value == pytest.approx(recall, abs=0.3)


@pytest.fixture
def indexed(static_bundle, labelled, tmp_path, capsys):
    place = tmp_path / "i.db"
    command = ["build", str(place), "--bundle", str(static_bundle), "--lexical", "porter"]
    assert main([*command, "--input", str(labelled / "corpus.jsonl")]) == 0
    capsys.readouterr()
    return place


def test_an_index_is_searched_in_four_ways(indexed, labelled, capsys):
    assert main(["eval", str(indexed), "--data", str(labelled), "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert [row["way"] for row in out["results"]] == ["dense", "lexical", "rrf", "dbsf"]
    assert all(row["ndcg@10"] == row["recall@100"] == 1 for row in out["results"])
    assert out["gain"] == {"ndcg@10": 0, "ndcg@10_interval": [0, 0]}
    assert (out["recommended"], out["queries"], out["documents"]) == ("dense", 4, 4)
    assert main(["eval", str(indexed), "--data", str(labelled)]) == 0
    printed = capsys.readouterr().out
    assert "rrf less dense, query by query: 0.0 (0.0 to 0.0)" in printed
    assert "recommended for this data: dense" in printed


def test_measures_of_an_index_are_those_of_another_library(static_bundle, indexed, tmp_path):
    """Judged so that no way is perfect; nDCG and the gain are worked out by hand from the hits."""
    folder = tmp_path / "graded"
    words = ["bread rain", "herons trains", "yeast windows"]
    grades = [{"d0": 1, "d3": 2}, {"d1": 2, "d2": 1}, {"d3": 2, "d1": 1}]
    lines(folder / "queries.jsonl", [{"_id": f"q{n}", "text": t} for n, t in enumerate(words)])
    (folder / "qrels").mkdir()
    rows = [f"q{n}\t{d}\t{g}\n" for n, one in enumerate(grades) for d, g in one.items()]
    (folder / "qrels" / "test.tsv").write_text("".join(rows))

    def ndcg(ids, judged):
        def gain(listed):
            return sum(g / math.log2(rank + 1) for rank, g in enumerate(listed, 1))

        return gain([judged.get(i, 0) for i in ids][:10]) / gain(sorted(judged.values())[::-1])

    with Index.open(indexed, Encoder.load(static_bundle)) as index:
        report = compare(index, folder)
        for way in ("dense", "lexical"):
            each = [
                ndcg([hit.id for hit in index.query(q, using=way).hits], g)
                for q, g in zip(words, grades, strict=True)
            ]
            assert report.measures[way]["ndcg@10"].value == pytest.approx(sum(each) / 3)
    best = {way: measures["ndcg@10"].value for way, measures in report.measures.items()}
    assert report.gain.value == pytest.approx(best[report.fused] - best[report.single])


def test_what_an_index_cannot_be_measured_on(static_bundle, indexed, labelled, tmp_path, capsys):
    assert main(["optimize", str(indexed)]) == 0
    other = tmp_path / "other"
    lines(other / "queries.jsonl", [{"_id": "q", "text": "bread"}])
    (other / "qrels").mkdir()
    (other / "qrels" / "test.tsv").write_text("q\tnowhere\t1\n")
    for arguments, message in (
        (["--data", str(other)], "holds none of the documents that other judges, such as"),
        (["--data", str(labelled), "--dims", "64"], "--dims is for bundles"),
        (["--data", str(tmp_path)], "queries.jsonl"),
    ):
        assert main(["eval", str(indexed), *arguments]) == 2
        assert message in capsys.readouterr().err
    with Index.open(indexed) as index:
        index.delete_lexical_index()
    assert main(["eval", str(indexed), "--data", str(labelled)]) == 2
    assert "edge-mrl optimize INDEX --lexical" in capsys.readouterr().err
