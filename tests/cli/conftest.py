"""A corpus and an index of it, for the tests of several commands."""

import json

import pytest

from edge_mrl.cli.main import main

CORPUS = [
    {
        "_id": "gzip",
        "title": "Compression",
        "text": "Compress a file with gzip.",
        "metadata": {"kind": "how-to"},
    },
    {"_id": "heron", "text": "The heron waits in the reeds."},
    {"_id": 3, "text": "Parse a date from text with strptime."},
]


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in CORPUS))
    return path


@pytest.fixture
def built(static_bundle, corpus, tmp_path):
    place = tmp_path / "i.db"
    assert main(["build", str(place), "--bundle", str(static_bundle), "--input", str(corpus)]) == 0
    return place
