"""The steps of `edge-mrl adapt`: texts, the model's vectors, training, figures, the new folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge_mrl.errors import ExportError
from edge_mrl.slices import FloatArray
from edge_mrl.version import __version__
from edge_mrl_export.adapt.held_out import Figures, held_out, measure
from edge_mrl_export.adapt.options import AdaptOptions, default_dims
from edge_mrl_export.extras import require
from edge_mrl_export.model import Source
from edge_mrl_export.options import ExportOptions
from edge_mrl_export.sample import evenly, texts_from_file
from edge_mrl_export.sources import locate, open_folder
from edge_mrl_export.sources.modules_json import MODULES_JSON, read_layout
from edge_mrl_export.writer import staged

MIN_TEXTS = 200
"""Fifty are held out, and fewer than three times as many teach nothing."""

_TEXTS_AT_ONCE = 64

OnStep = Callable[[str], None]
OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class AdaptReport:
    """What stands at `path`, and the figures on `held_out` texts before and after, of which `train`
    others taught the adapter."""

    path: Path
    dims: tuple[int, ...]
    train: int
    held_out: int
    before: Figures
    after: Figures
    seconds: float


def adapt(
    source: str,
    texts: Path,
    destination: Path,
    options: AdaptOptions | None = None,
    *,
    on_step: OnStep = lambda _: None,
    on_progress: OnProgress = lambda what, done, total: None,
) -> AdaptReport:
    """Train a Matryoshka adapter on a model's frozen vectors and write both as one model.

    Args:
        source: a sentence-transformers folder, or the id of one on the Hugging Face hub.
        texts: what to train on: a JSONL corpus, or a text a line, 200 or more.
        destination: where the new sentence-transformers folder is to stand.
        options: what the user asks for.
        on_step: called with a few words before each step.
        on_progress: called while texts are embedded and the adapter is trained.

    Returns:
        What was written, and what each size keeps before and after.

    Raises:
        ExportError: the model or the texts cannot be used, or there is something at `destination`.
            Nothing is left behind.
    """
    require("torch", "transformers", "sentence_transformers", what="command")
    options = options or AdaptOptions()
    start = time.monotonic()
    on_step(f"reading {source}")
    reading = ExportOptions(revision=options.revision, trust_remote_code=options.trust_remote_code)
    origin = locate(source, reading)
    layout = read_layout(origin.folder)
    if layout.late_interaction:
        raise ExportError(
            f"{source} is a model of late interaction, whose vectors of texts are no more than the "
            "mean of their tokens': an adapter is for models that embed texts"
        )
    dims = options.dims or default_dims(layout.dim)
    model = open_folder(origin, replace(reading, dims=dims))
    chosen = evenly(
        [text for text in dict.fromkeys(texts_from_file(texts)) if text.strip()], options.max_texts
    )
    if len(chosen) < MIN_TEXTS:
        raise ExportError(
            f"{texts} gives {len(chosen)} different texts, and {MIN_TEXTS} are needed to train an "
            "adapter and to try it on others: give a longer file with --texts"
        )
    with staged(destination, overwrite=options.overwrite, mark=MODULES_JSON) as folder:
        on_step(f"vectors of {len(chosen)} texts by {model.reference_name()}")
        own = _embed(model, chosen, on_progress)
        usable = np.isfinite(own).all(axis=1) & own.any(axis=1)
        own = own[usable]
        apart = held_out(len(own), options.seed)
        from edge_mrl_export.adapt.folder import write_adapted
        from edge_mrl_export.adapt.training import train

        on_step(f"training on {int((~apart).sum())} texts")
        adapter = train(
            own[~apart],
            dims,
            epochs=options.epochs,
            seed=options.seed,
            on_step=lambda done, total: on_progress("training", done, total),
        )
        on_step(f"comparing {int(apart.sum())} held-out texts before and after")
        before = measure(own[apart], own[apart], dims)
        after = measure(own[apart], adapter.apply_to(own[apart]), dims)
        on_step("writing the model folder")
        record = {
            "matryoshka_dims": list(dims),
            "adapted_by": f"edge-mrl {__version__}",
            "texts": {"train": int((~apart).sum()), "held_out": int(apart.sum())},
            "epochs": options.epochs,
            "seed": options.seed,
        }
        write_adapted(origin.folder, layout, adapter, record, folder)
    return AdaptReport(
        destination,
        dims,
        int((~apart).sum()),
        int(apart.sum()),
        before,
        after,
        time.monotonic() - start,
    )


def _embed(model: Source, texts: Sequence[str], on_progress: OnProgress) -> FloatArray:
    # Texts of like length together: what pads a batch is computed for nothing.
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    parts = []
    for start in range(0, len(order), _TEXTS_AT_ONCE):
        parts.append(model.reference([texts[i] for i in order[start : start + _TEXTS_AT_ONCE]]))
        on_progress("embedding", min(start + _TEXTS_AT_ONCE, len(order)), len(order))
    vectors = np.empty((len(texts), parts[0].shape[1]), dtype=np.float32)
    vectors[order] = np.concatenate(parts)
    return vectors
