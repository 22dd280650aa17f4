"""The encoder on a real static bundle, against the wordllama library's own vectors."""

import importlib.util
import json
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from edge_mrl import Encoder
from edge_mrl.bundle import Bundle
from edge_mrl.bundle.seal import sealed
from edge_mrl.errors import (
    BackendMissingError,
    BundleError,
    InputError,
    ProfileError,
    SelfTestError,
    UntrainedDimError,
)
from edge_mrl.planning import BundleFacts, encoder_cost, load_profile, plan
from edge_mrl_export.golden_texts import GOLDEN_TEXTS
from edge_mrl_export.sources.wordllama import WordLlamaSource

VARIANTS = ("table-int8-256", "onnx-int8-portable")


@pytest.fixture(scope="module")
def library_vectors():
    """(n, 256) float64 from wordllama itself; rows of texts without tokens are zero."""
    inference = pytest.importorskip("wordllama.inference")
    from tokenizers import Tokenizer

    source = WordLlamaSource.installed(dims=None)
    tokenizer = Tokenizer.from_str(source.tokenizer_json.decode())
    model = inference.WordLlamaInference(source.table, tokenizer)
    return np.nan_to_num(model.embed(list(GOLDEN_TEXTS)).astype(np.float64))


@pytest.mark.parametrize("dim", [64, 128, 256])
@pytest.mark.parametrize("variant", VARIANTS)
def test_vectors_equal_the_library_s_at_every_slice(static_bundle, library_vectors, variant, dim):
    vectors = Encoder.load(static_bundle, variant=variant, truncate_dim=dim).encode(GOLDEN_TEXTS)
    assert vectors.shape == (len(GOLDEN_TEXTS), dim)
    assert vectors.dtype == np.float32
    cut = library_vectors[:, :dim]
    norms = np.linalg.norm(cut, axis=1)
    tokens = norms > 0
    cosines = (vectors * cut).sum(axis=1)[tokens] / norms[tokens]
    assert cosines.min() > 0.9997
    np.testing.assert_allclose(np.linalg.norm(vectors[tokens], axis=1), 1, atol=1e-5)
    assert not vectors[~tokens].any()


@pytest.mark.parametrize("dim", [64, 128])
def test_the_table_of_a_slice_gives_the_same_vectors_as_the_large_one(static_bundle, dim):
    small = Encoder.load(static_bundle, variant=f"table-int8-{dim}").encode(GOLDEN_TEXTS)
    large = Encoder.load(static_bundle, variant="table-int8-256", truncate_dim=dim).encode(
        GOLDEN_TEXTS
    )
    assert (small * large).sum(axis=1)[0] > 0.9998
    assert small.shape == large.shape


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_vector_belongs_to_whom_it_was_given(static_bundle, variant):
    encoder = Encoder.load(static_bundle, variant=variant, truncate_dim=64)
    first = encoder.encode("the heron waits")
    before = first.copy()
    second = encoder.encode("in the reeds")
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, before)
    first[:] = 0
    np.testing.assert_array_equal(encoder.encode("the heron waits"), before)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_text_alone_and_in_a_batch_has_one_vector(static_bundle, variant):
    encoder = Encoder.load(static_bundle, variant=variant)
    together = encoder.encode(GOLDEN_TEXTS)
    for text, row in zip(GOLDEN_TEXTS, together, strict=True):
        np.testing.assert_allclose(encoder.encode(text), row, atol=2e-6)


def test_the_smallest_table_that_gives_the_size_runs(static_bundle):
    names = [Encoder.load(static_bundle, truncate_dim=dim).variant.name for dim in (64, 128, 256)]
    assert names == ["table-int8-64", "table-int8-128", "table-int8-256"]
    assert Encoder.load(static_bundle).variant.name == "table-int8-256"


def test_a_single_text_gives_a_single_vector(static_bundle):
    encoder = Encoder.load(static_bundle)
    assert encoder.encode("one").shape == (256,)
    assert encoder.encode(["one"]).shape == (1, 256)
    assert encoder.encode([]).shape == (0, 256)


def test_an_untrained_size_names_the_trained_ones(static_bundle):
    with pytest.raises(UntrainedDimError, match="64, 128, 256"):
        Encoder.load(static_bundle, truncate_dim=100)


def test_a_variant_that_cannot_give_the_size_says_what_it_can(static_bundle):
    with pytest.raises(UntrainedDimError, match="64, 128$"):
        Encoder.load(static_bundle, variant="table-int8-128", truncate_dim=256)


def test_an_unknown_variant_lists_those_there_are(static_bundle):
    with pytest.raises(BundleError, match="table-int8-64"):
        Encoder.load(static_bundle, variant="best")


@pytest.mark.parametrize(
    "texts",
    [
        ["fine", 3],
        ["fine", None],
        ["lone \ud800 surrogate"],
        ["fine", ["two", "texts"]],
        [("two", "texts")],
        [b"bytes"],
    ],
)
def test_what_is_not_text_is_named(static_bundle, texts):
    with pytest.raises(InputError, match=r"text number \d"):
        Encoder.load(static_bundle).encode(texts)


@pytest.mark.parametrize("threads", [0, -1, 2.0, "2", True])
def test_threads_must_be_a_positive_whole_number(static_bundle, threads):
    with pytest.raises(InputError, match="threads must be a whole number"):
        Encoder.load(static_bundle, threads=threads)


def test_texts_may_come_in_any_order_of_things(static_bundle):
    encoder = Encoder.load(static_bundle, threads=np.int64(1))
    expected = encoder.encode(["one", "two"])
    np.testing.assert_array_equal(encoder.encode(text for text in ("one", "two")), expected)
    np.testing.assert_array_equal(encoder.encode(np.array(["one", "two"])), expected)
    for nothing in (None, 3, {"one": 1}, b"one"):
        with pytest.raises(InputError, match="texts must be a str or a list"):
            encoder.encode(nothing)


def test_nul_is_a_character_like_any_other(static_bundle):
    assert np.isfinite(Encoder.load(static_bundle).encode("a\x00b")).all()


def test_an_unknown_prompt_is_named(static_bundle):
    with pytest.raises(InputError, match="no prompt 'query'"):
        Encoder.load(static_bundle).encode(["x"], prompt_name="query")


def test_what_is_no_text_is_no_prompt_either(static_bundle):
    encoder = Encoder.load(static_bundle)
    with pytest.raises(InputError, match="a prompt must be a str, not int"):
        encoder.encode("text", prompt=3)
    with pytest.raises(InputError, match="put a single one in brackets"):
        encoder.count_tokens("text")


def test_a_size_that_is_a_text_is_told_from_the_number(static_bundle):
    with pytest.raises(UntrainedDimError, match="not trained for '64' dimensions"):
        Encoder.load(static_bundle, truncate_dim="64")


def test_what_an_encoder_shows_of_itself(static_bundle):
    shown = repr(Encoder.load(static_bundle, truncate_dim=64))
    assert "'wordllama-l2-supercat-256'" in shown and "64 dimensions" in shown


def test_queries_and_documents_need_no_prompts(static_bundle):
    encoder = Encoder.load(static_bundle)
    np.testing.assert_array_equal(encoder.encode_query(["x"]), encoder.encode_document(["x"]))


def test_a_profile_chooses_variant_size_and_layout(static_bundle):
    encoder = Encoder.load(static_bundle, profile="raspberry-pi-zero-2w", documents=5000)
    assert encoder.plan is not None
    assert encoder.variant.name == encoder.plan.variant
    assert encoder.dim == encoder.plan.layout.stored.dim
    assert encoder.index_layout == encoder.plan.layout


def test_a_plan_says_where_texts_are_cut(bundle_copy):
    name = "onnx-int8-portable"
    manifest = bundle_copy / "manifest.json"
    document = json.loads(manifest.read_text())
    document["tokenizer"]["max_tokens"] = 1024
    manifest.write_bytes(sealed(document))
    long = ["word " * 2000]
    assert Encoder.load(bundle_copy, variant=name).count_tokens(long) == [1024]
    facts = BundleFacts.from_manifest(Bundle.open(bundle_copy).manifest)
    variant = next(one for one in facts.variants if one.name == name)
    laptop = load_profile("laptop")
    # Buffers for 1024 tokens are 270 MiB more than for 256.
    memory = encoder_cost.encoder_memory(variant, 256) + 30 * 2**20
    small = replace(laptop, budgets=replace(laptop.budgets, memory_bytes=memory))
    encoder = Encoder.load(bundle_copy, profile=small, variant=name)
    assert encoder.plan.max_tokens == 256
    assert encoder.count_tokens(long) == [256]
    # Here every token has one vector, so reading less is a mean of fewer.
    assert np.allclose(encoder.encode(long), encoder.encode(["word " * 256]), atol=1e-6)
    assert encoder.reads_whole([*long, "a word"]) == [False, True]
    # An index is planned for the encoder that runs.
    assert encoder.follower().new_layout() == encoder.plan.layout


def test_an_explicit_size_overrides_the_profile_s(static_bundle):
    encoder = Encoder.load(
        static_bundle, profile="raspberry-pi-5", variant="table-int8-256", truncate_dim=64
    )
    assert encoder.dim == 64
    assert encoder.index_layout is None or encoder.index_layout.stored.dim == 64


def test_an_unknown_profile_offers_the_nearest(static_bundle):
    with pytest.raises(ProfileError, match="raspberry-pi-zero-2w"):
        Encoder.load(static_bundle, profile="raspberry-pi-zero-2")


def test_wrong_vectors_do_not_go_unnoticed(bundle_copy):
    """Another table under a manifest that vouches for it, as a broken engine would behave."""
    import hashlib

    file = bundle_copy / "table" / "int8-256.rows.npy"
    rows = np.load(file)
    np.save(file, np.ascontiguousarray(rows[::-1]))
    manifest = json.loads((bundle_copy / "manifest.json").read_text())
    for entry in manifest["files"]:
        if entry["path"] == "table/int8-256.rows.npy":
            entry["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    (bundle_copy / "manifest.json").write_bytes(sealed(manifest))
    with pytest.raises(SelfTestError, match="choose another variant"):
        Encoder.load(bundle_copy, variant="table-int8-256")
    Encoder.load(bundle_copy, variant="table-int8-256", self_test=False)


def test_verify_gives_the_cosine_of_the_golden_texts(static_bundle):
    assert Encoder.load(static_bundle).verify() > 0.9999


def test_a_missing_engine_names_the_pip_command(static_bundle, monkeypatch):
    without_onnx(monkeypatch)
    with pytest.raises(BackendMissingError, match=r"pip install 'edge-mrl\[onnx\]'"):
        Encoder.load(static_bundle, variant="onnx-int8-portable")
    assert Encoder.load(static_bundle).variant.format == "table"


def test_onnx_runs_with_the_threads_it_was_given(static_bundle, monkeypatch):
    seen = []
    real = onnxruntime.InferenceSession

    def spy(path, options, **rest):
        seen.append(options.intra_op_num_threads)
        return real(path, options, **rest)

    monkeypatch.setattr(onnxruntime, "InferenceSession", spy)
    Encoder.load(static_bundle, variant="onnx-int8-portable", threads=2)
    assert seen == [2]


def without_onnx(monkeypatch):
    """As if onnxruntime were not installed."""
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "onnxruntime" else real(name, *rest),
    )


def keep_only_onnx(bundle):
    """Leave a bundle only its ONNX variant."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["variants"] = [one for one in manifest["variants"] if one["format"] == "onnx"]
    (bundle / "manifest.json").write_bytes(sealed(manifest))


def test_auto_plans_for_the_engines_that_are_installed(static_bundle, monkeypatch):
    # Of the bundle's variants the ONNX one is made the fastest, so that a plan prefers it.
    monkeypatch.setitem(encoder_cost.ENCODE_TIME, ("onnx", "int8-portable"), 0.0001)
    assert Encoder.load(static_bundle, profile="auto").variant.format == "onnx"
    without_onnx(monkeypatch)
    encoder = Encoder.load(static_bundle, profile="auto")
    assert encoder.variant.format == "table"
    assert encoder.plan.variant == encoder.variant.name


def test_another_device_is_planned_with_what_runs_here_too(static_bundle, bundle_copy, monkeypatch):
    monkeypatch.setitem(encoder_cost.ENCODE_TIME, ("onnx", "int8-portable"), 0.0001)
    assert Encoder.load(static_bundle, profile="raspberry-pi-5").variant.format == "onnx"
    without_onnx(monkeypatch)
    # The plan of a named board speaks of the board; an encoder that is loaded is to run.
    facts = BundleFacts.from_manifest(Bundle.open(static_bundle).manifest)
    assert plan(facts, load_profile("raspberry-pi-5"), 1000).variant == "onnx-int8-portable"
    assert Encoder.load(static_bundle, profile="raspberry-pi-5").variant.format == "table"
    keep_only_onnx(bundle_copy)
    with pytest.raises(BackendMissingError, match=r"pip install 'edge-mrl\[onnx\]'"):
        Encoder.load(bundle_copy, profile="raspberry-pi-5")


def test_auto_without_any_engine_for_the_bundle_names_the_pip_command(bundle_copy, monkeypatch):
    keep_only_onnx(bundle_copy)
    without_onnx(monkeypatch)
    with pytest.raises(BackendMissingError, match=r"pip install 'edge-mrl\[onnx\]'"):
        Encoder.load(bundle_copy, profile="auto")
