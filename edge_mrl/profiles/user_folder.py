"""Where a user's own device profiles stand: in the folder in which the platform keeps settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def user_profile_folder(
    platform: str = sys.platform, environment: Mapping[str, str] = os.environ
) -> Path | None:
    """The folder ``edge-mrl/device_profiles`` among the user's settings, whether it exists or not.

    Linux and others: below ``$XDG_CONFIG_HOME``, or ``~/.config`` where that is unset or relative
    (XDG Base Directory Specification); macOS: ``~/Library/Application Support``; Windows:
    ``%APPDATA%``.

    Args:
        platform: as `sys.platform` says.
        environment: the environment variables.

    Returns:
        None where the user has no home folder, as services often do.
    """
    try:
        settings = _settings(platform, environment)
    except RuntimeError:
        return None  # no home folder: `Path.home` says so like this
    return None if settings is None else settings / "edge-mrl" / "device_profiles"


def _settings(platform: str, environment: Mapping[str, str]) -> Path | None:
    if platform == "win32":
        folder = environment.get("APPDATA", "")
        return Path(folder) if folder else None
    if platform == "darwin":
        return _home(environment) / "Library" / "Application Support"
    folder = environment.get("XDG_CONFIG_HOME", "")
    return Path(folder) if folder.startswith("/") else _home(environment) / ".config"


def _home(environment: Mapping[str, str]) -> Path:
    folder = environment.get("HOME", "")
    return Path(folder) if folder else Path.home()
