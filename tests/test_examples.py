"""Every example runs, and the README's snippet prints what the README says."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_mrl_export.extras import installed
from edge_mrl_export.sample import default_sample
from edge_mrl_export.sources.model_card import trained_sizes
from edge_mrl_export.sources.modules_json import read_layout
from tests.export.st_models import HIDDEN, write_bert, write_modules

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def run(folder, *arguments):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_notes_finds_the_router_and_keeps_its_notes(static_bundle, tmp_path):
    arguments = (ROOT / "examples" / "notes.py", static_bundle, tmp_path / "notes.db")
    first = run(tmp_path, *arguments)
    assert "router" in first.splitlines()[0]
    assert run(tmp_path, *arguments) == first
    assert "kettle" in run(tmp_path, *arguments, "limescale").splitlines()[0]


def test_every_example_is_run_here():
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == {
        "notes.py",
        "train_matryoshka.py",
    }


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
