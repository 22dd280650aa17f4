"""What a voice assistant is asked to do: an utterance to one of a few intents, within a time.

python examples/intents.py BUNDLE BUDGET_MS [UTTERANCE]

Takes the widest slice of the model's vectors that answers within the budget on this machine,
measured before the first utterance. Without one it reads utterances, one a line.
"""

import sys
import time
from dataclasses import dataclass
from typing import Self

import numpy as np

from edge_mrl import Bundle, Encoder

INTENTS = {
    "lights on": ["turn on the light", "switch the lamp on", "it is too dark in here"],
    "lights off": ["turn off the light", "switch the lamp off", "make it dark"],
    "play music": ["play a song", "put on some jazz", "I want to hear the radio"],
    "set a timer": [
        "wake me in ten minutes",
        "start a countdown",
        "remind me when the egg is done",
    ],
    "weather": ["will it rain tomorrow", "how warm is it outside", "do I need an umbrella"],
}
FAR = 0.35
"""An utterance less like every phrase than this asks for something else. Tune it on your own."""

TRIALS = 50


@dataclass
class Matcher:
    encoder: Encoder
    names: list[str]
    phrases: np.ndarray  # (n, dim), unit rows: a dot product is a cosine

    @classmethod
    def of(cls, encoder: Encoder) -> Self:
        pairs = [(name, phrase) for name, phrases in INTENTS.items() for phrase in phrases]
        vectors = encoder.encode_document([phrase for _, phrase in pairs])
        return cls(encoder, [name for name, _ in pairs], vectors)

    def match(self, utterance: str) -> tuple[str | None, float]:
        """The intent, or None where none is near; and the cosine of its nearest phrase."""
        cosines = self.phrases @ self.encoder.encode_query(utterance)
        nearest = int(cosines.argmax())
        score = float(cosines[nearest])
        return (self.names[nearest] if score >= FAR else None), score

    def p95_ms(self) -> float:
        """What one utterance in twenty takes longer than."""
        texts = [phrase for phrases in INTENTS.values() for phrase in phrases]
        self.match(texts[0])
        taken = []
        for number in range(TRIALS):
            began = time.perf_counter()
            self.match(texts[number % len(texts)])
            taken.append(time.perf_counter() - began)
        return float(np.quantile(taken, 0.95)) * 1000


def widest_within(bundle: str, budget_ms: float) -> tuple[Matcher, float]:
    sizes = Bundle.open(bundle).manifest.embedding.matryoshka_dims
    for dim in sorted(sizes, reverse=True):
        matcher = Matcher.of(Encoder.load(bundle, truncate_dim=dim))
        needed = matcher.p95_ms()
        if needed <= budget_ms:
            return matcher, needed
    sys.exit(
        f"the smallest slice, {dim} dimensions, needs {needed:.2f} ms at the 95th percentile: "
        f"allow more than {budget_ms:g} ms, or export a smaller model"
    )


def main(bundle: str, budget: str, *utterances: str) -> None:
    matcher, needed = widest_within(bundle, float(budget))
    print(f"{matcher.encoder.dim} dimensions, {needed:.2f} ms at the 95th percentile")
    for utterance in utterances or map(str.strip, sys.stdin):
        intent, score = matcher.match(utterance)
        print(f"{score:.3f}  {intent or 'something else'}", flush=True)


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
