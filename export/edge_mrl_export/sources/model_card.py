"""What a model folder records beside its modules: prompts, similarity, trained sizes, licence."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_mrl.bundle.manifest import Similarity
from edge_mrl.errors import ExportError, SizesNotRecordedError
from edge_mrl.schema import Table
from edge_mrl.slices import MAX_DIM
from edge_mrl_export.sources.model_files import read_card, read_optional_object

SETTINGS_JSON = "config_sentence_transformers.json"
DIMS_FILES = ("mrl.json", SETTINGS_JSON, "config.json")
DIMS_KEYS = ("matryoshka_dims", "matryoshka_dimensions", "truncate_dims")
"""Spellings of the trained sizes that published models use."""

UNKNOWN_LICENCE = "unknown"
# The first words of a licence file, and its SPDX name.
_LICENCE_TEXTS = (
    ("apache license", "apache-2.0"),
    ("mit license", "mit"),
    ("permission is hereby granted, free of charge", "mit"),
    ("gemma terms of use", "gemma"),
    ("bsd 3-clause", "bsd-3-clause"),
    ("bsd 2-clause", "bsd-2-clause"),
)


@dataclass(frozen=True, slots=True)
class EncodingSettings:
    """How texts are to be encoded and vectors compared."""

    prompts: dict[str, str]
    default_prompt_name: str | None
    similarity: Similarity


def read_settings(
    folder: Path, *, unit_length: bool, late_interaction: bool = False
) -> EncodingSettings:
    """Prompts and similarity from config_sentence_transformers.json; the file may be absent.

    Args:
        folder: the model folder.
        unit_length: whether the model itself scales its vectors to unit length.
        late_interaction: whether it compares token vectors (MaxSim), by cosine.

    Raises:
        ExportError: the default prompt is not among the prompts, or vectors are compared in a way
            that unit vectors do not keep.
    """
    path = folder / SETTINGS_JSON
    raw = read_optional_object(path)
    settings = Table(raw, str(path), ExportError)
    prompts: dict[str, str] = {}
    if raw.get("prompts") is not None:
        table = settings.table("prompts")
        prompts = {name: table.optional_text(name) or "" for name in table}
    default = settings.optional_text("default_prompt_name")
    if default is not None and default not in prompts:
        settings.fail(
            f"default_prompt_name {default!r} is not among the prompts: correct one of them"
        )
    if late_interaction and settings.get("similarity_fn_name") in (None, "MaxSim"):
        return EncodingSettings(prompts, default, "cosine")
    return EncodingSettings(prompts, default, _similarity(settings, unit_length))


def _similarity(settings: Table, unit_length: bool) -> Similarity:
    name = settings.optional_text("similarity_fn_name") or "cosine"
    if name == "cosine":
        return "cosine"
    if name == "dot" and unit_length:
        return "dot"
    settings.fail(
        f"the model compares its vectors by {name}, but a bundle holds unit vectors: "
        "only cosine, or dot after a last Normalize module, can be exported"
    )


def trained_sizes(
    folder: Path,
    dim: int,
    asked: Sequence[int] | None,
    otherwise: tuple[int, ...] | None = None,
) -> tuple[int, ...]:
    """The trained sizes: those asked for, else those that the model's files record.

    Args:
        folder: the model folder.
        dim: the width of the model's vector.
        asked: what the user gave with `--dims`, or None.
        otherwise: what they are where nobody says; None where somebody must.

    Raises:
        ExportError: the sizes are out of order, repeated or beyond the model.
        SizesNotRecordedError: there are none.
    """
    if asked is not None:
        check_sizes(asked, dim, "--dims")
        return tuple(asked)
    for name in DIMS_FILES:
        raw = read_optional_object(folder / name)
        for key in DIMS_KEYS:
            if raw.get(key) is not None:
                table = Table(raw, str(folder / name), ExportError)
                return _recorded(table.integers(key, 1, MAX_DIM), dim, f"{folder / name}: {key}")
    # sentence-transformers writes the loss and its parameters into the model card.
    card = folder / "README.md"
    match = re.search(r'"matryoshka_dims"\s*:\s*(\[[\d\s,]*\])', read_card(card))
    if match is not None:
        sizes = Table({"matryoshka_dims": json.loads(match[1])}, str(card), ExportError)
        return _recorded(
            sizes.integers("matryoshka_dims", 1, MAX_DIM), dim, f"{card}: matryoshka_dims"
        )
    if otherwise is not None:
        return otherwise
    rising = ",".join(str(size) for size in sorted({max(1, dim // 4), max(1, dim // 2), dim}))
    raise SizesNotRecordedError(
        f"{folder} does not record the sizes it was trained for: give them with --dims, "
        f"as in --dims {rising}",
        dim,
    )


def _recorded(sizes: Sequence[int], dim: int, where: str) -> tuple[int, ...]:
    # Published lists are often in falling order.
    rising = tuple(sorted(set(sizes)))
    check_sizes(rising, dim, where)
    return rising


def check_sizes(sizes: Sequence[int], dim: int, where: str) -> None:
    """Refuse sizes that are out of order, repeated, or beyond the model.

    Args:
        sizes: what was given.
        dim: the width of the model's vector.
        where: names them in messages.

    Raises:
        ExportError: they are.
    """
    listed = ", ".join(map(str, sizes))
    if not sizes or any(size < 1 for size in sizes):
        raise ExportError(
            f"{where}: give at least one size, each 1 or more, not {listed or 'nothing'}"
        )
    if list(sizes) != sorted(set(sizes)):
        raise ExportError(f"{where}: the sizes {listed} must rise, each named once")
    if sizes[-1] > dim:
        raise ExportError(
            f"{where}: {sizes[-1]} is beyond the model, whose vectors have {dim} dimensions"
        )


def read_licence(folder: Path) -> str:
    """The licence that README.md's front matter or a LICENSE file names, else ``"unknown"``."""
    front = re.match(r"---\s*\n(.*?)\n---", read_card(folder / "README.md"), re.DOTALL)
    stated = _front_matter_licence(front[1]) if front else None
    if stated:
        return stated
    for name in ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE"):
        opening = " ".join(read_card(folder / name)[:1000].lower().split())
        for words, licence in _LICENCE_TEXTS:
            if words in opening:
                return licence
    return UNKNOWN_LICENCE


def _front_matter_licence(front: str) -> str | None:
    # One line of YAML is wanted; "license: other" gives the name on a line of its own.
    for key in ("license_name", "license"):
        match = re.search(
            rf"^{key}:[ \t]*(?:\n[ \t]*-[ \t]*)?[\"']?([\w.+-]+)", front, re.MULTILINE
        )
        if match is not None:
            return match[1]
    return None
