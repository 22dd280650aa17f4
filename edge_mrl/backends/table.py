"""Static models: a vector per token, averaged. numpy is the whole engine.

The table is int8 with one float32 scale per row, in two .npy files. They are mapped, not read, so
only the rows that texts touch take memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from edge_mrl.backends.protocol import WithTokens
from edge_mrl.bundle.manifest import Variant
from edge_mrl.errors import BundleError
from edge_mrl.slices import FloatArray, prefix

Scalar = TypeVar("Scalar", bound=np.generic)


class TableBackend:
    """Mean of token rows, cut and renormalised."""

    def __init__(self, rows: npt.NDArray[np.int8], scales: FloatArray) -> None:
        self._rows, self._scales = rows, scales

    @classmethod
    def open(cls, variant: Variant, files: Sequence[Path]) -> TableBackend:
        """Map the two files of a table variant: rows (vocabulary, dim) int8, scales (vocabulary,)
        float32.

        Raises:
            BundleError: the files are not those two arrays.
        """
        if len(files) != 2:
            raise BundleError(f"variant {variant.name!r} must have two files, rows and scales")
        rows = _map(files[0], np.dtype(np.int8))
        scales = _map(files[1], np.dtype("<f4"))
        if rows.ndim != 2 or rows.shape[1] < max(variant.dims):
            raise BundleError(
                f"{files[0]} is not a table of {max(variant.dims)} columns: export the bundle again"
            )
        if scales.shape != rows.shape[:1]:
            raise BundleError(
                f"{files[1]} does not hold one scale per row: export the bundle again"
            )
        return cls(rows, scales)

    def embed(
        self,
        token_ids: Sequence[Sequence[int]],
        dim: int,
        *,
        prompt_tokens: int = 0,
        room: int = 0,
    ) -> FloatArray:
        """See `Backend.embed`; nothing is padded, and no static model leaves its prompts out. A
        text without tokens gets a row of zeros: it has no direction."""
        sums = np.zeros((len(token_ids), self._rows.shape[1]), dtype=np.float32)
        last = len(self._rows) - 1
        for position, ids in enumerate(token_ids):
            if ids:
                # The mean and the sum differ by a factor that normalising takes away.
                tokens = np.minimum(ids, last)
                sums[position] = self._scales[tokens] @ self._rows[tokens].astype(np.float32)
        return prefix(sums, dim)

    def embed_with_tokens(
        self, token_ids: Sequence[Sequence[int]], dim: int, *, prompt_tokens: int = 0
    ) -> WithTokens:
        """See `TokenBackend`: a token's vector is its row. A row of zeros has no direction."""
        last = len(self._rows) - 1
        tokens = []
        for ids in token_ids:
            # A row's scale is positive, so its direction is that of the codes.
            places = np.minimum(np.asarray(ids, dtype=np.int64), last)
            units = prefix(self._rows[places].astype(np.float32), dim)
            tokens.append(units[units.any(axis=1)])
        return WithTokens(self.embed(token_ids, dim), tokens)


def _map(file: Path, dtype: np.dtype[Scalar]) -> npt.NDArray[Scalar]:
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise BundleError(
            f"{file} is not a .npy array ({error}): export the bundle again"
        ) from error
    if not isinstance(array, np.memmap) or array.dtype != dtype:
        raise BundleError(f"{file} does not hold {dtype} numbers: export the bundle again")
    # As a memmap, each look-up would go through Python.
    return array.view(np.ndarray)
