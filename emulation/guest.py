"""Runs commands on an emulated board: a read-only root, the board's /proc/cpuinfo and device tree,
and one folder shared with this machine. Needs root and a registered qemu-user."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulation.boards import CORES, Board
from emulation.roots import INSTALLS, TOOLS, Root

WORK = "/work"
"""Where the shared folder stands on the board."""

SITE = "site"
"""In the shared folder: where the board's pip installed edge_mrl."""

_ENTER = """
set -eu
root=$1 at=$2 work=$3 bytecode=$4 cpuinfo=$5 model=$6 cores=$7
shift 7
mount --bind "$root" "$at"
mount -o remount,bind,ro "$at"
mount --rbind /dev "$at/dev"
mount -t proc proc "$at/proc"
mount --bind "$cpuinfo" "$at/proc/cpuinfo"
mount -t tmpfs tmpfs "$at/tmp"
mount -t tmpfs tmpfs "$at/sys"
mkdir -p "$at/sys/devices/system/cpu" "$at/sys/firmware/devicetree/base"
for list in possible present online; do echo "0-$cores" >"$at/sys/devices/system/cpu/$list"; done
printf '%s\\0' "$model" >"$at/sys/firmware/devicetree/base/model"
mount --bind "$work" "$at/work"
mount --bind "$bytecode" "$at/pycache"
exec chroot "$at" "$@"
"""


@dataclass(frozen=True, slots=True)
class Guest:
    """A board that runs.

    Attributes:
        root: its Debian.
        board: its processor.
        work: the folder that is shared with it.
    """

    root: Root
    board: Board
    work: Path

    @property
    def python(self) -> str:
        """Its Python."""
        return f"/usr/bin/python{self.root.recipe.python}"

    def environment(self, install: str, variables: Mapping[str, str]) -> dict[str, str]:
        """Environment variables of a command that uses one of the root's installations."""
        folders = [f"{WORK}/{SITE}", f"/{INSTALLS}/{install}", f"/{INSTALLS}/{TOOLS}", WORK]
        if "python3-numpy" in self.root.recipe.packages:
            folders.append("/usr/lib/python3/dist-packages")
        libraries = [f"/{folder}" for folder in self.root.recipe.library_folders]
        return {
            "HOME": "/tmp",
            "LANG": "C.UTF-8",
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": ":".join(folders),
            "PYTHONPYCACHEPREFIX": "/pycache",
            "QEMU_CPU": self.board.cpu,
            **({"LD_LIBRARY_PATH": ":".join(libraries)} if libraries else {}),
            **variables,
        }

    def run(
        self,
        install: str,
        command: Sequence[str],
        *,
        timeout: float,
        variables: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the board.

        Args:
            install: which of the root's installations its Python sees.
            command: the program and its arguments, as seen on the board.
            timeout: seconds after which everything it started is killed.
            variables: environment variables beside those of `environment`.

        Raises:
            subprocess.TimeoutExpired: it ran longer.
        """
        cpuinfo = self.work / f"{self.board.cpu}.cpuinfo"
        cpuinfo.write_text(self.board.cpuinfo)
        at = self.work / "mount"
        at.mkdir(exist_ok=True)
        arguments = [self.root.folder, at, self.work, self.root.bytecode, cpuinfo]
        # A process namespace of its own: nothing that the command started outlives it.
        enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _ENTER, "sh"]
        # Addresses that do not change: what a program does with them would change its cost.
        enter = ["setarch", "--addr-no-randomize", *enter]
        enter += [*map(str, arguments), self.board.model, str(CORES - 1)]
        return subprocess.run(
            [*enter, *command],
            env=self.environment(install, variables or {}),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
