"""The C library's heap, in processes of their own, since what it is told holds for the process."""

import platform
import subprocess
import sys

import pytest

from edge_mrl import heap

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")

MIB = 2**20
RESIDENT = "resident = lambda: int(open('/proc/self/statm').read().split()[1]) * 4096; "
IN_THE_HEAP = "from edge_mrl import heap; import ctypes; libc = ctypes.CDLL(None); "
ALLOCATE = (
    "libc.malloc.restype = ctypes.c_void_p; libc.malloc.argtypes = [ctypes.c_size_t]; "
    "libc.free.argtypes = [ctypes.c_void_p]; libc.memset.argtypes = "
    "[ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]; "
)


def printed_by(*statements):
    code = IN_THE_HEAP + ALLOCATE + RESIDENT + "".join(statements)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


@glibc
def test_holes_between_blocks_in_use_are_given_back():
    blocks = "made = [libc.malloc(64 << 10) for _ in range(512)]; "
    used = "[libc.memset(one, 1, 64 << 10) for one in made]; "
    holes = "[libc.free(one) for number, one in enumerate(made) if number % 8]; "
    before, after = printed_by(
        blocks, used, holes, "print(resident()); ", "assert heap.give_back(); ", "print(resident())"
    )
    assert before - after > 20 * MIB


def test_another_system_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert not heap.give_back()
