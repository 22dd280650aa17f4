"""Instructions of one embedding and one search on emulated processors: a cost that is the same at
every run, while emulated times mean nothing. Counted as the difference between more and fewer
repetitions, so that starting and loading drop out."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emulation.guest import WORK, Guest
from emulation.roots import CHECKOUT

SECONDS = 900
HOST = "host"
"""In the shared folder: qemu with the libraries of the machine that emulates, for the qemu that
takes plugins is linked to them."""

FIXED = {
    "OPENBLAS_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "PYTHONHASHSEED": "0",
}
"""What would make one run differ from another."""

FEW_AND_MANY = (20, 220)
"""Repetitions of what is cheap beside loading, whose own count varies by some parts in ten
thousand, as its threads wait for one another."""


@dataclass(frozen=True, slots=True)
class Work:
    """Something that is counted.

    Attributes:
        name: its row in the table.
        install: the installation that runs it.
        arguments: of `emulation.on_board.repeating`, without the number of times.
        times: fewer and more repetitions.
    """

    name: str
    install: str
    arguments: tuple[str, ...]
    times: tuple[int, int]


def embedding(name: str, install: str, bundle: str, variant: str) -> Work:
    """One embedding of a short query."""
    times = FEW_AND_MANY if install == "static" else (2, 6)
    return Work(name, install, ("embed", f"{WORK}/bundles/{bundle}", variant), times)


def searching(bits: int) -> Work:
    """One search by vector."""
    arguments = ("search", f"{WORK}/indexes/{bits}.db", f"{WORK}/indexes/queries.npy")
    return Work(f"search, {bits}-bit scan", "static", arguments, FEW_AND_MANY)


def prepare(work: Path, machine: str) -> list[str]:
    """Compile the plugin, and put it with qemu and its libraries into a shared folder.

    Args:
        work: the shared folder.
        machine: the board's, as qemu's program is named after it.

    Returns:
        The command, as seen on the board, that runs a program and counts.

    Raises:
        subprocess.CalledProcessError: there is no C compiler or no qemu.
    """
    folder = work / HOST
    folder.mkdir(exist_ok=True)
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-fvisibility=hidden"]
    source = CHECKOUT / "emulation" / "counter.c"
    subprocess.run(["cc", *flags, "-o", str(folder / "counter.so"), str(source)], check=True)
    program = shutil.which(f"qemu-{machine}") or f"qemu-{machine}"
    linked = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    libraries = [Path(path) for path in re.findall(r"(/\S+) \(0x", linked)]
    for file in (Path(program), *libraries):
        shutil.copy(file, folder)
    (loader,) = (file.name for file in libraries if file.name.startswith("ld-"))
    at = f"{WORK}/{HOST}"
    command = [f"{at}/{loader}", "--library-path", at, f"{at}/qemu-{machine}"]
    return [*command, "-plugin", f"{at}/counter.so"]


def count(guests: Sequence[Guest], counting: Sequence[str], work: Work) -> list[int]:
    """Instructions of one repetition on each board.

    Args:
        guests: boards with the same root.
        counting: the command from `prepare`.
        work: what is repeated.

    Raises:
        RuntimeError: the work failed on a board; with what it said.
    """
    # The first run compiles what it imports, and so costs more.
    _total(guests[0], [], work, 1)
    few, many = work.times
    return [
        round((_total(one, counting, work, many) - _total(one, counting, work, few)) / (many - few))
        for one in guests
    ]


def _total(guest: Guest, counting: Sequence[str], work: Work, times: int) -> int:
    """Instructions of a whole run; 0 where nothing counts."""
    command = [*counting, guest.python, "-m", "emulation.on_board.repeating"]
    command += [*work.arguments, str(times)]
    done = guest.run(work.install, command, timeout=SECONDS, variables=FIXED)
    found = re.search(r"^instructions (\d+)$", done.stderr, re.MULTILINE)
    if done.returncode or (counting and found is None):
        raise RuntimeError(f"{work.name} failed on {guest.board.cpu}: {done.stderr[-2000:]}")
    return int(found[1]) if found else 0


def table(rows: Sequence[tuple[str, Sequence[int]]], columns: Sequence[str]) -> str:
    """Counts as a Markdown table."""
    lines = [f"| | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    for name, counts in rows:
        lines.append(f"| {name} | {' | '.join(f'{value:,}' for value in counts)} |")
    return "\n".join(lines) + "\n"


def parse(text: str) -> dict[tuple[str, str], int]:
    """(row, column) -> count, from a text that holds such a table."""
    found = {}
    columns: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| |"):
            columns = cells[1:]
        elif columns and len(cells) == len(columns) + 1 and cells[1][:1].isdigit():
            for column, cell in zip(columns, cells[1:], strict=True):
                found[cells[0], column] = int(cell.replace(",", ""))
    return found


def changes(
    before: dict[tuple[str, str], int], after: dict[tuple[str, str], int], tolerance: float
) -> list[str]:
    """What costs more or less than before by more than a part, one sentence each; what was not
    counted before is left out."""
    said = []
    for (name, column), now in after.items():
        then = before.get((name, column), now)
        if abs(now - then) > tolerance * then:
            said.append(f"{name} on {column}: {then:,} before, {now:,} now ({now / then - 1:+.1%})")
    return said
