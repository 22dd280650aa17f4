"""The steps of a long command, as they begin."""

from __future__ import annotations

import sys
import time

from edge_mrl.cli.output import print_text


class StepPrinter:
    """Names each step on standard error with the time since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, step: str) -> None:
        """Print one step."""
        print_text(f"[{time.monotonic() - self._start:5.1f} s] {step}", file=sys.stderr, flush=True)
