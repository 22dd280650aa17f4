"""The package's build: compiles the scan kernel where there is a C compiler.

Without one, or where compiling fails, the package is built all the same, for any machine, and numpy
scans. ``python hatch_build.py`` compiles into the source tree, as an editable install does. With a
cross compiler in ``CC``, ``EDGE_MRL_WHEEL_PLATFORM`` names the platform that the wheel is for;
scripts/build-wheels sets both.
"""

from __future__ import annotations

import os
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
SOURCE = Path("edge_mrl") / "kernel" / "scan.c"
LIBRARY = Path("edge_mrl") / "kernel" / "_scan.so"

PLATFORM_VARIABLE = "EDGE_MRL_WHEEL_PLATFORM"
"""Environment variable with the wheel's platform tags, for another machine's compiler."""

MACHINES = {"_x86_64": 62, "_aarch64": 183, "_armv6l": 40, "_armv7l": 40, "_armv8l": 40}
"""e_machine of the ELF specification by the end of a platform tag."""

FLAGS = (
    "-std=gnu11",
    "-O3",
    "-fPIC",
    "-shared",
    # Nothing of the C library: one file serves every libc.
    "-ffreestanding",
    "-nostdlib",
    # A fused multiply-add would round a query's integers in another place than numpy does.
    "-ffp-contract=off",
    "-fvisibility=hidden",
    # The same bytes from the same source, wherever it lies.
    "-g0",
    "-s",
    "-Wl,--build-id=none",
)


def sources_crc(folder: Path) -> int:
    """CRC-32 of scan.c and the files that it includes; the library remembers it."""
    crc = 0
    for source in sorted(folder.glob("scan*.[ch]")):
        crc = zlib.crc32(source.read_bytes(), crc)
    return crc


def compile_kernel(target: Path, root: Path = ROOT, *more: str) -> str:
    """Compile scan.c.

    Args:
        target: where the shared object shall stand.
        root: the source tree.
        more: further flags.

    Returns:
        "" or why there is no library, in one line.
    """
    compiler = shlex.split(os.environ.get("CC", ""))
    if not compiler:
        found = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
        if found is None:
            return "no C compiler was found"
        compiler = [found]
    crc = sources_crc((root / SOURCE).parent)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / LIBRARY.name
        command = [*compiler, *FLAGS, *more, f"-DSOURCE_CRC={crc}u", "-o", str(made), str(SOURCE)]
        try:
            done = subprocess.run(
                [*command, "-lgcc"], cwd=root, capture_output=True, text=True, check=False
            )
        except OSError as error:
            return f"{compiler[0]} cannot be run ({error.strerror})"
        if done.returncode or not made.is_file():
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            return f"{compiler[0]} failed ({lines[0]})"
        # A process that has the old library open keeps its old file.
        fresh = target.with_name(target.name + ".new")
        shutil.copyfile(made, fresh)
        fresh.replace(target)
    return ""


def platform_tag() -> str:
    """The wheel's platform: the wanted one, or this interpreter's with any libc, such as
    ``linux_aarch64``."""
    wanted = os.environ.get(PLATFORM_VARIABLE)
    if wanted:
        return wanted
    from packaging.tags import platform_tags

    return next(tag for tag in platform_tags() if tag.startswith("linux_"))


def check_machine(library: Path, tag: str) -> None:
    """Refuse a library that was compiled for another machine than the wheel is for.

    Args:
        library: an ELF file.
        tag: platform tags, joined with points; machines unknown here are not checked.

    Raises:
        ValueError: they differ.
    """
    head = library.read_bytes()[:20]
    # e_ident says which byte order and width the rest has; e_machine stands at 18 in all of them.
    found = struct.unpack_from("<H" if head[5] == 1 else ">H", head, 18)[0]
    for platform in tag.split("."):
        wanted = next((number for name, number in MACHINES.items() if platform.endswith(name)), 0)
        if wanted and wanted != found:
            raise ValueError(
                f"the kernel was compiled for ELF machine {found}, which does not run on "
                f"{platform}: set CC and {PLATFORM_VARIABLE} for the same machine"
            )


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # `python hatch_build.py` needs no hatchling
    BuildHookInterface = object


class KernelBuildHook(BuildHookInterface):
    """Puts the compiled kernel into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; on failure leave a pure wheel.

        Args:
            version: "standard" or "editable".
            build_data: hatchling's; the tag and the library are entered here.
        """
        if self.target_name != "wheel" or not sys.platform.startswith("linux"):
            return
        root = Path(self.root)
        if version == "editable":
            library = root / LIBRARY
        else:
            self._folder = tempfile.TemporaryDirectory()
            library = Path(self._folder.name) / LIBRARY.name
        missing = compile_kernel(library, root)
        if missing:
            self.app.display_warning(f"no compiled kernel: {missing}; numpy will scan")
            return
        tag = platform_tag()
        check_machine(library, tag)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{tag}"
        if version != "editable":
            build_data["force_include"][str(library)] = LIBRARY.as_posix()

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled for the wheel."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()


if __name__ == "__main__":
    problem = compile_kernel(ROOT / LIBRARY)
    sys.exit(f"edge-mrl: no compiled kernel: {problem}" if problem else 0)
