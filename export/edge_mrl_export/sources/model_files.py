"""Opening the files of a model folder, each failure said in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

from edge_mrl.errors import ExportError
from edge_mrl.schema import Table

MAX_JSON_BYTES = 2**28
"""The largest tokenizer files have a tenth of it."""

MAX_CARD_BYTES = 2**20


def read_card(path: Path) -> str:
    """The beginning of a text for people; empty where there is no such file."""
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        return stream.read(MAX_CARD_BYTES).decode("utf-8", errors="replace")


def read_json(path: Path) -> object:
    """The parsed content of a JSON file.

    Raises:
        ExportError: the file is missing, is not JSON, or is larger than any genuine one.
    """
    if not path.is_file():
        raise ExportError(
            f"{path} is missing: the model folder is not whole, so save or download it again"
        )
    if path.stat().st_size > MAX_JSON_BYTES:
        raise ExportError(
            f"{path} is larger than {MAX_JSON_BYTES} bytes, so it cannot be genuine: save or "
            "download the model again"
        )
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ExportError(
            f"{path} is not valid JSON ({error}): save or download the model again"
        ) from error


def read_object(path: Path) -> dict[str, object]:
    """A JSON file that must hold an object.

    Raises:
        ExportError: the file is missing, is not JSON, or holds something else.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise ExportError(f"{path} must hold one JSON object: save or download the model again")
    return value


def read_optional_object(path: Path) -> dict[str, object]:
    """As `read_object`, but an absent file reads as empty."""
    return read_object(path) if path.is_file() else {}


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The safetensors files of one module: `model.safetensors`, or the shards that its index names.

    Raises:
        ExportError: there are none, only pickled weights, or a shard is missing.
    """
    single = folder / "model.safetensors"
    if single.is_file():
        return (single,)
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        table = Table(read_object(index), str(index), ExportError).table("weight_map")
        shards = tuple(folder / name for name in sorted({table.text(key) for key in table}))
        for shard in shards:
            if shard.parent != folder or not shard.is_file():
                raise ExportError(
                    f"{shard} is missing: the model folder is not whole, so download it again"
                )
        return shards
    if (folder / "pytorch_model.bin").is_file():
        raise ExportError(
            f"{folder} has only pickled weights (pytorch_model.bin), which can run code when read: "
            "save the model again with sentence-transformers, which writes model.safetensors"
        )
    raise ExportError(
        f"{single} is missing: the model folder is not whole, so save or download it again"
    )
