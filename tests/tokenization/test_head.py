"""What a tokenizer.json says beside its vocabulary, against a whole reading of the file."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_mrl.errors import BundleError
from edge_mrl.tokenization.head import FIRST_BYTES, read_head

NAMES = ("version", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder")
values = st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
parts = st.lists(
    st.tuples(st.sampled_from(NAMES), values), max_size=5, unique_by=lambda one: one[0]
)
vocabularies = st.dictionaries(
    st.sampled_from(NAMES) | st.text(max_size=3), st.integers(0, 9), max_size=5
)


@given(parts, parts, vocabularies, st.booleans(), st.sampled_from([None, 1]))
def test_it_says_what_the_file_says(before, after, vocabulary, ascii_only, indent):
    document = dict(before) | {"model": {"vocab": vocabulary}}
    document |= {name: value for name, value in after if name not in document}
    data = json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    parsed = json.loads(data)
    for name, value in read_head(data).items():
        assert parsed[name] == value
    for name in ("normalizer", "added_tokens", "pre_tokenizer", "post_processor"):
        if isinstance(parsed.get(name), dict | list):
            assert read_head(data)[name] == parsed[name]


def test_a_long_head_is_read_to_its_end():
    tokens = [{"content": f"token {number} é"} for number in range(FIRST_BYTES // 8)]
    data = json.dumps({"added_tokens": tokens, "model": {}}, ensure_ascii=False).encode()
    assert len(data) > 2 * FIRST_BYTES
    assert read_head(data) == {"added_tokens": tokens}


@pytest.mark.parametrize(
    "later",
    [
        '"normalizer": {"type": "NFD"}',
        '"normalizer" :\n{"type": "NFD"}',
        r'"norm\u0061lizer": {"type": "NFD"}',
    ],
)
@pytest.mark.parametrize(
    "vocabulary", ["{}", json.dumps(dict.fromkeys(map(str, range(20_000)), 1))]
)
def test_what_stands_after_the_vocabulary_counts(later, vocabulary):
    data = f'{{"version": "1.0", "model": {{"vocab": {vocabulary}}}, {later}}}'.encode()
    assert read_head(data)["normalizer"] == {"type": "NFD"}


@pytest.mark.parametrize(
    "text",
    [
        '{"normalizer": null, "model": {}, "normalizer": {"type": "NFD"}}',
        '{"normalizer": {"type": "NFC", "type": "NFD"}, "model": {}}',
        '{"model": {}, "model": {"a": 1}, "normalizer": {}}',
        '{"normalizer": ' + "[" * 100_000,
        '{"normalizer": {"type": "NFC"}',
        "[1]",
        "{",
        "",
        "\x80",
    ],
)
def test_what_can_be_read_in_two_ways_or_not_at_all_is_refused(text):
    with pytest.raises(BundleError, match="cannot be read as a tokenizer: "):
        read_head(text.encode())
