"""Boards are recognised by the device tree, and a profile takes on the machine's own memory."""

from pathlib import Path

import pytest

from edge_mrl.planning import list_profiles, load_profile
from edge_mrl.planning.recognition import BOARDS, OTHERWISE, fitted, recognise
from edge_mrl.planning.this_machine import Machine, read_machine

GIB = 2**30


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Raspberry Pi Zero 2 W Rev 1.0", "raspberry-pi-zero-2w"),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", "raspberry-pi-3b-plus"),
        ("Raspberry Pi 4 Model B Rev 1.5", "raspberry-pi-4b"),
        ("Raspberry Pi 5 Model B Rev 1.0", "raspberry-pi-5"),
        ("Raspberry Pi Zero W Rev 1.1", OTHERWISE),
        ("", OTHERWISE),
    ],
)
def test_boards_are_known_by_their_device_tree(model, name):
    assert recognise(Machine(model, 4, GIB)) == name


def test_every_board_has_a_profile():
    shipped = {profile.name for profile in list_profiles()}
    assert {name for _, name in BOARDS} | {OTHERWISE} <= shipped


def test_a_board_with_less_memory_gets_a_smaller_budget():
    whole = load_profile("raspberry-pi-4b")
    small = fitted(whole, Machine("Raspberry Pi 4 Model B", 4, GIB))
    assert small.facts.memory_bytes == GIB
    share = whole.budgets.memory_bytes / whole.facts.memory_bytes
    assert small.budgets.memory_bytes == pytest.approx(share * GIB, rel=0.01)
    figures = {figure.field: figure for figure in small.figures}
    assert (figures["facts.memory"].value, figures["facts.memory"].unit) == ("1024", "MiB")
    assert "this machine" in figures["budgets.memory"].source
    assert figures["facts.isa"] in whole.figures


def test_a_board_with_more_memory_keeps_the_budget():
    whole = load_profile("raspberry-pi-4b")
    large = fitted(whole, Machine("Raspberry Pi 4 Model B", 4, 8 * GIB))
    assert large.budgets == whole.budgets


def board(root: Path, **files: str) -> Path:
    for name, content in files.items():
        file = root / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


def test_model_and_memory_are_read_from_the_system(tmp_path):
    board(
        tmp_path,
        **{
            "proc__device-tree__model": "Raspberry Pi Zero 2 W Rev 1.0\0",
            "proc__meminfo": "MemTotal:         435200 kB\nMemFree: 1 kB\n",
            "sys__fs__cgroup__memory.max": "max\n",
        },
    )
    machine = read_machine(tmp_path)
    assert machine.model == "Raspberry Pi Zero 2 W Rev 1.0"
    assert machine.memory_bytes == 435_200 * 1024
    assert machine.cores >= 1


@pytest.mark.parametrize(
    "file", ["sys__fs__cgroup__memory.max", "sys__fs__cgroup__memory__memory.limit_in_bytes"]
)
def test_a_control_group_s_limit_counts(tmp_path, file):
    board(tmp_path, **{"proc__meminfo": "MemTotal: 8000000 kB\n", file: "100000000\n"})
    assert read_machine(tmp_path).memory_bytes == 100_000_000


def test_auto_is_this_machine():
    profile = load_profile("auto")
    machine = read_machine()
    assert profile.facts.memory_bytes == machine.memory_bytes
    assert profile.facts.cores == machine.cores
    assert profile.name == recognise(machine)
