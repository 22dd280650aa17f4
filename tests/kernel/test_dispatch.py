import os
import shutil
import subprocess
import sys

import pytest

from edge_mrl.errors import InputError
from edge_mrl.kernel import available, info, library, native
from edge_mrl.kernel.dispatch import VARIABLE, choose

NAMES = {"numpy", *library.TARGETS}


def test_the_fastest_runs_unless_another_is_named():
    kernels = available()
    assert next(iter(kernels)) == "numpy"
    assert set(kernels) <= NAMES
    assert choose(kernels, "") is list(kernels.values())[-1]
    for name, kernel in kernels.items():
        assert kernel.name == name
        assert choose(kernels, name) is kernel


def test_a_kernel_that_is_not_there_is_refused_by_name():
    with pytest.raises(InputError, match=r"EDGE_MRL_KERNEL=sse9 .* numpy"):
        choose(available(), "sse9")


def run(statement, **variables):
    done = subprocess.run(
        [sys.executable, "-c", f"from edge_mrl import kernel; {statement}"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("name", available())
def test_the_variable_forces_a_kernel(name):
    found = run("i = kernel.info(); print(i.name, i.detail)", **{VARIABLE: name})
    assert found == f"{name} {VARIABLE} asks for it"


def test_info_names_the_kernel_and_what_could_run():
    found = info()
    assert found.name in found.available
    assert found.available == tuple(available())
    assert found.detail


def test_without_a_library_numpy_runs_and_says_why(tmp_path):
    loaded = native.load(tmp_path / "_scan.so")
    assert loaded.kernels == ()
    assert "compiler" in loaded.missing


def test_a_file_that_is_no_library_is_not_used(tmp_path):
    library = tmp_path / "_scan.so"
    library.write_bytes(b"not a library")
    loaded = native.load(library)
    assert loaded.kernels == ()
    assert "_scan.so cannot be used" in loaded.missing


@pytest.mark.skipif(not library.LIBRARY.exists(), reason="no C compiler when this was installed")
def test_a_library_of_another_source_is_not_used(tmp_path):
    for file in library.SOURCE.parent.glob("scan*.[ch]"):
        shutil.copy(file, tmp_path)
    source = tmp_path / "scan.c"
    assert native.load(library.LIBRARY, source).kernels
    for changed in (source, tmp_path / "scan_best.h"):
        before = changed.read_bytes()
        changed.write_bytes(before + b"\n")
        loaded = native.load(library.LIBRARY, source)
        changed.write_bytes(before)
        assert loaded.kernels == ()
        assert "older than its source" in loaded.missing
