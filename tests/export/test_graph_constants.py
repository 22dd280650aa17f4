"""Large constants stay in files; what is written is the same as if they had been in memory."""

import contextlib

import numpy as np
import onnx
import pytest

from edge_mrl.errors import ExportError
from edge_mrl_export.graphs import backbone
from edge_mrl_export.graphs.checking import check
from edge_mrl_export.graphs.constants import (
    LARGE_BYTES,
    is_in_file,
    load_with_files,
    outline,
    size_of_constants,
    values,
)
from edge_mrl_export.model import VariantRequest
from edge_mrl_export.precision.techniques import ONNX_TECHNIQUES
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from tests.export.small_models import ARCHITECTURES, write_model

TABLE = np.arange(1800, dtype=np.float32).reshape(60, 30)
HALVES = np.linspace(-1, 1, 30 * 90, dtype=np.float16).reshape(30, 90)
SHIFT = np.arange(90, dtype=np.float32)


def small_model():
    """table[ids] @ halves + shift, where the shift is an attribute and the axes are a constant."""
    nodes = [
        onnx.helper.make_node("Gather", ["table", "ids"], ["rows"]),
        onnx.helper.make_node("Cast", ["halves"], ["matrix"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("MatMul", ["rows", "matrix"], ["product"]),
        onnx.helper.make_node(
            "Constant", [], ["shift"], value=onnx.numpy_helper.from_array(SHIFT, "shift")
        ),
        onnx.helper.make_node("Add", ["product", "shift"], ["sum"]),
        onnx.helper.make_node("Reshape", ["sum", "shape"], ["result"]),
    ]
    arrays = {"table": TABLE, "halves": HALVES, "shape": np.array([-1, 3, 30])}
    graph = onnx.helper.make_graph(
        nodes,
        "small",
        [onnx.helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["batch"])],
        [onnx.helper.make_tensor_value_info("result", onnx.TensorProto.FLOAT, ["batch", 3, 30])],
        [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10
    )


@pytest.fixture
def stored(tmp_path):
    """That model as Optimum writes large ones: everything from 100 bytes on in one file."""
    path = tmp_path / "model.onnx"
    onnx.save(
        small_model(),
        path,
        save_as_external_data=True,
        location="model.onnx_data",
        size_threshold=100,
        convert_attribute=True,
    )
    return path


def test_large_constants_are_read_from_their_file_and_small_ones_are_in_the_model(stored):
    model = load_with_files(stored)
    found = {tensor.name: tensor for tensor in model.graph.initializer}
    assert {name: is_in_file(tensor) for name, tensor in found.items()} == {
        "table": True,
        "halves": True,
        "shape": False,
    }
    np.testing.assert_array_equal(values(found["table"]), TABLE)
    np.testing.assert_array_equal(values(found["halves"]), HALVES)
    assert values(found["halves"]).dtype == np.float16
    (shift,) = (node.attribute[0].t for node in model.graph.node if node.op_type == "Constant")
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(shift), SHIFT)
    assert model.ByteSize() < LARGE_BYTES < TABLE.nbytes


def test_a_map_cannot_be_written_to(stored):
    table = values(load_with_files(stored).graph.initializer[0])
    with pytest.raises(ValueError, match="read-only"):
        table[0, 0] = 1


def test_the_size_of_constants_is_known_wherever_they_lie(stored):
    whole = TABLE.nbytes + HALVES.nbytes + 3 * 8
    assert size_of_constants(load_with_files(stored)) == whole
    assert size_of_constants(small_model()) == whole


def test_an_outline_is_checked_in_place_of_the_whole(stored):
    model = load_with_files(stored)
    drawn = outline(model)
    assert drawn.ByteSize() < LARGE_BYTES
    assert [value.name for value in drawn.graph.input] == ["ids", "table", "halves"]
    check(model)
    model.graph.initializer[1].dims[:] = [31, 29]
    with pytest.raises(ExportError, match="not valid ONNX"):
        check(model)


def test_the_same_bytes_as_from_a_backbone_in_one_file(tmp_path, monkeypatch):
    folder = write_model(tmp_path / "qwen3", ARCHITECTURES["qwen3"])

    def built(place):
        source = SentenceTransformersSource(folder)
        requests = (VariantRequest("onnx", precision) for precision in ONNX_TECHNIQUES)
        variants = [source.build(request, tmp_path / place)[0] for request in requests]
        in_files = [is_in_file(tensor) for tensor in source._backbone.graph.initializer]
        files = [tmp_path / place / file for variant in variants for file in variant.files]
        return [file.read_bytes() for file in files], any(in_files)

    from_files, mapped = built("files")
    monkeypatch.setattr(backbone, "_weights_in_files", contextlib.nullcontext)
    from_memory, still_mapped = built("memory")
    assert (mapped, still_mapped) == (True, False)
    assert from_files == from_memory
