"""The ONNX backend on real files: a graph with its constants beside it, and what it refuses."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl.backends import open_backend
from edge_mrl.backends.onnx_constants import Place, places_outside
from edge_mrl.bundle.manifest import GateResult, Variant
from edge_mrl.errors import BundleError
from edge_mrl_export.graphs.files import write_graph
from edge_mrl_export.graphs.static import static_graph
from edge_mrl_export.static_table import quantize_rows

pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed here")

DIM = 24
VOCABULARY = 500
TABLE = quantize_rows(np.random.default_rng(3).normal(size=(VOCABULARY, DIM)))
GRAPH, DATA = "x.onnx", "x.onnx.data"
IDS = [3, 499, 17]


def opened(*files):
    variant = Variant(
        "onnx-x",
        "onnx",
        "int8-portable",
        (8, DIM),
        tuple(file.name for file in files),
        True,
        {},
        GateResult(1, 1, 1),
    )
    return open_backend(variant, files, pad_id=0, threads=1)


@pytest.fixture
def folder(tmp_path):
    """A static table's graph and its constants."""
    assert write_graph(static_graph(*TABLE), tmp_path / GRAPH) == (GRAPH, DATA)
    return tmp_path


def changed(folder, change):
    """The graph after a change to its first constant outside, written without a check."""
    model = onnx.load(folder / GRAPH, load_external_data=False)
    tensor = next(one for one in model.graph.initializer if one.external_data)
    change(model, tensor)
    (folder / GRAPH).write_bytes(model.SerializeToString())
    return [folder / GRAPH, folder / DATA]


def put(tensor, key, value):
    kept = [entry for entry in tensor.external_data if entry.key != key]
    del tensor.external_data[:]
    tensor.external_data.extend(kept)
    if value is not None:
        tensor.external_data.add(key=key, value=value)


def test_a_graph_reads_the_constants_beside_it(folder):
    assert (folder / DATA).stat().st_size >= VOCABULARY * DIM > (folder / GRAPH).stat().st_size
    codes, scales = TABLE
    total = (codes[IDS].astype(np.float64) * scales[IDS].astype(np.float64)[:, None]).sum(axis=0)
    (vector,) = opened(folder / GRAPH, folder / DATA).embed([IDS], 8)
    np.testing.assert_allclose(vector, total[:8] / np.linalg.norm(total[:8]), atol=1e-6)


def test_a_graph_with_its_constants_within_is_one_file(folder):
    """As bundles of schema 1 have it."""
    beside = opened(folder / GRAPH, folder / DATA).embed([IDS], DIM)
    onnx.save(onnx.load(folder / GRAPH), folder / "whole.onnx")
    (folder / DATA).unlink()
    np.testing.assert_array_equal(opened(folder / "whole.onnx").embed([IDS], DIM), beside)


@pytest.mark.parametrize(
    "location",
    [
        "../x.onnx.data",
        "/etc/passwd",
        "other.data",
        "./x.onnx.data",
        "x.onnx.data\0/etc/passwd",
        "*/_ORT_MEM_ADDR_/*",
        "",
    ],
)
def test_constants_in_another_file_are_refused(folder, location):
    (folder / "other.data").write_bytes((folder / DATA).read_bytes())
    files = changed(folder, lambda _, tensor: put(tensor, "location", location))
    with pytest.raises(BundleError, match=r"x\.onnx has constants in .* not a file of this"):
        opened(*files)


def test_constants_outside_of_a_variant_of_one_file_are_refused(folder):
    with pytest.raises(BundleError, match=r"constants in 'x\.onnx\.data', which is not a file"):
        opened(folder / GRAPH)


def test_constants_in_another_folder_are_refused(folder):
    (folder / "y").mkdir()
    (folder / DATA).rename(folder / "y" / DATA)
    with pytest.raises(BundleError, match="not a file of this variant beside it"):
        opened(folder / GRAPH, folder / "y" / DATA)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("offset", str(10**9)),
        ("offset", "-64"),
        ("offset", None),
        ("length", str(2**63)),
        ("length", None),
    ],
)
def test_constants_beyond_the_end_are_refused(folder, key, value):
    with pytest.raises(BundleError, match=r"beyond the end of x\.onnx\.data"):
        opened(*changed(folder, lambda _, tensor: put(tensor, key, value)))


def test_two_locations_of_one_constant_are_refused(folder):
    def twice(_, tensor):
        tensor.external_data.add(key="location", value=DATA)

    with pytest.raises(BundleError, match="two of 'location'"):
        opened(*changed(folder, twice))


@pytest.mark.parametrize("data", [b"", b"\x0b", b"\xff" * 20, b"\x3a\x7f", b"\x3a"])
def test_what_is_no_onnx_file_is_refused(tmp_path, data):
    (tmp_path / GRAPH).write_bytes(data)
    with pytest.raises(BundleError, match=r"x\.onnx is not an ONNX file"):
        opened(tmp_path / GRAPH)


def test_three_files_are_refused(folder):
    with pytest.raises(BundleError, match="one file or two"):
        opened(folder / GRAPH, folder / DATA, folder / DATA)


def hidden():
    """A model that names files wherever ONNX lets it."""

    def tensor(name):
        found = onnx.TensorProto(name=name, data_type=1, dims=[2], data_location=1)
        for key, value in (("location", name), ("offset", "0"), ("length", "8")):
            found.external_data.add(key=key, value=value)
        return found

    def node(name, **attributes):
        return onnx.helper.make_node("Constant", [], [name], **attributes)

    def sparse(name):
        return onnx.SparseTensorProto(
            values=tensor(f"{name}-v"), indices=tensor(f"{name}-i"), dims=[9]
        )

    branch = onnx.GraphProto(initializer=[tensor("branch")])
    lists = onnx.AttributeProto(name="all", type=onnx.AttributeProto.TENSORS)
    lists.tensors.append(tensor("tensors"))
    lists.graphs.append(onnx.GraphProto(node=[node("x", value=tensor("graphs"))]))
    lists.sparse_tensors.append(sparse("sparses"))
    several = node("y")
    several.attribute.append(lists)
    function = onnx.FunctionProto(name="f", domain="d", node=[node("z", value=tensor("function"))])
    function.attribute_proto.append(onnx.helper.make_attribute("default", tensor("default")))
    training = onnx.TrainingInfoProto()
    training.initialization.initializer.append(tensor("initialization"))
    training.algorithm.initializer.append(tensor("algorithm"))
    graph = onnx.GraphProto(
        node=[
            node("a", value=tensor("attribute")),
            node("b", sparse_value=sparse("sparse")),
            onnx.helper.make_node("If", ["c"], ["d"], then_branch=branch, else_branch=branch),
            several,
        ],
        initializer=[tensor("initializer")],
        sparse_initializer=[sparse("sparses-of-graph")],
    )
    return onnx.ModelProto(graph=graph, functions=[function], training_info=[training])


def locations(message):
    """Every location in a message of onnx, by protobuf's own reflection."""
    for field, value in message.ListFields():
        if field.name == "external_data":
            yield from (entry.value for entry in value if entry.key == "location")
        elif field.message_type is not None:
            for inner in value if isinstance(value, list) or hasattr(value, "add") else [value]:
                yield from locations(inner)


def test_files_are_found_wherever_a_model_may_name_them():
    model = hidden()
    found = list(places_outside(model.SerializeToString()))
    assert sorted(place.location for place in found) == sorted(locations(model))
    assert len(found) == 16
    assert all(place == Place(place.location, 0, 8) for place in found)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=3))
def test_no_file_that_protobuf_reads_is_missed(changes):
    data = bytearray(hidden().SerializeToString())
    for place, byte in changes:
        data[place % len(data)] = byte
    try:
        read = onnx.ModelProto.FromString(bytes(data))
    except Exception:  # noqa: BLE001  which error depends on protobuf's version
        return
    try:
        found = {place.location for place in places_outside(bytes(data))}
    except ValueError:
        return
    assert set(locations(read)) <= found


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    try:
        list(places_outside(data))
    except ValueError as error:
        assert str(error)
