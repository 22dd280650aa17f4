"""The processors that are emulated, and what Linux says of them on a board."""

from __future__ import annotations

from dataclasses import dataclass

CORES = 4

_ARMV8_0 = "fp asimd evtstrm crc32 cpuid"
_ARMV8_2 = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop "
    "asimddp"
)
_ARMV7 = "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm"


@dataclass(frozen=True, slots=True)
class Board:
    """One processor on one Debian.

    Attributes:
        cpu: qemu's name of the processor.
        root: which Debian root it runs, a name in `roots.RECIPES`.
        model: what the device tree of a board with this processor says.
        part: "CPU part" in /proc/cpuinfo, from the processor's Main ID Register.
        features: "Features" in /proc/cpuinfo.
        kernels: targets of the scan kernel that the processor can run, slowest first.
        absent: a target of the same wheel that it cannot run, or "".
    """

    cpu: str
    root: str
    model: str
    part: int
    features: str
    kernels: tuple[str, ...]
    absent: str = ""

    @property
    def cpuinfo(self) -> str:
        """/proc/cpuinfo, without which engines misjudge the processor or crash."""
        architecture = 7 if self.features == _ARMV7 else 8
        lines = [
            f"Features\t: {self.features}",
            "CPU implementer\t: 0x41",
            f"CPU architecture: {architecture}",
            "CPU variant\t: 0x0",
            f"CPU part\t: {self.part:#05x}",
            "CPU revision\t: 4",
        ]
        blocks = [
            "\n".join([f"processor\t: {core}", "BogoMIPS\t: 38.40", *lines])
            for core in range(CORES)
        ]
        return "\n\n".join([*blocks, f"Model\t\t: {self.model}"]) + "\n"


NEON = ("numpy", "scalar", "neon")
DOT = (*NEON, "neon-dotprod")

BOARDS = (
    Board(
        "cortex-a53",
        "bookworm-arm64",
        "Raspberry Pi Zero 2 W Rev 1.0",
        0xD03,
        _ARMV8_0,
        NEON,
        "neon-dotprod",
    ),
    Board(
        "cortex-a72",
        "bookworm-arm64",
        "Raspberry Pi 4 Model B Rev 1.4",
        0xD08,
        _ARMV8_0,
        NEON,
        "neon-dotprod",
    ),
    Board("cortex-a76", "trixie-arm64", "Raspberry Pi 5 Model B Rev 1.0", 0xD0B, _ARMV8_2, DOT),
    Board("cortex-a7", "bookworm-armhf", "Raspberry Pi 2 Model B Rev 1.1", 0xC07, _ARMV7, NEON),
)
"""A53: Zero 2 W and 3. A72: 4. A76: 5. A7: 2, and what a 32-bit system on a later board may use."""


def board(cpu: str) -> Board:
    """The board of this processor.

    Raises:
        KeyError: it is not emulated.
    """
    return {one.cpu: one for one in BOARDS}[cpu]
