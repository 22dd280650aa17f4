"""A notebook that is searched by meaning.

python examples/notes.py BUNDLE NOTES.db [QUESTION]
Make the bundle first: edge-mrl export wordllama -o BUNDLE
"""

import sys

from edge_mrl import Encoder, Index

NOTES = [
    "The spare key hangs behind the fuse box.",
    "Descale the kettle on the first Sunday of the month.",
    "The router restarts when the red button is held for ten seconds.",
    "Heron seen at the mill pond, two chicks.",
    "Sourdough: feed the starter the evening before, bake at 240 degrees.",
]


def main(bundle: str, place: str, question: str = "how do I reset the internet") -> None:
    # The profile decides which slice of the vectors the board affords, and which variant runs.
    encoder = Encoder.load(bundle, profile="raspberry-pi-zero-2w", documents=1000)
    with Index.open(place, encoder) as index:
        if not index.count():
            index.add(NOTES)
        for hit in index.search(question, k=2):
            print(f"{hit.score:.3f}  {hit.text}")


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
