"""Every format gives the vectors, ids, texts and metadata that were written by its own library."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.torch
import torch

from edge_mrl.errors import ExtraMissingError, VectorFileError
from edge_mrl.vector_files import FORMATS, Columns, open_vector_file, single_vector
from edge_mrl.vector_files import parquet as parquet_format
from edge_mrl.vector_files.batch import BATCH_BYTES, BATCH_ROWS, batch_rows

WITH_IDS = [".npz", ".jsonl", ".parquet"]


def read_all(path, columns=None):
    file = open_vector_file(path, columns)
    batches = list(file.batches())
    assert file.count in (None, sum(map(len, batches)))
    vectors = np.concatenate([batch.vectors for batch in batches])
    assert vectors.dtype == np.float32
    assert file.dim == vectors.shape[1]
    return vectors, batches


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_gives_the_same_rows_in_batches(vector_files, matrix, ending):
    vectors, batches = read_all(vector_files[ending])
    np.testing.assert_array_equal(vectors, matrix)
    assert max(map(len, batches)) <= BATCH_ROWS
    assert len(batches) >= 3


@pytest.mark.parametrize("ending", WITH_IDS)
def test_ids_and_texts_come_along(vector_files, matrix, ending):
    _, batches = read_all(vector_files[ending])
    ids = [id_ for batch in batches for id_ in batch.ids]
    texts = [text for batch in batches for text in batch.texts]
    assert ids == [f"d{row}" for row in range(len(matrix))]
    assert texts == [f"text {row} ü" for row in range(len(matrix))]


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_metadata_comes_along(vector_files, matrix, ending):
    _, batches = read_all(vector_files[ending])
    rows = [item["row"] for batch in batches for item in batch.metadata]
    assert rows == list(range(len(matrix)))


@pytest.mark.parametrize("ending", [".npy", ".safetensors"])
def test_files_of_numbers_have_neither(vector_files, ending):
    _, (first, *_) = read_all(vector_files[ending])
    assert (first.ids, first.texts, first.metadata) == (None, None, None)


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", "i1", "<u2", ">i8"])
def test_npy_of_any_number(tmp_path, dtype):
    wanted = np.arange(1, 13).reshape(3, 4)
    np.save(tmp_path / "v.npy", wanted.astype(dtype))
    vectors, _ = read_all(tmp_path / "v.npy")
    np.testing.assert_array_equal(vectors, wanted)


def test_npy_of_format_2(tmp_path):
    with (tmp_path / "v.npy").open("wb") as stream:
        np.lib.format.write_array(stream, np.ones((2, 3), np.float32), version=(2, 0))
    assert read_all(tmp_path / "v.npy")[0].shape == (2, 3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.int8])
def test_safetensors_of_other_types(tmp_path, dtype):
    tensor = (torch.arange(1, 13).reshape(3, 4) / (1 if dtype == torch.int8 else 3)).to(dtype)
    safetensors.torch.save_file({"t": tensor}, tmp_path / "v.safetensors")
    vectors, _ = read_all(tmp_path / "v.safetensors")
    np.testing.assert_array_equal(vectors, tensor.float().numpy())


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float64()), pa.large_list(pa.float16()), pa.list_(pa.int8(), 2)]
)
def test_parquet_of_any_list(tmp_path, kind):
    values = [np.array(row).astype(np.float16) for row in ([1, 2], [3, 4])]
    if pa.types.is_integer(kind.value_type):
        values = [row.astype(np.int8) for row in values]
    table = pa.table({"v": pa.array([list(row) for row in values], kind), "n": ["a", "b"]})
    pq.write_table(table, tmp_path / "v.parquet")
    vectors, (only,) = read_all(tmp_path / "v.parquet")
    np.testing.assert_array_equal(vectors, [[1, 2], [3, 4]])
    assert only.ids is None


def test_columns_can_be_named(tmp_path):
    stamp = pa.array([0, 1], pa.timestamp("s"))
    table = pa.table(
        {
            "a": [[1.0, 0.0], [0.0, 1.0]],
            "b": [[2.0], [3.0]],
            "key": [10, 20],
            "title": ["x", "y"],
            "when": stamp,
        }
    )
    pq.write_table(table, tmp_path / "v.parquet")
    with pytest.raises(VectorFileError, match="any of a, b"):
        open_vector_file(tmp_path / "v.parquet")
    columns = Columns("b", "key", "title", ("when",))
    vectors, (only,) = read_all(tmp_path / "v.parquet", columns)
    assert vectors.tolist() == [[2], [3]]
    assert (only.ids, only.texts) == ([10, 20], ["x", "y"])
    assert only.metadata == [{"when": "1970-01-01T00:00:00"}, {"when": "1970-01-01T00:00:01"}]


def test_metadata_as_json_text_and_as_a_map(tmp_path):
    kinds = pa.map_(pa.string(), pa.int64())
    for values in (pa.array(['{"n": 1}', None]), pa.array([[("n", 1)], []], kinds)):
        pq.write_table(pa.table({"v": [[1.0], [2.0]], "metadata": values}), tmp_path / "v.parquet")
        _, (only,) = read_all(tmp_path / "v.parquet")
        assert only.metadata == [{"n": 1}, {}]


def test_jsonl_fields_can_be_named(tmp_path):
    line = {"key": 5, "body": "words", "x": [1, 2.5], "y": [1], "lang": "de"}
    (tmp_path / "v.jsonl").write_text("\n" + json.dumps(line) + "\n")
    vectors, (only,) = read_all(tmp_path / "v.jsonl", Columns("x", "key", "body", ("lang",)))
    assert (vectors.tolist(), only.ids, only.texts) == ([[1, 2.5]], [5], ["words"])
    assert only.metadata == [{"lang": "de"}]


def test_a_single_vector(tmp_path, vector_files):
    np.save(tmp_path / "q.npy", np.array([1.0, 2.0]))
    assert single_vector(open_vector_file(tmp_path / "q.npy")).tolist() == [1, 2]
    with pytest.raises(VectorFileError, match="several"):
        single_vector(open_vector_file(vector_files[".npy"]))


@pytest.mark.parametrize("row_bytes", [1, 128, 6144, BATCH_BYTES, 10 * BATCH_BYTES])
def test_batches_are_bounded(row_bytes):
    rows = batch_rows(row_bytes)
    assert 1 <= rows <= BATCH_ROWS
    assert rows == 1 or rows * row_bytes <= BATCH_BYTES


def test_without_pyarrow_the_pip_command_is_named(vector_files, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ExtraMissingError, match=r"pip install 'edge-mrl\[parquet\]'"):
        open_vector_file(vector_files[".parquet"])


def test_pyarrow_is_imported_for_parquet_only(vector_files):
    code = (
        "import sys, pathlib; from edge_mrl.vector_files import open_vector_file as o; "
        f"list(o(pathlib.Path({str(vector_files['.npz'])!r})).batches()); "
        "assert 'pyarrow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert parquet_format.__doc__
