"""Inference engines, one file each behind one Protocol. An engine is imported when a variant of its
format is opened."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from edge_mrl.backends.engines import first_installed, imported, installed_engines, module_of
from edge_mrl.backends.protocol import Backend
from edge_mrl.bundle.engines import ENGINES, engines_for
from edge_mrl.bundle.manifest import Variant, VariantFormat
from edge_mrl.errors import BackendMissingError

__all__ = [
    "BACKENDS",
    "Backend",
    "BackendEntry",
    "available",
    "first_runnable",
    "import_engine",
    "installed_engines",
    "open_backend",
]

BackendOpener = Callable[[Variant, Sequence[Path], int, int], Backend]


class BackendEntry(NamedTuple):
    """How one format is run.

    Args:
        engines: of which any one is enough, as pip names them.
        install: the pip command that brings them.
        opener: opens a variant from its files; the further arguments are the padding id and the
            thread count.
    """

    engines: tuple[str, ...]
    install: str
    opener: BackendOpener

    @property
    def installed(self) -> bool:
        """Whether an engine can be imported here; nothing is imported to find out."""
        return first_installed(self.engines) is not None

    def load(self) -> str:
        """Import the engine.

        Returns:
            Its name and version.

        Raises:
            ImportError: it is not installed, or not for this machine.
        """
        engine = first_installed(self.engines) or self.engines[0]
        imported(engine)
        found = module_of(engine)
        return f"{found} {getattr(sys.modules[found], '__version__', '')}".strip()


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
    "table": BackendEntry(ENGINES["table"], "pip install edge-mrl", _open_table),
    "onnx": BackendEntry(ENGINES["onnx"], "pip install 'edge-mrl[onnx]'", _open_onnx),
    "tflite": BackendEntry(ENGINES["tflite"], "pip install 'edge-mrl[litert]'", _open_tflite),
}


def available(variant: Variant) -> bool:
    """Whether an engine that is known to run this variant is installed here; nothing is imported
    to find out."""
    return first_installed(engines_for(variant)) is not None


def first_runnable(variants: Sequence[Variant], dim: int | None = None) -> Variant:
    """The variant that runs where nobody chooses one.

    Args:
        variants: those of a bundle, in its order.
        dim: a size that the variant must give; of those that do, the smallest is taken.

    Raises:
        BackendMissingError: no engine of a fitting variant is installed; names the pip commands.
    """
    fitting = [v for v in variants if dim is None or dim in v.dims]
    runnable = [variant for variant in fitting if available(variant)]
    if runnable:
        # A static table has a smaller variant for a smaller size; where sizes are equal, the
        # bundle's order decides.
        return runnable[0] if dim is None else min(runnable, key=lambda one: max(one.dims))
    formats = sorted({variant.format for variant in fitting})
    commands = " or ".join(f"`{BACKENDS[format_].install}`" for format_ in formats)
    raise BackendMissingError(
        f"no engine for this bundle's variants ({', '.join(formats)}) is installed: run {commands}"
    )


def import_engine(variant: Variant) -> None:
    """Import the engine that `open_backend` would run a variant with; nothing where there is none.

    Raises:
        ImportError: it is not for this machine.
    """
    engine = first_installed(engines_for(variant))
    if engine is not None:
        imported(engine)


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
    if not available(variant):
        names = " or ".join(engines_for(variant) or variant.engines)
        raise BackendMissingError(
            f"variant {variant.name!r} needs {names}, which is not installed here: run "
            f"`{entry.install}`, or choose another variant"
        )
    return entry.opener(variant, files, pad_id, threads)
