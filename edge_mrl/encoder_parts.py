"""What an encoder runs on: the tokenizer and the engine of one variant.

Two things at a time, one inside the interpreter's lock and one outside it: the variant's files are
hashed while its engine is imported, and the engine is started while the tokenizer is read."""

from __future__ import annotations

from typing import NamedTuple

from edge_mrl.backends import Backend, import_engine, open_backend
from edge_mrl.bundle.manifest import Variant
from edge_mrl.bundle.reader import Bundle
from edge_mrl.meanwhile import Meanwhile
from edge_mrl.tokenization import TextTokenizer


class EncoderParts(NamedTuple):
    """A variant that is ready to run; `max_tokens` is where its texts are cut, None for nowhere."""

    bundle: Bundle
    variant: Variant
    tokenizer: TextTokenizer
    max_tokens: int | None
    backend: Backend


def load_parts(
    bundle: Bundle, variant: Variant, threads: int, max_tokens: int | None
) -> EncoderParts:
    """Load a variant; no file is used before its size and SHA-256 were found to be right.

    Raises:
        BundleError: a file is missing or damaged, or the engine does not accept it.
        BackendMissingError: the engine is not installed.
    """
    info = bundle.manifest.tokenizer._replace(max_tokens=max_tokens)

    with Meanwhile(lambda: [bundle.checked(file) for file in variant.files]) as checking:
        import_engine(variant)
        files = checking.result()
    with Meanwhile(lambda: TextTokenizer(bundle.checked(info.path), info)) as reading:
        backend = open_backend(variant, files, pad_id=info.pad_id, threads=threads)
        return EncoderParts(bundle, variant, reading.result(), max_tokens, backend)
