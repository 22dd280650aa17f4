"""A bundle is whole or not there, whatever happens while it is written."""

import errno
import signal
import subprocess
import sys

import pytest

from edge_mrl.bundle import Bundle
from edge_mrl.cli.main import main
from edge_mrl.errors import BundleError, ExportError
from edge_mrl_export.writer import list_files, staged
from tests.faults.disks import memory_disk, why_not


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), staged(tmp_path / "b", overwrite=False) as folder:
        (folder / "file").write_text("x")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_success_takes_the_place(tmp_path):
    with staged(tmp_path / "sub" / "b", overwrite=False) as folder:
        (folder / "file").write_text("x")
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["b"]
    assert (tmp_path / "sub" / "b" / "file").read_text() == "x"


def test_an_existing_bundle_needs_overwrite_and_survives_a_failure(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "manifest.json").write_text("old")
    with pytest.raises(ExportError, match="--overwrite"), staged(tmp_path / "b", overwrite=False):
        pass
    with pytest.raises(RuntimeError), staged(tmp_path / "b", overwrite=True):
        raise RuntimeError
    assert (tmp_path / "b" / "manifest.json").read_text() == "old"
    with staged(tmp_path / "b", overwrite=True) as folder:
        (folder / "manifest.json").write_text("new")
    assert (tmp_path / "b" / "manifest.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_folder_that_is_no_bundle_is_never_replaced(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").write_text("dear")
    with (
        pytest.raises(ExportError, match="not a bundle"),
        staged(tmp_path / "home", overwrite=True),
    ):
        pass
    assert (tmp_path / "home" / "letter").read_text() == "dear"


def test_files_are_listed_with_hash_and_size(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "abc").write_bytes(b"abc")
    (entry,) = list_files(tmp_path)
    # FIPS 180-2, appendix B.1
    assert entry.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (entry.path, entry.size) == ("sub/abc", 3)


CHILD = """
import sys
from pathlib import Path
from edge_mrl_export import ExportOptions, export
options = ExportOptions(texts=Path(sys.argv[2]))
export("wordllama", Path(sys.argv[1]), options, on_step=lambda step: print(step, flush=True))
"""


def exporting(place, texts):
    """A process that exports, and prints its steps."""
    command = [sys.executable, "-c", CHILD, str(place), str(texts)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("step", ["building onnx", "verifying onnx", "measuring", "writing"])
def test_a_killed_export_leaves_no_half_bundle(few_texts, tmp_path, step):
    """A real process, really killed in the middle of a step."""
    place = tmp_path / "b"
    process = exporting(place, few_texts)
    assert process.stdout is not None
    assert any(line.startswith(step) for line in process.stdout)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    if place.exists():
        Bundle.open(place).check_all()
    else:
        with pytest.raises(BundleError, match="no bundle"):
            Bundle.open(place)
    # What a kill leaves beside the place, the next export there clears away.
    assert len(list(tmp_path.iterdir())) == 1
    with staged(place, overwrite=True):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_terminated_export_leaves_nothing(few_texts, tmp_path):
    """SIGTERM, as service managers and `timeout` send it."""
    process = exporting(tmp_path / "b", few_texts)
    assert process.stdout is not None
    assert any(line.startswith("building") for line in process.stdout)
    process.terminate()
    assert process.wait() == 128 + signal.SIGTERM
    process.stdout.close()
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_that_a_killed_process_had_moved_aside_comes_back(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f".b.replaced-{ended.pid}").mkdir()
    (tmp_path / f".b.replaced-{ended.pid}" / "manifest.json").write_text("old")
    (tmp_path / f".b.partial-{ended.pid}").mkdir()
    (tmp_path / ".b.partial-x").mkdir()
    with pytest.raises(ExportError, match="--overwrite"), staged(tmp_path / "b", overwrite=False):
        pass
    assert (tmp_path / "b" / "manifest.json").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.partial-x", "b"]


def test_another_process_that_still_writes_is_left_alone(tmp_path):
    (tmp_path / ".b.partial-1").mkdir()
    with staged(tmp_path / "b", overwrite=False):
        pass
    assert (tmp_path / ".b.partial-1").is_dir()


@pytest.mark.parametrize(
    "place", ["file/b", "file/further/b", "n" * 300], ids=["in a file", "below a file", "too long"]
)
def test_a_place_that_cannot_be_is_one_sentence_and_leaves_nothing(tmp_path, place):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ExportError, match=r"cannot be written \(.*\): choose another place"),
        staged(tmp_path / place, overwrite=False),
    ):
        pytest.fail("there is no such folder")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
from edge_mrl.cli.main import main
sys.exit(main(["export", "wordllama", "-o", sys.argv[1], "--texts", sys.argv[2]]))
"""


def test_a_limit_on_the_size_of_files_is_one_sentence_and_leaves_nothing(few_texts, tmp_path):
    """A real process under `ulimit -f`, whose table does not fit."""
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "b"), str(few_texts)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "could not be written whole" in ended.stderr
    assert "ulimit -f" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, number):
    with (
        pytest.raises(ExportError, match="the disk is full"),
        staged(tmp_path / "b", overwrite=False),
    ):
        raise OSError(number, "full")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path):
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    disk = memory_disk(tmp_path / "disk", 1)
    if not disk.mount():
        pytest.skip("this machine does not let us mount a disk")
    yield disk.folder
    disk.unmount()


def test_an_export_to_a_full_disk_is_one_sentence_and_leaves_nothing(small_disk, capsys):
    """A real disk, too small for the bundle."""
    assert main(["export", "wordllama", "-o", str(small_disk / "b"), "--formats", "table"]) == 2
    assert "the disk is full" in capsys.readouterr().err.splitlines()[-1]
    assert list(small_disk.iterdir()) == []
