"""The golden texts: inputs that tokenizers and engines are known to get wrong, short ones first."""

from __future__ import annotations

_LONG = (
    "A kettle on the hob, a letter half written, rain against the window: the afternoon went "
    "on as afternoons do, "
    "and nobody in the house could have said afterwards when the light had changed. "
)

GOLDEN_TEXTS = (
    "The heron waits in the reeds.",
    "How do I compress a folder of log files?",
    "x",
    "",
    " ",
    "Ünïcödé accents, précomposed and de\u0301compose\u0301d: naïve café, A\u030angstro\u0308m.",
    "🦆 emoji 👩🏽‍🚀 with joiners 🏳️‍🌈 and a flag 🇳🇿",
    "東京の天気はどうですか。明日は雨が降るでしょう。",
    "한국어 문장과 русский текст и ελληνικά",
    "def add(a: int, b: int) -> int:\n\treturn a + b  # 2 + 2 == 4",
    "CAPITALS, digits 3.14159, a path /usr/lib, an address someone@example.org",
    "one\u00a0non-breaking\u200bzero-width\u2028separated   line\r\nend",
    _LONG,
    _LONG * 20,
)
"""The first two run at every load of a bundle; all of them when a bundle is verified."""
