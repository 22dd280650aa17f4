"""Tokenizer files that somebody made to do harm: each is refused in a sentence, before the library
takes the memory that it asks for."""

import json
import subprocess
import sys

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from edge_mrl.bundle.manifest import TokenizerInfo
from edge_mrl.errors import BundleError, InputError
from edge_mrl.tokenization import TextTokenizer

INFO = TokenizerInfo("tokenizer.json", True, None, 0)
WORDS = {"type": "WordPiece", "unk_token": "?", "continuing_subword_prefix": "##"} | {
    "max_input_chars_per_word": 100,
    "vocab": {"?": 0, "a": 1, "##a": 2},
}


def tokenizer(folder, **parts):
    document = json.loads(Tokenizer(models.WordLevel({"a": 0}, "a")).to_str())
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(document | {"model": WORDS} | parts))
    return TextTokenizer(file, INFO)


def rule(pattern, content):
    return {"type": "Replace", "pattern": pattern, "content": content}


def test_texts_that_stay_short_are_read_however_long(tmp_path):
    """Past the size from which the normaliser's work is counted first."""
    whole = tokenizer(
        tmp_path,
        normalizer=rule({"Regex": " {2,}"}, " " * 1000),
        pre_tokenizer={"type": "Whitespace"},
    )
    assert whole.encode(["aaa aa " * 10_000]) == [[1, 2, 2, 1, 2] * 10_000]


def test_a_text_that_becomes_too_long_is_refused(tmp_path):
    growing = tokenizer(tmp_path, normalizer=rule({"String": "a"}, "a" * 4000))
    assert growing.encode(["b"]) == [[0]]
    with pytest.raises(BundleError, match="makes texts too long to be held"):
        growing.encode(["b", "a" * 10_000])
    with pytest.raises(BundleError, match="makes texts too long to be held"):
        growing.encode(["a" * 100] * 200)
    with pytest.raises(InputError, match="number 1 holds a lone surrogate"):
        growing.encode(["b" * 10_000, "\ud800"])
    with pytest.raises(InputError, match="number 1 is int, not str"):
        growing.encode(["b" * 10_000, 5])


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            {"normalizer": {"type": "Sequence", "normalizers": [rule({"String": "a"}, "aa")] * 64}},
            "could make a text a thousand million times as long",
        ),
        (
            {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "/P///wAAAAAA"}},
            "character map is damaged",
        ),
        ({"pre_tokenizer": {"type": "Split"}}, "cannot be read as a tokenizer"),
        ({"model": WORDS | {"unk_token": "?" * 300}}, "its unk_token has 300 characters"),
        ({"model": WORDS | {"continuing_subword_prefix": "#" * 300}}, "continuing_subword_prefix"),
        ({"model": WORDS | {"max_input_chars_per_word": 10**9}}, "max_input_chars_per_word"),
        ({"model": {"type": "Dreamed"}}, "cannot be read as a tokenizer"),
    ],
)
def test_a_hostile_file_is_refused_before_it_is_obeyed(tmp_path, parts, said):
    with pytest.raises(BundleError, match=said) as caught:
        tokenizer(tmp_path, **parts)
    assert str(tmp_path / "tokenizer.json") in str(caught.value)


@pytest.mark.parametrize(
    "parts",
    [
        {"pre_tokenizer": {"type": "FixedLength", "length": 0}},
        {
            "pre_tokenizer": {
                "type": "Split",
                "pattern": {"Regex": "(a+)+$"},
                "behavior": "Isolated",
                "invert": False,
            }
        },
        {"model": WORDS | {"vocab": {"a": 1}}},
    ],
)
def test_a_library_that_gives_up_is_one_sentence(tmp_path, parts):
    """Two panics, which are no Exception, and an error: a length of nothing, an expression that
    goes back and forth, a model without its own unknown word."""
    if parts.get("pre_tokenizer", {}).get("type") == "FixedLength" and not hasattr(
        pre_tokenizers, "FixedLength"
    ):
        pytest.skip("this tokenizers has no FixedLength")
    giving_up = tokenizer(tmp_path, **parts)
    with pytest.raises(BundleError, match="gives up on a text .*: export the bundle again"):
        giving_up.encode(["a" * 40 + "b"])


MEMORY = """
import resource, sys
from pathlib import Path
from edge_mrl.bundle.manifest import TokenizerInfo
from edge_mrl.errors import BundleError
from edge_mrl.tokenization import TextTokenizer
import tokenizers
resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))
try:
    TextTokenizer(Path(sys.argv[1]), TokenizerInfo("", True, None, 0)).encode(["aaaa"])
except BundleError as error:
    print(error)
"""


@pytest.mark.parametrize("later", [False, True])
def test_the_process_lives_on(tmp_path, later):
    """2 GB of addresses; the file asks for more while the library reads it."""
    chain = {"type": "Sequence", "normalizers": [rule({"String": "a"}, "a" * 100)] * 8}
    parts = {"added_tokens": [], "normalizer": chain, "model": WORDS}
    parts["added_tokens"] = [
        {"id": 1, "content": "a", "single_word": False, "lstrip": False, "rstrip": False}
        | {"normalized": True, "special": False}
    ]
    if later:
        parts["normalizer"] = parts.pop("normalizer")
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps({"version": "1.0"} | parts))
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(file)], capture_output=True, text=True, check=True
    )
    assert "its normaliser could make a text a thousand million times as long" in done.stdout
