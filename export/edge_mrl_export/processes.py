"""Whether another process still runs."""

from __future__ import annotations

import os


def runs(process: int) -> bool:
    """Whether another process of this number is there; one of another user's counts too."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
