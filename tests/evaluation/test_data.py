"""Reading labelled folders: what is right is read, what is wrong is named with its line."""

import json

import pytest

from edge_mrl.errors import CorpusError, InputError
from edge_mrl_export.evaluation.data import PairData, RetrievalData, read_data


def lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def beir(tmp_path):
    lines(
        tmp_path / "corpus.jsonl",
        [
            {"_id": "d1", "title": "Herons", "text": "wait in reeds"},
            {"_id": "d2", "text": ""},
            {"_id": 3, "text": "bread rises"},
        ],
    )
    lines(
        tmp_path / "queries.jsonl",
        [{"_id": "q1", "text": "birds"}, {"_id": "q2", "text": "none"}, {"_id": "q3", "text": "x"}],
    )
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\t3\t1\r\n\nq3\td2\t0\n"
    )
    return tmp_path


def test_a_beir_folder(beir):
    data = read_data(beir)
    assert data == RetrievalData(
        beir.name, ("Herons wait in reeds", "", "bread rises"), ("birds",), ({0: 2, 2: 1},)
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("q1\td9\t1", r"test\.tsv, line 5: the document 'd9' is not in corpus\.jsonl"),
        ("q9\td1\t1", r"test\.tsv, line 5: the query 'q9' is not in queries\.jsonl"),
        ("q1\td1", r"test\.tsv, line 5: 2 fields where three"),
        ("q1 d1 1", r"test\.tsv, line 5: 1 fields where three"),
        ("q1\td1\tyes", r"test\.tsv, line 5: the grade 'yes' is not a whole number"),
    ],
)
def test_a_bad_judgement_is_named_with_its_line(beir, line, words):
    path = beir / "qrels" / "test.tsv"
    path.write_text("query-id\tcorpus-id\tscore\nq1\td1\t2\n\nq1\t3\t1\n" + line + "\n")
    with pytest.raises(CorpusError, match=words):
        read_data(beir)


def test_a_folder_that_is_not_whole(beir, tmp_path):
    (beir / "qrels" / "test.tsv").write_text("q1\td1\t0\n")
    with pytest.raises(CorpusError, match="judges no document as relevant"):
        read_data(beir)
    (beir / "qrels" / "test.tsv").write_bytes(b"q1\td1\t\xff\n")
    with pytest.raises(CorpusError, match="not UTF-8"):
        read_data(beir)
    (beir / "qrels" / "test.tsv").unlink()
    with pytest.raises(CorpusError, match="the folder is not whole"):
        read_data(beir)
    (beir / "corpus.jsonl").unlink()
    with pytest.raises(InputError, match="holds no labelled data"):
        read_data(beir)
    with pytest.raises(InputError, match="there is no folder"):
        read_data(tmp_path / "nowhere")


def test_pairs(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("sentence1\tsentence2\tscore\na b\tc\t4.5\nd\te\t0\n", encoding="utf-8")
    assert read_data(tmp_path) == PairData(tmp_path.name, ("a b", "d"), ("c", "e"), (4.5, 0.0))
    path.write_text("a\tb\t1\nc\td\tnan\n")
    with pytest.raises(CorpusError, match="line 2: the score 'nan' is not a number"):
        read_data(tmp_path)
    path.write_text("a\tb\t1\nc\td\t1\n")
    with pytest.raises(CorpusError, match="different scores"):
        read_data(tmp_path)
