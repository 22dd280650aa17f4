"""The power goes while an index is written; a short form, `scripts/power-cut` does it more often.

The file system loses everything that it had not flushed. What this cannot show is a disk that
itself loses what it said was flushed."""

import threading
import time

import numpy as np
import pytest

from edge_mrl.index import reslice_index
from tests.faults.history import DIM, acknowledged, check, new_index, writer


def cut_during(disk, process, seconds):
    """Cut the power so long after the first batch.

    Returns:
        How many batches had been acknowledged when it went, and how many the writer has named at
        all. A program that outlives its disk may still name one: a flush that the cut overtook is
        reported as done by some kernels. Nobody could have heard of it on a machine without power.
    """
    lines = [process.stdout.readline()]
    assert lines[0].startswith("stored "), lines[0] + process.stderr.read()
    listener = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")))
    listener.start()
    time.sleep(seconds)
    heard = acknowledged(list(lines))
    disk.cut_power()
    process.kill()
    listener.join()
    process.wait()
    disk.unmount()
    assert disk.mount()
    return heard, acknowledged(lines)


@pytest.mark.parametrize("kind", ["durable", "bulk"])
def test_power_cuts(mounted, rounds, kind):
    disk = mounted("image", 256)
    path = disk.folder / "i.db"
    new_index(path)
    held = lost = 0
    moments = np.random.default_rng(7).uniform(0, 0.7, rounds)
    for number, seconds in enumerate(moments):
        with writer(path, first=held, kind=kind) as process:
            heard, named = cut_during(disk, process, seconds)
        before, held = held, check(path)
        assert before <= held <= named + 1
        if kind == "durable":
            assert held >= heard
        lost += max(0, heard - held)
        print(f"cut {number + 1}, {kind}: {heard} batches acknowledged, {named} named, {held} held")
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
