"""Reading what several commands take."""

from __future__ import annotations

import sys
from pathlib import Path

from edge_mrl.cli.output import print_text
from edge_mrl.corpus import Corpus
from edge_mrl.errors import InputError


def checked_corpus(path: Path) -> Corpus:
    """The corpus of `--input`; says on standard error which of its fields are not read.

    Raises:
        CorpusError: it cannot be used.
    """
    corpus = Corpus.check(path)
    if corpus.unused:
        print_text(
            f"edge-mrl: {path}: fields that are not read: {', '.join(corpus.unused)}; what filters "
            'are to find belongs into "metadata"',
            file=sys.stderr,
        )
    return corpus


def numbers(text: str | None, what: str, example: str) -> tuple[int, ...] | None:
    """Whole numbers with commas between, as after `--dims`.

    Raises:
        InputError: one of them is no whole number; names `what` and shows `example`.
    """
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"cannot read the {what} {text!r}: write them as {example}") from None
