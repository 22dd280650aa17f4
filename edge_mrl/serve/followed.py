"""An index that stays the one at its path, also when another file takes its place."""

from __future__ import annotations

from pathlib import Path

from edge_mrl.errors import IndexFileError
from edge_mrl.index import Index, TextEncoder


class FollowedIndex:
    """New documents in a file are seen by any open index. A file that is built anew and renamed
    into place is another file: that is noticed here, and opened.

    Args:
        path: the index file.
        encoder: embeds the queries.

    Raises:
        IndexFileError: there is none, or it cannot be used; see `Index.open`.
    """

    def __init__(self, path: Path, encoder: TextEncoder | None) -> None:
        self._path = path
        self._encoder = encoder
        self._file = self._identity()
        if self._file is None:
            # With an encoder at hand, opening would make an empty one.
            raise IndexFileError(f"there is no index {path}: check the path, or build it first")
        self._index = Index.open(path, encoder)

    def current(self) -> Index:
        """The index that stands at the path now; where none stands there, the last one.

        Raises:
            IndexFileError: another file stands there and cannot be used.
        """
        file = self._identity()
        if file is not None and file != self._file:
            index = Index.open(self._path, self._encoder)
            self._index.close()
            self._index, self._file = index, file
        return self._index

    def close(self) -> None:
        """Close the file."""
        self._index.close()

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino
