"""The same vectors in every format."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

COUNT, DIM = 2500, 32


@pytest.fixture(scope="session")
def matrix():
    generator = np.random.default_rng(7)
    return generator.standard_normal((COUNT, DIM)).astype(np.float32)


def write_npy(path, matrix):
    np.save(path, matrix)


def write_npz(path, matrix):
    ids = np.array([f"d{row}" for row in range(len(matrix))])
    texts = np.array([f"text {row} ü" for row in range(len(matrix))])
    np.savez_compressed(path, vectors=matrix, ids=ids, texts=texts)


def write_jsonl(path, matrix):
    with path.open("w") as stream:
        for row, vector in enumerate(matrix.tolist()):
            line = {"_id": f"d{row}", "text": f"text {row} ü", "embedding": vector}
            stream.write(json.dumps(line | {"metadata": {"row": row}}) + "\n")


def write_safetensors(path, matrix):
    save_file({"embeddings": matrix, "other": np.zeros(3, np.float32)}, path)


def write_parquet(path, matrix):
    count = len(matrix)
    columns = {
        "id": [f"d{row}" for row in range(count)],
        "text": [f"text {row} ü" for row in range(count)],
        "metadata": [{"row": row} for row in range(count)],
        "emb": pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1]),
    }
    pq.write_table(pa.table(columns), path, row_group_size=700)


WRITERS = {
    ".npy": write_npy,
    ".npz": write_npz,
    ".jsonl": write_jsonl,
    ".safetensors": write_safetensors,
    ".parquet": write_parquet,
}


@pytest.fixture(scope="session")
def vector_files(tmp_path_factory, matrix):
    """Path by ending."""
    folder = tmp_path_factory.mktemp("vectors")
    for ending, write in WRITERS.items():
        write(folder / f"v{ending}", matrix)
    return {ending: folder / f"v{ending}" for ending in WRITERS}
