"""How both programs end: with a sentence where something cannot be had, never with a traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence

from edge_mrl.errors import EdgeMrlError

BAD_INPUT = 2


def run(main: Callable[[Sequence[str]], int]) -> None:
    """Run a program with this process's arguments, and exit."""
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        problem = f"{error.cmd[0]} failed: is there a network, and space on the disk?"
    except (EdgeMrlError, RuntimeError) as error:
        problem = str(error)
    print(f"edge-mrl: {problem}", file=sys.stderr)
    sys.exit(BAD_INPUT)
