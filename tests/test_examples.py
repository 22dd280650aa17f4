"""Every example runs, and the README's snippet prints what the README says."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_mrl import Encoder, Index, IndexLayout, Slice
from edge_mrl_export.extras import installed
from edge_mrl_export.sample import default_sample
from edge_mrl_export.sources.model_card import trained_sizes
from edge_mrl_export.sources.modules_json import read_layout
from tests.export.st_models import HIDDEN, write_bert, write_modules

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


EXAMPLES = ROOT / "examples"


def run(folder, *arguments, said="", expected=0):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        input=said,
        capture_output=True,
        text=True,
    )
    assert done.returncode == expected, done.stderr
    return done.stderr if expected else done.stdout


def test_notes_are_kept_and_found(static_bundle, tmp_path):
    arguments = (EXAMPLES / "notes.py", static_bundle, tmp_path / "notes.db")
    first = run(tmp_path, *arguments, "how do I reset the internet")
    assert "router" in first.splitlines()[0]
    assert run(tmp_path, *arguments, "how do I reset the internet") == first
    said = "+ The bins go out on Tuesday.\n\nlimescale\nwhen is rubbish collected\n"
    kept, limescale, _, rubbish, _ = run(tmp_path, *arguments, said=said).splitlines()
    assert kept == "kept; 6 notes"
    assert "kettle" in limescale
    assert "bins" in rubbish


def event(time, sensor, text):
    return json.dumps({"time": time, "sensor": sensor, "text": text}) + "\n"


def test_a_sensor_log_is_searched_while_it_grows(static_bundle, tmp_path):
    log = tmp_path / "log.db"
    command = [sys.executable, EXAMPLES / "sensor_log.py", static_bundle, log, "is there a flood"]
    with subprocess.Popen(
        list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        child.stdin.write(event("08:00", "door", "front door opened"))
        child.stdin.flush()
        assert "door: front door opened" in child.stdout.readline()
        child.stdin.write(event("08:01", "lamp", "hall lamp switched on"))
        child.stdin.write(event("08:02", "cellar", "flood water rising in the cellar"))
        child.stdin.flush()
        while "cellar: flood water" not in (line := child.stdout.readline()):
            assert line
        # Another process searches beside it.
        with Index.open(log, Encoder.load(static_bundle)) as index:
            assert index.search("flood", k=1)[0].metadata["time"] == "08:02"
        rest, _ = child.communicate(event("08:03", "door", "front door closed"))
    assert (child.returncode, rest) == (0, "4 events\n")


@pytest.mark.parametrize(
    ("utterance", "intent"),
    [
        ("could you switch the light on", "lights on"),
        ("switch that lamp off", "lights off"),
        ("is rain coming tomorrow", "weather"),
        ("the treaty of Utrecht", "something else"),
    ],
)
def test_intents(static_bundle, tmp_path, utterance, intent):
    said = run(tmp_path, EXAMPLES / "intents.py", static_bundle, 60_000, utterance)
    chosen, answer = said.splitlines()
    assert chosen.startswith("256 dimensions, ")
    assert answer.endswith(f"  {intent}")


def test_intents_say_what_a_budget_lacks(static_bundle, tmp_path):
    said = run(tmp_path, EXAMPLES / "intents.py", static_bundle, 1e-6, expected=1)
    assert re.match(
        r"the smallest slice, 64 dimensions, needs [\d.]+ ms at the 95th percentile: allow more "
        r"than 1e-06 ms, or export a smaller model\n$",
        said,
    )


def test_an_index_moves_to_a_board(static_bundle, tmp_path):
    encoder = Encoder.load(static_bundle)
    texts = [f"Page {number} of a manual about pumps." for number in range(300)]
    wide = IndexLayout(Slice(256, 32), Slice(256, 4))
    with Index.open(tmp_path / "notes.db", encoder, layout=wide) as index:
        index.add([*texts, "The router restarts when the red button is held."])
        expected = index.search("reset the internet", k=2)
    (tmp_path / "card").mkdir()
    arguments = ("notes.db", "card", "reset the internet")
    said = run(tmp_path, EXAMPLES / "move_to_device.py", static_bundle, *arguments).splitlines()
    assert said[0].startswith("raspberry-pi-zero-2w: table-int8-256, 256x8 stored")
    assert said[2].startswith("301 documents, kept as stored 256x8")
    assert [line.split("  ")[1] for line in said[3:]] == [hit.text for hit in expected]
    assert "router" in said[3]
    assert sorted(path.name for path in (tmp_path / "card").iterdir()) == ["bundle", "notes.db"]
    assert (tmp_path / "card/notes.db").stat().st_size < (tmp_path / "notes.db").stat().st_size
    # The card in another place.
    moved = (tmp_path / "card").rename(tmp_path / "elsewhere")
    with Index.open(moved / "notes.db", Encoder.load(moved / "bundle")) as index:
        assert "router" in index.search("reset the internet", k=1)[0].text


def test_the_service_names_what_exists_and_systemd_accepts_it(tmp_path):
    text = (EXAMPLES / "edge-mrl-log.service").read_text()
    assert "/opt/edge-mrl/sensor_log.py" in text
    assert (EXAMPLES / "sensor_log.py").is_file()
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd here to check the unit with")
    unit = tmp_path / "edge-mrl-log.service"
    # systemd looks for the programs that a unit names.
    unit.write_text(text.replace("/opt/edge-mrl/bin/python", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_example_is_run_here():
    tested = Path(__file__).read_text()
    for path in EXAMPLES.iterdir():
        if path.is_file():
            assert f'"{path.name}"' in tested


@pytest.mark.skipif(
    not installed("datasets", "accelerate"), reason="the extra `train` is not installed here"
)
def test_full_training_writes_a_model_whose_sizes_export_reads(tmp_path):
    from safetensors.numpy import load_file

    write_bert(tmp_path / "base")
    write_modules(tmp_path / "base", 5, (), dims=None)
    sample = default_sample()
    pairs = [
        {"query": query, "text": sample.documents[answer]}
        for query, answer in zip(sample.queries[:96], sample.answers, strict=False)
    ]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    script = ROOT / "examples" / "train_matryoshka.py"
    run(tmp_path, script, tmp_path / "base", tmp_path / "pairs.jsonl", tmp_path / "out", 3)
    assert read_layout(tmp_path / "out").dim == HIDDEN
    assert trained_sizes(tmp_path / "out", HIDDEN, None) == (4, 8, 16, 32)
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("base", "out"))
    moved = [name for name in before if not np.array_equal(before[name], after[name])]
    assert "embeddings.word_embeddings.weight" in moved


def test_the_readme_s_python_prints_what_it_says(static_bundle, tmp_path):
    code, output = re.search(r"```python\n(.*?)```\n+```text\n(.*?)```", README, re.DOTALL).groups()
    (tmp_path / "bundle").symlink_to(static_bundle)
    assert run(tmp_path, "-c", code) == output


@pytest.mark.parametrize("path", re.findall(r"\]\(([\w./-]+)\)", README))
def test_the_readme_s_links_lead_somewhere(path):
    assert (ROOT / path).exists()
