"""System calls that fail or kill, produced by strace; a short form, `scripts/faults` does more."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from edge_mrl.index import Index
from tests.faults.history import acknowledged, check, new_index, writer

BATCHES = 40
"""About 50 calls of pwrite64 and one or two of fdatasync each."""


@pytest.fixture(scope="module")
def strace():
    """The words before a command that make the nth of some calls fail."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    if subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"]).returncode:
        pytest.skip("strace may not trace here")

    def words(calls, what):
        return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={calls}:{what}"]

    return words


def places(rounds, first, highest):
    """Which call of a run is hit: the same ones each time."""
    drawn = np.random.default_rng(5).integers(1, highest, 2 * (rounds - 1))
    return sorted({*first, *drawn.tolist()})


def disturbed(path, before):
    """Run the writer under strace to its end; what it said, and its exit code."""
    new_index(path)
    with writer(path, batches=BATCHES, before=before) as process:
        out, err = process.communicate(timeout=100)
    assert "Traceback" not in err
    return out.splitlines(), process.returncode


def test_no_space_left(tmp_path, strace, rounds):
    for place in places(rounds, (3, 400), 1500):
        path = tmp_path / f"{place}.db"
        lines, code = disturbed(path, strace("pwrite64", f"error=ENOSPC:when={place}+"))
        stored = acknowledged(lines)
        held = check(path)
        print(f"ENOSPC from pwrite64 {place} on: {stored} of {BATCHES} acknowledged, {held} held")
        assert code == 3
        assert lines[-1].startswith("given up") and "disk is full" in lines[-1]
        assert held == stored


@pytest.mark.parametrize("calls", ["fsync,fdatasync", "pwrite64"])
def test_an_error_of_the_disk_that_passes(tmp_path, strace, rounds, calls):
    """The batch that met it is refused, stored whole when it is tried again, and none is lost."""
    refused = 0
    for place in places(rounds, (3, 20), 60):
        path = tmp_path / f"{place}.db"
        lines, code = disturbed(path, strace(calls, f"error=EIO:when={place}"))
        held = check(path)
        mine = [line for line in lines if line.startswith("refused")]
        print(f"EIO at {calls} {place}: {len(mine)} refused, {acknowledged(lines)} acknowledged")
        refused += len(mine)
        assert all("could not be read or written" in line for line in mine)
        assert held == acknowledged(lines)
        # Where even opening failed, nothing was begun.
        assert (code, held) == ((0, BATCHES) if mine or held else (3, 0))
    assert refused


def test_killed_while_it_writes(tmp_path, strace, rounds):
    for place in places(rounds, (3, 400), 1500):
        path = tmp_path / f"{place}.db"
        lines, code = disturbed(path, strace("pwrite64", f"signal=KILL:when={place}"))
        stored = acknowledged(lines)
        held = check(path)
        print(f"KILL at pwrite64 {place}: {stored} of {BATCHES} acknowledged, {held} held")
        assert code == -9
        # The batch under way may be whole or absent.
        assert stored <= held <= stored + 1


READER = """
import sys, numpy as np
from edge_mrl.errors import IndexFileError
from edge_mrl.index import Index
try:
    with Index.open(sys.argv[1]) as index:
        print(index.search(np.ones(16), k=1)[0].id)
except IndexFileError as error:
    print("refused", error)
"""


def test_a_disk_that_cannot_be_read(tmp_path, strace, rounds):
    path = tmp_path / "i.db"
    new_index(path)
    with writer(path, batches=BATCHES) as process:
        process.communicate(timeout=100)
    with Index.open(path) as index:
        best = index.search(np.ones(16), k=1)[0].id
    said = set()
    for place in places(rounds, (1, 3, 12), 60):
        # Nothing but the index is read with pread64 once Python runs.
        words = [*strace("pread64", f"error=EIO:when={place}"), "-P", str(path)]
        done = subprocess.run(
            [*words, sys.executable, "-c", READER, str(path)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        said.add(done.stdout.split()[0])
        print(f"EIO at pread64 {place}: {done.stdout.strip()}")
        # SQLite itself calls a page that cannot be read damage.
        refused = "could not be read" in done.stdout or "is damaged" in done.stdout
        assert refused or done.stdout.strip() == str(best), done.stderr
    assert "refused" in said
    assert check(path) == BATCHES
