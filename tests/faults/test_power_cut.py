"""The power goes while an index is written; a short form, `scripts/power-cut` does it more often.

The file system loses everything that it had not flushed. What this cannot show is a disk that
itself loses what it said was flushed."""

import time

import numpy as np
import pytest

from edge_mrl.index import reslice_index
from tests.faults.history import DIM, acknowledged, check, new_index, writer


def cut_during(disk, process, seconds):
    """Cut the power so long after the first batch; what the writer had said, then."""
    lines = [process.stdout.readline()]
    time.sleep(seconds)
    disk.cut_power()
    # It cannot store anything any more. What it said before is still in the pipe.
    process.kill()
    lines += process.stdout.read().splitlines()
    process.wait()
    disk.unmount()
    assert disk.mount()
    return lines


@pytest.mark.parametrize("kind", ["durable", "bulk"])
def test_power_cuts(mounted, rounds, kind):
    disk = mounted("image", 256)
    path = disk.folder / "i.db"
    new_index(path)
    held = lost = 0
    moments = np.random.default_rng(7).uniform(0, 0.7, rounds)
    for number, seconds in enumerate(moments):
        with writer(path, first=held, kind=kind) as process:
            stored = acknowledged(cut_during(disk, process, seconds))
        before, held = held, check(path)
        assert held >= before
        if kind == "durable":
            assert stored <= held <= stored + 1
        lost += max(0, stored - held)
        print(f"cut {number + 1}, {kind}: {stored - before} batches acknowledged, {held} held")
    print(f"{kind}: {rounds} cuts, {lost} acknowledged batches lost")


def test_a_bulk_load_that_has_ended_is_on_the_disk(mounted, rounds):
    disk = mounted("image", 256)
    path = disk.folder / "i.db"
    new_index(path)
    for number in range(rounds):
        first = 15 * number
        with writer(path, first=first, batches=15, kind="bulk") as process:
            lines = []
            while not lines or lines[-1] != "ended\n":
                lines.append(process.stdout.readline())
            disk.cut_power()
            process.kill()
        disk.unmount()
        assert disk.mount()
        assert check(path) == first + 15


def test_a_new_file_is_whole_as_soon_as_it_has_its_name(mounted, rounds):
    disk = mounted("image", 256)
    path, place = disk.folder / "i.db", disk.folder / "cut.db"
    new_index(path)
    with writer(path, batches=25) as process:
        process.communicate(timeout=100)
    for _ in range(rounds):
        reslice_index(path, place, DIM).close()
        disk.cut_power()
        disk.unmount()
        assert disk.mount()
        assert check(place) == check(path) == 25
        place.unlink()
