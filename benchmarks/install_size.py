"""What a pipeline's packages weigh, as they are installed here."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
IN_THE_WHEEL = ("edge_mrl", "export/edge_mrl_export", "device_profiles")


def pinned(file: str) -> set[str]:
    """Names of what a file below requirements/ installs with --no-deps, and edge-mrl itself."""
    lines = (ROOT / "requirements" / file).read_text().splitlines()
    names = {line.split("==")[0] for line in lines if "==" in line and not line.startswith("#")}
    return {canonicalize_name(name) for name in names} | {"edge-mrl"}


def closure(requirements: tuple[str, ...]) -> set[str]:
    """Names of everything that the requirements bring, as far as it is installed.

    Raises:
        PackageNotFoundError: one of the requirements themselves is not installed.
    """
    found: set[tuple[str, str]] = set()
    todo = [Requirement(text) for text in requirements]
    top = {canonicalize_name(requirement.name) for requirement in todo}
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        try:
            needed = distribution(name).requires or []
        except PackageNotFoundError:
            if name in top:
                raise
            continue
        for extra in {"", *requirement.extras}:
            if (name, extra) in found:
                continue
            found.add((name, extra))
            for text in needed:
                one = Requirement(text)
                if one.marker is None or one.marker.evaluate({"extra": extra}):
                    todo.append(one)
    return {name for name, _ in found}


def installed_bytes(names: set[str]) -> int:
    """Bytes of the packages' files. An editable install counts the folders that go into a wheel."""
    return sum(_bytes_of(name) for name in names)


def _bytes_of(name: str) -> int:
    files = {
        Path(str(file.locate()))
        for file in distribution(name).files or []
        if "__pycache__" not in file.parts
    }
    if name == "edge-mrl" and not any(file.name == "scan.c" for file in files):
        for folder in IN_THE_WHEEL:
            found = (ROOT / folder).rglob("*")
            files |= {file for file in found if "__pycache__" not in file.parts}
    return sum(file.stat().st_size for file in files if file.is_file())
