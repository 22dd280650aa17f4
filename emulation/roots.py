"""Debian roots: what is in one, how it is made, and where it is kept.

A root is kept under a hash of all that decides its content, outside the checkout, and never changed
afterwards: a board mounts it read-only.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
MIRROR = "http://deb.debian.org/debian"
FORMAT = 1
"""Raised when a root is made in another way, so that older ones are not used."""

INSTALLS = "opt"
"""Where in a root each installation has a folder of its own."""

TOOLS = "tools"
TEST_TOOLS = (
    "hypothesis",
    "iniconfig",
    "packaging",
    "pluggy",
    "Pygments",
    "pytest",
    "sortedcontainers",
)
"""For the checks on a board; no part of an installation."""

MOUNT_POINTS = ("dev", "proc", "sys", "tmp", "work", "pycache")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A Debian root.

    Attributes:
        name: release and architecture.
        release: Debian's.
        architecture: Debian's name of it.
        machine: the same in wheel tags.
        python: the release's Python.
        packages: Debian packages beside those every root has.
        installs: installation name -> requirements file.
        library_folders: where shared libraries stand that Debian finds through maintainer scripts,
            which are not run.
    """

    name: str
    release: str
    architecture: str
    machine: str
    python: str
    installs: tuple[tuple[str, str], ...]
    packages: tuple[str, ...] = ()
    library_folders: tuple[str, ...] = ()

    @property
    def debian_packages(self) -> tuple[str, ...]:
        """All packages, with those that every root has."""
        common = ("base-files", "coreutils", "dash", "libc-bin", "mount", "python3-pip-whl")
        # What every Pi OS has and wheels link against.
        runtime = ("libatomic1", "libgomp1", "libstdc++6")
        return tuple(sorted({*common, *runtime, f"python{self.python}", *self.packages}))

    def key(self, checkout: Path = CHECKOUT) -> str:
        """What decides the content, as 16 hex digits."""
        parts = [FORMAT, self.name, self.python, self.debian_packages, TEST_TOOLS]
        pins = [(checkout / "requirements" / file).read_text() for _, file in self.installs]
        pins += [_pin(name, checkout) for name in TEST_TOOLS]
        return hashlib.sha256(json.dumps([parts, pins]).encode()).hexdigest()[:16]


_ARM64 = (
    ("static", "device-static.txt"),
    ("litert", "device-litert.txt"),
    ("onnx", "device-onnx.txt"),
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("bookworm-arm64", "bookworm", "arm64", "aarch64", "3.11", _ARM64),
        # Its pip reads the certificates even where it fetches nothing.
        Recipe("trixie-arm64", "trixie", "arm64", "aarch64", "3.13", _ARM64, ("ca-certificates",)),
        Recipe(
            "bookworm-armhf",
            "bookworm",
            "armhf",
            "armv7l",
            "3.11",
            (("tflite", "device-tflite-armv7l.txt"),),
            ("python3-numpy",),
            ("usr/lib/arm-linux-gnueabihf/blas", "usr/lib/arm-linux-gnueabihf/lapack"),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Root:
    """A root on the disk."""

    recipe: Recipe
    folder: Path

    @property
    def bytecode(self) -> Path:
        """Compiled Python beside the root, filled as it is needed."""
        return self.folder.with_name(self.folder.name + ".pycache")

    def download_bytes(self, install: str) -> dict[str, int]:
        """Size of each wheel of an installation."""
        sizes: dict[str, int] = json.loads((self._sizes(install)).read_text())
        return sizes

    def installed_bytes(self, install: str) -> int:
        """Size of all files of an installation."""
        folder = self.folder / INSTALLS / install
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())

    def _sizes(self, install: str) -> Path:
        return self.folder / INSTALLS / f"{install}.json"


def cache_folder() -> Path:
    """Where roots are kept: ``$XDG_CACHE_HOME/edge-mrl/boards``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "edge-mrl" / "boards"


def find_root(recipe: Recipe, cache: Path) -> Root | None:
    """The root, if it was made before."""
    folder = cache / f"{recipe.name}-{recipe.key()}"
    return Root(recipe, folder) if folder.is_dir() else None


def make_root(recipe: Recipe, cache: Path) -> Root:
    """The root, made where it is missing; older ones of this name are removed.

    Raises:
        subprocess.CalledProcessError: Debian's or Python's packages could not be had.
    """
    found = find_root(recipe, cache)
    if found is not None:
        return found
    cache.mkdir(parents=True, exist_ok=True)
    for old in cache.glob(f"{recipe.name}-*"):
        shutil.rmtree(old)
    with tempfile.TemporaryDirectory(dir=cache, prefix="making-") as scratch:
        folder = Path(scratch) / "root"
        _debian(recipe, folder)
        for install, file in recipe.installs:
            sizes = _wheels(recipe, folder / INSTALLS / install, ["--require-hashes", "-r", file])
            (folder / INSTALLS / f"{install}.json").write_text(json.dumps(sizes))
        _wheels(recipe, folder / INSTALLS / TOOLS, [_pin(name, CHECKOUT) for name in TEST_TOOLS])
        for name in MOUNT_POINTS:
            (folder / name).mkdir(exist_ok=True)
        made = Root(recipe, cache / f"{recipe.name}-{recipe.key()}")
        folder.rename(made.folder)
    made.bytecode.mkdir(exist_ok=True)
    return made


def _debian(recipe: Recipe, folder: Path) -> None:
    command = [
        "mmdebstrap",
        "--quiet",
        # Packages are unpacked and no script of theirs is run: under emulation that takes minutes.
        "--variant=extract",
        f"--architectures={recipe.architecture}",
        f"--include={','.join(recipe.debian_packages)}",
        recipe.release,
        str(folder),
        f"deb {MIRROR} {recipe.release} main",
    ]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    certificates = sorted((folder / "usr/share/ca-certificates").glob("*/*.crt"))
    if certificates:
        # As the package's own script does.
        bundle = folder / "etc/ssl/certs/ca-certificates.crt"
        bundle.parent.mkdir(parents=True, exist_ok=True)
        bundle.write_text("".join(file.read_text() for file in certificates))


def _wheels(recipe: Recipe, target: Path, wanted: Sequence[str]) -> dict[str, int]:
    """Install wheels for the root's machine; returns the size of each download."""
    with tempfile.TemporaryDirectory() as folder:
        platforms = [
            f"--platform=manylinux_{glibc}_{recipe.machine}"
            for glibc in ("2_17", "2_27", "2_28", "2_34")
        ]
        command = ["download", "--no-deps", "--only-binary=:all:", "--dest", folder, *platforms]
        _pip(*command, "--python-version", recipe.python, *wanted)
        wheels = sorted(Path(folder).iterdir())
        target.mkdir(parents=True)
        for wheel in wheels:
            shutil.unpack_archive(wheel, target, "zip")
        return {wheel.name.split("-")[0]: wheel.stat().st_size for wheel in wheels}


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, cwd=CHECKOUT / "requirements")


def _pin(package: str, checkout: Path) -> str:
    for line in (checkout / "constraints.txt").read_text().splitlines():
        if line.partition("==")[0].replace("_", "-") == package:
            return line
    raise LookupError(f"constraints.txt does not name {package}")
