"""What boards are given and what they must answer: bundles with this machine's vectors, indexes
with the hits of the numpy kernel, which defines the scan."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge_mrl import Encoder, Index, IndexLayout, Slice
from edge_mrl.backends import available
from edge_mrl.bundle import Bundle
from edge_mrl.errors import InputError
from edge_mrl_export.pydocs import standard_library_docs
from emulation.on_board import searching
from emulation.on_board.searching import HITS, QUERIES

TEXTS = (
    "The heron waits in the reeds.",
    "How do I compress a folder of log files?",
    "",
    "Ünïcödé accents, précomposed and de\u0301compose\u0301d: naïve café, A\u030angstro\u0308m.",
    "東京の天気はどうですか。明日は雨が降るでしょう。",
    "def add(a: int, b: int) -> int:\n\treturn a + b  # 2 + 2 == 4",
    "The pump in cellar two was replaced in March; the old one stands behind the boiler.",
)
"""Short, since an emulated transformer takes its time; scripts, accents and code among them."""

DOCUMENTS = 3000
SCAN_BITS = (1, 2, 4, 8)


def name_of(number: int, bundle: Path) -> str:
    """What a bundle is called among those given."""
    return f"{number}-{bundle.name}"


def write_all(bundles: Sequence[Path], folder: Path) -> None:
    """Write ``bundles/`` and ``indexes/``; the indexes hold vectors of the first bundle with a
    table.

    Raises:
        BundleError: a bundle is missing or damaged.
        InputError: none has a table.
    """
    for path in bundles:
        if any(one.format == "table" for one in Bundle.open(path).manifest.variants):
            write_bundles(bundles, folder / "bundles")
            texts = [doc.text for doc in standard_library_docs()]
            return write_indexes(path, texts, folder / "indexes")
    raise InputError(
        "none of the bundles has a table: give one that `edge-mrl export wordllama` made"
    )


def write_bundles(bundles: Sequence[Path], folder: Path) -> None:
    """Copy bundles, and write what every variant that runs here makes of the texts.

    Args:
        bundles: bundle folders.
        folder: receives ``NAME/`` and ``NAME.json`` for each.
    """
    folder.mkdir(parents=True)
    for number, path in enumerate(bundles):
        name = name_of(number, path)
        shutil.copytree(path, folder / name)
        vectors = {}
        for variant in Bundle.open(path).manifest.variants:
            if available(variant):
                encoder = Encoder.load(path, variant=variant.name)
                vectors[variant.name] = encoder.encode(list(TEXTS)).tolist()
        (folder / f"{name}.json").write_text(json.dumps({"texts": TEXTS, "vectors": vectors}))


def write_indexes(bundle: Path, texts: Sequence[str], folder: Path) -> None:
    """Write an index of real texts for each number of scanned bits, queries, and the hits.

    Args:
        bundle: the model whose vectors are stored.
        texts: documents; the beginnings of some are the queries.
        folder: receives the files.
    """
    folder.mkdir(parents=True)
    encoder = Encoder.load(bundle)
    vectors = encoder.encode(list(texts[:DOCUMENTS]))
    stored = Slice(encoder.dim, 8)
    for bits in SCAN_BITS:
        layout = IndexLayout(stored, Slice(encoder.dim, bits))
        with Index.create(
            folder / f"{bits}.db",
            dim=encoder.dim,
            matryoshka_dims=encoder.matryoshka_dims,
            identity=encoder.identity,
            model_name=encoder.model_name,
            layout=layout,
        ) as index:
            index.add(vectors=vectors)
            index.optimize()
    np.save(folder / QUERIES, encoder.encode([text[:60] for text in texts[:DOCUMENTS:150]]))
    defined = subprocess.run(
        [sys.executable, "-m", searching.__name__, str(folder)],
        env=os.environ | {"EDGE_MRL_KERNEL": "numpy"},
        check=True,
        capture_output=True,
        text=True,
    )
    (folder / HITS).write_text(defined.stdout)
