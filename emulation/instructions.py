"""Instructions of one embedding and one search on emulated processors: a cost that is the same at
every run, while emulated times mean nothing. The program marks where the repetitions that count
begin and end, so that starting and loading drop out, and the first repetitions with what they load;
loading alone takes hundreds of millions of instructions, and not as many each time."""

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


@dataclass(frozen=True, slots=True)
class Times:
    """Repetitions: those that come first and do not count, and those that do."""

    first: int
    counted: int


CHEAP = Times(40, 200)
"""Each of a search's 20 queries twice, then ten times."""

TRANSFORMER = Times(2, 4)


@dataclass(frozen=True, slots=True)
class Work:
    """Something that is counted.

    Attributes:
        name: its row in the table.
        install: the installation that runs it.
        arguments: of `emulation.on_board.repeating`, without the number of times.
        times: repetitions.
    """

    name: str
    install: str
    arguments: tuple[str, ...]
    times: Times


def embedding(name: str, install: str, bundle: str, variant: str, *, transformer: bool) -> Work:
    """One embedding of a short query."""
    times = TRANSFORMER if transformer else CHEAP
    return Work(name, install, ("embed", f"{WORK}/bundles/{bundle}", variant), times)


def searching(bits: int) -> Work:
    """One search by vector."""
    arguments = ("search", f"{WORK}/indexes/{bits}.db", f"{WORK}/indexes/queries.npy")
    return Work(f"search, {bits}-bit scan", "static", arguments, CHEAP)


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
    # Nothing counts here: it compiles what is imported.
    _run(guests[0], [], work, Times(0, 1))
    counts = []
    for guest in guests:
        begun, ended = marked(_run(guest, counting, work, work.times))
        counts.append(round((ended - begun) / work.times.counted))
    return counts


def marked(said: str) -> list[int]:
    """Instructions up to each mark, from what the plugin wrote among other things."""
    return [int(number) for number in re.findall(r"^instructions (\d+)$", said, re.MULTILINE)]


def _run(guest: Guest, counting: Sequence[str], work: Work, times: Times) -> str:
    """What a run wrote on standard error."""
    command = [*counting, guest.python, "-m", "emulation.on_board.repeating"]
    command += [*work.arguments, str(times.first), str(times.counted)]
    done = guest.run(work.install, command, timeout=SECONDS, variables=FIXED)
    if done.returncode:
        raise RuntimeError(f"{work.name} failed on {guest.board.cpu}: {done.stderr[-2000:]}")
    return done.stderr


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
