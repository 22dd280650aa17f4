"""`manifest.json` carries a checksum of itself: it lists the hashes of all other files, and nothing
lists its own. It shows damage, not intent. Pure.

CRC-32 and not SHA-256, because who only plans should not load OpenSSL (see `hashing`)."""

from __future__ import annotations

import json
from collections.abc import Mapping

CHECKSUM = "checksum"
_BLANK = "0" * 8


def sealed(document: Mapping[str, object]) -> bytes:
    """A document as UTF-8 JSON with its checksum: the CRC-32 of all its bytes, with zeros where the
    checksum's own eight hexadecimal digits are. The same document always gives the same bytes."""
    whole = {**document, CHECKSUM: _BLANK}
    text = json.dumps(whole, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    return _with_digits(text.encode(), _BLANK, _crc(text.encode()))


def is_intact(data: bytes, checksum: str) -> bool:
    """Whether `checksum`, which stands in `data` before all that could look like it, is right."""
    return _crc(_with_digits(data, checksum, _BLANK)) == checksum


def _crc(data: bytes) -> str:
    import zlib

    return f"{zlib.crc32(data):08x}"


def _with_digits(data: bytes, old: str, new: str) -> bytes:
    # Keys are sorted, and no name of a field is less: the first place is the checksum's.
    return data.replace(f'"{CHECKSUM}": "{old}"'.encode(), f'"{CHECKSUM}": "{new}"'.encode(), 1)
