"""A text as many vectors, one for each token, as late interaction compares texts. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import InputError
from edge_mrl.slices import MAX_DIM

MAX_TOKENS = 65_536
"""No text has more; a larger number in a file is damage."""


class MultiVector:
    """A vector for each token of a text, as ColBERT makes them; Qdrant's name.

    Args:
        vectors: (n, d) numbers, n and d 1 or more, kept as float32; their lengths do not matter.
        name: what messages call them.

    Raises:
        InputError: the vectors differ in width, there are none, or one of them is not finite or
            has no direction; says which.
    """

    __slots__ = ("vectors",)

    vectors: npt.NDArray[np.float32]

    def __init__(self, vectors: npt.ArrayLike, name: str = "the token vectors") -> None:
        try:
            raw = np.asarray(vectors)
        except ValueError as error:
            raise InputError(
                f"{name} are not of one width: give an array of shape (tokens, dimensions)"
            ) from error
        if raw.shape[:1] == (0,):
            raise InputError(f"{name} are empty: give at least one")
        if raw.ndim != 2 or raw.dtype.kind not in "fiu":
            raise InputError(
                f"{name} must be numbers of shape (tokens, dimensions), "
                f"not {raw.dtype} of shape {raw.shape}"
            )
        if raw.shape[0] > MAX_TOKENS or not 1 <= raw.shape[1] <= MAX_DIM:
            raise InputError(
                f"{name} have the shape {raw.shape}: give at most {MAX_TOKENS} tokens "
                f"of 1 to {MAX_DIM} dimensions"
            )
        with np.errstate(over="ignore"):
            self.vectors = raw.astype(np.float32)
        for wrong, problem in (
            (~np.isfinite(self.vectors).all(axis=1), "is not finite"),
            (~self.vectors.any(axis=1), "is all zeros and has no direction"),
        ):
            if wrong.any():
                raise InputError(
                    f"{name}: token {np.flatnonzero(wrong)[0]} (counted from 0) {problem}: "
                    "leave it out"
                )

    def __len__(self) -> int:
        return int(self.vectors.shape[0])

    @property
    def dim(self) -> int:
        """The width of each."""
        return int(self.vectors.shape[1])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MultiVector) and np.array_equal(self.vectors, other.vectors)

    def __hash__(self) -> int:
        return hash((self.vectors.shape, self.vectors.tobytes()))

    def __repr__(self) -> str:
        return f"MultiVector({len(self)} tokens of {self.dim} dimensions)"
