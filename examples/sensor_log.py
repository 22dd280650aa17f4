"""A log of what sensors report, searched while it grows.

python examples/sensor_log.py BUNDLE LOG.db QUESTION < EVENTS

Each line of EVENTS is a JSON object with "time", "sensor" and "text". Whenever another event
answers the question best, it is printed. Run again, the log goes on. Others may search it
meanwhile: edge-mrl search LOG.db QUESTION
"""

import json
import sys
import threading
from queue import SimpleQueue

from edge_mrl import Encoder, Index

LARGEST_BATCH = 256

Lines = SimpleQueue[str | None]


def read(lines: Lines) -> None:
    for line in sys.stdin:
        lines.put(line)
    lines.put(None)


def arrived(lines: Lines) -> list[str | None]:
    """Waits for a line, and takes along what else is there: `add` waits for the disk once, however
    many events it is given."""
    batch = [lines.get()]
    while len(batch) < LARGEST_BATCH and not lines.empty():
        batch.append(lines.get())
    return batch


def main(bundle: str, place: str, question: str) -> None:
    lines: Lines = SimpleQueue()
    threading.Thread(target=read, args=[lines], daemon=True).start()
    encoder = Encoder.load(bundle)
    query = encoder.encode_query(question)
    best, more = None, True
    with Index.open(place, encoder) as index:
        while more:
            batch = arrived(lines)
            more = None not in batch
            events = [json.loads(line) for line in batch if line is not None]
            index.add([event["text"] for event in events], metadata=events)
            for hit in index.search(query, k=1):
                if hit.id != best:
                    best, event = hit.id, hit.metadata
                    where = f"{event['time']}  {event['sensor']}"
                    print(f"{hit.score:.3f}  {where}: {hit.text}", flush=True)
        print(f"{index.count()} events")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
