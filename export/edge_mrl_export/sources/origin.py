"""Where a model folder came from, as a bundle states it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_mrl_export.sources.hub import HubModel


@dataclass(frozen=True, slots=True)
class Origin:
    """`folder` is where the files are, `name` what the model is called, `hub` its id and commit on
    the hub, or None."""

    folder: Path
    name: str
    hub: str | None = None

    @classmethod
    def of_folder(cls, folder: Path) -> Origin:
        """A folder is called by its own name."""
        return cls(folder, folder.resolve().name)

    @classmethod
    def of_hub(cls, model: HubModel) -> Origin:
        """A model of the hub is called by its id, without the owner."""
        return cls(
            model.folder,
            model.name.partition("/")[2],
            f"{model.name} on the Hugging Face hub, commit {model.commit}",
        )

    def first_layers(self, folder: Path, layers: int) -> Origin:
        """The same model cut to its first layers, which stand in `folder`."""
        hub = None if self.hub is None else f"{self.hub}, first {layers} layers"
        return Origin(folder, f"{self.name}-{layers}-layers", hub)

    def said(self, kind: str) -> str:
        """The origin in words; `kind` says what sort of folder it is."""
        return self.hub or f"{kind} {self.name}"
