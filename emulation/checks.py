"""Runs the checks on boards: one pytest a board and installation, in the board's own Python."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulation.boards import Board
from emulation.guest import SITE, WORK, Guest
from emulation.roots import CHECKOUT, Root

SECONDS = 900
"""Longest for one installation on one board: an emulated encoder takes seconds for each text."""

EVERYWHERE = ("test_encoder.py",)
"""Checks of an engine, which every installation runs."""

ONCE = ("test_kernel.py", "test_index.py", "test_commands.py")
"""Checks that no engine matters to, run with the first installation."""

RUNTIME_TESTS = (
    "kernel/test_dispatch.py",
    "kernel/test_funnels.py",
    "kernel/test_rows.py",
    "kernel/test_scans.py",
    "kernel/test_second_looks.py",
    "index/storage/test_processes.py",
)
"""Of the project's tests those of the parts that differ by processor and system."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one installation on one board.

    Attributes:
        board: the processor.
        install: the installation.
        passed: whether every check passed.
        summary: pytest's last line.
        output: all that it said.
        seconds: how long it took, emulated.
    """

    board: Board
    install: str
    passed: bool
    summary: str
    output: str
    seconds: float


def install_wheel(guest: Guest, wheels: Path) -> str:
    """Let the board's own pip choose among the wheels and install one.

    Args:
        guest: the board.
        wheels: folder of wheels for several machines.

    Returns:
        The name of the wheel that it chose.

    Raises:
        RuntimeError: none fits; with pip's words.
    """
    offered = guest.work / "wheels"
    shutil.copytree(wheels, offered, dirs_exist_ok=True)
    (pip,) = (guest.root.folder / "usr/share/python-wheels").glob("pip-*.whl")
    command = [guest.python, "-m", "pip", "install", "--no-index", "--no-deps", "--no-compile"]
    command += ["--find-links", f"{WORK}/wheels", "--target", f"{WORK}/{SITE}", "edge-mrl"]
    shutil.rmtree(guest.work / SITE, ignore_errors=True)
    done = guest.run(
        "none",
        command,
        timeout=SECONDS,
        variables={"PYTHONPATH": f"/usr/share/python-wheels/{pip.name}"},
    )
    if done.returncode:
        raise RuntimeError(f"pip on {guest.root.recipe.name}: {done.stderr.strip()}")
    (record,) = (guest.work / SITE).glob("edge_mrl-*.dist-info")
    tags = [
        line.partition(": ")[2]
        for line in (record / "WHEEL").read_text().splitlines()
        if line.startswith("Tag: ")
    ]
    return tags[0]


def copy_checks(work: Path) -> None:
    """Put the checks and the project's tests where a board sees them."""
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("emulation/on_board", "tests/kernel", "tests/index"):
        shutil.copytree(CHECKOUT / name, work / name, ignore=ignore)
    shutil.copy(CHECKOUT / "emulation/__init__.py", work / "emulation")
    (work / "pytest.ini").write_text(
        "[pytest]\naddopts = --import-mode=importlib -p no:cacheprovider\npythonpath = .\n"
    )


def check(root: Root, boards: Sequence[Board], work: Path, *, short: bool) -> Iterator[Outcome]:
    """Run the checks.

    Args:
        root: a Debian root.
        boards: the processors to run it on.
        work: folder with `install_wheel`'s, `copy_checks`'s and the material's files.
        short: only the checks of kernel, index and commands.
    """
    for board in boards:
        guest = Guest(root, board, work)
        for install, _ in root.recipe.installs[: 1 if short else None]:
            first = install == root.recipe.installs[0][0]
            names = EVERYWHERE + ONCE if first else EVERYWHERE
            yield _run(guest, install, [f"{WORK}/emulation/on_board/{name}" for name in names])
            if first and not short:
                # In a process without an engine: importing the 32-bit tflite-runtime makes the
                # processor flush subnormal numbers to zero, which hypothesis refuses.
                yield _run(guest, install, [f"{WORK}/tests/{name}" for name in RUNTIME_TESTS])


def _run(guest: Guest, install: str, files: Sequence[str]) -> Outcome:
    board = guest.board
    facts = {
        "cpu": board.cpu,
        "model": board.model,
        "kernels": board.kernels,
        "absent": board.absent,
        "install": install,
    }
    command = [guest.python, "-m", "pytest", "-q", "-rsP", "--tb=short", "--rootdir", WORK, *files]
    began = time.monotonic()
    try:
        done = guest.run(
            install,
            command,
            timeout=SECONDS,
            variables={
                "EDGE_MRL_BOARD": json.dumps(facts),
                "EDGE_MRL_BOARD_WORK": WORK,
                "HYPOTHESIS_STORAGE_DIRECTORY": "/tmp/hypothesis",
                "ORT_DISABLE_TELEMETRY": "1",
            },
        )
        output, passed = done.stdout + done.stderr, done.returncode == 0
        summary = (done.stdout.strip().splitlines() or ["no answer"])[-1]
    except subprocess.TimeoutExpired as error:
        output, passed = str(error.stdout), False
        summary = f"not finished within {SECONDS} s"
    return Outcome(board, install, passed, summary, output, time.monotonic() - began)
