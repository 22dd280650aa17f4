"""The kernel's C source outside Python: under sanitizers, and as an object that needs nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hatch_build import compile_kernel

ROOT = Path(__file__).parent.parent.parent
COMPILER = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler"
)


@COMPILER
def test_sanitizers_find_nothing():
    done = subprocess.run(
        [ROOT / "scripts" / "sanitize", "120"],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    if done.returncode == 77:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "120 cases" in done.stdout
    assert "all alike" in done.stdout


@COMPILER
def test_the_library_needs_no_other_and_is_the_same_twice(tmp_path):
    assert compile_kernel(tmp_path / "a.so", ROOT, "-Wl,--no-undefined") == ""
    assert compile_kernel(tmp_path / "b.so", ROOT) == ""
    assert (tmp_path / "a.so").read_bytes() == (tmp_path / "b.so").read_bytes()
    assert b"libc.so" not in (tmp_path / "a.so").read_bytes()


@COMPILER
def test_warnings_are_none(tmp_path):
    flags = ("-Wall", "-Wextra", "-Wshadow", "-Werror")
    assert compile_kernel(tmp_path / "a.so", ROOT, *flags) == ""
