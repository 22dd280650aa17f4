"""Files of vectors into an index: all of them, in bounded memory, or nothing."""

import subprocess
import sys

import numpy as np
import pytest

from edge_mrl.errors import IndexMismatchError, InputError, UntrainedDimError, VectorFileError
from edge_mrl.index import Index, IndexLayout
from edge_mrl.slices import Slice
from edge_mrl.vector_files import (
    FORMATS,
    Columns,
    add_vector_file,
    check_vector_file,
    open_vector_file,
)

DIMS = [8, 16, 32]


def made(path, **options):
    return Index.create(path, dim=32, matryoshka_dims=DIMS, identity="somebody-v1", **options)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_of_any_format_can_be_searched(vector_files, matrix, tmp_path, ending):
    file = open_vector_file(vector_files[ending])
    steps = []
    with made(tmp_path / "i.db") as index:
        assert check_vector_file(index, file) == len(matrix)
        assert add_vector_file(index, file, on_progress=steps.append) == len(matrix)
        assert steps[-1] == index.count() == len(matrix)
        wide = matrix.astype(np.float64)
        cosines = wide @ wide[7] / np.linalg.norm(wide, axis=1) / np.linalg.norm(wide[7])
        best = np.argsort(-cosines)[:3]
        hits = index.search(matrix[7], 3, exact=True)
        first_id = 1 if ending in (".npy", ".safetensors") else "d0"
        names = [f"d{row}" if first_id == "d0" else row + 1 for row in best]
        assert [hit.id for hit in hits] == names
        # Stored at 8 bits.
        np.testing.assert_allclose([hit.score for hit in hits], cosines[best], atol=0.02)
        if ending in (".jsonl", ".parquet"):
            assert (hits[0].text, hits[0].metadata) == ("text 7 ü", {"row": 7})


def test_cutting_is_what_openai_s_dimensions_parameter_does(tmp_path):
    """The published formula: "cut the embedding, then normalise it again", as code in the guide:
    x[:dimensions] / norm(x[:dimensions])."""
    full = np.random.default_rng(3).standard_normal((40, 1536))
    full /= np.linalg.norm(full, axis=1, keepdims=True)
    layout = IndexLayout(Slice(256, 32), Slice(256, 1))
    arguments = {"dim": 1536, "matryoshka_dims": [256, 512, 1024, 1536], "layout": layout}
    cut = full[:, :256]
    short = cut / np.linalg.norm(cut, axis=1, keepdims=True)
    scores = {}
    for width in (1536, 512, 256):
        path = tmp_path / f"{width}.db"
        with Index.create(path, identity="text-embedding-3-small", **arguments) as index:
            index.add(vectors=full[:, :width])
            scores[width] = [(hit.id, hit.score) for hit in index.search(full[5], 40)]
        ids = np.array([id_ - 1 for id_, _ in scores[width]])
        np.testing.assert_allclose(
            [score for _, score in scores[width]], short[ids] @ short[5], atol=1e-6
        )
        assert list(ids) == list(np.argsort(-(short @ short[5])))


def test_an_index_without_an_encoder_names_its_model(tmp_path):
    with made(tmp_path / "i.db") as index:
        index.check_model("somebody-v1", "somebody-v1")
        with pytest.raises(IndexMismatchError, match="belongs to the model somebody-v1"):
            index.check_model("somebody-v2", "somebody-v2")
        with pytest.raises(InputError, match="without an encoder"):
            index.search("words")
        with pytest.raises(InputError, match="20 dimensions do not fit"):
            index.search(np.ones(20))


def test_a_width_that_was_not_trained(tmp_path):
    with pytest.raises(UntrainedDimError, match="8, 16, 32"):
        Index.create(tmp_path / "i.db", dim=20, matryoshka_dims=DIMS, identity="x")
    assert not (tmp_path / "i.db").exists()


def test_a_bad_row_at_the_end_is_found_before_anything_is_added(tmp_path, matrix):
    rows = matrix.copy()
    rows[-1, 3] = np.nan
    np.save(tmp_path / "v.npy", rows)
    with made(tmp_path / "i.db") as index:
        with pytest.raises(VectorFileError, match="vector 2499"):
            check_vector_file(index, open_vector_file(tmp_path / "v.npy"))
        assert index.count() == 0


def test_ids_twice_and_taken(tmp_path, vector_files, matrix):
    np.savez(tmp_path / "v.npz", vectors=matrix, ids=np.arange(len(matrix)) % 2000)
    with made(tmp_path / "i.db") as index:
        with pytest.raises(VectorFileError, match="stands twice"):
            check_vector_file(index, open_vector_file(tmp_path / "v.npz"))
        file = open_vector_file(vector_files[".npz"])
        add_vector_file(index, file)
        with pytest.raises(VectorFileError, match="'d0' is in the index already"):
            check_vector_file(index, file)
        assert check_vector_file(index, file, upsert=True) == len(matrix)
        add_vector_file(index, file, upsert=True)
        assert index.count() == len(matrix)


def test_columns_reach_the_index(tmp_path, vector_files):
    columns = Columns(id="text", text="_id")
    with made(tmp_path / "i.db") as index:
        add_vector_file(index, open_vector_file(vector_files[".jsonl"], columns))
        assert index.get(["text 3 ü"])[0].text == "d3"


def test_memory_does_not_grow_with_the_file(tmp_path):
    """Peak memory of the whole process, for two files of which one is three times the other."""
    generator = np.random.default_rng(0)
    code = (
        "import sys; from pathlib import Path;"
        "from edge_mrl.index import Index;"
        "from edge_mrl.vector_files import add_vector_file, check_vector_file, open_vector_file;"
        "index = Index.create(sys.argv[1], dim=512, matryoshka_dims=[512], identity='x');"
        "file = open_vector_file(Path(sys.argv[2]));"
        "check_vector_file(index, file); add_vector_file(index, file); index.close();"
        "status = dict(line.split(':') for line in open('/proc/self/status'));"
        "print(status['VmHWM'].split()[0])"
    )
    peaks = []
    for count in (9000, 27_000):
        np.save(tmp_path / "v.npy", generator.standard_normal((count, 512)).astype(np.float32))
        arguments = [sys.executable, "-c", code, tmp_path / f"{count}.db", tmp_path / "v.npy"]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout) * 1024)
    # 18 000 vectors more are 37 MB in the file; 1.2 MB of scan codes come to memory with them.
    assert peaks[1] - peaks[0] < 12 * 2**20
