"""Every example runs, and the README's snippet prints what the README says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

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
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == {"notes.py"}


def test_the_readme_s_python_prints_what_it_says(static_bundle, tmp_path):
    code, output = re.search(r"```python\n(.*?)```\n+```text\n(.*?)```", README, re.DOTALL).groups()
    (tmp_path / "bundle").symlink_to(static_bundle)
    assert run(tmp_path, "-c", code) == output


@pytest.mark.parametrize("path", re.findall(r"\]\(([\w./-]+)\)", README))
def test_the_readme_s_links_lead_somewhere(path):
    assert (ROOT / path).exists()
