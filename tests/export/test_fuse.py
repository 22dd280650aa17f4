"""Fusions made at export: the same numbers as those that ONNX Runtime makes as it starts."""

import os
import subprocess
import sys

import numpy as np
import onnx
import pytest

from edge_mrl.errors import ExportError
from edge_mrl_export.graphs import fuse
from edge_mrl_export.graphs.files import write_graph
from edge_mrl_export.model import VariantRequest
from edge_mrl_export.precision.techniques import ONNX_TECHNIQUES
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from tests.export.small_models import ARCHITECTURES, write_model
from tests.export.st_models import Session

SMALL = """
import sys
import numpy as np, onnx
from pathlib import Path
from onnx.helper import make_node, make_tensor_value_info as value
from edge_mrl_export.graphs.files import write_graph
from edge_mrl_export.graphs.fuse import fuse
from edge_mrl_export.precision.fast import int8_fast

def small():
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(96, 96)).astype(np.float32) for name in "abc"}
    nodes = [make_node("MatMul", ["x", "a"], ["h"], name="first"), make_node("Erf", ["h"], ["e"])]
    for name in "bc":
        nodes.append(make_node("MatMul", ["e", name], [f"p{name}"], name=f"product {name}"))
        nodes.append(make_node("Softmax", [f"p{name}"], [f"s{name}"], name=name, axis=-1))
    nodes.append(make_node("Add", ["sb", "sc"], ["y"], name="sum"))
    graph = onnx.helper.make_graph(
        nodes, "small", [value("x", 1, ["n", 96])], [value("y", 1, ["n", 96])],
        [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    opset = [onnx.helper.make_opsetid("", 18)]
    return int8_fast(onnx.helper.make_model(graph, opset_imports=opset, ir_version=10))
"""
WRITE = """
folder = Path(sys.argv[1])
(folder / "scratch").mkdir(parents=True)
write_graph(fuse(small(), folder / "scratch"), folder / "out.onnx")
"""
names: dict = {}
exec(SMALL, names)
small = names["small"]


def operators(path):
    model = onnx.load(path, load_external_data=False)
    return {node.op_type for node in model.graph.node if node.domain}


def test_only_integer_products_are_fused():
    """What is float32 once the weights are unpacked is left to any tool's ONNX; int4 has an
    operator that newer versions write with attributes older ones refuse."""
    assert [name for name, one in ONNX_TECHNIQUES.items() if one.fused] == ["int8-fast"]


# One with LayerNorm and one with RMSNorm, whose fusion is no operator of ONNX.
@pytest.mark.parametrize("name", ["mpnet", "qwen3"])
def test_a_fused_encoder_gives_the_vectors_of_the_plain_one(name, tmp_path):
    source = SentenceTransformersSource(write_model(tmp_path / name, ARCHITECTURES[name]))
    request = VariantRequest("onnx", "int8-fast")
    (built,) = source.build(request, tmp_path)
    plain, fused = tmp_path / "plain.onnx", tmp_path / built.files[0]
    write_graph(source._convert(request), plain)
    assert {"DynamicQuantizeMatMul", "MatMulIntegerToFloat"} <= operators(fused)
    assert "DynamicQuantizeMatMul" not in operators(plain)
    onnx.checker.check_model(fused)
    sessions = [Session(path, built.session_options) for path in (plain, fused)]
    for length in (1, 7, 20):
        ids = np.random.default_rng(length).integers(3, 30, (1, length))
        before, after = (session.embed(ids, built.dims[-1]) for session in sessions)
        np.testing.assert_array_equal(after, before)


def test_the_same_bytes_in_every_process(tmp_path):
    for place, seed in (("a", "1"), ("b", "2")):
        command = [sys.executable, "-c", SMALL + WRITE, str(tmp_path / place)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": seed})
    for file in ("out.onnx", "out.onnx.data"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert "DynamicQuantizeMatMul" in operators(tmp_path / "a" / "out.onnx")


@pytest.mark.parametrize(
    "known",
    [
        {},
        {**fuse.KNOWN_SINCE_1_19, "DynamicQuantizeMatMul": (2, ())},
    ],
)
def test_what_older_versions_would_refuse_is_not_fused(known, tmp_path, monkeypatch):
    monkeypatch.setattr(fuse, "KNOWN_SINCE_1_19", known)
    model = fuse.fuse(small(), tmp_path)
    assert {node.op_type for node in model.graph.node if node.domain} == set()
    assert model.graph.node[0].op_type == "DynamicQuantizeLinear"


def test_attributes_that_older_versions_do_not_know_count_too():
    node = onnx.helper.make_node("QuickGelu", ["x"], ["y"], domain=fuse.DOMAIN, alpha=1.5)
    assert fuse._is_known(node)
    node.attribute.append(onnx.helper.make_attribute("beta", 1))
    assert not fuse._is_known(node)


def test_a_graph_that_the_engine_refuses_is_an_export_error(tmp_path):
    model = small()
    model.graph.node[0].op_type, model.graph.node[0].domain = "NoSuchOperator", "nobody"
    model.opset_import.append(onnx.helper.make_opsetid("nobody", 1))
    with pytest.raises(ExportError, match="does not take the graph"):
        fuse.fuse(model, tmp_path)
