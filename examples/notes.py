"""A notebook on the terminal that is searched by meaning.

python examples/notes.py BUNDLE NOTES.db [QUESTION]

Without a question it reads lines: one that begins with + is kept as a note, any other is a
question.
Make the bundle first: edge-mrl export wordllama -o BUNDLE
"""

import sys
from collections.abc import Iterable

from edge_mrl import Encoder, Index

FIRST_NOTES = [
    "The spare key hangs behind the fuse box.",
    "Descale the kettle on the first Sunday of the month.",
    "The router restarts when the red button is held for ten seconds.",
    "Heron seen at the mill pond, two chicks.",
    "Sourdough: feed the starter the evening before, bake at 240 degrees.",
]


def converse(index: Index, lines: Iterable[str]) -> None:
    for line in map(str.strip, lines):
        if line.startswith("+"):
            # On the disk when add returns, even if the plug is pulled next.
            index.add([line[1:].strip()])
            print(f"kept; {index.count()} notes")
        elif line:
            for hit in index.search(line, k=2):
                print(f"{hit.score:.3f}  {hit.text}")


def main(bundle: str, place: str, *question: str) -> None:
    # "auto" is this machine; the profile decides which slice of the vectors it affords, and which
    # variant runs.
    encoder = Encoder.load(bundle, profile="auto", documents=1000)
    with Index.open(place, encoder) as index:
        if not index.count():
            index.add(FIRST_NOTES)
        converse(index, question or sys.stdin)


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
