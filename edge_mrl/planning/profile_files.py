"""Finding and reading profile files: those that are shipped, and a user's own."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from edge_mrl.errors import ProfileError
from edge_mrl.planning.profile import DeviceProfile, parse_profile
from edge_mrl.planning.recognition import fitted, recognise
from edge_mrl.planning.this_machine import read_machine

AUTO = "auto"
"""The name that stands for the profile of this machine."""

MAX_PROFILE_BYTES = 64 * 2**10
"""The shipped ones have about 4 KiB."""


def list_profiles() -> tuple[DeviceProfile, ...]:
    """Every shipped profile, the device with the least memory first.

    Raises:
        ProfileError: the installation is incomplete, or a shipped file is wrong.
    """
    profiles = [_read(file) for file in _shipped().values()]
    return tuple(sorted(profiles, key=lambda one: (one.facts.memory_bytes, one.name)))


def load_profile(name: str | os.PathLike[str]) -> DeviceProfile:
    """Read one profile.

    Args:
        name: a shipped profile's name, or the path of a TOML file (it ends in ``.toml`` or has a
            slash), or ``"auto"``: the profile of this machine, with its own cores and memory.

    Raises:
        ProfileError: there is no such profile or file, or it is wrong.
    """
    text = os.fspath(name)
    if text.endswith(".toml") or os.sep in text:
        return _read(Path(text))
    shipped = _shipped()
    if text == AUTO:
        machine = read_machine()
        return fitted(_read(shipped[recognise(machine)]), machine)
    if text in shipped:
        return _read(shipped[text])
    nearest = difflib.get_close_matches(text.lower().replace("_", "-").replace(" ", "-"), shipped)
    hint = f"did you mean {' or '.join(nearest)}? " if nearest else ""
    raise ProfileError(
        f"there is no device profile {text!r}: {hint}`edge-mrl profiles` lists all, "
        "and a path to a .toml file works too"
    )


def _shipped() -> dict[str, Path]:
    """Name -> file, sorted. A wheel has them inside the package, a checkout beside it."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "device_profiles", package.parent / "device_profiles"):
        files = {file.stem: file for file in sorted(folder.glob("*.toml"))}
        if files:
            return files
    raise ProfileError(
        f"no device profiles beside {package}: install edge-mrl again, or name a .toml file"
    )


def _read(file: Path) -> DeviceProfile:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_PROFILE_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ProfileError(f"cannot read the device profile {file}: {reason}") from error
    if len(data) > MAX_PROFILE_BYTES:
        raise ProfileError(
            f"{file} has more than {MAX_PROFILE_BYTES} bytes: it is no device profile"
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProfileError(f"{file} is not UTF-8 text: save it as UTF-8") from error
    return parse_profile(text, str(file))
