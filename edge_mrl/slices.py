"""Slices: the prefix of a Matryoshka vector, and how many bits each coordinate gets. Pure
arithmetic.

A Matryoshka model (Kusupati et al. 2022, "Matryoshka Representation Learning", arXiv:2205.13147) is
trained so that the first d coordinates are a good embedding for each d of a *trained* list. A
`Slice` is one way to keep such a vector: the first `dim` coordinates at `bits` bits each."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import InputError, SliceError, UntrainedDimError
from edge_mrl.schema import whole_number

CODE_BITS = (1, 2, 4, 8, 16, 32)
"""Bits per coordinate that an index can keep: 1 to 8 are integer codes, 16 and 32 are IEEE
floats."""

MAX_DIM = 65_536
"""No embedding is wider; a larger number in a file is damage or malice."""

FloatArray = npt.NDArray[np.float32]


class _SliceFields(NamedTuple):
    dim: int
    bits: int


class Slice(_SliceFields):
    """The first `dim` coordinates at `bits` bits each, e.g. ``Slice(128, 4)``, written ``128x4``.

    Raises:
        SliceError: `dim` is not in 1..65536, or `bits` is not one of 1, 2, 4, 8, 16, 32.
    """

    __slots__ = ()

    def __new__(cls, dim: int, bits: int) -> Self:
        """Checked as the class says."""
        size, kept = whole_number(dim), whole_number(bits)
        if size is None or not 1 <= size <= MAX_DIM:
            raise SliceError(f"a slice of {_shown(dim)} dimensions cannot be: give 1 to {MAX_DIM}")
        if kept not in CODE_BITS:
            raise SliceError(
                f"a slice of {_shown(bits)} bits cannot be: give one of "
                f"{', '.join(map(str, CODE_BITS))}"
            )
        return super().__new__(cls, size, kept)

    def __str__(self) -> str:
        return f"{self.dim}x{self.bits}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"128x4"``.

        Raises:
            SliceError: the text is not of that form.
        """
        if not isinstance(text, str):
            raise SliceError(f"cannot read a slice from {text!r}: give a text such as '128x4'")
        dim, _, bits = text.strip().partition("x")
        # No regular expression: compiling one takes as long as opening an index.
        numbers = dim.isascii() and dim.isdigit() and bits.isascii() and bits.isdigit()
        if not (numbers and len(dim) <= 6 and len(bits) <= 3):
            raise SliceError(
                f"cannot read the slice {text!r}: write dimensions x bits, as in 128x4"
            )
        return cls(int(dim), int(bits))

    @property
    def code_bytes(self) -> int:
        """Bytes of one vector's codes, without its scale."""
        return (self.dim * self.bits + 7) // 8

    @property
    def nbytes(self) -> int:
        """Bytes of one vector by itself: the codes, and a float32 scale where they are integers."""
        return self.code_bytes + (4 if self.bits <= 8 else 0)


def trained_sizes(sizes: Iterable[int]) -> tuple[int, ...]:
    """The sizes that a model was trained for, each once, rising.

    Raises:
        InputError: there is none, or one is not a whole number from 1 to 65536.
    """
    given: list[object] = list(sizes) if isinstance(sizes, Iterable) else [None]
    found = [number for size in given if (number := whole_number(size)) is not None]
    if not found or len(found) < len(given) or min(found) < 1 or max(found) > MAX_DIM:
        raise InputError(
            f"the trained sizes {sizes!r} cannot be used: give whole numbers from 1 to {MAX_DIM}"
        )
    return tuple(sorted(set(found)))


def check_trained(dim: int, trained: Sequence[int]) -> int:
    """Return `dim` if the model was trained for it.

    Raises:
        UntrainedDimError: it was not; the message names the trained sizes.
    """
    number = whole_number(dim)
    if number is None or number not in trained:
        sizes = ", ".join(map(str, trained))
        raise UntrainedDimError(
            f"this model was not trained for {_shown(dim)} dimensions: choose one of the trained "
            f"sizes {sizes}"
        )
    return number


def _shown(value: object) -> str:
    """What was given for a number, told from a text that looks like one."""
    number = whole_number(value)
    return repr(value) if number is None else str(number)


def normalize(vectors: FloatArray) -> FloatArray:
    """Scale each row to unit length. A row of zeros stays zero.

    The lengths are summed in float64, so that every machine gives the same rows.

    Args:
        vectors: (n, d) float32.

    Returns:
        (n, d) float32, a new array.
    """
    wide = vectors.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    lengths[lengths == 0] = 1
    unit: FloatArray = (wide / lengths[:, None]).astype(np.float32)
    return unit


def prefix(vectors: FloatArray, dim: int) -> FloatArray:
    """Keep the first `dim` coordinates and renormalise, as MRL and OpenAI's `dimensions` do.

    Args:
        vectors: (n, d) float32, d >= dim.
        dim: how many coordinates to keep.

    Returns:
        (n, dim) float32, rows of unit length (or zero where the prefix is all zero).

    Raises:
        InputError: the vectors are narrower than `dim`.
    """
    if vectors.ndim != 2 or vectors.shape[1] < dim:
        raise InputError(f"cannot take {dim} dimensions from vectors of shape {vectors.shape}")
    return normalize(vectors[:, :dim])
