"""Static model folders: model2vec's and StaticEmbedding's, against their own libraries and against
the mean written out."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from edge_mrl import Encoder
from edge_mrl.errors import ExportError
from edge_mrl_export import ExportOptions, export
from edge_mrl_export.sources import open_source
from tests.export.st_models import write_json
from tests.export.static_models import (
    DIM,
    TEXTS,
    WORDS,
    table,
    write_model2vec,
    write_static_embedding,
    write_tokenizer,
)

SIZES = (8, DIM)


def means(rows, skipped=(), limit=None):
    """The mean of the rows of each text's words, one text after the other."""
    vectors = np.zeros((len(TEXTS), rows.shape[1]))
    for vector, text in zip(vectors, TEXTS, strict=True):
        numbers = [WORDS.index(word) if word in WORDS else 0 for word in text.split()][:limit]
        numbers = [number for number in numbers if number not in skipped]
        if numbers:
            vector[:] = np.mean([rows[number].astype(np.float64) for number in numbers], axis=0)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms == 0, 1, norms)


def opened(folder, dims=SIZES):
    return open_source(str(folder), ExportOptions(dims=dims))


def quantised_vocabulary():
    """Five vectors for all words, a mapping from word to vector, and a weight of each word."""
    rng = np.random.default_rng(3)
    return {
        "embeddings": rng.standard_normal((5, DIM)).astype(np.float16),
        "mapping": rng.integers(0, 5, len(WORDS)).astype(np.int64),
        "weights": rng.uniform(0.2, 2, len(WORDS)).astype(np.float32),
    }


def test_model2vec_leaves_unknown_words_out_and_cuts_at_its_limit(tmp_path):
    source = opened(write_model2vec(tmp_path / "m", max_length=9))
    expected = means(table(), skipped=(0,), limit=9)
    np.testing.assert_allclose(source.reference(TEXTS), expected, atol=1e-6)
    assert source.describe().tokenizer.max_tokens == 9
    assert not source.reference(["nothing known"]).any()


@pytest.mark.parametrize(("config", "limit"), [({}, 512), ({"max_length": None}, None)])
def test_model2vec_s_limit_is_512_where_the_folder_names_none(tmp_path, config, limit):
    source = opened(write_model2vec(tmp_path / "m", **config))
    assert source.describe().tokenizer.max_tokens == limit


def test_a_quantised_vocabulary_is_written_out(tmp_path):
    tensors = quantised_vocabulary()
    source = opened(write_model2vec(tmp_path / "m", tensors))
    rows = tensors["embeddings"][tensors["mapping"]].astype(np.float64)
    expected = means(rows * tensors["weights"][:, None], skipped=(0,))
    np.testing.assert_allclose(source.reference(TEXTS), expected, atol=1e-6)


# model2vec leaves its config.json open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("tensors", [None, quantised_vocabulary()], ids=["plain", "quantised"])
def test_model2vec_itself_gives_these_vectors(tmp_path, tensors):
    model2vec = pytest.importorskip("model2vec")
    folder = write_model2vec(tmp_path / "m", tensors)
    library = model2vec.StaticModel.from_pretrained(folder)
    # It also cuts by characters, which the long text would show.
    texts = TEXTS[:-1]
    expected = library.encode(list(texts), use_multiprocessing=False)
    np.testing.assert_allclose(opened(folder).reference(texts), expected, atol=2e-3)


@pytest.mark.parametrize("place", ["", "0_StaticEmbedding"])
def test_static_embedding_equals_sentence_transformers(tmp_path, place):
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer

    folder = write_static_embedding(tmp_path / "m", place=place, truncation=20)
    source = opened(folder, None)
    library = SentenceTransformer(str(folder), device="cpu")
    np.testing.assert_allclose(source.reference(TEXTS), library.encode(list(TEXTS)), atol=1e-6)
    np.testing.assert_allclose(source.reference(TEXTS), means(table(), limit=20), atol=1e-6)
    description = source.describe()
    assert description.matryoshka_dims == (8, 16, DIM)
    assert (description.similarity, description.prompts) == ("dot", {"query": "zip "})
    assert description.tokenizer.max_tokens == 20


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    root = tmp_path_factory.mktemp("static")
    texts = root / "texts.txt"
    words = np.random.default_rng(1).choice(WORDS[2:], (40, 2, 9))
    texts.write_text("\n".join(f"{' '.join(one)}. {' '.join(two)}." for one, two in words))
    return export(
        str(write_model2vec(root / "small")),
        root / "bundle",
        ExportOptions(dims=(8, 16), formats=("table", "onnx"), texts=texts, licence="mit"),
    )


def test_a_whole_export_through_the_runtime(report):
    """`--dims 8,16` of a model of 24 cuts the model: no file holds a column more."""
    assert [variant.passed for variant in report.variants] == [True] * 3
    rows = np.load(report.path / "table" / "int8-16.rows.npy")
    assert rows.shape == (len(WORDS), 16)
    assert report.manifest.embedding.dim == 16
    assert report.manifest.model.licence == "mit"
    expected = means(table()[:, :16], skipped=(0,), limit=512)
    for variant in report.manifest.variants:
        vectors = Encoder.load(report.path, variant=variant.name).encode(TEXTS)
        whole = expected[:, : max(variant.dims)]
        norms = np.linalg.norm(whole, axis=1, keepdims=True)
        np.testing.assert_allclose(vectors, whole / np.where(norms == 0, 1, norms), atol=0.02)


def test_one_size_writes_a_table_of_that_many_columns(tmp_path):
    source = opened(write_model2vec(tmp_path / "m"), (8,))
    assert source.describe().dim == 8
    assert source.table.shape == (len(WORDS), 8)
    full = opened(tmp_path / "m")
    assert source.describe().identity != full.describe().identity


def refusal(folder, dims=SIZES):
    with pytest.raises(ExportError) as caught:
        opened(folder, dims)
    return str(caught.value)


def test_no_recorded_sizes_are_refused_with_advice(tmp_path):
    assert "give them with --dims" in refusal(write_model2vec(tmp_path / "m"), None)


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({"embeddings": table()[:5]}, "ids up to 11 but the table has 5 rows"),
        ({"embeddings": table()[0]}, "must have rows and columns"),
        ({"embeddings": np.full((len(WORDS), DIM), np.inf, np.float32)}, "not finite"),
        (quantised_vocabulary() | {"mapping": np.full(len(WORDS), 5)}, "outside the 5"),
        (quantised_vocabulary() | {"mapping": np.zeros(len(WORDS), np.float32)}, "row number"),
        (quantised_vocabulary() | {"weights": np.ones(3, np.float32)}, "weights has the shape [3]"),
    ],
)
def test_a_model2vec_folder_that_does_not_fit_together(tmp_path, tensors, sentence):
    assert sentence in refusal(write_model2vec(tmp_path / "m", tensors))


def test_a_type_that_numpy_does_not_have(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as save_torch

    folder = write_static_embedding(tmp_path / "m")
    weights = torch.from_numpy(table()).to(torch.bfloat16)
    save_torch({"embedding.weight": weights}, folder / "0_StaticEmbedding" / "model.safetensors")
    assert "stored as BF16" in refusal(folder)


def test_static_weights_of_another_name(tmp_path):
    folder = write_static_embedding(tmp_path / "m")
    save_file({"weight": table()}, folder / "0_StaticEmbedding" / "model.safetensors")
    assert "has no tensor 'embedding.weight'" in refusal(folder)


def test_another_module_after_a_table_is_refused_by_name(tmp_path):
    folder = write_static_embedding(tmp_path / "m")
    entries = json.loads((folder / "modules.json").read_text())
    entries[1] |= {"type": "sentence_transformers.models.Dense", "path": "1_Dense"}
    write_json(folder / "modules.json", entries)
    assert "has Dense after StaticEmbedding" in refusal(folder)


def test_a_tokenizer_that_cuts_the_beginning_is_refused(tmp_path):
    folder = write_static_embedding(tmp_path / "m")
    path = folder / "0_StaticEmbedding" / "tokenizer.json"
    write_tokenizer(path.parent, truncation=9)
    document = json.loads(path.read_text())
    document["truncation"]["direction"] = "Left"
    write_json(path, document)
    assert "cut at their beginning" in refusal(folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path, name):
    folder = write_static_embedding(tmp_path / "m")
    (folder / "0_StaticEmbedding" / name).unlink()
    assert f"0_StaticEmbedding/{name} is missing" in refusal(folder)


def test_a_folder_of_neither_kind(tmp_path):
    assert "neither the modules.json of sentence-transformers, nor" in refusal(tmp_path)


def test_no_folder(tmp_path):
    assert "there is no model folder at" in refusal(tmp_path / "nowhere")
