"""The demo's whole path, twice: the second run uses what the first one made."""

import json
import time

from edge_mrl.cli.main import main


def demo(capsys, folder):
    capsys.readouterr()
    assert main(["demo", "--dir", str(folder), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_demo_answers_and_keeps_what_it_made(capsys, tmp_path):
    first = demo(capsys, tmp_path)
    assert first["documents"] > 4000
    assert set(first["slices"]) == {"64", "128", "256"}
    answers = {answer["question"]: answer["hits"] for answer in first["answers"]}
    assert len(answers) >= 4
    found = {hit["id"] for hit in answers["remove a directory and everything in it"]}
    assert found & {"shutil.rmtree", "os.removedirs", "pathlib.Path.rmdir", "os.rmdir"}
    boards = {(plan["device"], plan["documents"]) for plan in first["plans"]}
    assert len(boards) == 9
    assert all(plan["fits"] or plan["error"] for plan in first["plans"])
    made = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    time.sleep(0.01)
    second = demo(capsys, tmp_path)
    assert second == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == made


def test_the_demo_prints_its_chapters(capsys, tmp_path):
    assert main(["demo", "--dir", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    for words in (
        "becomes a bundle",
        "costs and keeps",
        "three boards",
        "Questions",
        "every trained size",
    ):
        assert words in shown
