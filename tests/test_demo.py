"""The demo's whole path, again and again in one folder: what the first run made is used."""

import json
import time
from contextlib import redirect_stdout
from io import StringIO

import pytest

from edge_mrl.cli.main import main


def demo(folder, *arguments):
    shown = StringIO()
    with redirect_stdout(shown):
        assert main(["demo", "--dir", str(folder), *arguments]) == 0
    return shown.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def first(folder):
    """What the first run says."""
    return json.loads(demo(folder, "--json"))


def test_the_demo_answers_and_keeps_what_it_made(first, folder):
    assert first["documents"] > 4000
    assert set(first["slices"]) == {"64", "128", "256"}
    answers = {answer["question"]: answer["hits"] for answer in first["answers"]}
    assert len(answers) >= 4
    found = {hit["id"] for hit in answers["remove a directory and everything in it"]}
    assert found & {"shutil.rmtree", "os.removedirs", "pathlib.Path.rmdir", "os.rmdir"}
    boards = {(plan["device"], plan["documents"]) for plan in first["plans"]}
    assert len(boards) == 9
    assert all(plan["fits"] or plan["error"] for plan in first["plans"])
    made = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    time.sleep(0.01)
    second = json.loads(demo(folder, "--json"))
    assert second == first
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == made


def test_the_demo_prints_its_chapters(first, folder):
    shown = demo(folder)
    for words in (
        "becomes a bundle",
        "costs and keeps",
        "three boards",
        "Questions",
        "every trained size",
    ):
        assert words in shown
