"""The bound on how much longer a text becomes, against what the library makes of texts."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from edge_mrl.errors import BundleError
from edge_mrl.tokenization.growth import MOST_GROWTH, check

SIMPLE = ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel")
STRINGS = ("", "a", "ab", "é", " ", "\ufdfa", "aaaa")
EXPRESSIONS = (" {2,}", r"\s+", "[^a-z]+", "a*", "(?=a)", r"\b", "a|", ".", "", "x{0,2}", r"\p{L}")
"""The first three cannot match without a character, the next ones can."""

growing = st.text(alphabet="aAbx  éİȺﷺ漢ཱིẛ̣각", max_size=12)


def replace(kind, pattern, content):
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


steps = st.one_of(
    st.sampled_from([{"type": kind} for kind in SIMPLE]),
    st.builds(replace, st.just("String"), st.sampled_from(STRINGS), st.sampled_from(STRINGS)),
    st.builds(replace, st.just("Regex"), st.sampled_from(EXPRESSIONS), st.sampled_from(STRINGS)),
    st.builds(lambda text: {"type": "Prepend", "prepend": text}, st.sampled_from(STRINGS)),
    st.just({"type": "Strip", "strip_left": True, "strip_right": False}),
    st.builds(
        lambda accents, lower: {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": accents,
            "lowercase": lower,
        },
        st.sampled_from([None, False, True]),
        st.booleans(),
    ),
)


def library(**parts):
    document = json.loads(Tokenizer(models.WordLevel({"a": 0}, "a")).to_str()) | parts
    return Tokenizer.from_str(json.dumps(document))


@given(st.lists(steps, max_size=3), growing)
def test_no_text_grows_further_than_is_said(chain, text):
    normalizer = {"type": "Sequence", "normalizers": chain}
    try:
        growth = check({"normalizer": normalizer})
    except BundleError:
        return
    made = text
    for step in chain:  # One by one: the library gives up on some that follow one another.
        made = library(normalizer=step).normalizer.normalize_str(made)
    # An expression that matches nothing matches at the end too.
    assert len(made.encode()) <= growth * (len(text.encode()) + 1)


@given(
    st.lists(
        st.sampled_from(
            [
                pre_tokenizers.ByteLevel(add_prefix_space=True),
                pre_tokenizers.ByteLevel(use_regex=False),
                pre_tokenizers.Metaspace(replacement="\U0001f600", prepend_scheme="always"),
                pre_tokenizers.Split("a", "isolated"),
                pre_tokenizers.Punctuation(),
                pre_tokenizers.Digits(individual_digits=True),
            ]
        ),
        max_size=3,
    ),
    growing,
)
def test_no_pieces_are_longer_together_than_is_said(chain, text):
    bound = 1
    for part in chain:
        bound *= {"ByteLevel": 4, "Metaspace": 5}.get(type(part).__name__, 1)
    part = pre_tokenizers.Sequence(chain)
    if bound <= 64:
        check({"pre_tokenizer": json.loads(part.__getstate__())})
    else:
        with pytest.raises(BundleError, match="pre-tokenizer could make a text"):
            check({"pre_tokenizer": json.loads(part.__getstate__())})
    pieces = part.pre_tokenize_str(text)
    assert sum(len(piece.encode()) for piece, _ in pieces) <= bound * len(text.encode())


def test_rules_that_grow_on_each_other_are_refused():
    rule = replace("String", "a", "aaaaaaaaaa")
    chain = {"type": "Sequence", "normalizers": [rule] * 3}
    assert check({"normalizer": chain}) == 1000
    nested = {"type": "Sequence", "normalizers": [chain, rule]}
    with pytest.raises(BundleError, match="could make a text 10000 times as long"):
        check({"normalizer": nested})
    assert MOST_GROWTH < 10_000


def charsmap(*replacements, trie=4):
    data = trie.to_bytes(4, "little") + bytes(4) + b"\0".join(replacements) + b"\0"
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(data).decode()}


def test_a_character_map_counts_as_its_longest_text():
    assert check({"normalizer": charsmap(b"a", b"x" * 33, b"")}) == 33
    with pytest.raises(BundleError, match="could make a text 5000 times"):
        check({"normalizer": charsmap(b"x" * 5000)})


@pytest.mark.parametrize("trie", [2**32 - 4, 8192, 3])
def test_a_character_map_that_declares_more_than_it_has_is_refused(trie):
    with pytest.raises(BundleError, match="character map is damaged"):
        check({"normalizer": charsmap(b"a", trie=trie)})


@pytest.mark.parametrize("text", ["AAA", "%%%%", ""])
def test_a_character_map_that_is_none_is_refused(text):
    with pytest.raises(BundleError, match="character map is damaged"):
        check({"normalizer": {"type": "Precompiled", "precompiled_charsmap": text}})


def test_long_added_tokens_count_with_what_the_normaliser_makes_of_them():
    head = {"added_tokens": [{"content": "a" * 20_000}]}
    check(head)
    with pytest.raises(BundleError, match="added tokens are too long"):
        check(head | {"normalizer": replace("String", "a", "a" * 1000)})


def template(pieces, special):
    return {"type": "TemplateProcessing", "single": pieces, "pair": [], "special_tokens": special}


TEXT = {"Sequence": {"id": "A", "type_id": 0}}
MARK = {"SpecialToken": {"id": "x", "type_id": 0}}


def special(ids, text="x"):
    return {"x": {"id": "x", "ids": [1] * ids, "tokens": [text] * ids}}


def test_a_template_adds_a_few_tokens_and_the_text_once():
    check({"post_processor": template([MARK, TEXT, MARK], special(1))})
    for pieces, entry in (
        ([MARK] * 40 + [TEXT], special(40)),
        ([TEXT, TEXT], special(1)),
        ([TEXT, MARK], special(1, "x" * 100_000)),
    ):
        with pytest.raises(BundleError, match="template adds too much"):
            check({"post_processor": template(pieces, entry)})


@pytest.mark.parametrize(
    "part",
    [
        {"normalizer": {"type": "Dreamed"}},
        {"normalizer": {"pattern": {"String": "a"}, "content": "aa"}},
        {"normalizer": {"type": "Sequence"}},
        {"normalizer": [{"type": "NFC"}]},
        {"normalizer": replace("Both", "a", "b")},
        {"normalizer": {"type": "Replace", "pattern": "a", "content": "b"}},
        {"normalizer": {"type": "Replace", "pattern": {"String": "a"}, "content": 5}},
        {"pre_tokenizer": {"type": "Dreamed"}},
        {"post_processor": template([MARK], {})},
    ],
)
def test_what_is_not_known_is_refused(part):
    with pytest.raises(BundleError, match="is refused: "):
        check(part)


def test_common_models_are_far_from_the_limits():
    """Normalisers as the tokenizers of ALBERT, XLM-R, Gemma and CLIP have them."""
    nmt_nfkc = charsmap("\ufdfa".encode() * 11)  # 33 bytes, the longest of SentencePiece's own
    chains = {
        726: [
            replace("String", "``", '"'),
            replace("String", "''", '"'),
            {"type": "NFKD"},
            {"type": "StripAccents"},
            {"type": "Lowercase"},
            nmt_nfkc,
            replace("Regex", " {2,}", " "),
        ],
        99: [nmt_nfkc, replace("Regex", " {2,}", "▁")],
        3: [replace("String", " ", "▁")],
        6: [{"type": "NFC"}, replace("Regex", r"\s+", " "), {"type": "Lowercase"}],
        11: [json.loads(normalizers.BertNormalizer().__getstate__())],
    }
    for growth, chain in chains.items():
        assert check({"normalizer": {"type": "Sequence", "normalizers": chain}}) == growth
