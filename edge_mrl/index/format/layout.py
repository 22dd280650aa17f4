"""Which slices an index keeps: the truth, one to scan, and one between them. Pure."""

from collections.abc import Sequence
from typing import NamedTuple, Self

from edge_mrl.errors import SliceError
from edge_mrl.slices import Slice, check_trained

STORED_BITS = (8, 16, 32)
SCAN_BITS = (1, 2, 4, 8)

GAIN_BYTES = 2
"""Bytes of a row's gain beside its codes."""

_LARGEST_SCAN_BYTES = 64
"""A scan row of more takes a shorter prefix; see `default_layout`."""


class _LayoutFields(NamedTuple):
    stored: Slice
    scan: Slice
    refine: Slice | None = None


class IndexLayout(_LayoutFields):
    """The slices of an index.

    Attributes:
        stored: the authoritative row of each vector: 8, 16 or 32 bits.
        scan: the packed codes that are scanned first: 1, 2, 4 or 8 bits, no wider than `stored`.
        refine: finer codes, held in memory as `scan` is, by which the best of the scan are ordered
            before stored rows are read; None to go from the scan to the stored rows.

    Raises:
        SliceError: a part is no `Slice`, its bits do not fit it, the scan or refine slice is wider
            than the stored one, or the refine slice is no finer than the scan slice.
    """

    __slots__ = ()

    def __new__(cls, stored: Slice, scan: Slice, refine: Slice | None = None) -> Self:
        """Checked as the class says."""
        given: tuple[object, ...] = (stored, scan, *(() if refine is None else (refine,)))
        for each in given:
            if not isinstance(each, Slice):
                raise SliceError(f"{each!r} is no Slice: write Slice(dimensions, bits)")
        if stored.bits not in STORED_BITS:
            raise SliceError(f"the stored slice {stored} cannot be: give it 8, 16 or 32 bits")
        for what, part in (("scan", scan), ("refine", refine)):
            if part is None:
                continue
            if part.bits not in SCAN_BITS:
                raise SliceError(f"the {what} slice {part} cannot be: give it 1, 2, 4 or 8 bits")
            if part.dim > stored.dim:
                raise SliceError(
                    f"the {what} slice {part} is wider than the stored slice {stored}: "
                    f"choose a {what} slice of at most as many dimensions"
                )
        if refine is not None and (refine.dim < scan.dim or refine.code_bytes <= scan.code_bytes):
            raise SliceError(
                f"the refine slice {refine} tells no more than the scan slice {scan}: choose one "
                "of more bytes and at least as many dimensions, or none"
            )
        return super().__new__(cls, stored, scan, refine)

    def with_codes(self, scan: Slice | None, refine: Slice | None) -> Self:
        """The same stored slice with codes that were chosen by hand, or as it is where none was.

        Args:
            scan: None for this layout's.
            refine: None for none; this layout's where no scan slice was chosen either.

        Raises:
            SliceError: as the constructor.
        """
        if scan is None and refine is None:
            return self
        return type(self)(self.stored, scan or self.scan, refine)

    def __str__(self) -> str:
        middle = "" if self.refine is None else f", refine {self.refine}"
        return f"stored {self.stored}, scan {self.scan}{middle}"

    @property
    def resident(self) -> tuple[Slice, ...]:
        """What is held in memory for a search, in the order of use."""
        return (self.scan,) if self.refine is None else (self.scan, self.refine)

    @property
    def shares_plane(self) -> bool:
        """Whether the scan codes hold one bit of each refine code, and the file, which then leaves
        it out, is smaller for it; see `edge_mrl.index.format.planes`."""
        scan, refine = self.scan, self.refine
        if refine is None or scan.bits != 1 or refine.dim != scan.dim or refine.bits > 4:
            return False
        return self.plane_bytes < refine.code_bytes

    @property
    def plane_bytes(self) -> int:
        """Bytes of a document's refine codes without that bit, in whole bytes for each other."""
        return 0 if self.refine is None else (self.refine.bits - 1) * -(-self.refine.dim // 8)

    @property
    def resident_row_bytes(self) -> int:
        """Bytes that one document takes in memory: codes and gains."""
        return sum(part.code_bytes + GAIN_BYTES for part in self.resident)


def default_layout(dim: int, trained: Sequence[int]) -> IndexLayout:
    """The layout for vectors of `dim` dimensions when nothing else decides.

    All dimensions are stored at 8 bits. The scan takes all of them too, at 1 bit from 256
    dimensions on, 2 from 64, else 8; where that is more than 64 bytes a row, the widest trained
    prefix that is not. Twice the bits order what the scan finds (all dimensions at 1 bit after a
    prefix), so that few rows are read from the file: one takes 2 us, as long as scanning two
    thousand. Shortlist for 99.5 % of the true top 10 among 100 000 texts (wordllama, 400 queries):
    128x1 2128, 256x1 215, 256x2 40, 256x4 14.

    Args:
        dim: a trained size.
        trained: the trained sizes.

    Raises:
        UntrainedDimError: `dim` is not one of them.
    """
    check_trained(dim, trained)
    stored = Slice(dim, 8)
    if dim < 64:
        return IndexLayout(stored, stored)
    whole = Slice(dim, 1 if dim >= 256 else 2)
    shorter = [size for size in trained if 64 <= size < dim and size // 8 <= _LARGEST_SCAN_BYTES]
    if whole.code_bytes > _LARGEST_SCAN_BYTES and shorter:
        return IndexLayout(stored, Slice(max(shorter), 1), whole)
    return IndexLayout(stored, whole, Slice(dim, 2 * whole.bits))
