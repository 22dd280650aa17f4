"""`edge-mrl serve` under load: requests one after another and from several clients at once, then
more at once than it takes. None may be lost: each is answered, and with the right vector.

    python -m benchmarks.serve BUNDLE --json

The server is a process of its own, the clients are threads of this one; both share the machine. A
request is one text of a dozen words to `/v1/embeddings`, over connections that are kept."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from benchmarks.machine import describe
from edge_mrl import Encoder
from edge_mrl.cli.output import format_table

_MAIN = "import sys; from edge_mrl.cli.main import main; sys.exit(main(sys.argv[1:]))"
_WORDS = "search the manual for how to replace a worn bearing number"


@dataclass
class Row:
    """One load: what was asked, how it was answered, milliseconds and memory."""

    what: str
    requests: int
    answered: int
    refused: int
    lost: int
    per_second: float
    p50_ms: float
    p99_ms: float
    memory_mib: float


class Served:
    """A running server."""

    def __init__(self, bundle: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _MAIN, "serve", str(bundle), "--port", "0", "--json", *options],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        ready = json.loads(self.process.stdout.readline())
        self.place = urlsplit(ready["address"])
        self.model = ready["model"]

    def memory_mib(self) -> float:
        """Highest resident memory so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *raised: object) -> None:
        self.process.terminate()
        if self.process.wait(20) != 0:
            raise RuntimeError("the server did not end as it should")


@dataclass
class Client:
    """One connection's requests and what came of them."""

    seconds: list[float]
    refused: int = 0
    wrong: int = 0


def run_client(served: Served, wanted: dict[str, np.ndarray], texts: list[str]) -> Client:
    """Ask for each text in turn."""
    client = Client([])
    connection = http.client.HTTPConnection(served.place.hostname, served.place.port, timeout=60)
    with contextlib.closing(connection):
        for text in texts:
            body = json.dumps({"model": served.model, "input": text})
            start = time.perf_counter()
            try:
                headers = {"Content-Type": "application/json"}
                connection.request("POST", "/v1/embeddings", body, headers)
                answer = connection.getresponse()
                content = answer.read()
            except OSError:
                connection.close()
                client.wrong += 1
                continue
            seconds = time.perf_counter() - start
            if answer.status == 429:
                client.refused += 1
            elif answer.status == 200 and np.allclose(
                json.loads(content)["data"][0]["embedding"], wanted[text], atol=1e-5
            ):
                client.seconds.append(seconds)
            else:
                client.wrong += 1
    return client


def load(what: str, served: Served, encoder: Encoder, clients: int, each: int) -> Row:
    """So many clients, each with so many requests."""
    texts = [
        [f"{_WORDS} {client * each + number}" for number in range(each)]
        for client in range(clients)
    ]
    flat = [text for part in texts for text in part]
    wanted = dict(zip(flat, encoder.encode(flat), strict=True))
    results: list[Client] = []

    def work(part: list[str]) -> None:
        results.append(run_client(served, wanted, part))

    threads = [threading.Thread(target=work, args=(part,)) for part in texts]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - start
    seconds = np.array([one for result in results for one in result.seconds])
    refused = sum(result.refused for result in results)
    return Row(
        what,
        len(flat),
        len(seconds),
        refused,
        len(flat) - len(seconds) - refused,
        round(len(seconds) / wall),
        round(1000 * float(np.percentile(seconds, 50)), 2),
        round(1000 * float(np.percentile(seconds, 99)), 2),
        round(served.memory_mib(), 1),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="edge-mrl serve under load")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--requests", type=int, default=1000, help="one after another")
    parser.add_argument("--each", type=int, default=100, help="of each of the 8 clients")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    encoder = Encoder.load(arguments.bundle)
    with Served(arguments.bundle) as served:
        load("warm up", served, encoder, 1, 20)
        rows = [
            load("one after another", served, encoder, 1, arguments.requests),
            load("8 clients at once", served, encoder, 8, arguments.each),
        ]
    with Served(arguments.bundle, "--max-concurrent", "2") as served:
        rows.append(load("32 clients, 2 at once taken", served, encoder, 32, arguments.each))
    machine = describe()
    if arguments.json:
        print(json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}, indent=2))
    else:
        print(", ".join(f"{name} {value}" for name, value in machine.items()))
        names = [field.name for field in fields(Row)]
        print(format_table(names, [[str(value) for value in asdict(row).values()] for row in rows]))
    return 1 if any(row.lost for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
