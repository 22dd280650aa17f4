"""The compiled kernel, scan.c, through ctypes. ctypes lets other threads run meanwhile."""

from __future__ import annotations

import ctypes
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_mrl.kernel import hadamard
from edge_mrl.kernel.blocks import BlockList, CodeBlock
from edge_mrl.kernel.quantizer import LEVELS, IntQuery, PreparedQuery, TableQuery
from edge_mrl.kernel.reference import Candidates, IntArray
from edge_mrl.slices import FloatArray

LIBRARY = Path(__file__).with_name("_scan.so")
SOURCE = Path(__file__).with_name("scan.c")
TARGETS = ("scalar", "ssse3", "avx2", "avx512", "neon", "neon-dotprod")
"""Numbered as in scan.c; of those that a CPU has, the last is the fastest."""

_INTERFACE = 1
_AT_HWCAP = 16
_RESERVOIR = 4
"""Places in the reservoir for each candidate that is kept: the more, the fewer selections."""
_LEAST_RESERVOIR = 1024

_pointer = ctypes.c_void_p
_int64 = ctypes.c_int64
_query = [ctypes.c_int, ctypes.c_int, _pointer, _int64, ctypes.c_int32]
_SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "emk_interface": (ctypes.c_int, []),
    "emk_source": (ctypes.c_uint32, []),
    "emk_targets": (ctypes.c_uint, [ctypes.c_uint64]),
    "emk_scan": (_int64, [*_query, _pointer, _int64, _int64, _int64, _pointer]),
    "emk_scores": (None, [*_query, _pointer, _pointer]),
    "emk_turn": (None, [_pointer, _pointer, _int64, ctypes.c_float]),
    "emk_table": (ctypes.c_int32, [_pointer, _int64, ctypes.c_int, _pointer, _int64, _pointer]),
    "emk_weights": (None, [_pointer, _int64, _pointer]),
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """The outcome of looking for the library.

    Attributes:
        kernels: one for each target that this CPU has, slowest first; empty without a library.
        missing: why there is none, or "".
    """

    kernels: tuple[NativeKernel, ...]
    missing: str


def load(library: Path = LIBRARY, source: Path = SOURCE) -> Loaded:
    """Open the library.

    Args:
        library: the shared object.
        source: what it was compiled from. Where that file is there and has changed since, the
            library is not used.
    """
    if not library.is_file():
        return Loaded((), "the package was installed without a C compiler")
    try:
        functions = ctypes.CDLL(str(library))
        calls = {name: _declared(functions, name) for name in _SIGNATURES}
    except (OSError, AttributeError) as error:
        return Loaded((), f"{library.name} cannot be used here ({error})")
    if calls["emk_interface"]() != _INTERFACE or (
        source.is_file() and calls["emk_source"]() != source_crc(source)
    ):
        return Loaded((), f"{library.name} is older than its source: install the package again")
    found = calls["emk_targets"](_hardware_capabilities())
    numbers = [number for number in range(len(TARGETS)) if found >> number & 1]
    return Loaded(tuple(NativeKernel(calls, number) for number in numbers), "")


def source_crc(source: Path) -> int:
    """What the library remembers of its source: CRC-32 of its bytes."""
    return zlib.crc32(source.read_bytes())


def _declared(library: ctypes.CDLL, name: str) -> Callable[..., int]:
    result, arguments = _SIGNATURES[name]
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments
    return function  # type: ignore[no-any-return]


def _hardware_capabilities() -> int:
    """What Linux says of an ARM CPU; 0 where the C library has no such function."""
    try:
        ask = ctypes.CDLL(None).getauxval
    except (OSError, AttributeError):
        return 0
    ask.restype, ask.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
    return int(ask(_AT_HWCAP))


def _at(array: npt.NDArray[np.generic]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


class NativeKernel:
    """One target of the compiled kernel, behind the `Kernel` protocol."""

    def __init__(self, calls: dict[str, Callable[..., int]], target: int) -> None:
        self._calls = calls
        self._target = target

    @property
    def name(self) -> str:
        """The target's name."""
        return TARGETS[self._target]

    def prepare(self, query: FloatArray, bits: int) -> PreparedQuery:
        """See `quantizer.prepare`."""
        values = np.ascontiguousarray(query, dtype=np.float32)
        if bits == 8:
            weights = np.empty(values.size, dtype=np.int8)
            self._calls["emk_weights"](_at(values), values.size, _at(weights))
            return IntQuery(weights)
        nibbles = 2 * ((values.size * bits + 7) // 8)
        entries = np.empty((nibbles, 16), dtype=np.uint8)
        offset = self._calls["emk_table"](
            _at(values), values.size, bits, _at(LEVELS[bits]), nibbles, _at(entries)
        )
        return TableQuery(entries, offset)

    def turn(self, values: FloatArray, signs: FloatArray) -> FloatArray:
        """See `hadamard.turn`; here for one vector."""
        result = np.array(values, dtype=np.float32, order="C")
        factor = hadamard.factor(signs.size)
        self._calls["emk_turn"](_at(result), _at(signs), signs.size, factor)
        return result

    def scan(self, query: PreparedQuery, blocks: BlockList, keep: int) -> Candidates:
        """See `reference.scan`.

        Raises:
            ValueError: the codes are not of the query's kind or width.
        """
        integers, arguments = self._query(query, blocks.blocks)
        kept = min(keep, max(1, blocks.rows))
        # Twice 32 rows more than can be kept: a block is offered as a whole.
        capacity = min(_RESERVOIR * kept, blocks.rows) + _LEAST_RESERVOIR
        work = np.empty((4, capacity), dtype=np.int64)
        count = self._calls["emk_scan"](
            *arguments, _at(blocks.addresses), len(blocks.blocks), kept, capacity, _at(work)
        )
        del integers
        return Candidates(work[1, :count].copy(), work[0, :count].copy())

    def score(self, query: PreparedQuery, block: CodeBlock) -> IntArray:
        """See `reference.score`.

        Raises:
            ValueError: the codes are not of the query's kind or width.
        """
        integers, arguments = self._query(query, (block,))
        scores = np.empty(block.rows, dtype=np.int64)
        listed = BlockList.of([block])
        self._calls["emk_scores"](*arguments, _at(listed.addresses), _at(scores))
        del integers
        return scores

    def _query(
        self, query: PreparedQuery, blocks: tuple[CodeBlock, ...]
    ) -> tuple[npt.NDArray[np.generic], tuple[int, ...]]:
        """The query's integers, to be kept until the call is over, and the arguments that name
        them."""
        integers: npt.NDArray[np.generic]
        if isinstance(query, TableQuery):
            integers, dimensions, offset = np.ascontiguousarray(query.entries), 3, query.offset
            columns = query.entries.shape[0] // 2
        else:
            integers, dimensions, offset = np.ascontiguousarray(query.weights), 2, 0
            columns = query.weights.size
        for block in blocks:
            if block.codes.ndim != dimensions or block.code_bytes != columns:
                raise ValueError(
                    f"codes of shape {block.codes.shape} do not fit a query of {columns} bytes"
                )
        return integers, (self._target, int(dimensions == 3), _at(integers), columns, offset)
