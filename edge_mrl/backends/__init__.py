"""Inference engines, one file each behind one Protocol. An engine is imported when a variant of its
format is opened."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_mrl.backends.engines import TFLITE_ENGINES, engines_for, first_installed
from edge_mrl.backends.protocol import Backend
from edge_mrl.bundle.manifest import Variant, VariantFormat
from edge_mrl.errors import BackendMissingError

__all__ = ["BACKENDS", "Backend", "BackendEntry", "available", "installed_formats", "open_backend"]

BackendOpener = Callable[[Variant, Sequence[Path], int, int], Backend]


@dataclass(frozen=True, slots=True)
class BackendEntry:
    """How one format is run.

    Args:
        modules: import names of which any one is enough; none for what numpy alone can do.
        install: the pip command that brings them.
        opener: opens a variant from its files; the further arguments are the padding id and the
            thread count.
    """

    modules: tuple[str, ...]
    install: str
    opener: BackendOpener

    @property
    def installed(self) -> bool:
        """Whether an engine can be imported here; nothing is imported to find out."""
        return not self.modules or first_installed(self.modules) is not None

    def runs(self, variant: Variant) -> bool:
        """Whether an engine that is known to run this variant can be imported here; nothing is
        imported to find out."""
        fitting = engines_for(variant, self.modules)
        return not self.modules or first_installed(fitting) is not None

    def load(self) -> str:
        """Import the engine.

        Returns:
            Its name and version.

        Raises:
            ImportError: it is not installed, or not for this machine.
        """
        found = first_installed(self.modules) or "numpy"
        return f"{found} {getattr(importlib.import_module(found), '__version__', '')}".strip()


def _open_table(variant: Variant, files: Sequence[Path], pad_id: int, threads: int) -> Backend:
    from edge_mrl.backends.table import TableBackend

    return TableBackend.open(variant, files)


def _open_onnx(variant: Variant, files: Sequence[Path], pad_id: int, threads: int) -> Backend:
    from edge_mrl.backends.onnx import OnnxBackend

    return OnnxBackend.open(variant, files, pad_id=pad_id, threads=threads)


def _open_tflite(variant: Variant, files: Sequence[Path], pad_id: int, threads: int) -> Backend:
    from edge_mrl.backends.litert import LiteRtBackend

    return LiteRtBackend.open(variant, files, pad_id=pad_id, threads=threads)


BACKENDS: dict[VariantFormat, BackendEntry] = {
    "table": BackendEntry((), "pip install edge-mrl", _open_table),
    "onnx": BackendEntry(("onnxruntime",), "pip install 'edge-mrl[onnx]'", _open_onnx),
    "tflite": BackendEntry(TFLITE_ENGINES, "pip install 'edge-mrl[litert]'", _open_tflite),
}


def available(variant: Variant) -> bool:
    """Whether this variant's engine is installed here."""
    return BACKENDS[variant.format].runs(variant)


def installed_formats() -> tuple[VariantFormat, ...]:
    """The formats that have an engine installed here."""
    return tuple(format_ for format_, entry in BACKENDS.items() if entry.installed)


def open_backend(variant: Variant, files: Sequence[Path], *, pad_id: int, threads: int) -> Backend:
    """Open a variant with its engine.

    Args:
        variant: what to open.
        files: its files in the manifest's order, already checked.
        pad_id: the token id that fills short rows of a batch.
        threads: how many threads the engine may use.

    Raises:
        BackendMissingError: the engine is not installed; names the pip command.
        BundleError: the engine does not accept a file.
    """
    entry = BACKENDS[variant.format]
    if not entry.runs(variant):
        names = " or ".join(engines_for(variant, entry.modules)) or " or ".join(variant.engines)
        raise BackendMissingError(
            f"variant {variant.name!r} needs {names}, which is not installed here: run "
            f"`{entry.install}`, or choose another variant"
        )
    return entry.opener(variant, files, pad_id, threads)
