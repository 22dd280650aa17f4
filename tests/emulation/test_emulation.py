"""The emulated boards: what they are, when a root is made anew; and, on request, one for real."""

import dataclasses
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge_mrl.kernel.library import TARGETS
from emulation import instructions
from emulation.boards import BOARDS, board
from emulation.on_board import repeating
from emulation.roots import CHECKOUT, RECIPES, find_root

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("one", BOARDS, ids=lambda one: one.cpu)
def test_a_board_says_what_its_kernels_need(one):
    assert one.root in RECIPES
    assert one.cpuinfo.count("processor\t:") == 4
    assert f"Model\t\t: {one.model}\n" in one.cpuinfo
    # The CPU feature behind Linux's HWCAP_ASIMDDP, and the kernel's only optional instruction.
    assert ("asimddp" in one.features.split()) == ("neon-dotprod" in one.kernels)
    assert set(one.kernels) <= {"numpy", *TARGETS}
    assert one.absent not in one.kernels
    assert board(one.cpu) is one


def test_all_processors_of_the_described_boards_are_emulated():
    described = "".join(file.read_text() for file in (ROOT / "device_profiles").glob("rasp*.toml"))
    for core in ("A53", "A72", "A76"):
        assert f"Cortex-{core}" in described or core in described
        assert board(f"cortex-{core.lower()}")


@pytest.fixture
def checkout(tmp_path):
    """A copy of the files that decide what a root holds."""
    shutil.copytree(CHECKOUT / "requirements", tmp_path / "requirements")
    shutil.copy(CHECKOUT / "constraints.txt", tmp_path)
    return tmp_path


def test_a_root_is_made_anew_when_its_content_would_be_another(checkout, tmp_path):
    recipe = RECIPES["bookworm-arm64"]
    assert recipe.key(checkout) == recipe.key()
    more = dataclasses.replace(recipe, packages=("python3-numpy",))
    assert more.key(checkout) != recipe.key(checkout)
    pins = checkout / "requirements" / "device-onnx.txt"
    pins.write_text(pins.read_text().replace("onnxruntime==1.", "onnxruntime==2."))
    assert recipe.key(checkout) != recipe.key()
    # The 32-bit root has no ONNX Runtime, so nothing changes there.
    assert RECIPES["bookworm-armhf"].key(checkout) == RECIPES["bookworm-armhf"].key()
    assert find_root(recipe, tmp_path / "nothing") is None
    made = tmp_path / f"{recipe.name}-{recipe.key()}"
    made.mkdir()
    assert find_root(recipe, tmp_path).folder == made


ROWS = [("wordllama, table-int8-256", [60_000, 61_234]), ("search, 2-bit scan", [1, 2_000_000])]


def test_a_table_of_counts_is_read_back():
    text = "# Counts\n\nMeasured.\n\n" + instructions.table(ROWS, ["cortex-a53", "cortex-a76"])
    assert "| wordllama, table-int8-256 | 60,000 | 61,234 |" in text
    assert instructions.parse(text) == {
        (name, cpu): count
        for name, counts in ROWS
        for cpu, count in zip(["cortex-a53", "cortex-a76"], counts, strict=True)
    }


def test_a_counter_is_found_among_what_else_a_program_says():
    said = "INFO: loaded\ninstructions 1200\nread instructions 5\ninstructions 1900\n"
    assert instructions.marked(said) == [1200, 1900]


def test_counter_and_counted_program_agree_on_the_mark():
    source = (ROOT / "emulation" / "counter.c").read_text()
    (found,) = re.findall(r"^#define MARK (\w+)$", source, re.MULTILINE)
    assert int(found, 16) == repeating.MARK


def test_so_many_repetitions_count_as_lie_between_the_marks(monkeypatch):
    done = []
    monkeypatch.setattr(repeating, "mark", lambda: done.append("mark"))
    repeating.repeat(done.append, first=2, counted=3)
    assert done == [0, 1, "mark", 2, 3, 4, "mark"]


def test_only_what_changed_is_said():
    before = {("search", "a"): 1000, ("search", "b"): 1000, ("embed", "a"): 1000}
    after = {("search", "a"): 1019, ("search", "b"): 1200, ("embed", "a"): 900, ("new", "a"): 5}
    assert instructions.changes(before, after, 0.02) == [
        "search on b: 1,000 before, 1,200 now (+20.0%)",
        "embed on a: 1,000 before, 900 now (-10.0%)",
    ]


def test_the_documented_counts_are_of_every_board_that_is_counted():
    found = instructions.parse((ROOT / "docs" / "instruction-counts.md").read_text())
    assert {cpu for _, cpu in found} == {"cortex-a53", "cortex-a76"}
    assert all(count > 1000 for count in found.values())


@pytest.mark.skipif(
    os.environ.get("EDGE_MRL_EMULATE") != "1",
    reason="set EDGE_MRL_EMULATE=1 to emulate a Cortex-A53: minutes, root, Debian",
)
def test_a_board_without_engines():
    done = subprocess.run(
        [ROOT / "scripts" / "emulate-pi", "--short", "--cpu", "cortex-a53"],
        capture_output=True,
        text=True,
    )
    if done.returncode == 77:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok      cortex-a53  static" in done.stdout
