"""Texts to token ids, by a file that nobody has to trust."""

from edge_mrl.tokenization.text_tokenizer import TextTokenizer

__all__ = ["TextTokenizer"]
