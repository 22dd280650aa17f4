"""Token vectors are compared before they are used: an engine that answers noise there is caught,
though its vectors of texts are right. The noise comes from ONNX Runtime itself."""

import json
import re
import shutil

import numpy as np
import onnx
import pytest

from edge_mrl import Encoder
from edge_mrl.bundle import Bundle
from edge_mrl.bundle.golden import Golden, dump_golden, parse_golden
from edge_mrl.bundle.manifest_json import parse
from edge_mrl.cli.main import main
from edge_mrl.errors import BundleError, SelfTestError
from edge_mrl.index import Index
from edge_mrl.slices import Slice
from edge_mrl_export.writer import list_files, write_manifest


def changed(bundle, folder, change, golden=lambda rows: None):
    """A copy whose graph and golden texts were changed, with hashes that agree."""
    shutil.copytree(bundle, folder)
    path = folder / "onnx/fp32.onnx"
    model = onnx.load(path)
    change(model.graph)
    onnx.save(model, path)
    rows = json.loads((folder / "golden.json").read_text())["golden"]
    golden(rows)
    (folder / "golden.json").write_text(json.dumps({"golden": rows}))
    manifest = parse((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").unlink()
    write_manifest(folder, manifest._replace(files=list_files(folder)))
    return folder


def noise(graph):
    """Token vectors become random numbers."""
    (last,) = (node for node in graph.node if "token_embeddings" in node.output)
    last.output[list(last.output).index("token_embeddings")] = "right"
    graph.node.append(onnx.helper.make_node("RandomNormalLike", ["right"], ["token_embeddings"]))


@pytest.fixture(scope="module")
def noisy(token_bundle, tmp_path_factory):
    return changed(token_bundle, tmp_path_factory.mktemp("noisy") / "b", noise)


def test_noise_is_caught_at_load_where_token_vectors_are_asked_for(noisy):
    with pytest.raises(SelfTestError, match="'onnx-fp32' gives wrong token vectors here"):
        Encoder.load(noisy, token_vectors=True)


def test_else_at_the_first_of_them_however_they_are_asked_for(noisy, tmp_path):
    encoder = Encoder.load(noisy)
    assert encoder.encode("the heron").shape == (48,)
    for ask in (
        lambda: encoder.encode_tokens("the heron"),
        lambda: encoder.encode_query_with_tokens(["the heron"], 8),
        lambda: encoder.encode_document_with_tokens(["the heron"], 8),
    ):
        with pytest.raises(SelfTestError, match="wrong token vectors"):
            ask()
    with pytest.raises(SelfTestError), Index.open(tmp_path / "i.db", encoder) as index:
        index.create_token_index()
        index.add(["the heron"])


def test_verify_finds_it_too(noisy, capsys):
    with pytest.raises(SelfTestError, match="wrong token vectors"):
        Encoder.load(noisy).verify()
    assert main(["verify", str(noisy)]) == 1
    assert "wrong token vectors" in "".join(capsys.readouterr())


def test_who_wants_no_self_test_has_none(noisy):
    encoder = Encoder.load(noisy, self_test=False, token_vectors=True)
    assert np.isfinite(encoder.encode_tokens("the heron")).all()


def test_a_right_engine_is_asked_once(token_bundle, monkeypatch):
    encoder = Encoder.load(token_bundle)
    backend = encoder._loaded.backend
    asked = []
    run = type(backend).embed_with_tokens
    monkeypatch.setattr(
        type(backend),
        "embed_with_tokens",
        lambda self, ids, *rest, **more: asked.append(len(ids)) or run(self, ids, *rest, **more),
    )
    encoder.encode_tokens("the heron")
    encoder.encode_tokens(["the heron", "x", "y"])
    assert asked == [2, 1, 3]
    assert encoder.verify() > 0.9999


def test_too_few_tokens_are_caught(token_bundle, tmp_path):
    def one_fewer(rows):
        golden = parse_golden(json.dumps({"golden": rows}).encode(), 48)
        longer = tuple(np.concatenate([one, one[:1]]) for one in golden.tokens)
        rows[:] = json.loads(dump_golden(golden._replace(tokens=longer)))["golden"]

    folder = changed(token_bundle, tmp_path / "b", lambda graph: None, one_fewer)
    with pytest.raises(SelfTestError, match=r"gives \d+ token vectors for a text of \d+ tokens"):
        Encoder.load(folder).encode_tokens("x")


def test_a_bundle_without_golden_tokens_is_not_compared(token_bundle, tmp_path):
    def without(rows):
        for row in rows:
            row.pop("token_vectors", None)

    folder = changed(token_bundle, tmp_path / "b", noise, without)
    assert Encoder.load(folder, token_vectors=True).encode_tokens("x").shape[1] == 48


def test_the_bundle_holds_those_of_the_first_texts_and_of_a_short_one(token_bundle):
    golden = Bundle.open(token_bundle).golden()
    encoder = Encoder.load(token_bundle)
    assert len(golden.tokens) == 3
    assert len(golden.tokens[-1]) == 3
    for text, tokens in zip(golden.texts, golden.tokens, strict=False):
        np.testing.assert_allclose(encoder.encode_tokens(text, prompt=""), tokens, atol=1e-4)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"token_vectors": "AAA"}], "the token_vectors is not base64"),
        ([{"token_vectors": ""}], "the token_vectors is not of 2 float32 values each"),
        ([{"token_vectors": "AAAA"}], "the token_vectors is not of 2 float32 values each"),
        ([{"token_vectors": 3}], "token_vectors"),
        ([{}, {"token_vectors": "AAAAAAAAAAA="}], "the texts before it have no token_vectors"),
    ],
)
def test_damaged_golden_tokens_are_refused(rows, said):
    whole = [{"text": "x", "vector": "AAAAAAAAAAA="} | row for row in rows]
    with pytest.raises(BundleError, match=said):
        parse_golden(json.dumps({"golden": whole}).encode(), 2)


def test_golden_tokens_come_back_as_written():
    generator = np.random.default_rng(1)
    tokens = tuple(generator.standard_normal((n, 3)).astype(np.float32) for n in (4, 1))
    golden = Golden(("a", "b", "c"), generator.standard_normal((3, 3)).astype(np.float32), tokens)
    read = parse_golden(dump_golden(golden), 3)
    assert read.texts == golden.texts
    np.testing.assert_array_equal(read.vectors, golden.vectors)
    for ours, theirs in zip(read.tokens, tokens, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_people_are_told_which_variants_give_them_and_what_they_cost(
    token_bundle, tmp_path, capsys
):
    assert main(["inspect", str(token_bundle)]) == 0
    out = capsys.readouterr().out
    assert "token vectors: onnx-fp32 (cosine 1.0" in out
    page = (token_bundle / "report.html").read_text()
    text = re.sub(r"<[^>]+>", " ", page)
    assert "Token vectors" in text
    # What a real index takes for documents of 128 tokens on average, beside what is said.
    generator = np.random.default_rng(2)
    tokens = [generator.standard_normal((64 + n % 129, 48)) for n in range(516)]
    sizes = []
    for given in (None, tokens):
        path = tmp_path / f"{len(sizes)}.db"
        with Index.create(path, dim=4, matryoshka_dims=[4], identity="x") as index:
            index.create_token_index(48, slice=Slice(48, 8))
            index.add(vectors=np.ones((516, 4)), token_vectors=given)
        sizes.append(path.stat().st_size)
    each = (sizes[1] - sizes[0]) / 516
    _, table = out.split("token slice")
    row = next(line.split() for line in table.splitlines() if line.split()[:1] == ["48x8"])
    assert row[1] == "48"
    assert float(row[2]) * 1024 == pytest.approx(each, rel=0.1)
    assert f"{row[2]} KiB" in text
