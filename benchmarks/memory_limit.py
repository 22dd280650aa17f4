"""A memory control group with a hard limit: what does not fit is killed by the kernel.

Works with version 1 and version 2 of control groups, as root, where their file system is mounted.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_DROP = Path("/proc/sys/vm/drop_caches")

KILLED = -9


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command.

    Attributes:
        code: its exit code; -9 where it was killed.
        out: what it printed.
        err: what it printed on standard error.
        killed: whether the kernel killed it for want of memory.
        peak_bytes: the most that the group held, page cache included.
        seconds: from start to end.
    """

    code: int
    out: str
    err: str
    killed: bool
    peak_bytes: int
    seconds: float


def unavailable() -> str | None:
    """Why limits cannot be set here, or None where they can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "memory limits need root"
    if _folder() is None:
        return "no memory control group is mounted below /sys/fs/cgroup"
    name = f"edge-mrl-{os.getpid()}-try"
    try:
        group = _make(name, 2**26)
        group.rmdir()
    except OSError as error:
        return f"no memory control group can be made: {error.strerror or error}"
    return None


def drop_caches() -> bool:
    """Empty the page cache, so that what a command reads is charged to its own group.

    Returns:
        Whether that was allowed.
    """
    try:
        os.sync()
        _DROP.write_text("3")
    except OSError:
        return False
    return True


def run_limited(
    command: Sequence[str], limit_bytes: int, *, timeout: float = 600, **environment: str
) -> Outcome:
    """Run a command with a hard limit on its memory, page cache included, and without swap.

    Args:
        command: the program and its arguments.
        limit_bytes: the limit.
        timeout: seconds after which it is given up.
        environment: variables that it gets besides those of this process.

    Raises:
        OSError: no group can be made; see `unavailable`.
        subprocess.TimeoutExpired: it took too long.
    """
    group = _make(f"edge-mrl-{os.getpid()}-{time.monotonic_ns()}", limit_bytes)
    try:
        start = time.monotonic()
        # The shell joins the group before it becomes the command, so nothing is left outside.
        entered = ["/bin/sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh", *command]
        done = subprocess.run(
            entered,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=os.environ | environment,
        )
        seconds = time.monotonic() - start
        killed, peak = _kills(group) > 0, _peak(group)
    finally:
        _remove(group)
    return Outcome(done.returncode, done.stdout, done.stderr, killed, peak, seconds)


def _folder() -> Path | None:
    """Where groups with a memory limit are made."""
    if (_ROOT / "memory" / "memory.limit_in_bytes").exists():
        return _ROOT / "memory"
    controllers = _ROOT / "cgroup.controllers"
    if controllers.exists() and "memory" in controllers.read_text().split():
        return _ROOT
    return None


def _make(name: str, limit: int) -> Path:
    parent = _folder()
    if parent is None:
        raise OSError("no memory control group is mounted")
    if parent == _ROOT:
        (_ROOT / "cgroup.subtree_control").write_text("+memory")
    group = parent / name
    group.mkdir()
    try:
        if parent == _ROOT:
            (group / "memory.max").write_text(f"{limit}")
            _write_if_there(group / "memory.swap.max", "0")
        else:
            (group / "memory.limit_in_bytes").write_text(f"{limit}")
            _write_if_there(group / "memory.memsw.limit_in_bytes", f"{limit}")
    except OSError:
        group.rmdir()
        raise
    return group


def _write_if_there(file: Path, text: str) -> None:
    if file.exists():
        file.write_text(text)


def _kills(group: Path) -> int:
    for name in ("memory.events", "memory.oom_control"):
        if (group / name).exists():
            pairs = (line.split() for line in (group / name).read_text().splitlines())
            return next((int(value) for key, value in pairs if key == "oom_kill"), 0)
    return 0


def _peak(group: Path) -> int:
    for name in ("memory.peak", "memory.max_usage_in_bytes"):
        if (group / name).exists():
            return int((group / name).read_text())
    return 0


def _remove(group: Path) -> None:
    """A group goes when its last process has; the kernel takes a moment to notice."""
    for _ in range(50):
        try:
            group.rmdir()
        except OSError:
            time.sleep(0.1)
        else:
            return
