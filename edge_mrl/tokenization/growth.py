"""How much longer a tokenizer may make a text. Pure.

The steps before the vocabulary rewrite a text, and some make it longer: a few rules that double
what the one before has doubled turn a word into more than any memory holds. Each step's bound is
multiplied, in bytes of UTF-8, and what could grow past a limit is refused. Real models stay far
below: 726 for ALBERT, 33 for XLM-R, 11 for BERT, by this count, which is never below the truth.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NoReturn

from edge_mrl.errors import BundleError

MOST_GROWTH = 4096
"""Of the normaliser."""

MOST_SPLIT_GROWTH = 64
"""Of the pre-tokenizer, which spells bytes as characters once, if at all."""

MOST_ADDED = 1024
"""Tokens that the template puts around a text."""

MOST_ADDED_BYTES = 1 << 24
"""Of the added tokens after the normaliser, which sees them when the file is read."""

Step = Mapping[str, object]

_ENOUGH = 10**9

_SIMPLE = {
    "NFC": 3,
    "NFD": 3,
    "NFKC": 11,
    "NFKD": 11,
    "Lowercase": 2,
    "BertNormalizer": 11,
    "Strip": 1,
    "StripAccents": 1,
    "Nmt": 1,
    "ByteLevel": 2,
}
"""The normal forms by Unicode Standard Annex 15, "Maximum Expansion Factors"; U+0130 in lower case
takes 3 bytes for 2. BERT's decomposes (3), puts spaces around ideographs (5 bytes for 3) and lowers
(2). A byte spelled as a character takes two."""

_SPLITTERS = {
    "BertPreTokenizer": 1,
    "CharDelimiterSplit": 1,
    "Digits": 1,
    "FixedLength": 1,
    "Metaspace": 5,
    "Punctuation": 1,
    "Split": 1,
    "UnicodeScripts": 1,
    "Whitespace": 1,
    "WhitespaceSplit": 1,
    "ByteLevel": 4,
}
"""Before every piece a space, then two bytes for each; or a character of four bytes."""

_NEVER_EMPTY = r"(?:\\[sSdDwW]|[^\\()|*?^$.{}\[\]]|\[\^?[^\[\]\\]+\])(?:\+|\{[1-9]\d*,?\})?"
"""One character or class, once or more. Of all other patterns it is supposed that they match
between any two characters."""


def check(head: Mapping[str, object]) -> int:
    """Refuse a tokenizer that could make texts longer than the limits above.

    Args:
        head: the members of a tokenizer.json beside the vocabulary.

    Returns:
        How many bytes a byte of text may become in the normaliser.

    Raises:
        BundleError: the first limit that is passed, or a step that is not known.
    """
    growth = _product(_steps(head.get("normalizer"), "normalizers"), _normalizer)
    if growth > MOST_GROWTH:
        _refuse(f"its normaliser could make a text {_times(growth)} as long")
    splits = _product(_steps(head.get("pre_tokenizer"), "pretokenizers"), _splitter)
    if splits > MOST_SPLIT_GROWTH:
        _refuse(f"its pre-tokenizer could make a text {_times(splits)} as long")
    if growth * _content_bytes(head.get("added_tokens")) > MOST_ADDED_BYTES:
        _refuse("its added tokens are too long")
    for step in _steps(head.get("post_processor"), "processors"):
        _check_template(step)
    return growth


def _product(steps: Iterator[Step], bound: Callable[[Step], int]) -> int:
    product = 1
    for step in steps:
        product = min(product * bound(step), _ENOUGH)
    return product


def _steps(part: object, inner: str) -> Iterator[Step]:
    """The steps of a part in their order, those of sequences one by one."""
    if part is None:
        return
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        _refuse("a step of it has no type")
    if part["type"] != "Sequence":
        yield part
        return
    for step in _list(part, inner):
        yield from _steps(step, inner)


def _normalizer(step: Step) -> int:
    kind = step["type"]
    if kind in _SIMPLE:
        return _SIMPLE[str(kind)]
    if kind == "Prepend":
        return 1 + _bytes(step, "prepend")
    if kind == "Replace":
        return _replace(step)
    if kind == "Precompiled":
        return _longest_replacement(_text(step, "precompiled_charsmap"))
    _refuse(f"its normaliser {kind!r} is not known here")


def _splitter(step: Step) -> int:
    kind = str(step["type"])
    if kind not in _SPLITTERS:
        _refuse(f"its pre-tokenizer {kind!r} is not known here")
    return _SPLITTERS[kind]


def _replace(step: Step) -> int:
    content, pattern = _bytes(step, "content"), step.get("pattern")
    if not isinstance(pattern, dict) or set(pattern) not in ({"String"}, {"Regex"}):
        _refuse("a pattern of it is neither text nor an expression")
    if pattern.get("String"):
        return max(1, -(-content // _bytes(pattern, "String")))
    if "Regex" in pattern and re.fullmatch(_NEVER_EMPTY, _text(pattern, "Regex")):
        return max(1, content)
    return 1 + content


def _longest_replacement(charsmap: str) -> int:
    """The length in bytes of the longest text that a character map of SentencePiece writes.

    Four bytes say how long the trie is, which follows; then come the texts, each ended by a zero.
    """
    # Few models have one, and importing this takes as long as all else here.
    import binascii

    try:
        data = binascii.a2b_base64(charsmap)
    except ValueError:
        _refuse("its character map is damaged")
    trie = int.from_bytes(data[:4], "little")
    if len(data) < 4 or trie % 4 or trie > len(data) - 4:
        _refuse("its character map is damaged")
    return max(1, *(len(text) for text in data[4 + trie :].split(b"\0")))


def _check_template(step: Step) -> None:
    if step["type"] != "TemplateProcessing":
        return
    tokens, texts = 0, 0
    special = step.get("special_tokens")
    for piece in _list(step, "single"):
        if isinstance(piece, dict) and isinstance(piece.get("SpecialToken"), dict):
            name = piece["SpecialToken"].get("id")
            entry = special.get(name) if isinstance(special, dict) else None
            if not isinstance(entry, dict):
                _refuse("its template names a token that it does not define")
            tokens += len(_list(entry, "ids"))
            tokens += sum(len(str(token)) for token in _list(entry, "tokens")) // 64
        else:
            texts += 1
    if tokens > MOST_ADDED or texts > 1:
        _refuse("its template adds too much to a text")


def _content_bytes(added: object) -> int:
    tokens = added if isinstance(added, list) else []
    return sum(_bytes(token, "content") for token in tokens if isinstance(token, dict))


def _bytes(step: Step, name: str) -> int:
    return len(_text(step, name).encode("utf-8", errors="replace"))


def _text(step: Step, name: str) -> str:
    value = step.get(name)
    if not isinstance(value, str):
        _refuse(f"{name} of a step is missing")
    return value


def _list(step: Step, name: str) -> list[object]:
    value = step.get(name)
    if not isinstance(value, list):
        _refuse(f"{name} of a step is missing")
    return value


def _times(growth: int) -> str:
    return f"{growth} times" if growth < _ENOUGH else "a thousand million times"


def _refuse(reason: str) -> NoReturn:
    raise BundleError(f"is refused: {reason}")
