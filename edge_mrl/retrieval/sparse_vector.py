"""A vector of few coordinates that are not zero. Pure values, checked when they are made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import InputError

_MAX_INDEX = 2**32


class SparseVector:
    """A vector given by its coordinates that are not zero, as Qdrant takes it.

    Args:
        indices: n whole numbers from 0 to 2**32 - 1, each once, in any order.
        values: n numbers; kept as float32.

    Raises:
        InputError: the lists differ in length, an index is negative, too large or stands twice, or
            a value is not finite; says which.
    """

    __slots__ = ("indices", "values")

    indices: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]

    def __init__(self, indices: Sequence[int], values: Sequence[float]) -> None:
        try:
            places = np.asarray(indices)
            numbers = np.asarray(values)
        except ValueError as error:
            raise InputError("a sparse vector needs two lists of numbers") from error
        if places.ndim != 1 or numbers.shape != places.shape:
            raise InputError(
                "a sparse vector needs as many indices as values: "
                f"there are {places.size} and {numbers.size}"
            )
        if places.size and (places.dtype.kind not in "iu" or numbers.dtype.kind not in "fiu"):
            raise InputError(
                "the indices of a sparse vector must be whole numbers, and its values numbers"
            )
        if places.size and not (int(places.min()) >= 0 and int(places.max()) < _MAX_INDEX):
            wrong = int(places.min()) if int(places.min()) < 0 else int(places.max())
            raise InputError(f"a sparse vector has the index {wrong}: give 0 to {_MAX_INDEX - 1}")
        order = np.argsort(places, kind="stable")
        self.indices = places[order].astype(np.int64)
        with np.errstate(over="ignore"):
            self.values = numbers[order].astype(np.float32)
        twice = np.flatnonzero(self.indices[1:] == self.indices[:-1])
        if twice.size:
            raise InputError(
                f"a sparse vector has the index {self.indices[twice[0]]} twice: add the values up"
            )
        if not np.isfinite(self.values).all():
            raise InputError("a sparse vector has a value that is not finite: leave it out")

    def __len__(self) -> int:
        return int(self.indices.size)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, SparseVector)
            and np.array_equal(self.indices, other.indices)
            and np.array_equal(self.values, other.values)
        )

    def __hash__(self) -> int:
        return hash((self.indices.tobytes(), self.values.tobytes()))

    def __repr__(self) -> str:
        return f"SparseVector({self.indices.tolist()}, {self.values.tolist()})"
