"""Folders for what an export needs only while it works: up to the model's size in float32."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
import weakref
from pathlib import Path
from types import TracebackType

from edge_mrl.errors import ExportError
from edge_mrl.processes import is_another_running

_PREFIX = f"edge-mrl-{hashlib.sha256(platform.node().encode()).hexdigest()[:8]}-"
"""Machines may share a folder; of another one's processes nothing is known here."""


class Scratch:
    """An empty folder below the system's folder for temporary files (`TMPDIR`).

    It goes with the block, with this object or with the interpreter, whichever comes first. What a
    SIGKILL leaves, the next one on this machine clears away.

    Args:
        needed: bytes that will be written to it.

    Raises:
        ExportError: the disk has not that many.
    """

    def __init__(self, needed: int = 0) -> None:
        parent = Path(tempfile.gettempdir())
        _clear_leftovers(parent)
        free = shutil.disk_usage(parent).free
        if free < needed:
            raise ExportError(
                f"the export needs {needed / 1e9:.1f} GB for temporary files and {parent} has "
                f"{free / 1e9:.1f}: free some space there, or name another folder with TMPDIR"
            )
        self.path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        self.remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()


def _clear_leftovers(parent: Path) -> None:
    for path in parent.glob(f"{_PREFIX}*"):
        process, _, _ = path.name.removeprefix(_PREFIX).partition("-")
        if (
            process.isdigit()
            and int(process) != os.getpid()
            and not is_another_running(int(process))
        ):
            # Where it is a link, or another user's, rmtree leaves it alone.
            shutil.rmtree(path, ignore_errors=True)
