"""Boards are recognised by the device tree, and a profile takes on the machine's own memory."""

from pathlib import Path

import pytest

from edge_mrl.planning import list_profiles, load_profile
from edge_mrl.profiles.recognition import BOARDS, OTHERWISE, fitted, recognise
from edge_mrl.profiles.this_machine import Machine, read_machine

GIB = 2**30


@pytest.mark.parametrize(
    ("model", "mib", "bits", "name"),
    [
        ("Raspberry Pi Zero 2 W Rev 1.0", 427, 64, "raspberry-pi-zero-2w"),
        ("Raspberry Pi Zero 2 W Rev 1.0", 427, 32, "raspberry-pi-zero-2w-32bit"),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", 909, 64, "raspberry-pi-3b-plus"),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", 927, 32, "raspberry-pi-3b-plus-32bit"),
        ("Raspberry Pi 4 Model B Rev 1.1", 909, 64, "raspberry-pi-4b-1gb"),
        ("Raspberry Pi 4 Model B Rev 1.2", 1872, 64, "raspberry-pi-4b-2gb"),
        ("Raspberry Pi 4 Model B Rev 1.5", 3789, 64, "raspberry-pi-4b"),
        ("Raspberry Pi 4 Model B Rev 1.5", 3789, 32, "raspberry-pi-4b"),
        ("Raspberry Pi 400 Rev 1.0", 3789, 64, "raspberry-pi-4b"),
        ("Raspberry Pi 4 Model B Rev 1.4", 7811, 64, "raspberry-pi-4b-8gb"),
        ("Raspberry Pi 5 Model B Rev 1.0", 4045, 64, "raspberry-pi-5-4gb"),
        ("Raspberry Pi 5 Model B Rev 1.0", 8048, 64, "raspberry-pi-5"),
        ("Raspberry Pi 5 Model B Rev 1.1", 16215, 64, "raspberry-pi-5-16gb"),
        ("Raspberry Pi 5 Model B Rev 2.0", 32430, 64, "raspberry-pi-5-16gb"),
        ("NVIDIA Jetson Orin Nano Developer Kit", 7620, 64, "jetson-orin-nano"),
        ("NVIDIA Orin Nano Developer Kit", 7373, 64, "jetson-orin-nano"),
        ("Raspberry Pi Zero W Rev 1.1", 427, 32, OTHERWISE),
        ("", 16_000, 64, OTHERWISE),
    ],
)
def test_boards_are_known_by_device_tree_memory_and_system(model, mib, bits, name):
    assert recognise(Machine(model, 4, mib * 2**20, bits)) == name


def test_every_board_has_its_profiles_and_sizes_rise():
    shipped = {profile.name: profile for profile in list_profiles()}
    assert OTHERWISE in shipped
    for board in BOARDS:
        assert board.profile_32 is None or board.profile_32 in shipped
        sizes = [size for size, _ in board.sizes]
        assert sizes == sorted(sizes)
        for size, name in board.sizes:
            seen = shipped[name].facts.memory_bytes / 2**20
            assert 0.8 * size < seen <= size, name


def test_the_engines_of_this_machine_replace_those_of_the_board():
    whole = load_profile("raspberry-pi-4b")
    machine = Machine("Raspberry Pi 4 Model B", 4, 4 * GIB)
    assert fitted(whole, machine).facts.engines == whole.facts.engines
    bare = fitted(whole, machine, ("numpy",))
    assert bare.facts.engines == ("numpy",)
    figure = next(one for one in bare.figures if one.field == "facts.engines")
    assert (figure.value, figure.source, figure.estimate) == (
        "numpy",
        "read on this machine",
        False,
    )


def test_only_auto_takes_the_engines_of_this_machine():
    assert load_profile("auto", engines=("numpy",)).facts.engines == ("numpy",)
    named = load_profile("raspberry-pi-5", engines=("numpy",))
    assert named == load_profile("raspberry-pi-5")


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
    assert machine.bits in (32, 64)


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
