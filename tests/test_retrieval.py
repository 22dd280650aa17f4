"""Retrieval through the whole path on labelled data, against figures that were measured with other
software.

The reference figures (nDCG@10 of the wordllama library's vectors, searched exactly) stand in the
README of the labelled sets; they are repeated here."""

import csv
import json

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from edge_mrl.cli.main import main
from edge_mrl.encoder import Encoder
from edge_mrl.index import Index

REFERENCE = {64: 31.5, 128: 38.6, 256: 42.1}
POINTS = 1.0


def judgements(folder):
    """{query id: {document id: grade}}"""
    found = {}
    with (folder / "qrels" / "test.tsv").open() as stream:
        for row in list(csv.reader(stream, delimiter="\t"))[1:]:
            found.setdefault(row[0], {})[row[1]] = int(row[2])
    return found


def ndcg_at_10(relevant, hits):
    """By scikit-learn, over the documents that are judged or found; those not found score
    lowest."""
    documents = sorted(set(relevant) | {hit.id for hit in hits})
    scores = {hit.id: hit.score + 2 for hit in hits}
    gains = np.array([[relevant.get(document, 0) for document in documents]], dtype=float)
    found = np.array([[scores.get(document, 0.0) for document in documents]])
    return ndcg_score(gains, found, k=10)


@pytest.mark.parametrize("dim", [64, 128, 256])
def test_ndcg_on_cranfield_is_the_model_s_own(static_bundle, labelled_sets, tmp_path, dim):
    data = labelled_sets / "cranfield"
    place = tmp_path / "i.db"
    build = ["build", str(place), "--bundle", str(static_bundle), "--dim", str(dim)]
    assert main([*build, "--input", str(data / "corpus.jsonl")]) == 0
    relevant = judgements(data)
    queries = {
        query["_id"]: query["text"]
        for query in map(json.loads, (data / "queries.jsonl").read_text().splitlines())
    }
    encoder = Encoder.load(static_bundle, truncate_dim=dim)
    with Index.open(place, encoder) as index:
        figures = [
            ndcg_at_10(grades, index.search(queries[query], k=10))
            for query, grades in relevant.items()
        ]
    assert 100 * np.mean(figures) == pytest.approx(REFERENCE[dim], abs=POINTS)
