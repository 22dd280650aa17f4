"""What importing takes, over numpy and tokenizers: CPU time and resident memory, the least of many.

python -m benchmarks.imports [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys

from benchmarks.machine import describe

BASE = "import numpy, tokenizers"
STATEMENTS = (
    "import edge_mrl",
    "from edge_mrl import Encoder, Index",
    "from edge_mrl import Encoder, Index, plan",
)


def measured(statement: str) -> tuple[float, float]:
    """CPU milliseconds and resident MB of a Python that runs one statement."""
    code = f"{statement}\nprint(open('/proc/self/statm').read().split()[1])"
    # Compiled modules are kept, as wherever the package is installed.
    kept = {name: at for name, at in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # A thread of numpy's BLAS waits in a loop for work, and would be counted with what is imported.
    kept["OPENBLAS_NUM_THREADS"] = "1"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=kept
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1e3 * spent, int(done.stdout) * 4096 / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    for name, value in describe().items():
        print(f"{name}: {value}")
    listed = (BASE, *(f"{BASE}; {statement}" for statement in STATEMENTS))
    best = dict.fromkeys(listed, (float("inf"), float("inf")))
    # In turn, so that whatever else the machine does falls on all of them.
    for _ in range(given.rounds):
        for statement in listed:
            best[statement] = tuple(map(min, best[statement], measured(statement)))
    milliseconds, megabytes = best[BASE]
    print(f"\n{BASE}: {milliseconds:.0f} ms, {megabytes:.1f} MB")
    for statement in STATEMENTS:
        found = best[f"{BASE}; {statement}"]
        print(f"{statement}: {found[0] - milliseconds:+.0f} ms, {found[1] - megabytes:+.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
