"""Texts to token ids, exactly as the model was trained: a thin wrapper over Hugging Face
`tokenizers`.

The file comes from strangers, and the library ends the process where an allocation fails: what a
file may make of a text is bounded before it is read, and counted before a long text is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_mrl.bundle.manifest import TokenizerInfo
from edge_mrl.errors import BundleError, InputError

MOST_BYTES = 1 << 24
"""Of the texts of one call after the normaliser, where it makes them longer than they may be by
themselves; the library takes 17 bytes for each."""

LONGEST_AFFIX = 256
"""Characters of the texts that a model writes for an unknown word, or at the ends of pieces: it
holds one for every piece."""

LONGEST_WORD = 10_000
"""Characters that a WordPiece model may look for in one word, which takes their square."""


class TextTokenizer:
    """The tokenizer of a bundle.

    Args:
        file: the `tokenizers` JSON file, already checked against the manifest.
        info: whether special tokens are added, and where texts are cut.

    Raises:
        BundleError: the file is not a tokenizer that the installed `tokenizers` can read, or it
            could make texts longer than `growth` allows.
    """

    def __init__(self, file: Path, info: TokenizerInfo) -> None:
        # Here, since an engine starts meanwhile.
        from tokenizers import Tokenizer

        from edge_mrl.tokenization import growth
        from edge_mrl.tokenization.head import read_head

        data = file.read_bytes()
        self._file = file
        try:
            self._growth = growth.check(read_head(data))
            self._tokenizer = Tokenizer.from_buffer(data)
            _check_model(self._tokenizer.model)
        except BundleError as error:
            raise BundleError(f"{file} {error}: export the bundle again") from error
        except BaseException as error:
            if not from_the_library(error):
                raise
            raise BundleError(
                f"{file} cannot be read as a tokenizer ({error}): export the bundle again"
            ) from error
        self._tokenizer.no_padding()
        self._max_tokens = info.max_tokens
        self._limit(info.max_tokens)
        self._add_special_tokens = info.add_special_tokens
        self._special = frozenset(
            number
            for number, token in self._tokenizer.get_added_tokens_decoder().items()
            if token.special
        )
        self._forget_whole_texts()

    def _limit(self, max_tokens: int | None) -> None:
        if max_tokens is None:
            self._tokenizer.no_truncation()
        else:
            self._tokenizer.enable_truncation(max_tokens)

    def _forget_whole_texts(self) -> None:
        """Without a pre-tokenizer the library takes a whole text for one word, and keeps the pieces
        of the first 10 000 in case they come again: 77 MB for paragraphs, and no gain."""
        if self._tokenizer.pre_tokenizer is None:
            resize = getattr(self._tokenizer.model, "_resize_cache", None)  # from 0.20.4 on
            if resize is not None:
                resize(0)

    def encode(self, texts: Sequence[str], limit: int | None = None) -> list[list[int]]:
        """Token ids of each text, special tokens included, cut to the model's length, or to a limit
        where that is less, without padding.

        Raises:
            InputError: an item is not text, or holds a lone surrogate; the message says which.
            BundleError: the tokenizer gives up, or makes the texts too long.
        """
        items = list(texts)
        if not all(isinstance(item, str) for item in items):
            # The library would take a list of two for one text and its continuation.
            raise InputError(_what_is_wrong(items))
        longest = self._max_tokens
        cut = limit is not None and (longest is None or limit < longest)
        if cut:
            self._tokenizer.enable_truncation(limit)
        try:
            self._check_growth(items)
            encodings = self._tokenizer.encode_batch_fast(
                items, add_special_tokens=self._add_special_tokens
            )
        except (TypeError, UnicodeEncodeError) as error:
            raise InputError(_what_is_wrong(items)) from error
        except BundleError:
            raise
        except BaseException as error:
            if not from_the_library(error):
                raise
            raise BundleError(
                f"{self._file} gives up on a text ({error}): export the bundle again"
            ) from error
        finally:
            if cut:
                self._limit(longest)
        return [encoding.ids for encoding in encodings]

    def prompt_tokens(self, prompt: str) -> int:
        """How many tokens of a text belong to the prompt before it, as sentence-transformers
        counts: those of the prompt alone, without a special token at the end.

        Raises:
            InputError: the prompt holds a lone surrogate.
        """
        (ids,) = self.encode([prompt])
        return len(ids) - int(bool(ids) and ids[-1] in self._special)

    def _check_growth(self, items: Sequence[object]) -> None:
        """Count what the normaliser makes of texts, in parts, where it could be too much."""
        if self._growth == 1:
            return
        texts = [item for item in items if isinstance(item, str)]
        characters = sum(map(len, texts))
        if 4 * self._growth * characters <= MOST_BYTES:
            return
        part = max(1, MOST_BYTES // (4 * self._growth))
        left = max(MOST_BYTES, 16 * characters)
        for text in texts:
            for start in range(0, len(text), part):
                left -= self._normalized_bytes(text[start : start + part])
                if left < 0:
                    raise BundleError(
                        f"{self._file} makes texts too long to be held: use another model"
                    )

    def _normalized_bytes(self, text: str) -> int:
        normalized: str = self._tokenizer.normalizer.normalize_str(text)
        return len(normalized.encode())


def from_the_library(error: BaseException) -> bool:
    """Whether `tokenizers` raised it: it raises nothing narrower than Exception, and where its own
    code gives up a PanicException, which is no Exception and can be imported from nowhere."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def _check_model(model: object) -> None:
    for name in ("unk_token", "continuing_subword_prefix", "end_of_word_suffix"):
        text = getattr(model, name, None)
        if isinstance(text, str) and len(text) > LONGEST_AFFIX:
            raise BundleError(f"is refused: its {name} has {len(text)} characters")
    if getattr(model, "max_input_chars_per_word", 0) > LONGEST_WORD:
        raise BundleError("is refused: its max_input_chars_per_word is too large")


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
