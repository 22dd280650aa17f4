"""The integer passes: their arithmetic, and what they do to a graph."""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_mrl_export.precision.embeddings import quantize_embeddings
from edge_mrl_export.precision.fast import int8_fast
from edge_mrl_export.precision.four_bits import BLOCK, int4, pack
from edge_mrl_export.precision.half import fp16
from edge_mrl_export.precision.portable import int8_portable
from edge_mrl_export.precision.rewrite import MIN_WEIGHTS, Rewriter
from edge_mrl_export.precision.symmetric import quantize
from tests.export.st_models import Session


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 6), st.integers(1, 6)),
        elements=st.floats(-1e3, 1e3, width=32),
    ),
    st.sampled_from([0, 1]),
)
def test_no_number_moves_by_more_than_half_a_step(matrix, axis):
    result = quantize(matrix, axis)
    scales = result.scales[:, None] if axis == 0 else result.scales[None, :]
    assert result.scales.shape == (matrix.shape[axis],)
    assert np.abs(result.codes.astype(int)).max() <= 127
    error = np.abs(result.codes * scales.astype(np.float64) - matrix)
    assert np.all(error <= scales * 0.5001 + 1e-30)


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 6), st.integers(1, 6)),
        elements=st.floats(-1e9, 1e9, width=32),
    )
)
def test_short_scales_move_a_number_by_a_sixteenth_of_a_step_at_most(matrix):
    exact = quantize(matrix, axis=0)
    short = quantize(matrix, axis=0, short_scales=True)
    np.testing.assert_array_equal(short.codes, exact.codes)
    if short.scales.dtype == np.float32:
        # Some scale is no normal float16, and so none is cut short.
        assert exact.scales.min() < 2**-14 or exact.scales.max() > 65504
        np.testing.assert_array_equal(short.scales, exact.scales)
        return
    moved = np.abs(exact.codes * (short.scales.astype(np.float64) - exact.scales)[:, None])
    assert np.all(moved <= exact.scales[:, None] / 16)


def test_a_row_of_zeros_stays_zero():
    result = quantize(np.array([[0, 0], [1, -2]], dtype=np.float32), axis=0)
    assert result.codes.tolist() == [[0, 0], [64, -127]]
    assert result.scales.tolist() == pytest.approx([1, 2 / 127])


def small_graph(nodes, constants, width):
    """A model with the encoder's output, `rows` -> `sentence_embedding`."""
    float32, int64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            nodes,
            "small",
            [
                onnx.helper.make_tensor_value_info("rows", float32, ["batch", 32]),
                onnx.helper.make_tensor_value_info("ids", int64, ["batch"]),
            ],
            [onnx.helper.make_tensor_value_info("sentence_embedding", float32, ["batch", width])],
            [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 18)],
        ir_version=10,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


@pytest.fixture
def matrix():
    rng = np.random.default_rng(2)
    # Columns and rows of very different size, as trained weights have them.
    return (rng.normal(size=(32, 40)) * np.exp(rng.normal(size=(32, 1)))).astype(np.float32)


def run(model, options=None):
    rng = np.random.default_rng(4)
    feed = {"rows": rng.normal(size=(3, 32)).astype(np.float32), "ids": np.array([3, 0, 31])}
    inner = Session(model.SerializeToString(), options).inner
    names = [value.name for value in inner.get_inputs()]
    return inner.run(None, {name: feed[name] for name in names})[0], feed


def op_types(model):
    return [node.op_type for node in model.graph.node]


def test_an_embedding_is_gathered_as_int8_rows(matrix):
    nodes = [onnx.helper.make_node("Gather", ["table", "ids"], ["sentence_embedding"], name="g")]
    rewriter = Rewriter(small_graph(nodes, {"table": matrix}, 40))
    quantize_embeddings(rewriter)
    model = rewriter.finish()
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    kinds = onnx.TensorProto
    assert types == {"table_codes": kinds.INT8, "table_scales": kinds.FLOAT16}
    found, feed = run(model)
    rows = quantize(matrix, axis=0, short_scales=True)
    expected = rows.codes[feed["ids"]] * rows.scales[feed["ids"], None].astype(np.float32)
    np.testing.assert_array_equal(found, expected)


def test_scales_too_small_for_float16_stay_float32(matrix):
    nodes = [onnx.helper.make_node("Gather", ["table", "ids"], ["sentence_embedding"], name="g")]
    rewriter = Rewriter(small_graph(nodes, {"table": matrix * np.float32(1e-4)}, 40))
    quantize_embeddings(rewriter)
    model = rewriter.finish()
    assert op_types(model) == ["Gather", "Cast", "Gather", "Mul"]
    found, feed = run(model)
    np.testing.assert_allclose(found, matrix[feed["ids"]] * 1e-4, atol=np.abs(matrix).max() * 1e-6)


@pytest.mark.parametrize("turned", [False, True])
def test_a_gemm_is_quantised_by_output_channel(matrix, turned):
    stored = np.ascontiguousarray(matrix.T) if turned else matrix
    node = onnx.helper.make_node(
        "Gemm", ["rows", "w"], ["sentence_embedding"], name="g", transB=int(turned)
    )
    model = int8_portable(small_graph([node], {"w": stored}, 40))
    assert op_types(model) == ["DequantizeLinear", "Gemm"]
    found, feed = run(model, {"session.disable_quant_qdq": "1"})
    columns = quantize(matrix, axis=1)
    np.testing.assert_allclose(found, feed["rows"] @ (columns.codes * columns.scales), atol=1e-4)


def two_products():
    return [
        onnx.helper.make_node("MatMul", ["rows", "w"], ["left"], name="one"),
        onnx.helper.make_node("MatMul", ["rows", "w"], ["right"], name="two"),
        onnx.helper.make_node("Add", ["left", "right"], ["sentence_embedding"], name="sum"),
    ]


def test_a_shared_weight_is_stored_once(matrix):
    model = int8_portable(small_graph(two_products(), {"w": matrix}, 40))
    assert op_types(model) == ["DequantizeLinear", "MatMul", "MatMul", "Add"]
    fast = int8_fast(small_graph(two_products(), {"w": matrix}, 40))
    assert op_types(fast).count("DynamicQuantizeLinear") == 1
    assert op_types(fast).count("MatMulInteger") == 2
    assert len(fast.graph.initializer) == 2


def test_a_dynamic_product_is_near_the_exact_one(matrix):
    model = int8_fast(small_graph(two_products(), {"w": matrix}, 40))
    found, feed = run(model)
    expected = 2 * feed["rows"] @ matrix
    assert np.linalg.norm(found - expected) < 0.02 * np.linalg.norm(expected)


def unpacked(matrix):
    """The numbers that 4-bit codes stand for, by the definition of MatMulNBits."""
    rows, columns = matrix.shape
    packed = pack(matrix)
    blocks = -(-rows // BLOCK)
    codes = np.stack([packed.codes & 15, packed.codes >> 4], axis=-1)
    codes = codes.reshape(columns, blocks, BLOCK).astype(np.float64)
    zeros = packed.zeros.reshape(columns, -1)
    zeros = np.stack([zeros & 15, zeros >> 4], axis=-1).reshape(columns, -1)[:, :blocks]
    values = (codes - zeros[..., None]) * packed.scales.reshape(columns, blocks, 1)
    return values.reshape(columns, -1)[:, :rows].T


@pytest.mark.parametrize("rows", [32, 40, 96])
def test_four_bits_are_nearer_than_plain_rounding(rows):
    rng = np.random.default_rng(rows)
    matrix = rng.standard_t(4, size=(rows, 24)).astype(np.float32)
    found = unpacked(matrix)
    blocks = np.array_split(matrix, range(BLOCK, rows, BLOCK))
    steps = [np.ptp(np.vstack([part, np.zeros(24)]), axis=0) / 15 for part in blocks]
    plain = np.concatenate([np.rint(p / s) * s for p, s in zip(blocks, steps, strict=True)])
    assert np.square(found - matrix).sum() <= np.square(plain - matrix).sum()
    assert np.linalg.norm(found - matrix) < 0.12 * np.linalg.norm(matrix)
    assert not unpacked(np.zeros((rows, 24), dtype=np.float32)).any()


def test_onnxruntime_reads_four_bits_as_we_packed_them(matrix):
    model = int4(small_graph(two_products(), {"w": matrix}, 40))
    assert op_types(model) == ["MatMulNBits", "MatMulNBits", "Add"]
    found, feed = run(model)
    np.testing.assert_allclose(found, 2 * feed["rows"] @ unpacked(matrix), atol=1e-4)


def test_half_precision_rounds_the_weights_and_nothing_else(matrix):
    model = fp16(small_graph(two_products(), {"w": matrix}, 40))
    assert op_types(model) == ["Cast", "MatMul", "MatMul", "Add"]
    found, feed = run(model)
    expected = 2 * feed["rows"] @ matrix.astype(np.float16).astype(np.float32)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    too_large = np.where(matrix == matrix.max(), 1e5, matrix).astype(np.float32)
    assert op_types(fp16(small_graph(two_products(), {"w": too_large}, 40))) == [
        *("MatMul", "MatMul", "Add")
    ]


def test_a_half_precision_table_is_cast_after_the_gather(matrix):
    nodes = [onnx.helper.make_node("Gather", ["table", "ids"], ["sentence_embedding"], name="g")]
    model = fp16(small_graph(nodes, {"table": matrix}, 40))
    assert op_types(model) == ["Gather", "Cast"]
    found, feed = run(model)
    np.testing.assert_array_equal(found, matrix.astype(np.float16)[feed["ids"]].astype(np.float32))


def test_small_matrices_and_products_of_two_activations_are_left(matrix):
    small = np.ones((32, MIN_WEIGHTS // 32 - 1), dtype=np.float32)
    nodes = [
        onnx.helper.make_node("MatMul", ["rows", "w"], ["left"], name="one"),
        onnx.helper.make_node("Transpose", ["left"], ["turned"], name="turn"),
        onnx.helper.make_node("MatMul", ["left", "turned"], ["sentence_embedding"], name="two"),
    ]
    model = small_graph(nodes, {"w": small}, None)
    for technique in (int8_fast, int8_portable, int4, fp16):
        assert op_types(technique(model)) == op_types(model)
