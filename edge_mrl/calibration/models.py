"""A bundle's variants, timed at several lengths."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from edge_mrl.backends import available
from edge_mrl.bundle import Bundle
from edge_mrl.calibration.load import Repeats
from edge_mrl.encoder import Encoder
from edge_mrl.profiles.encoder_times import EncoderTimes

LENGTHS = (8, 16, 32, 64, 128, 256)
SECONDS = 1.5
"""For one length of one variant; at least one repeat is made however long it takes."""

_MOST = 15
_TEXT = "the time of a year is not the way that people see in the day or the work of"
_WORDS = tuple(_TEXT.split(" "))


def runnable(path: Path) -> list[str]:
    """The variants of a bundle that have an engine here.

    Raises:
        BundleError: there is no such bundle.
    """
    return [one.name for one in Bundle.open(path).manifest.variants if available(one)]


def time_variant(path: Path, variant: str) -> tuple[EncoderTimes, list[Repeats]]:
    """Time one variant, alone, on one thread.

    Raises:
        BundleError: the bundle or the variant cannot be used.
    """
    encoder = Encoder.load(path, variant=variant, threads=1, self_test=False)
    measured = [(tokens, _times(encoder, variant, text)) for tokens, text in _texts(encoder)]
    seconds = tuple((tokens, repeats.best) for tokens, repeats in measured)
    times = EncoderTimes(encoder.identity, variant, seconds)
    return times, [repeats for _, repeats in measured]


def _texts(encoder: Encoder) -> Iterator[tuple[int, str]]:
    """Texts of about `LENGTHS` tokens, with the number that they really have."""
    last = 0
    for wanted in LENGTHS:
        words = [_WORDS[number % len(_WORDS)] for number in range(wanted)]
        while words and encoder.count_tokens([" ".join(words)])[0] > wanted:
            words.pop()
        (tokens,) = encoder.count_tokens([" ".join(words)])
        if tokens > last:
            last = tokens
            yield tokens, " ".join(words)


def _times(encoder: Encoder, variant: str, text: str) -> Repeats:
    encoder.encode(text, prompt="")
    seconds: list[float] = []
    begun = time.perf_counter()
    while not seconds or (len(seconds) < _MOST and time.perf_counter() - begun < SECONDS):
        # One thread, so its own time is all; see `device.repeat`.
        start = time.process_time()
        encoder.encode(text, prompt="")
        seconds.append(time.process_time() - start)
    return Repeats(f"embedding with {variant}", tuple(seconds))
