"""What a whole pipeline is, text to hits. Only the standard library is imported here: each pipeline
runs in processes of its own, and what it imports is part of its cold start."""

from __future__ import annotations

from pathlib import Path

K = 10
Settings = dict[str, str]
"""Paths: `bundle`, `tflite` and `static` (bundles), `model` (a sentence-transformers folder),
`fastembed` (a folder made by benchmarks.pipelines from the bundle's graph)."""


class Pipeline:
    """Text in, ids out.

    Attributes:
        name: in the table.
        modules: what it imports, to see whether it is installed.
        requirements: what its user would install.
        pinned: the file below requirements/ that installs no more than it needs, if any.
        needs: the settings that it needs.
    """

    name: str
    modules: tuple[str, ...]
    requirements: tuple[str, ...]
    pinned: str | None = None
    needs: tuple[str, ...]

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.folder = settings, folder

    def create(self) -> None:
        """An empty store, and the model."""
        raise NotImplementedError

    def add(self, ids: list[str], texts: list[str]) -> None:
        """Embed and add documents, by the library's own call."""
        raise NotImplementedError

    def save(self) -> None:
        """What its user calls after adding, where there is such a call."""

    def open(self) -> None:
        """The store as it was left, and the model."""
        raise NotImplementedError

    def search(self, text: str) -> list[str]:
        """Ids of the best 10."""
        raise NotImplementedError

    def count(self) -> int:
        """Documents in the store."""
        raise NotImplementedError
