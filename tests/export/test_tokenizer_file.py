"""The stored form of a tokenizer reads back as the same tokenizer."""

import json

import pytest
from tokenizers import Tokenizer, models

from edge_mrl_export.golden_texts import GOLDEN_TEXTS
from edge_mrl_export.sources.wordllama import WordLlamaSource
from edge_mrl_export.tokenizer_file import stored_form


def ids(tokenizer):
    return [encoding.ids for encoding in tokenizer.encode_batch(list(GOLDEN_TEXTS))]


def test_a_real_tokenizer_splits_as_before_and_its_merges_are_texts():
    stored = WordLlamaSource.installed(dims=None).tokenizer_json
    merges = json.loads(stored)["model"]["merges"]
    assert len(merges) == 61_249
    assert all(isinstance(merge, str) for merge in merges)
    plain = json.loads(stored)
    plain["model"]["merges"] = [merge.split(" ") for merge in merges]
    assert ids(Tokenizer.from_str(stored.decode())) == ids(Tokenizer.from_str(json.dumps(plain)))


def test_merges_with_a_space_stay_pairs():
    vocabulary = {"a": 0, " ": 1, "a ": 2, "a a": 3}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[("a", " "), ("a ", "a")]))
    again = Tokenizer.from_str(stored_form(tokenizer).decode())
    assert again.encode("a a").ids == tokenizer.encode("a a").ids == [3]


@pytest.mark.parametrize("length", [3, 7])
def test_truncation_and_padding_are_left_out(length):
    tokenizer = Tokenizer(models.WordLevel({"x": 0, "[UNK]": 1}, unk_token="[UNK]"))
    bare = stored_form(tokenizer)
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(length=length)
    assert stored_form(tokenizer) == bare
