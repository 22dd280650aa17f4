"""Small disks to fill, to write-protect and to cut the power of. Needs root and `mount`."""

import fcntl
import os
import shutil
import struct
import subprocess
from pathlib import Path

EXT4_IOC_SHUTDOWN = 0x8004587D
"""include/uapi/linux/ext4.h: the file system stops at once, as if the power had gone."""

NOLOGFLUSH = 2
"""EXT4_GOING_FLAGS_NOLOGFLUSH: what is only in memory, the journal too, is lost."""


def why_not(*programs: str) -> str | None:
    """Why these programs and mounts cannot be had here; None where they can."""
    if os.geteuid() != 0:
        return "only root may mount"
    missing = [name for name in ("mount", *programs) if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} is not installed"
    return None


class Disk:
    """A file system on a folder of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self._options = options
        folder.mkdir(exist_ok=True)

    def mount(self, *more: str) -> bool:
        """Mount it; False where the machine does not let us."""
        done = subprocess.run(
            ["mount", *self._options, *more, str(self.folder)], capture_output=True, text=True
        )
        return done.returncode == 0

    def write_protect(self) -> None:
        """Mount it again for reading only."""
        subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True)

    def unmount(self) -> None:
        """Take it away."""
        subprocess.run(["umount", str(self.folder)], check=True)

    def cut_power(self) -> None:
        """Everything that was not flushed is lost, and nothing more can be written."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        finally:
            os.close(descriptor)


def memory_disk(folder: Path, mebibytes: int) -> Disk:
    """A tmpfs of this size."""
    return Disk(folder, "-t", "tmpfs", "-o", f"size={mebibytes}m", "none")


def image_disk(folder: Path, mebibytes: int) -> Disk:
    """An ext4 file system in a file beside the folder."""
    image = folder.with_name(folder.name + ".img")
    with image.open("wb") as stream:
        stream.truncate(mebibytes * 2**20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    return Disk(folder, "-o", "loop", str(image))
