"""What is shipped: the wheel and the sdist, built from the tree and looked into."""

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


def test_the_wheel_has_both_packages_profiles_types_and_licence(built):
    (wheel,) = built.glob("*.whl")
    assert wheel.name.endswith("py3-none-any.whl")
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
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "export/", "benchmarks/"))]


def test_the_sdist_builds_again_to_the_same_files(built, tmp_path):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    subprocess.run(
        [
            sys.executable,
            "-m",
            "build",
            "--no-isolation",
            "--wheel",
            "--outdir",
            str(tmp_path),
            str(source),
        ],
        check=True,
        capture_output=True,
    )
    (first,), (second,) = built.glob("*.whl"), tmp_path.glob("*.whl")
    with zipfile.ZipFile(first) as a, zipfile.ZipFile(second) as b:
        assert sorted(a.namelist()) == sorted(b.namelist())


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
