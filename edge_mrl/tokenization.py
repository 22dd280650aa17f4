"""Texts to token ids, exactly as the model was trained: a thin wrapper over Hugging Face
`tokenizers`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_mrl.bundle.manifest import TokenizerInfo
from edge_mrl.errors import BundleError, InputError


class TextTokenizer:
    """The tokenizer of a bundle.

    Args:
        file: the `tokenizers` JSON file, already checked against the manifest.
        info: whether special tokens are added, and where texts are cut.

    Raises:
        BundleError: the file is not a tokenizer that the installed `tokenizers` can read.
    """

    def __init__(self, file: Path, info: TokenizerInfo) -> None:
        # Here, since an engine starts meanwhile.
        from tokenizers import Tokenizer

        try:
            # From the file: as a str the text would be held in memory twice.
            self._tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:
            raise BundleError(
                f"{file} cannot be read as a tokenizer ({error}): export the bundle again"
            ) from error
        self._tokenizer.no_padding()
        if info.max_tokens is None:
            self._tokenizer.no_truncation()
        else:
            self._tokenizer.enable_truncation(info.max_tokens)
        self._add_special_tokens = info.add_special_tokens
        self._special = frozenset(
            number
            for number, token in self._tokenizer.get_added_tokens_decoder().items()
            if token.special
        )
        self._forget_whole_texts()

    def _forget_whole_texts(self) -> None:
        """Without a pre-tokenizer the library takes a whole text for one word, and keeps the pieces
        of the first 10 000 in case they come again: 77 MB for paragraphs, and no gain."""
        if self._tokenizer.pre_tokenizer is None:
            resize = getattr(self._tokenizer.model, "_resize_cache", None)  # from 0.20.4 on
            if resize is not None:
                resize(0)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens included, cut to the model's length, without
        padding.

        Raises:
            InputError: an item is not text, or holds a lone surrogate; the message says which.
        """
        items = list(texts)
        try:
            encodings = self._tokenizer.encode_batch_fast(
                items, add_special_tokens=self._add_special_tokens
            )
        except TypeError as error:
            raise InputError(_what_is_wrong(items)) from error
        return [encoding.ids for encoding in encodings]

    def prompt_tokens(self, prompt: str) -> int:
        """How many tokens of a text belong to the prompt before it, as sentence-transformers
        counts: those of the prompt alone, without a special token at the end.

        Raises:
            InputError: the prompt holds a lone surrogate.
        """
        (ids,) = self.encode([prompt])
        return len(ids) - int(bool(ids) and ids[-1] in self._special)


def _what_is_wrong(items: Sequence[object]) -> str:
    for position, item in enumerate(items):
        if not isinstance(item, str):
            return f"text number {position} is {type(item).__name__}, not str"
        try:
            item.encode()
        except UnicodeEncodeError:
            return (
                f"text number {position} holds a lone surrogate, which is no character: decode the "
                "input again"
            )
    return "the texts cannot be tokenised"
