"""Folders for intermediates are gone whatever ends the process, at the latest with the next one."""

import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from edge_mrl.errors import ExportError
from edge_mrl_export.scratch import Scratch
from tests.export.st_models import write_bert, write_modules


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files of each test's own, for its child processes too."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_a_folder_goes_with_the_block_even_after_an_error(temporary):
    with pytest.raises(RuntimeError), Scratch() as folder:
        (folder / "weights").write_bytes(b"1")
        raise RuntimeError
    assert list(temporary.iterdir()) == []


def test_a_folder_goes_with_its_object(temporary):
    scratch = Scratch()
    assert scratch.path.is_dir()
    del scratch
    gc.collect()
    assert list(temporary.iterdir()) == []


CHILD = """
import time
from edge_mrl_export.scratch import Scratch
kept = Scratch()
(kept.path / "weights").write_bytes(b"1")
print(kept.path, flush=True)
time.sleep(60)
"""


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_what_a_killed_process_left_goes_with_the_next_and_not_before(temporary, child):
    left = child.stdout.readline().strip()
    with Scratch() as folder:
        assert sorted(map(str, temporary.iterdir())) == sorted([left, str(folder)])
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert (Path(left) / "weights").is_file()
    with Scratch() as folder:
        assert list(temporary.iterdir()) == [folder]


EXPORT = """
import sys
from pathlib import Path
from edge_mrl_export import ExportOptions, export
options = ExportOptions(formats=("onnx",), precisions=("fp32",), texts=Path(sys.argv[3]))
export(sys.argv[1], Path(sys.argv[2]), options, on_step=lambda step: print(step, flush=True))
"""


def test_an_export_that_is_terminated_leaves_no_weights(temporary, tmp_path_factory):
    """A real one of a transformer, ended when its float32 weights are on the disk."""
    pytest.importorskip("sentence_transformers")
    place = tmp_path_factory.mktemp("model")
    write_bert(place / "small")
    texts = [
        f"the heron {n} waits. it stands in the reeds of pond {n} until dusk." for n in range(30)
    ]
    (place / "texts.txt").write_text("\n".join(texts))
    given = [write_modules(place / "small", 5), place / "bundle", place / "texts.txt"]
    process = subprocess.Popen(
        [sys.executable, "-c", EXPORT, *map(str, given)], stdout=subprocess.PIPE, text=True
    )
    with process.stdout as steps:
        assert any(line.startswith("verifying") for line in steps)
        assert list(temporary.glob("edge-mrl-*/backbone.onnx_data"))
        process.terminate()
        assert process.wait() == 128 + signal.SIGTERM
    assert not list(temporary.glob("edge-mrl-*"))
    assert sorted(path.name for path in place.iterdir()) == ["small", "texts.txt"]


def test_what_others_have_there_stays(temporary):
    prefix = Scratch().path.name.rpartition(f"{os.getpid()}-")[0]
    (temporary / "edge-mrl-letters").mkdir()
    (temporary / f"{prefix}1-x").mkdir()
    (temporary / f"{prefix}x-x").mkdir()
    (temporary / "edge-mrl-00000000-999999999-x").mkdir()
    gc.collect()
    before = sorted(temporary.iterdir())
    with Scratch():
        pass
    assert sorted(temporary.iterdir()) == before


def test_a_disk_without_the_room_is_refused_before_anything_is_written(temporary):
    free = shutil.disk_usage(temporary).free
    with pytest.raises(ExportError, match="needs .* GB for temporary files .* TMPDIR"):
        Scratch(needed=2 * free)
    assert list(temporary.iterdir()) == []
