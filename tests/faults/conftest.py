"""How hard the faults are driven, and disks that are taken away again."""

import os

import pytest

from tests.faults.disks import image_disk, memory_disk, why_not


@pytest.fixture(scope="session")
def rounds():
    """How often each fault is produced: once in the tests, more in `scripts/faults`."""
    return int(os.environ.get("EDGE_MRL_FAULT_ROUNDS", "1"))


@pytest.fixture
def mounted(tmp_path):
    """Makes and mounts a disk: ("memory" or "image", mebibytes). Skips where that cannot be."""
    disks = []

    def make(kind, mebibytes):
        reason = why_not(*(["mkfs.ext4"] if kind == "image" else []))
        if reason is not None:
            pytest.skip(reason)
        factory = image_disk if kind == "image" else memory_disk
        disk = factory(tmp_path / kind, mebibytes)
        if not disk.mount():
            pytest.skip("this machine does not let us mount a disk")
        disks.append(disk)
        return disk

    yield make
    for disk in disks:
        if os.path.ismount(disk.folder):
            disk.unmount()
