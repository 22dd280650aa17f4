"""Files that are wrong, damaged or hostile: one sentence that names the place, little memory."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl.errors import VectorFileError
from edge_mrl.vector_files import FORMATS, Columns, open_vector_file
from tests.vector_files.refusing import GOOD, refusal


def bad_rows(what):
    rows = GOOD.copy()
    rows[2] = {"nan": [1, np.nan], "infinite": [-np.inf, 1], "zeros": [0, 0]}[what]
    return rows


WORDS = {"nan": "not finite", "infinite": "not finite", "zeros": "all zeros"}


@pytest.mark.parametrize("what", WORDS)
@pytest.mark.parametrize("ending", [".npy", ".npz", ".parquet", ".safetensors"])
def test_rows_that_cannot_be_vectors(tmp_path, ending, what):
    from tests.vector_files.conftest import WRITERS

    path = tmp_path / f"v{ending}"
    WRITERS[ending](path, bad_rows(what))
    message = refusal(path)
    assert WORDS[what] in message
    assert "vector 2 (counted from 0)" in message


def test_a_row_too_large_for_float32(tmp_path):
    np.save(tmp_path / "v.npy", np.array([[1.0, 1e300]]))
    assert "too large" in refusal(tmp_path / "v.npy")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"vector": [1, NaN]}', "NaN is no JSON number"),
        ('{"vector": [1, 1e400]}', "not finite"),
        ('{"vector": [0, 0]}', "all zeros"),
        ('{"vector": [1, 2, 3]}', "3 dimensions, the first has 2"),
        ('{"vector": [1, "2"]}', "list of numbers"),
        ('{"vector": [1, true]}', "list of numbers"),
        ('{"vector": [[1, 2]]}', "list of numbers"),
        ('{"vector": null}', "list of numbers"),
        ('{"vector": [1, 1' + "0" * 400 + "]}", "too large"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[1, 2]", "not a JSON object"),
        ('{"vector": [1, 2], "_id": 1.5}', "'_id' must be"),
        ('{"vector": [1, 2], "_id": 1, "metadata": 3}', "'metadata' must be an object"),
        ('{"vector": [1, 2], "_id": 1, "text": 3}', "'text' must be text"),
        (b'{"vector": [1, 2], "_id": "\xff"}', "not valid JSON"),
    ],
)
def test_json_lines(tmp_path, line, words):
    path = tmp_path / "v.jsonl"
    content = line if isinstance(line, bytes) else line.encode()
    first = {"vector": [1, 2]} | {name: 0 for name in ("_id",) if name.encode() in content}
    first |= {name: "x" for name in ("text",) if name.encode() in content}
    path.write_bytes(json.dumps(first).encode() + b"\n" + content)
    message = refusal(path)
    assert words in message
    assert "line 2" in message


def test_json_lines_without_lines(tmp_path):
    (tmp_path / "v.jsonl").write_text("\n\n")
    assert "empty" in refusal(tmp_path / "v.jsonl")


def safetensors(entry, data=bytes(32), name="t"):
    text = json.dumps({name: entry}).encode()
    return len(text).to_bytes(8, "little") + text + data


F32 = {"dtype": "F32", "shape": [4, 2], "data_offsets": [0, 32]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (safetensors(F32), "all zeros"),
        (safetensors(F32, bytes(31)), "cut off"),
        (safetensors(F32 | {"data_offsets": [0, 31]}), "declares 32 bytes"),
        (safetensors(F32 | {"data_offsets": [8, 40]}), "damaged"),
        (safetensors(F32 | {"data_offsets": [0]}), "declares"),
        (safetensors(F32 | {"data_offsets": [-1, 31]}), "data_offsets"),
        (safetensors(F32 | {"shape": [2**40, 2**40]}), "shape"),
        (safetensors(F32 | {"shape": [10**9, 1536]}), "declares"),
        (safetensors(F32 | {"shape": "4x2"}), "shape"),
        (safetensors(F32 | {"dtype": "F8_E4M3"}), "no vectors"),
        (safetensors([1]), "table"),
        ((2**63).to_bytes(8, "little") + b"{}", "header would take"),
        ((4).to_bytes(8, "little") + b"{{{{", "not JSON"),
        (b"", "header would take"),
    ],
)
def test_safetensors(tmp_path, content, words):
    (tmp_path / "v.safetensors").write_bytes(content)
    assert words in refusal(tmp_path / "v.safetensors")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"v": [[1.0, 2.0], None]}, "vector 1 (counted from 0) is null"),
        ({"v": [None, [1.0, 2.0]]}, "vector 0 (counted from 0) is null"),
        ({"v": [[1.0, 2.0], [1.0, None]]}, "vector 1 (counted from 0) holds a null"),
        ({"v": [[1.0, 2.0], [1.0]]}, "another width than the first one, 2"),
        ({"v": [[1.0, 2.0], [1.0, 2.0]], "id": ["a", None]}, "id is null in row 1"),
        ({"v": [[1.0, 2.0], [1.0, 2.0]], "text": [None, "b"]}, "text is null in row 0"),
        ({"v": [[1.0], [1.0]], "metadata": ["{}", "{"]}, "row 1 is not JSON"),
        ({"v": [[1.0], [1.0]], "metadata": [1, 2]}, "not an object"),
        ({"id": ["a", "b"]}, "no vectors"),
        ({"v": pa.array([], pa.list_(pa.float32()))}, "empty"),
        ({"v": [[], []]}, "no vectors"),
        ({"v": pa.array([[], []], pa.list_(pa.float32()))}, "shape"),
    ],
)
def test_parquet(tmp_path, columns, words):
    pq.write_table(pa.table(columns), tmp_path / "v.parquet")
    assert words in refusal(tmp_path / "v.parquet")


def test_parquet_with_nulls_in_fixed_lists(tmp_path):
    values = pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32(), 2))
    pq.write_table(pa.table({"v": values}), tmp_path / "v.parquet")
    assert "vector 1 (counted from 0) is null" in refusal(tmp_path / "v.parquet")


def test_parquet_that_unpacks_to_gigabytes(tmp_path):
    ones = pa.array(np.ones(30_000_000, np.int8))
    bomb = pa.ListArray.from_arrays(pa.array([0, 30_000_000], pa.int32()), ones)
    path = tmp_path / "v.parquet"
    pq.write_table(pa.table({"v": bomb}), path, compression="zstd")
    assert path.stat().st_size < 2**16
    assert "declares 30000000 numbers" in refusal(path)


def test_parquet_that_is_damaged(tmp_path):
    path = tmp_path / "v.parquet"
    pq.write_table(pa.table({"v": [[1.0, 2.0]] * 100}), path)
    whole = path.read_bytes()
    for content in (whole[:-20], whole[:10], b"", b"PAR1" * 3):
        path.write_bytes(content)
        assert "damaged or was cut off" in refusal(path)


def test_names_that_are_not_there(tmp_path, vector_files):
    for ending in (".npz", ".parquet"):
        assert "no vectors named 'nope'" in refusal(vector_files[ending], Columns("nope"))
        assert "no column 'nope'" in refusal(vector_files[ending], Columns(id="nope"))
    for columns in (Columns("x"), Columns(id="x"), Columns(metadata=("x",))):
        assert "names" in refusal(vector_files[".npy"], columns)
    assert "leave the other columns out" in refusal(vector_files[".safetensors"], Columns(id="x"))


def test_no_file_and_no_format(tmp_path):
    assert "no file of vectors" in refusal(tmp_path / "v.npy")
    assert ".npy, .npz, .parquet" in refusal(tmp_path / "v.csv")


@pytest.mark.parametrize("ending", FORMATS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_anywhere_is_refused_or_read(vector_files, tmp_path_factory, ending, data):
    """Whatever a few bytes are changed to, the reader raises its own error or gives vectors."""
    whole = bytearray(vector_files[ending].read_bytes())
    # Headers stand at either end.
    ends = st.integers(0, 400) | st.integers(len(whole) - 1500, len(whole) - 1)
    for position in data.draw(st.lists(ends, min_size=1, max_size=4)):
        whole[position % len(whole)] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damage") / f"v{ending}"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)) | st.just(len(whole)))])
    try:
        for batch in open_vector_file(path).batches():
            assert np.isfinite(batch.vectors).all()
    except VectorFileError as error:
        assert str(path) in str(error)
