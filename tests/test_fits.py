"""Real memory limits, in short: `scripts/fits` does it at full size."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fits import Case, run
from benchmarks.memory_limit import KILLED, run_limited, unavailable

MIB = 2**20
ROOT = Path(__file__).parent.parent
IMPORTED = "import numpy, tokenizers"

# What other processes have mapped of a shared library counts in larger parts here too.
pytestmark = pytest.mark.alone
limited = pytest.mark.skipif(unavailable() is not None, reason=f"{unavailable()}")


@limited
def test_the_kill_is_real():
    taken = "x = bytearray({} * 2**20); x[::4096] = b'x' * len(x[::4096]); print('fine')"
    over = run_limited([sys.executable, "-c", taken.format(64)], 32 * MIB)
    assert (over.code, over.killed, over.out) == (KILLED, True, "")
    under = run_limited([sys.executable, "-c", taken.format(8)], 32 * MIB)
    assert (under.code, under.killed, under.out) == (0, False, "fine\n")
    assert 8 * MIB < under.peak_bytes <= 32 * MIB


@limited
def test_a_static_bundle_searches_and_adds_within_96_mib(static_bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = run(Case("short", "static", 2000, 1000, 96, 80), static_bundle, tmp_path)
    assert result.error == "" and result.said is not None
    assert result.said["hits"] == 40 and result.said["documents"] == 3000
    assert result.held, result
    # What was planned for it, a whole batch on its way, is what it took.
    assert abs(result.said["predicted_bytes"] - result.said["peak_resident_bytes"]) < 8 * MIB


@limited
def test_the_build_command_keeps_to_the_budget_of_a_profile(static_bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = run(Case("short", "static", 0, 5000, 96, 80, "build"), static_bundle, tmp_path)
    assert result.said is not None, result.error
    assert result.said["documents"] == 5000
    assert result.said["predicted_bytes"] <= 80 * MIB
    assert result.resident_mb <= 80 and result.held


@limited
def test_what_does_not_fit_is_killed_and_said(static_bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = run(Case("short", "static", 0, 200, 24, 80), static_bundle, tmp_path)
    assert result.said is None and result.killed and not result.held


def resident_after(statement):
    code = f"{statement}; print(open('/proc/self/statm').read().split()[1])"
    # Compiled modules are kept, as wherever the package is installed.
    kept = {name: at for name, at in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=kept
    )
    return int(done.stdout) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not say")
def test_importing_takes_little_memory_beside_numpy_and_tokenizers():
    least = min(resident_after(IMPORTED) for _ in range(3))
    front_door = min(resident_after(f"{IMPORTED}; import edge_mrl") for _ in range(3))
    own = min(resident_after(f"{IMPORTED}; from edge_mrl import Encoder, Index") for _ in range(3))
    assert front_door - least < MIB
    assert own - least < 5 * MIB
