"""What a tokenizer.json says beside its vocabulary, read without the library. Pure.

The library allocates what a file declares and normalises added tokens while it reads, and a failed
allocation ends the process: so what is refused has to be known before. The vocabulary is nearly all
of the bytes. Parsing it here too would take a third of the library's time again, so the file is
read up to it, and searched for what could come after.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

from edge_mrl.errors import BundleError

FIRST_BYTES = 1 << 16
"""Of a file, tried first; doubled while its vocabulary has not begun."""

_BLANKS = (" ", "\t", "\n", "\r")
_PARTS = (b'"added_tokens"', b'"normalizer"', b'"pre_tokenizer"', b'"post_processor"')
_OPENS_A_VALUE = rb"\s*:\s*[\[{]"
_ESCAPED_LETTER = rb"\\u00[2-7]"
"""Another spelling of a key. JSON writers escape no letters, but a token may hold a backslash.
Compiled where a file has one of its kind: few have, and that takes a tenth of a millisecond."""


def read_head(data: bytes) -> dict[str, object]:
    """The members of a tokenizer.json; without `model` where that comes last, as the library and
    the exporter write it.

    Raises:
        BundleError: it is no JSON object, is nested too deeply, or names a member twice.
    """
    size = FIRST_BYTES
    while True:
        head = _up_to_the_model(data[:size].decode("utf-8", errors="ignore"))
        if head is not None and _nothing_follows(data, head[1]):
            return head[0]
        if head is not None or size >= len(data):
            return _whole(data)
        size *= 2


def _up_to_the_model(text: str) -> tuple[dict[str, object], int] | None:
    """The members before `model` and how many bytes they take; None where the text ends before it,
    or says a thing twice."""
    decoder = json.JSONDecoder(object_pairs_hook=_without_repeats)
    found: dict[str, object] = {}
    place = _skip(text, 0)
    if text[place : place + 1] != "{":
        return None
    try:
        while True:
            key, place = decoder.raw_decode(text, _skip(text, place + 1))
            place = _skip(text, place)
            if not isinstance(key, str) or key in found or text[place : place + 1] != ":":
                return None
            if key == "model":
                return found, len(text[:place].encode())
            found[key], place = decoder.raw_decode(text, _skip(text, place + 1))
            place = _skip(text, place)
            if text[place : place + 1] != ",":
                return None
    except (ValueError, RecursionError):
        return None


def _skip(text: str, place: int) -> int:
    while text[place : place + 1] in _BLANKS:
        place += 1
    return place


def _nothing_follows(data: bytes, start: int) -> bool:
    """Whether no part stands behind the beginning of the vocabulary, where it would count again."""
    if rb"\u00" in data and re.search(_ESCAPED_LETTER, data):
        return False
    return not any(_stands_behind(data, part, start) for part in _PARTS)


def _stands_behind(data: bytes, part: bytes, start: int) -> bool:
    """A part is an object or a list; the number of a token of that name is none."""
    place = data.find(part, start)
    while place >= 0:
        if re.compile(_OPENS_A_VALUE).match(data, place + len(part)):
            return True
        place = data.find(part, place + len(part))
    return False


def _whole(data: bytes) -> dict[str, object]:
    try:
        document = json.loads(data, object_pairs_hook=_without_repeats)
    except RecursionError:
        _refuse("it is nested too deeply")
    except ValueError as error:
        _refuse(str(error))
    if not isinstance(document, dict):
        _refuse("it is no JSON object")
    return document


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object names a member twice")
    return found


def _refuse(reason: str) -> NoReturn:
    raise BundleError(f"cannot be read as a tokenizer: {reason}")
