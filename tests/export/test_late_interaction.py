"""ColBERT models through export and runtime, against the paper's steps written out with torch."""

import importlib.util
import json
import shlex
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from edge_mrl import Encoder, Index, Prefetch
from edge_mrl.bundle import Bundle
from edge_mrl.bundle.manifest_json import dump, parse
from edge_mrl.bundle.seal import sealed
from edge_mrl.cli.main import main
from edge_mrl.errors import BundleError
from edge_mrl_export import ExportOptions, deployment, export
from tests.export.colbert_models import (
    DOCUMENT_TOKENS,
    QUERY_TOKENS,
    WIDTH,
    ColBert,
    write_pylate,
    write_stanford,
)
from tests.export.st_models import TEXTS

ASKED = ("zip 3 files", "", "what, who? where the heron waits in the reeds until dusk")


needs_converter = pytest.mark.skipif(
    importlib.util.find_spec("litert_torch") is None, reason="litert-torch is not installed here"
)
VARIANTS = ["onnx-fp32", pytest.param("tflite-fp32", marks=needs_converter)]


def exported(folder, out, lengths=None):
    texts = out / "texts.txt"
    texts.write_text(
        "\n".join(
            f"{n * 17 % 97} the heron number {n} waits. it stands in the reeds of pond {n} at dusk."
            for n in range(60)
        )
    )
    formats = ("onnx", "tflite") if importlib.util.find_spec("litert_torch") else ("onnx",)
    options = ExportOptions(
        formats=formats, precisions=("fp32",), texts=texts, sequence_lengths=lengths
    )
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
    path.write_bytes(sealed(manifest))
    return folder


def near(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_documents_have_their_marker_and_no_punctuation(pylate, variant):
    encoder = Encoder.load(pylate.bundle, variant=variant)
    found = encoder.encode_tokens(TEXTS, prompt_name="document")
    read = [pylate.reference.tokens(text, "[D] ", DOCUMENT_TOKENS, skip=True) for text in TEXTS]
    near(found, read)
    assert max(map(len, found)) == DOCUMENT_TOKENS
    assert len(found[3]) == pylate.reference.tokens(TEXTS[3], "[D] ", 64).shape[0] - 2


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({}, {"fill": True}),
        ({"attend_to_fill": True}, {"fill": True, "attend": True}),
        ({"fill_id": None}, {}),
    ],
)
def test_queries_are_cut_and_filled_up(pylate, tmp_path, changes, options, variant):
    folder = with_settings(pylate.bundle, tmp_path / "b", **changes)
    encoder = Encoder.load(folder, variant=variant)
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


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_vector_of_a_text_is_the_mean_of_its_tokens(pylate, variant):
    """Of what the projection gives, before unit length: the projection of the mean."""
    encoder = Encoder.load(pylate.bundle, variant=variant)
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


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_index_orders_by_max_sim(pylate, tmp_path, variant):
    texts = [f"the heron {n} waits, in the reeds of pond {n * 7 % 31}." for n in range(12)]
    tokens = [pylate.reference.tokens(text, "[D] ", DOCUMENT_TOKENS, skip=True) for text in texts]
    query = pylate.reference.tokens("pond 7", "[Q] ", QUERY_TOKENS, fill=True)
    scores = np.array([(query @ one.T).max(axis=1).sum() for one in tokens])
    encoder = Encoder.load(pylate.bundle, variant=variant, token_vectors=True)
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
    bundle = exported(folder, tmp_path, (24,))
    texts = (*ASKED, *(text for text in TEXTS if "東" not in text))
    queries = [reference.tokens(text, "[unused0]", 10, fill=True, attend=True) for text in texts]
    documents = [reference.tokens(text, "[unused1]", 24, skip=True) for text in texts]
    for variant in Bundle.open(bundle).manifest.variants:
        encoder = Encoder.load(bundle, variant=variant.name)
        near(encoder.encode_tokens(texts, prompt_name="query"), queries)
        near(encoder.encode_tokens(texts, prompt_name="document"), documents)


def test_the_manifest_keeps_how_texts_are_read(pylate, capsys):
    manifest = Bundle.open(pylate.bundle).manifest
    late = manifest.embedding.late_interaction
    assert (late.query_tokens, late.document_tokens) == (QUERY_TOKENS, DOCUMENT_TOKENS)
    assert (late.fill_id, late.attend_to_fill) == (4, False)
    assert manifest.embedding.prompts == {"query": "[Q] ", "document": "[D] "}
    assert manifest.embedding.matryoshka_dims == (WIDTH,)
    assert all(variant.token_vectors is not None for variant in manifest.variants)
    # Queries, of which each is filled up, have a length of their own.
    lengths = [one.sequence_lengths for one in manifest.variants if one.format == "tflite"]
    assert lengths in ([], [(QUERY_TOKENS, DOCUMENT_TOKENS)])
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


def test_a_variant_without_room_for_queries_is_refused(pylate):
    manifest = json.loads((pylate.bundle / "manifest.json").read_text())
    manifest["variants"][0] |= {"format": "tflite", "max_tokens": 8, "sequence_lengths": [8]}
    with pytest.raises(BundleError, match="no room for queries, .* up to 12 tokens"):
        parse(sealed(manifest))
