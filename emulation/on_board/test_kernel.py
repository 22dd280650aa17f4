"""The scan kernel on this processor: the same hits, and no instruction that it lacks."""

import json
import os
import signal
import subprocess
import sys

import pytest

from edge_mrl import kernel
from edge_mrl.profiles.this_machine import read_machine
from emulation.on_board.searching import HITS

PRETENDING = """
import sys
from pathlib import Path
from edge_mrl.kernel import library
library._hardware_capabilities = lambda: 2**32 - 1
from emulation.on_board.searching import search_all
search_all(Path(sys.argv[1]))
"""
"""A search where Linux is taken to say that the processor has every optional instruction."""


def run(*arguments, **variables):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )


def test_the_board_is_recognised(facts):
    assert read_machine().model == facts["model"]


def test_the_compiled_kernel_runs_and_is_the_best_for_this_processor(facts):
    assert list(kernel.info().available) == facts["kernels"]
    assert kernel.info().name == facts["kernels"][-1]


def test_every_kernel_gives_the_hits_of_the_definition(facts, indexes):
    expected = json.loads((indexes / HITS).read_text())
    for name in facts["kernels"]:
        done = run("-m", "emulation.on_board.searching", indexes, EDGE_MRL_KERNEL=name)
        assert done.returncode == 0, done.stderr
        # Ids and scores, bit for bit.
        assert json.loads(done.stdout) == expected, name


def test_a_kernel_that_the_processor_lacks_is_refused_by_name(facts, indexes):
    if not facts["absent"]:
        pytest.skip("this processor runs every target that the wheel has")
    done = run("-m", "emulation.on_board.searching", indexes, EDGE_MRL_KERNEL=facts["absent"])
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert f"EDGE_MRL_KERNEL={facts['absent']} cannot run here: choose one of numpy" in last


def test_an_instruction_that_the_processor_lacks_would_be_noticed(facts, indexes):
    """Without this, the tests above would pass on an emulator that runs everything."""
    if not facts["absent"]:
        pytest.skip("this processor runs every target that the wheel has")
    done = run("-c", PRETENDING, indexes, EDGE_MRL_KERNEL=facts["absent"])
    assert done.returncode == -signal.SIGILL
