"""The TFLite backend on real files: lengths, padding, refusals."""

import numpy as np
import pytest

from edge_mrl.backends import available, open_backend
from edge_mrl.backends.litert import LiteRtBackend
from edge_mrl.bundle.manifest import GateResult, Variant
from edge_mrl.errors import BackendError, BackendMissingError, BundleError
from edge_mrl_export.graphs.static import static_graph
from edge_mrl_export.static_table import quantize_rows

pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed here")

DIM = 24
VOCABULARY = 50


def variant(dims=(8, DIM), **changes):
    fields = {
        "name": "tflite-x",
        "format": "tflite",
        "precision": "int8-portable",
        "dims": dims,
        "files": ("x.tflite",),
        "pad_invariant": True,
        "session_options": {},
        "gate": GateResult(1, 1, 1),
    }
    return Variant(**fields | changes)


@pytest.fixture(scope="module")
def table():
    rows = np.random.default_rng(3).normal(size=(VOCABULARY, DIM))
    return quantize_rows(rows * np.geomspace(0.1, 10, VOCABULARY)[:, None])


@pytest.fixture(scope="module")
def file(table, tmp_path_factory):
    from edge_mrl_export.lite.static import static_tflite

    path = tmp_path_factory.mktemp("lite") / "x.tflite"
    path.write_bytes(static_tflite(*table))
    return path


@pytest.fixture
def backend(file):
    return open_backend(variant(), [file], pad_id=0, threads=1)


def expected(table, ids, dim):
    codes, scales = table
    total = (codes[ids].astype(np.float64) * scales[ids].astype(np.float64)[:, None]).sum(axis=0)
    return total[:dim] / np.linalg.norm(total[:dim])


@pytest.mark.parametrize("dim", [8, DIM])
@pytest.mark.parametrize("length", [1, 31, 32, 33, 500])
def test_a_text_of_any_length_is_the_sum_of_its_rows(backend, table, length, dim):
    ids = np.random.default_rng(length).integers(0, VOCABULARY, length)
    vectors = backend.embed([ids.tolist()], dim)
    assert vectors.shape == (1, dim)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors[0], expected(table, ids, dim), atol=2e-6)


def test_texts_do_not_see_each_other_and_no_tokens_give_zeros(backend):
    texts = [[1, 2, 3], [], [4] * 40, [5]]
    together = backend.embed(texts, DIM)
    assert not together[1].any()
    for ids, row in zip(texts, together, strict=True):
        np.testing.assert_array_equal(backend.embed([ids], DIM)[0], row)
    assert backend.embed([], DIM).shape == (0, DIM)


@pytest.mark.parametrize("dim", [8, DIM])
def test_a_vector_belongs_to_whom_it_was_given(backend, dim):
    first = backend.embed([[1, 2, 3]], dim)
    before = first.copy()
    assert not np.array_equal(backend.embed([[4, 5]], dim), before)
    np.testing.assert_array_equal(first, before)
    first[:] = 0
    np.testing.assert_array_equal(backend.embed([[1, 2, 3]], dim), before)


class Recorder:
    """Stands for a signature; notes the ids and masks that it was given."""

    def __init__(self):
        self.seen = []

    def __call__(self, input_ids, attention_mask):
        self.seen.append((input_ids.tolist(), attention_mask.tolist()))
        return {"sentence_embedding": np.ones((1, 4), np.float32)}


def test_a_text_is_padded_to_the_shortest_signature_that_holds_it():
    from edge_mrl.backends.litert import _Signature

    runs = {length: Recorder() for length in (2, 4, 8)}
    signatures = [_Signature(length, 4, run) for length, run in runs.items()]
    backend = LiteRtBackend(None, signatures, pad_id=9)
    backend.embed([[5, 6], [5, 6, 7], [1], [1, 2, 3, 4, 5]], 4)
    assert runs[2].seen == [([[5, 6]], [[1, 1]]), ([[1, 9]], [[1, 0]])]
    assert runs[4].seen == [([[5, 6, 7, 9]], [[1, 1, 1, 0]])]
    assert runs[8].seen == [([[1, 2, 3, 4, 5, 9, 9, 9]], [[1, 1, 1, 1, 1, 0, 0, 0]])]
    with pytest.raises(BackendError, match="9 tokens is longer than this file reads"):
        backend.embed([[1] * 9], 4)


def test_the_engine_gets_the_threads(file, monkeypatch):
    from ai_edge_litert import interpreter

    seen = []
    real = interpreter.Interpreter

    def spy(model_path, num_threads):
        seen.append(num_threads)
        return real(model_path=model_path, num_threads=num_threads)

    monkeypatch.setattr(interpreter, "Interpreter", spy)
    open_backend(variant(), [file], pad_id=0, threads=2)
    assert seen == [2]


def test_what_is_no_tflite_file_is_refused(tmp_path, table):
    for name, data in (
        ("a", b""),
        ("b", b"TFL3" * 100),
        ("c", static_graph(*table).SerializeToString()),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(BundleError, match="cannot load"):
            open_backend(variant(), [tmp_path / name], pad_id=0, threads=1)


def test_a_narrower_file_than_the_manifest_says_is_refused(file):
    with pytest.raises(BundleError, match="vectors of 48 numbers"):
        open_backend(variant(dims=(48,)), [file], pad_id=0, threads=1)


def test_a_variant_is_not_run_by_an_engine_that_it_does_not_name(file, monkeypatch):
    """As on a board that has tflite-runtime alone and a dynamic-range variant."""
    import importlib.util

    real = importlib.util.find_spec
    here = {"ai_edge_litert": None, "tflite_runtime": object()}
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: here[name] if name in here else real(name, *rest),
    )
    marked = variant(engines=("ai-edge-litert",))
    assert not available(marked)
    assert available(variant())
    assert available(variant(engines=("ai-edge-litert", "tflite-runtime")))
    with pytest.raises(BackendMissingError, match=r"needs ai-edge-litert.*edge-mrl\[litert\]"):
        open_backend(marked, [file], pad_id=0, threads=1)
    with pytest.raises(BackendMissingError, match="needs ai-edge-litert"):
        LiteRtBackend.open(marked, [file], pad_id=0, threads=1)
