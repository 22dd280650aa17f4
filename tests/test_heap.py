"""The C library's heap, in processes of their own, since what it is told holds for the process."""

import platform
import subprocess
import sys

import pytest

from edge_mrl import heap

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")

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
    assert before - after > 20 * heap.MIB


TOLD = "assert heap.keep_large_apart(); "


@glibc
@pytest.mark.parametrize(("told", "kept"), [("", True), (TOLD, False)])
def test_a_large_block_below_one_in_use_is_given_back_when_it_is_freed(told, kept):
    """Without being told, glibc learns from the first large block to keep such blocks in the
    heap."""
    learned = "libc.free(libc.malloc(30 << 20)); "
    blocks = "large = libc.malloc(20 << 20); above = libc.malloc(64 << 10); "
    used = "libc.memset(large, 1, 20 << 20); libc.memset(above, 1, 64 << 10); "
    before, after = printed_by(
        told, learned, blocks, used, "print(resident()); libc.free(large); print(resident())"
    )
    assert (before - after < heap.MIB) == kept


def test_another_system_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert not heap.give_back()
    assert not heap.keep_large_apart()
