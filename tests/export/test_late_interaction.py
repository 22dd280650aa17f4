"""ColBERT models through export and runtime, against the paper's steps written out with torch."""

import json
import shlex
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from edge_mrl import Encoder, Index, Prefetch
from edge_mrl.bundle import Bundle
from edge_mrl.bundle.manifest_json import dump, parse
from edge_mrl.cli.main import main
from edge_mrl.errors import BundleError, ExportError
from edge_mrl_export import ExportOptions, deployment, export
from edge_mrl_export.adapt.run import adapt
from edge_mrl_export.model import VariantRequest
from edge_mrl_export.sources import open_folder
from edge_mrl_export.sources.origin import Origin
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from tests.export.colbert_models import (
    DENSE,
    DOCUMENT_TOKENS,
    PYLATE,
    QUERY_TOKENS,
    WIDTH,
    ColBert,
    write_pylate,
    write_stanford,
)
from tests.export.st_models import TEXTS, write_json

ASKED = ("zip 3 files", "", "what, who? where the heron waits in the reeds until dusk")


def exported(folder, out):
    texts = out / "texts.txt"
    texts.write_text(
        "\n".join(
            f"{n * 17 % 97} the heron number {n} waits. it stands in the reeds of pond {n} at dusk."
            for n in range(60)
        )
    )
    options = ExportOptions(formats=("onnx",), precisions=("fp32",), texts=texts)
    return export(str(folder), out / "bundle", options).path


@pytest.fixture(scope="module")
def pylate(tmp_path_factory):
    """A model as PyLate saves it, its bundle, and the reference."""
    place = tmp_path_factory.mktemp("pylate")
    folder = write_pylate(place / "model")
    reference = ColBert(folder, place)
    return SimpleNamespace(folder=folder, bundle=exported(folder, place), reference=reference)


def with_settings(bundle, folder, **changes):
    """A copy of a bundle whose model reads queries and documents in another way."""
    shutil.copytree(bundle, folder)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["embedding"]["late_interaction"] |= changes
    path.write_text(json.dumps(manifest))
    return folder


def near(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_documents_have_their_marker_and_no_punctuation(pylate):
    found = Encoder.load(pylate.bundle).encode_tokens(TEXTS, prompt_name="document")
    read = [pylate.reference.tokens(text, "[D] ", DOCUMENT_TOKENS, skip=True) for text in TEXTS]
    near(found, read)
    assert max(map(len, found)) == DOCUMENT_TOKENS
    assert len(found[3]) == pylate.reference.tokens(TEXTS[3], "[D] ", 64).shape[0] - 2


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({}, {"fill": True}),
        ({"attend_to_fill": True}, {"fill": True, "attend": True}),
        ({"fill_id": None}, {}),
    ],
)
def test_queries_are_cut_and_filled_up(pylate, tmp_path, changes, options):
    encoder = Encoder.load(with_settings(pylate.bundle, tmp_path / "b", **changes))
    texts = (*ASKED, *TEXTS)
    found = encoder.encode_tokens(texts, prompt_name="query")
    read = [pylate.reference.tokens(text, "[Q] ", QUERY_TOKENS, **options) for text in texts]
    near(found, read)
    if "fill" in options:
        assert {len(one) for one in found} == {QUERY_TOKENS}
    # The same in one run of the model with the vectors, and alone.
    both = encoder.encode_query_with_tokens(texts, WIDTH)
    near(both.tokens, found)
    np.testing.assert_allclose(both.vectors, encoder.encode_query(texts), atol=1e-6)
    near([encoder.encode_tokens(texts[0], prompt_name="query")], found[:1])


def test_a_text_of_neither_kind_has_no_marker_and_all_its_tokens(pylate):
    encoder = Encoder.load(pylate.bundle)
    (plain,) = encoder.encode_tokens(["zip 3 files, fast!"])
    assert len(plain) == len(pylate.reference.tokens("zip 3 files, fast!", "[D] ", 64)) - 1


def test_the_vector_of_a_text_is_the_mean_of_its_tokens(pylate):
    """Of what the projection gives, before unit length: the projection of the mean."""
    encoder = Encoder.load(pylate.bundle)
    reference = pylate.reference
    ids = reference.tokenizer
    ids.no_truncation()
    import torch

    with torch.no_grad():
        hidden = reference.model(torch.tensor([ids.encode("zip 3 files").ids])).last_hidden_state
    from tests.export.colbert_models import projection

    mean = projection() @ hidden[0].mean(dim=0).numpy()
    np.testing.assert_allclose(
        encoder.encode("zip 3 files"), mean / np.linalg.norm(mean), atol=1e-5
    )


def test_an_index_orders_by_max_sim(pylate, tmp_path):
    texts = [f"the heron {n} waits, in the reeds of pond {n * 7 % 31}." for n in range(12)]
    tokens = [pylate.reference.tokens(text, "[D] ", DOCUMENT_TOKENS, skip=True) for text in texts]
    query = pylate.reference.tokens("pond 7", "[Q] ", QUERY_TOKENS, fill=True)
    scores = np.array([(query @ one.T).max(axis=1).sum() for one in tokens])
    encoder = Encoder.load(pylate.bundle, token_vectors=True)
    with Index.open(tmp_path / "i.db", encoder) as index:
        index.create_token_index(slice=(WIDTH, 32))
        index.add(texts, ids=list(range(12)))
        shortlist = Prefetch(using="dense", limit=12)
        found = index.query("pond 7", prefetch=shortlist, using="tokens", limit=12).hits
    assert [hit.id for hit in found] == list(np.argsort(-scores, kind="stable"))
    for hit in found:
        assert hit.score == pytest.approx(scores[hit.id], abs=1e-3)


def test_what_the_page_tells_people_to_type_runs(pylate, tmp_path, monkeypatch, capsys):
    manifest = Bundle.open(pylate.bundle).manifest
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bundle").symlink_to(pylate.bundle)
    exec(deployment.python_snippet(manifest), {})
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 2
    assert float(printed[0].split()[0]) > 1  # MaxSim, a sum over the query's tokens
    line = {"_id": "a", "text": "the heron waits in the reeds."}
    (tmp_path / "corpus.jsonl").write_text(json.dumps(line))
    (tmp_path / "notes.db").unlink()
    for command in deployment.command_lines(manifest).splitlines()[-2:]:
        assert main(shlex.split(command)[1:]) == 0
    assert "the heron waits" in capsys.readouterr().out


def test_a_checkpoint_of_stanford(tmp_path):
    folder = write_stanford(tmp_path / "model")
    reference = ColBert(folder, tmp_path)
    encoder = Encoder.load(exported(folder, tmp_path))
    texts = (*ASKED, *(text for text in TEXTS if "東" not in text))
    near(
        encoder.encode_tokens(texts, prompt_name="query"),
        [reference.tokens(text, "[unused0]", 10, fill=True, attend=True) for text in texts],
    )
    near(
        encoder.encode_tokens(texts, prompt_name="document"),
        [reference.tokens(text, "[unused1]", 24, skip=True) for text in texts],
    )


def test_the_manifest_keeps_how_texts_are_read(pylate, capsys):
    manifest = Bundle.open(pylate.bundle).manifest
    late = manifest.embedding.late_interaction
    assert (late.query_tokens, late.document_tokens) == (QUERY_TOKENS, DOCUMENT_TOKENS)
    assert (late.fill_id, late.attend_to_fill) == (4, False)
    assert manifest.embedding.prompts == {"query": "[Q] ", "document": "[D] "}
    assert manifest.embedding.matryoshka_dims == (WIDTH,)
    assert all(variant.token_vectors is not None for variant in manifest.variants)
    assert parse(dump(manifest)) == manifest
    assert main(["inspect", str(pylate.bundle)]) == 0
    assert "late interaction: queries of 12 tokens" in capsys.readouterr().out
    assert "trained for late interaction" in (pylate.bundle / "report.html").read_text()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"query_tokens": 0}, "query_tokens"),
        ({"query_tokens": 10**5}, "query_tokens"),
        ({"query_tokens": 41}, "reads texts of more tokens"),
        ({"document_tokens": 41}, "reads texts of more tokens"),
        ({"fill_id": -1}, "fill_id"),
        ({"attend_to_fill": 1}, "attend_to_fill"),
        ({"skipped_ids": ["."]}, "skipped_ids"),
    ],
)
def test_settings_that_cannot_be_are_refused(pylate, tmp_path, changes, said):
    folder = with_settings(pylate.bundle, tmp_path / "b", **changes)
    with pytest.raises(BundleError, match=said):
        Bundle.open(folder)


@pytest.fixture
def copy(pylate, tmp_path):
    return shutil.copytree(pylate.folder, tmp_path / "copy")


def describe(folder):
    return SentenceTransformersSource(folder).describe()


def test_what_pylate_assumes_where_a_setting_is_missing(copy):
    write_json(copy / "config_sentence_transformers.json", {})
    found = describe(copy)
    late = found.late_interaction
    assert (late.query_tokens, late.document_tokens) == (32, 64)  # of 180; the model has 64
    assert (late.fill_id, late.attend_to_fill) == (4, False)
    # ! , . ? of the vocabulary, and the unknown token for the rest.
    assert len(late.skipped_ids) == 5
    assert found.prompts == {"query": "[Q] ", "document": "[D] "}


def test_settings_that_say_otherwise(copy):
    changed = {
        "query_prefix": "",
        "do_query_expansion": False,
        "attend_to_expansion_tokens": True,
        "skiplist_words": [],
        "prompts": {"query": "", "document": "", "always": "text: "},
        "default_prompt_name": "always",
    }
    before = describe(copy).identity
    write_json(copy / "config_sentence_transformers.json", PYLATE | changed)
    found = describe(copy)
    assert found.late_interaction._replace(query_tokens=0, document_tokens=0) == (
        0,
        0,
        None,
        False,
        (),
    )
    assert found.prompts == {"query": "text: ", "document": "[D] text: "}
    assert found.identity != before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"query_prefix": "[nobody] "}, r"has no token '\[nobody\] '"),
        ({"query_prefix": 3}, "query_prefix must be a short text"),
        ({"query_length": "x"}, "query_length"),
        ({"query_length": 10**5}, "query_length"),
        ({"document_length": 0}, "document_length"),
        ({"do_query_expansion": "yes"}, "do_query_expansion"),
        ({"skiplist_words": [1]}, "skiplist_words"),
        ({"similarity_fn_name": "euclidean"}, "compares its vectors by euclidean"),
    ],
)
def test_settings_of_a_folder_that_cannot_be_used(copy, changes, said):
    write_json(copy / "config_sentence_transformers.json", PYLATE | changes)
    with pytest.raises(ExportError, match=said):
        describe(copy)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"use_residual": True}, "use_residual adds"),
        ({"module_input_name": "sentence_embedding"}, "only modules on token_embeddings"),
        ({"in_features": 31}, "31"),
    ],
)
def test_projections_that_cannot_be_exported(copy, changes, said):
    write_json(copy / "1_Dense/config.json", DENSE | changes)
    with pytest.raises(ExportError, match=said):
        SentenceTransformersSource(copy).build(VariantRequest("onnx", "fp32"), copy)


def test_tflite_and_adapters_are_for_other_models(pylate, tmp_path):
    source = SentenceTransformersSource(pylate.folder)
    assert {request.format for request in source.default_requests()} == {"onnx"}
    for asked in (("tflite",), ("onnx", "tflite")):
        with pytest.raises(ExportError, match="a TFLite file does not give"):
            export(str(pylate.folder), tmp_path / "b", ExportOptions(formats=asked))
    with pytest.raises(ExportError, match="an adapter is for models that embed texts"):
        adapt(str(pylate.folder), tmp_path / "none.txt", tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", '{"dim": 24, "query_maxlen": "x"}', '{"dim": 0}'])
def test_a_damaged_artifact_metadata(tmp_path, text):
    folder = write_stanford(tmp_path / "model")
    (folder / "artifact.metadata").write_text(text)
    with pytest.raises(ExportError, match=r"artifact\.metadata"):
        open_folder(Origin.of_folder(folder), ExportOptions())
