import signal
import subprocess
import sys

import pytest

from edge_mrl.errors import IndexFileError, InputError
from edge_mrl.index import Index, Record, build_index, reslice_index


def test_a_build_replaces_what_stood_there(tmp_path, word_encoder):
    place = tmp_path / "i.db"
    (tmp_path / "bundle").mkdir()
    seen = []
    for texts in (["a", "b"], ["c", "d", "e"]):
        records = [Record(text, id=text) for text in texts]
        with build_index(
            place, word_encoder(), records, bundle=tmp_path / "bundle", on_progress=seen.append
        ) as index:
            assert len(index) == len(texts)
            assert index.bundle == tmp_path / "bundle"
            assert index.search(texts[0], k=1)[0].id == texts[0]
    assert seen == [2, 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "i.db"]


def test_a_failed_build_leaves_what_stood_there(tmp_path, word_encoder):
    place = tmp_path / "i.db"
    build_index(place, word_encoder(), [Record("kept", id=1)]).close()
    with pytest.raises(InputError, match="surrogate"):
        build_index(place, word_encoder(), [Record("fine", id=1), Record("\ud800", id=2)])
    with Index.open(place) as index:
        assert [document.text for document in index.get([1])] == ["kept"]
    assert [path.name for path in tmp_path.iterdir()] == ["i.db"]
    with pytest.raises(IndexFileError, match="no folder"):
        build_index(tmp_path / "no" / "i.db", word_encoder(), [])


def test_what_is_no_index_is_never_replaced(tmp_path, word_encoder):
    letter = tmp_path / "letter.txt"
    letter.write_text("dear")
    with pytest.raises(IndexFileError, match="not an index"):
        build_index(letter, word_encoder(), [Record("a", id=1)])
    assert letter.read_text() == "dear"


def test_a_damaged_index_may_be_replaced(tmp_path, word_encoder):
    place = tmp_path / "i.db"
    build_index(place, word_encoder(), [Record("a", id=1)]).close()
    place.write_bytes(place.read_bytes()[:5000])
    with build_index(place, word_encoder(), [Record("b", id=2)]) as index:
        assert [hit.id for hit in index.search("b")] == [2]


def test_paths_may_be_texts(tmp_path, word_encoder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bundle").mkdir()
    with build_index("i.db", word_encoder(), [Record("a", id=1)], bundle="bundle") as index:
        assert index.bundle == tmp_path / "bundle"
    with reslice_index("i.db", "cut.db", word_encoder().dim) as cut:
        assert len(cut) == 1
        assert cut.bundle == tmp_path / "bundle"


CHILD = """
import sys, time
from pathlib import Path
from edge_mrl.index.storage.staging import staged
with staged(Path(sys.argv[1])) as place:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{place}{suffix}").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_build_that_is_ended_leaves_nothing_for_long(tmp_path, word_encoder, number):
    """SIGTERM unwinds; what SIGKILL leaves goes with the next build, and another's stays."""
    place = tmp_path / "i.db"
    command = [sys.executable, "-c", CHILD, str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"writing\n"
        process.send_signal(number)
    left = list(tmp_path.iterdir())
    assert len(left) == (0 if number == signal.SIGTERM else 3)
    running = tmp_path / ".i.db.partial-1"
    running.touch()
    build_index(place, word_encoder(), [Record("a", id=1)]).close()
    assert sorted(tmp_path.iterdir()) == [running, place]
