"""Writing the adapted model: the folder it came from, with the adapter's modules behind its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path, PurePosixPath

from safetensors.numpy import save

from edge_mrl.slices import FloatArray
from edge_mrl_export.adapt.adapter import Adapter
from edge_mrl_export.sources.modules import ModelLayout, NormalizeModule
from edge_mrl_export.sources.modules_json import MODULES_JSON

DIMS_FILE = "mrl.json"
_OTHER_WEIGHTS = shutil.ignore_patterns(
    "*.onnx", "*.ot", "*.h5", "*.msgpack", "*.bin", "onnx", "openvino", ".*"
)
"""The same weights for other engines, which know nothing of the adapter."""

_NEW_STYLE = "sentence_transformers.base."
_CLASSES_5 = {kind: f"sentence_transformers.models.{kind}" for kind in ("Dense", "Normalize")}
_CLASSES_6 = {
    "Dense": "sentence_transformers.base.modules.dense.Dense",
    "Normalize": "sentence_transformers.base.modules.normalize.Normalize",
}
_ON_THE_VECTOR = {
    "module_input_name": "sentence_embedding",
    "module_output_name": "sentence_embedding",
}


def write_adapted(
    source: Path, layout: ModelLayout, adapter: Adapter, record: dict[str, object], out: Path
) -> None:
    """Write a sentence-transformers folder in the layout (5 or 6) of the one it came from.

    Args:
        source: the model's folder.
        layout: its parsed modules.
        adapter: what was trained.
        record: what mrl.json is to say; `matryoshka_dims` among it.
        out: an empty folder.
    """
    shutil.copytree(source, out, ignore=_OTHER_WEIGHTS, dirs_exist_ok=True)
    entries = json.loads((source / MODULES_JSON).read_text(encoding="utf-8"))
    new_style = any(entry["type"].startswith(_NEW_STYLE) for entry in entries)
    classes = _CLASSES_6 if new_style else _CLASSES_5
    on_the_vector = _ON_THE_VECTOR if new_style else {}
    inner, outer = adapter.layers()
    # The adapter was trained on unit vectors.
    if not (layout.tail and isinstance(layout.tail[-1], NormalizeModule)):
        _append(out, entries, "Normalize", classes, on_the_vector)
    place = _append(out, entries, "Dense", classes, _dense(inner, "activation.GELU", on_the_vector))
    _save(inner, place)
    place = _append(out, entries, "Dense", classes, _dense(outer, "linear.Identity", on_the_vector))
    _save(outer, place)
    _append(out, entries, "Normalize", classes, on_the_vector)
    _write(out / MODULES_JSON, entries)
    _write(out / DIMS_FILE, record)


def _append(
    out: Path,
    entries: list[dict[str, object]],
    kind: str,
    classes: dict[str, str],
    config: dict[str, object] | dict[str, str],
) -> Path:
    number = len(entries)
    path = PurePosixPath(f"{number}_{kind}")
    entries.append({"idx": number, "name": str(number), "path": str(path), "type": classes[kind]})
    (out / path).mkdir(exist_ok=True)
    _write(out / path / "config.json", config)
    return out / path


def _dense(
    layer: tuple[FloatArray, FloatArray], activation: str, more: dict[str, str]
) -> dict[str, object]:
    size_out, size_in = layer[0].shape
    return {
        "in_features": size_in,
        "out_features": size_out,
        "bias": True,
        "activation_function": f"torch.nn.modules.{activation}",
        **more,
    }


def _save(layer: tuple[FloatArray, FloatArray], place: Path) -> None:
    weight, bias = layer
    # `save_file` would give a file that its owner alone may read.
    data = save({"linear.weight": weight, "linear.bias": bias})
    (place / "model.safetensors").write_bytes(data)


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
