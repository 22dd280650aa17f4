"""Finding and reading profile files: those that are shipped, and a user's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path

from edge_mrl.errors import ProfileError
from edge_mrl.profiles.profile import DeviceProfile, parse_profile
from edge_mrl.profiles.recognition import fitted, recognise
from edge_mrl.profiles.sheets import AUTO
from edge_mrl.profiles.this_machine import read_machine
from edge_mrl.profiles.user_folder import user_profile_folder

MAX_PROFILE_BYTES = 64 * 2**10
"""The shipped ones have about 4 KiB."""


def list_profiles(
    wrong: Callable[[ProfileError], object] | None = None,
) -> tuple[DeviceProfile, ...]:
    """Every profile that has a name, shipped or the user's own, the device with the least memory
    first. `DeviceProfile.place` is the file.

    Args:
        wrong: gets what is wrong with a file of the user's own, which is then left out.

    Raises:
        ProfileError: the installation is incomplete, or a file is wrong and nobody asked for what
            is.
    """
    own = _stems(user_profile_folder())
    profiles = []
    for name in _files():
        try:
            profiles.append(_named(name))
        except ProfileError as error:
            if wrong is None or name not in own:
                raise
            wrong(error)
    return tuple(sorted(profiles, key=lambda one: (one.facts.memory_bytes, one.name)))


def load_profile(
    name: str | os.PathLike[str], *, engines: Collection[str] | None = None
) -> DeviceProfile:
    """Read one profile.

    Args:
        name: the name of a shipped profile or of one in the user's folder, or the path of a TOML
            file (it ends in ``.toml`` or has a slash), or ``"auto"``: the profile of this machine,
            measured by `edge-mrl calibrate` if it was, with its own cores and memory.
        engines: those that are installed here, as pip names them. They replace those of the profile
            ``"auto"``, and no other's: the profile of a named device speaks of that device.

    Raises:
        ProfileError: there is no such profile or file, or it is wrong.
    """
    text = os.fspath(name)
    if text.endswith(".toml") or os.sep in text:
        return parse_profile(*_read(Path(text)), _lookup)
    if text == AUTO:
        machine = read_machine()
        recognised = recognise(machine)
        own = calibrated_name(recognised)
        return fitted(_named(own if own in _files() else recognised), machine, engines)
    return _named(text)


def shipped(*names: str) -> tuple[DeviceProfile, ...]:
    """Profiles that come with the package, whatever a user's folder holds.

    Raises:
        ProfileError: the installation is incomplete.
    """
    return tuple(parse_profile(*_lookup_shipped(name), _lookup_shipped) for name in names)


def calibrated_name(recognised: str) -> str:
    """The name of the profile that `edge-mrl calibrate` writes for a device."""
    return f"{recognised}-measured"


def _named(name: str) -> DeviceProfile:
    text, where = _lookup(name)
    # What comes with the package extends only what does, whatever a user's folder holds.
    comes_with_it = Path(where).parent == shipped_profile_folder()
    profile = parse_profile(text, where, _lookup_shipped if comes_with_it else _lookup)
    if profile.name != name:
        raise ProfileError(
            f"{where} calls itself {profile.name!r}: a profile is found by its file's name, "
            "so give both the same"
        )
    return profile


def _lookup(name: str) -> tuple[str, str]:
    """The text of a profile's file, and the file.

    A user's profile does not replace a shipped one of its name: a plan that says "raspberry-pi-5"
    would mean one thing here and another elsewhere.
    """
    shipped, own = _stems(shipped_profile_folder()), _stems(user_profile_folder())
    if name in shipped and name in own:
        raise ProfileError(
            f"{own[name]} has the name of a shipped profile: rename it, and let it extend "
            f"{name} if it changes a few fields of that"
        )
    files = shipped | own
    if name in files:
        return _read(files[name])
    import difflib

    nearest = difflib.get_close_matches(name.lower().replace("_", "-").replace(" ", "-"), files)
    hint = f"did you mean {' or '.join(nearest)}? " if nearest else ""
    raise ProfileError(
        f"there is no device profile {name!r}: {hint}`edge-mrl profiles` lists all, "
        "and a path to a .toml file works too"
    )


def _lookup_shipped(name: str) -> tuple[str, str]:
    return _read(shipped_profile_folder() / f"{name}.toml")


def _files() -> dict[str, Path]:
    """Name -> file, of shipped profiles and the user's own."""
    return _stems(shipped_profile_folder()) | _stems(user_profile_folder())


def _stems(folder: Path | None) -> dict[str, Path]:
    return {} if folder is None else {file.stem: file for file in sorted(folder.glob("*.toml"))}


def shipped_profile_folder() -> Path:
    """The folder of the shipped profiles: inside the package in a wheel, beside it in a checkout.

    Raises:
        ProfileError: the installation is incomplete.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "device_profiles", package.parent / "device_profiles"):
        if any(folder.glob("*.toml")):
            return folder
    raise ProfileError(
        f"no device profiles beside {package}: install edge-mrl again, or name a .toml file"
    )


def _read(file: Path) -> tuple[str, str]:
    """A file's text, and how messages name the file."""
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
    return text, str(file)
