"""What is shipped: the wheel and the sdist, built from the tree and looked into."""

import os
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    # hatchling is installed here, so nothing needs to be fetched.
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return out


def has_compiler():
    return bool(os.environ.get("CC") or any(map(shutil.which, ("cc", "gcc", "clang"))))


def test_the_wheel_has_both_packages_profiles_types_and_licence(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = next(name for name in names if name.endswith("entry_points.txt"))
        assert "edge-mrl = edge_mrl.cli.main:main" in archive.read(entry_points).decode()
    profiles = {
        f"edge_mrl/device_profiles/{file.name}"
        for file in (ROOT / "device_profiles").glob("*.toml")
    }
    assert len(profiles) >= 3
    assert names >= profiles | {
        "edge_mrl/py.typed",
        "edge_mrl_export/py.typed",
        "edge_mrl/__init__.py",
    }
    compiled = "edge_mrl/kernel/_scan.so" in names
    assert compiled == has_compiler()
    assert "-py3-none-" in wheel.name
    assert wheel.name.endswith("-none-any.whl") != compiled
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "export/", "benchmarks/"))]


def unpacked_sdist(built, folder):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return source


def test_the_sdist_builds_again_to_the_same_files(built, tmp_path):
    wheel_of(unpacked_sdist(built, tmp_path), tmp_path)
    (first,), (second,) = built.glob("*.whl"), tmp_path.glob("*.whl")
    with zipfile.ZipFile(first) as a, zipfile.ZipFile(second) as b:
        assert sorted(a.namelist()) == sorted(b.namelist())
        for name in a.namelist():
            # The compiled kernel too: nothing of where or when it was made is in it.
            assert a.read(name) == b.read(name), name


@pytest.mark.parametrize("compiler", ["/bin/false", "/nowhere/cc"])
def test_without_a_working_compiler_the_wheel_is_for_any_machine(built, compiler, tmp_path):
    wheel = wheel_of(unpacked_sdist(built, tmp_path), tmp_path, CC=compiler)
    assert wheel.name.endswith("py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert "edge_mrl/kernel/_scan.so" not in archive.namelist()
        archive.extractall(tmp_path)
    assert said_by(tmp_path, "print(kernel.info().name)") == "numpy"


@pytest.mark.skipif(not has_compiler(), reason="no C compiler")
def test_the_wheel_brings_a_kernel_that_runs(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    names = said_by(tmp_path, "print(*kernel.info().available)").split()
    assert names[:2] == ["numpy", "scalar"]


@pytest.mark.parametrize(
    ("compiler", "machine", "number"),
    [("aarch64-linux-gnu-gcc", "aarch64", 183), ("arm-linux-gnueabihf-gcc", "armv7l", 40)],
)
def test_a_cross_compiler_makes_a_wheel_for_its_machine(compiler, machine, number, tmp_path):
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    tag = f"manylinux_2_17_{machine}.musllinux_1_1_{machine}"
    wheel = wheel_of(ROOT, tmp_path, CC=compiler, EDGE_MRL_WHEEL_PLATFORM=tag)
    assert wheel.name.endswith(f"-py3-none-{tag}.whl")
    with zipfile.ZipFile(wheel) as archive:
        library = archive.read("edge_mrl/kernel/_scan.so")
    assert library[:4] == b"\x7fELF"
    assert int.from_bytes(library[18:20], "little") == number


@pytest.mark.skipif(not has_compiler(), reason="no C compiler")
def test_a_wheel_is_not_named_for_another_machine_than_its_kernel(tmp_path):
    other = "armv7l" if platform.machine() != "armv7l" else "x86_64"
    variables = {**os.environ, "EDGE_MRL_WHEEL_PLATFORM": f"manylinux_2_17_{other}"}
    command = ["-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env=variables, check=False
    )
    assert done.returncode != 0
    assert "set CC and EDGE_MRL_WHEEL_PLATFORM for the same machine" in done.stdout + done.stderr
    assert not list(tmp_path.glob("*.whl"))


def said_by(folder, statement):
    """What a statement prints with the package in a folder."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"from edge_mrl import kernel; {statement}"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def wheel_of(source, out, **variables):
    """Build a wheel."""
    command = ["-m", "build", "--no-isolation", "--wheel", "--outdir", str(out), str(source)]
    subprocess.run(
        [sys.executable, *command],
        check=True,
        capture_output=True,
        env={**os.environ, **variables},
    )
    (wheel,) = out.glob("*.whl")
    return wheel


def test_the_wheel_works_without_the_checkout(built, tmp_path):
    """Unpacked in another folder: the command answers and finds the profiles."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = "import sys; from edge_mrl.cli.main import main; sys.exit(main(['profiles', '--json']))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "raspberry-pi-zero-2w" in done.stdout
    assert str(ROOT) not in done.stderr
