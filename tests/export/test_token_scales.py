"""int8-fast where one scale for a whole text would be too coarse: after activation functions, and
after normalisations with outstanding gains."""

import math

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl_export.model import VariantRequest
from edge_mrl_export.precision.activations import GELU_DEPTH, Activations
from edge_mrl_export.precision.fast import int8_fast
from edge_mrl_export.precision.gains import outstanding_gains
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from tests.export.small_models import ARCHITECTURES, write_model
from tests.export.st_models import Session

make = onnx.helper.make_node
WIDTH, OUT = 64, 24


def graph(nodes, constants, batched=True):
    """A model from `x`, [batch, tokens, WIDTH] or [batch, WIDTH], to `y`."""
    axes = ["batch", "tokens"] if batched else ["batch"]
    info, float32 = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            nodes,
            "g",
            [info("x", float32, [*axes, WIDTH])],
            [info("y", float32, [*axes, OUT])],
            [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 20)],
        ir_version=10,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def gelu(x, result, order=0):
    """As torch's exporter writes it, or with the factors in another order."""
    first, second = [(("x", "bracket"), "half"), (("x", "half"), "bracket")][order]
    first = [x if name == "x" else name for name in first]
    return [
        make("Div", [x, "root"], ["shrunk"]),
        make("Erf", ["shrunk"], ["erf"]),
        make("Add", ["erf", "one"], ["bracket"]),
        make("Mul", first, ["first"]),
        make("Mul", ["first", second], [result]),
    ]


NUMBERS = {
    name: np.array(number, dtype=np.float32)
    for name, number in (("root", math.sqrt(2)), ("one", 1), ("half", 0.5))
}
PRODUCT = make("MatMul", ["h", "w"], ["y"], name="product")
WEIGHT = np.random.default_rng(1).normal(size=(WIDTH, OUT)).astype(np.float32)
FORMS = {
    "gelu": (gelu("x", "h"), GELU_DEPTH),
    "gelu, other order": (gelu("x", "h", 1), GELU_DEPTH),
    "Gelu": ([make("Gelu", ["x"], ["h"])], GELU_DEPTH),
    "relu": ([make("Relu", ["x"], ["h"])], 0),
    "tanh": ([make("Tanh", ["x"], ["h"])], None),
    "silu": ([make("Sigmoid", ["x"], ["s"]), make("Mul", ["x", "s"], ["h"])], None),
    "gated gelu": ([*gelu("x", "g"), make("Mul", ["g", "x"], ["h"])], None),
    "shifted erf": ([*gelu("x", "g")[:3], make("Mul", ["bracket", "half"], ["h"])], None),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_activation_function_is_recognised_with_its_depth(form):
    nodes, depth = FORMS[form]
    activations = Activations(graph([*nodes, PRODUCT], {**NUMBERS, "w": WEIGHT}))
    assert activations.is_one("h")
    assert activations.depth("h") == depth


def test_another_divisor_under_erf_is_no_gelu():
    constants = {**NUMBERS, "root": np.array(0.1, dtype=np.float32), "w": WEIGHT}
    assert Activations(graph([*FORMS["gelu"][0], PRODUCT], constants)).depth("h") is None


def test_the_depth_of_gelu_by_its_formula():
    x = np.linspace(-10, 10, 200_001)
    erf = x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
    tanh = x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    assert -GELU_DEPTH < min(erf.min(), tanh.min()) < -0.999 * GELU_DEPTH


def test_a_residual_sum_after_a_product_is_no_activation():
    nodes = [
        *gelu("x", "g"),
        make("MatMul", ["g", "v"], ["more"]),
        make("Add", ["more", "x"], ["h"]),
        PRODUCT,
    ]
    square = np.eye(WIDTH, dtype=np.float32)
    activations = Activations(graph(nodes, {**NUMBERS, "w": WEIGHT, "v": square}))
    assert not activations.is_one("h") and activations.depth("h") is None


def exact(form, x):
    x = x.astype(np.float64)
    erf = 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
    values = {
        "gelu": lambda: x * erf,
        "relu": lambda: np.maximum(x, 0),
        "silu": lambda: x / 2 * (1 + np.tanh(x / 2)),
        "gated gelu": lambda: x * x * erf,
    }
    return values[form]()


@pytest.fixture(scope="module")
def sessions():
    """Each form in float32's place, quantised."""
    constants = {**NUMBERS, "w": WEIGHT}
    return {
        form: Session(int8_fast(graph([*FORMS[form][0], PRODUCT], constants)).SerializeToString())
        for form in ("gelu", "relu", "silu", "gated gelu")
    }


@settings(max_examples=60, deadline=None)
@given(
    form=st.sampled_from(["gelu", "relu", "silu", "gated gelu"]),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 5)),
    spread=st.floats(0.01, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_token_is_as_exact_as_its_own_numbers_allow(sessions, form, shape, spread, seed):
    """However large another token's are: half a step of each number, and half of each weight."""
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(*shape, WIDTH)) * spread).astype(np.float32)
    x[0, 0] *= rng.choice([1, 100])
    (found,) = sessions[form].inner.run(None, {"x": x})
    activation = exact(form, x)
    known = FORMS[form][1]
    peak = np.abs(activation).max(axis=-1, keepdims=True)
    step = peak / 127 if known is None else np.maximum(peak / 239, known / 16)
    weights = np.abs(WEIGHT).max(axis=0) / 127
    bound = step / 2 * np.abs(WEIGHT).sum(axis=0)
    bound = bound + (np.abs(activation) + step / 2).sum(axis=-1, keepdims=True) * weights / 2
    error = np.abs(found - activation @ WEIGHT.astype(np.float64))
    assert np.all(error <= bound * 1.001 + 1e-6)


def test_zeros_stay_zeros(sessions):
    for form in ("gelu", "relu", "silu"):
        (found,) = sessions[form].inner.run(None, {"x": np.zeros((2, 3, WIDTH), np.float32)})
        np.testing.assert_array_equal(found, 0)


def test_after_pooling_a_text_has_one_scale_as_it_is():
    model = int8_fast(graph([*gelu("x", "h"), PRODUCT], {**NUMBERS, "w": WEIGHT}, batched=False))
    types = [node.op_type for node in model.graph.node]
    assert "DynamicQuantizeLinear" in types and "QuantizeLinear" not in types


def normalised(gains):
    """Two products after one normalisation, and one after another with the same weight."""
    nodes = [
        make("LayerNormalization", ["x", "gains", "bias"], ["even"], name="norm"),
        make("LayerNormalization", ["x", "ones", "bias"], ["plain"], name="plain"),
        make("MatMul", ["even", "w"], ["a"], name="one"),
        make("MatMul", ["even", "v"], ["b"], name="two"),
        make("MatMul", ["plain", "w"], ["c"], name="three"),
        make("Add", ["a", "b"], ["ab"]),
        make("Add", ["ab", "c"], ["y"]),
    ]
    constants = {
        "gains": gains,
        "ones": np.ones(WIDTH, np.float32),
        "bias": np.linspace(-1, 1, WIDTH, dtype=np.float32),
        "w": WEIGHT,
        "v": WEIGHT[::-1].copy(),
    }
    return graph(nodes, constants), constants


def test_only_outstanding_gains_are_moved():
    gains = np.full(WIDTH, 0.5, dtype=np.float32)
    gains[:3] = (-0.9, 0.25, 0.6)
    assert outstanding_gains(normalised(gains)[0]) == {}
    gains[0] = -1.5
    (factors,) = outstanding_gains(normalised(gains)[0]).values()
    np.testing.assert_allclose(factors[:4], [3, 1, 1.2, 1], rtol=1e-6)


def test_moved_gains_keep_the_product_and_spare_the_other_numbers():
    """A first token that has all of its size in one coordinate, as in trained models."""
    gains = np.full(WIDTH, 0.5, dtype=np.float32)
    gains[7] = 4
    model, constants = normalised(gains)
    x = np.random.default_rng(3).normal(size=(1, 9, WIDTH)).astype(np.float32)
    x[0, 0, 7] += 60
    wide = x.astype(np.float64)
    wide = (wide - wide.mean(-1, keepdims=True)) / np.sqrt(wide.var(-1, keepdims=True) + 1e-5)
    even, plain = (wide * constants[name] + constants["bias"] for name in ("gains", "ones"))
    expected = even @ (constants["w"] + constants["v"]) + plain @ constants["w"]
    quantised = int8_fast(model)
    (found,) = Session(quantised.SerializeToString()).inner.run(None, {"x": x})
    scaled = [node for node in quantised.graph.node if node.op_type == "DynamicQuantizeLinear"]
    assert len(scaled) == 2
    assert np.linalg.norm(found - expected) < 0.02 * np.linalg.norm(expected)
    without = int8_fast(normalised_with_hidden_gains(model))
    (plainly,) = Session(without.SerializeToString()).inner.run(None, {"x": x})
    ours, theirs = (np.linalg.norm((v - expected)[0, 1:]) for v in (found, plainly))
    assert ours < 0.7 * theirs


def normalised_with_hidden_gains(model):
    """The same, with gains that are no constant by name, so that they are not seen."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    result.graph.node[0].input[1] = "hidden"
    result.graph.node.insert(0, make("Identity", ["gains"], ["hidden"]))
    return result


@pytest.mark.parametrize(
    ("name", "layers", "bounded"),
    [
        ("mpnet", 2, True),
        ("xlm-roberta", 2, True),
        # Gated, so their numbers go below zero as far as above.
        ("modernbert", 3, False),
        ("gemma3_text", 3, False),
        ("qwen3", 2, False),
        ("t5", 2, False),
    ],
)
def test_each_feed_forward_block_has_token_scales(name, layers, bounded, tmp_path):
    folder = write_model(tmp_path / name, ARCHITECTURES[name])
    (built,) = SentenceTransformersSource(folder).build(
        VariantRequest("onnx", "int8-fast"), tmp_path
    )
    nodes = onnx.load(tmp_path / built.files[0]).graph.node
    types = [node.op_type for node in nodes]
    assert types.count("QuantizeLinear") == layers
    assert types.count("ReduceMin") == (0 if bounded else layers)
    assert types.count("MatMulIntegerToFloat") == layers
    assert types.count("DynamicQuantizeLinear") >= 3 * layers
