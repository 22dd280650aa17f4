"""`edge-mrl build`: a new index from a corpus, or from vectors that were made elsewhere. It stands
whole at its place, or not at all."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from edge_mrl.bundle import Bundle
from edge_mrl.cli.arguments import checked_corpus, numbers
from edge_mrl.cli.encoder_arguments import add_encoder_arguments, load_encoder
from edge_mrl.cli.layout_arguments import add_layout_arguments, chosen_codes
from edge_mrl.cli.output import Progress, documents, format_bytes, print_json, print_text
from edge_mrl.cli.plan_notices import describe_plan
from edge_mrl.cli.stats import layout_as_json
from edge_mrl.cli.token_argument import add_token_argument, token_argument
from edge_mrl.cli.vector_arguments import (
    add_vector_file_arguments,
    chosen_vector_file,
    refuse_column_arguments,
)
from edge_mrl.errors import InputError
from edge_mrl.index import Index, IndexStats, build_index, build_with, default_layout
from edge_mrl.index.companions.lexical import TOKENIZERS
from edge_mrl.planning import Plan
from edge_mrl.slices import Slice
from edge_mrl.vector_files import VectorFile, add_vector_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("index", type=Path, help="the index file to make")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--input",
        type=Path,
        help="a corpus: JSON lines with _id, text, title, metadata; needs --bundle",
    )
    add_vector_file_arguments(parser, source)
    parser.add_argument("--identity", help="names the model that made the vectors")
    parser.add_argument(
        "--dims",
        metavar="D,D,...",
        help="the sizes it was trained for (default: the vectors' width)",
    )
    add_encoder_arguments(parser, optional_bundle=False)
    add_layout_arguments(parser)
    parser.add_argument(
        "--lexical",
        choices=tuple(TOKENIZERS),
        help="index the words of the documents too, cut by this tokenizer, for BM25",
    )
    add_token_argument(parser)
    parser.add_argument(
        "--token-dims",
        metavar="A,B",
        help="the sizes that token vectors of --vectors were trained for (default: their width)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an index that is there")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    place: Path = arguments.index
    if place.exists() and not arguments.overwrite:
        raise InputError(f"{place} exists: `edge-mrl add` adds to it, --overwrite replaces it")
    made: Plan | None = None
    advice: str | None = None
    if arguments.vectors is None:
        stats, variant, made, advice = _from_corpus(arguments)
    else:
        stats, variant = _from_vectors(arguments), None
    if arguments.json:
        print_json(
            {
                "index": str(place),
                "documents": stats.documents,
                "bytes": stats.file_bytes,
                "variant": variant,
                "plan": None if made is None else made.to_json(),
                "plan_advice": advice,
            }
            | layout_as_json(stats.layout)
        )
    else:
        how = "" if variant is None else f", embedded with {variant}"
        print_text(
            f"{place}: {documents(stats.documents)}, {format_bytes(stats.file_bytes)}, "
            f"{stats.layout}{how}"
        )
        if made is not None:
            print_text(describe_plan(made, advice))
    return 0


def _from_corpus(
    arguments: argparse.Namespace,
) -> tuple[IndexStats, str, Plan | None, str | None]:
    refuse_column_arguments(arguments)
    if arguments.identity or arguments.dims or arguments.token_dims:
        raise InputError(
            "--identity, --dims and --token-dims go with --vectors: a bundle says them by itself"
        )
    if arguments.bundle is None:
        raise InputError("texts need a model to embed them: name its folder with --bundle")
    codes = chosen_codes(arguments)
    corpus = checked_corpus(arguments.input)
    token_vectors = token_argument(arguments)
    encoder = load_encoder(
        arguments, corpus, lexical=arguments.lexical, token_vectors=token_vectors is not None
    )
    layout = encoder.index_layout or default_layout(encoder.dim, encoder.matryoshka_dims)
    progress = Progress("indexing", corpus.count, "documents")
    with build_index(
        arguments.index,
        encoder,
        corpus.records(),
        bundle=arguments.bundle,
        layout=layout.with_codes(*codes),
        lexical=arguments.lexical,
        token_vectors=token_vectors,
        memory_budget=arguments.memory_budget,
        on_progress=progress.update,
    ) as index:
        progress.finish()
        return index.stats(), encoder.variant.name, index.plan, index.plan_advice


def _from_vectors(arguments: argparse.Namespace) -> IndexStats:
    file = chosen_vector_file(arguments)
    model = _model_of_vectors(arguments, file)
    default = default_layout(arguments.dim or file.dim, model.matryoshka_dims)
    layout = default.with_codes(*chosen_codes(arguments))
    tokens = token_argument(arguments)
    if file.token_dim is None and (tokens is not None or arguments.token_dims):
        raise InputError(
            f"{file.path} holds no token vectors: name their column with --token-column, or leave "
            "out --token-vectors and --token-dims"
        )
    token_dims = numbers(arguments.token_dims, "sizes", "32,64,128")
    progress = Progress("indexing", file.count, "vectors")

    def make(staging: Path) -> Index:
        return Index.create(
            staging,
            dim=file.dim,
            matryoshka_dims=model.matryoshka_dims,
            identity=model.identity,
            model_name=model.name,
            layout=layout,
        )

    def fill(index: Index) -> None:
        if arguments.lexical is not None:
            index.create_lexical_index(arguments.lexical)
        if file.token_dim is not None:
            index.create_token_index(
                file.token_dim,
                matryoshka_dims=token_dims,
                slice=tokens if isinstance(tokens, Slice) else None,
            )
        add_vector_file(index, file, on_progress=progress.update)
        if arguments.bundle is not None:
            index.remember_bundle(arguments.bundle, arguments.index)

    build_with(arguments.index, make, fill)
    progress.finish()
    with Index.open(arguments.index) as index:
        return index.stats()


@dataclass(frozen=True, slots=True)
class _Model:
    """What made the vectors."""

    identity: str
    name: str
    matryoshka_dims: tuple[int, ...]


def _model_of_vectors(arguments: argparse.Namespace, file: VectorFile) -> _Model:
    if arguments.profile or arguments.variant:
        raise InputError("--profile and --variant go with --input: vectors need no encoder")
    if arguments.bundle is not None:
        if arguments.identity or arguments.dims:
            raise InputError("give --bundle, or --identity and --dims: the bundle says both")
        manifest = Bundle.open(arguments.bundle).manifest
        dims = manifest.embedding.matryoshka_dims
        return _Model(manifest.model.identity, manifest.model.name, dims)
    if not arguments.identity:
        raise InputError(
            "nothing says which model made the vectors: name it with --identity, such as "
            "text-embedding-3-small, or give its --bundle"
        )
    dims = numbers(arguments.dims, "sizes", "256,512,1024,1536") or (file.dim,)
    return _Model(arguments.identity, arguments.identity, dims)
