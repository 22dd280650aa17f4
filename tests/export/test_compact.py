"""Short graphs: the same results from fewer constants and shorter names."""

import numpy as np
import onnx
import onnxruntime
import pytest

from edge_mrl_export.graphs.compact import compact
from edge_mrl_export.graphs.position_table import cut_position_table

FLOAT, INT64, BOOL = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL
make, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info


def tensor(values, name=""):
    return onnx.numpy_helper.from_array(np.array(values, dtype=np.float32), name)


def model(nodes, constants, inputs, shape=("n",)):
    result = onnx.helper.make_model(
        onnx.helper.make_graph(nodes, "g", inputs, [info("out", FLOAT, shape)], constants),
        opset_imports=[onnx.helper.make_opsetid("", 18)],
        ir_version=10,
    )
    onnx.checker.check_model(result, full_check=True)
    return result


def run(graph, **feed):
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, feed)[0]


def compacted(original):
    nodes, constants = compact(
        original.graph.node,
        original.graph.initializer,
        {value.name for value in (*original.graph.input, *original.graph.output)},
    )
    return model(nodes, constants, list(original.graph.input))


def test_equal_constants_are_stored_once_and_values_numbered():
    original = model(
        [
            make("Constant", [], ["a long name for three"], name="one", value=tensor([3])),
            make("Constant", [], ["another name for three"], name="two", value=tensor([3])),
            make("Mul", ["x", "a long name for three"], ["tripled"], name="/layer/Mul"),
            make("Add", ["tripled", "another name for three"], ["more"], name="/layer/Add"),
            make("Sub", ["more", "three"], ["less"], name="/layer/Sub"),
            # A name that numbering would choose is taken already.
            make("Add", ["less", "v1"], ["out"], name="/layer/last"),
        ],
        [tensor([3], "three"), tensor([5], "v1")],
        [info("x", FLOAT, [1])],
    )
    before = original.SerializeToString()
    small = compacted(original)
    assert original.SerializeToString() == before
    assert [one.name for one in small.graph.initializer] == ["three", "v1"]
    assert [node.name for node in small.graph.node] == [
        *("/layer/Mul", "/layer/Add", "/layer/Sub", "/layer/last")
    ]
    assert [node.output[0] for node in small.graph.node] == ["v0", "v2", "v3", "out"]
    x = np.array([7], dtype=np.float32)
    assert run(small, x=x) == run(original, x=x) == 26


def test_inner_graphs_read_the_new_names():
    def branch(name, op):
        return onnx.helper.make_graph(
            [
                make("Constant", [], ["v0"], value=tensor([10])),
                make(op, ["doubled outside", "v0"], [name]),
            ],
            name,
            [],
            [info(name, FLOAT, [1])],
        )

    original = model(
        [
            make("Constant", [], ["a long name for two"], value=tensor([2])),
            make("Mul", ["x", "a long name for two"], ["doubled outside"]),
            make(
                "If",
                ["up"],
                ["out"],
                then_branch=branch("raised", "Add"),
                else_branch=branch("lowered", "Sub"),
            ),
        ],
        [],
        [info("x", FLOAT, [1]), info("up", BOOL, [])],
    )
    small = compacted(original)
    assert small.graph.node[0].output[0] == "v1"
    x = np.array([7], dtype=np.float32)
    assert run(small, x=x, up=np.array(True)) == 24
    assert run(small, x=x, up=np.array(False)) == 4


@pytest.fixture
def positions():
    table = np.arange(24, dtype=np.float32).reshape(8, 3)
    return model(
        [make("Gather", ["embeddings.position_embeddings.weight", "ids"], ["out"])],
        [tensor(table, "embeddings.position_embeddings.weight")],
        [info("ids", INT64, ["n"])],
        ("n", 3),
    )


def test_rows_that_no_text_reaches_go(positions):
    whole = run(positions, ids=np.arange(5))
    cut_position_table(positions, whole=8, used=5)
    assert list(positions.graph.initializer[0].dims) == [5, 3]
    np.testing.assert_array_equal(run(positions, ids=np.arange(5)), whole)


@pytest.mark.parametrize(("whole", "used"), [(8, 8), (8, 9), (10, 5)])
def test_another_table_stays_whole(positions, whole, used):
    before = positions.SerializeToString()
    cut_position_table(positions, whole, used)
    assert positions.SerializeToString() == before


def test_a_table_that_is_read_as_a_matrix_stays_whole(positions):
    positions.graph.node.append(
        make("Transpose", ["embeddings.position_embeddings.weight"], ["turned"])
    )
    cut_position_table(positions, whole=8, used=5)
    assert list(positions.graph.initializer[0].dims) == [8, 3]
