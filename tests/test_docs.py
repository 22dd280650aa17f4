"""Programs in the documentation that say what they print are run, and print it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = ("README.md", "docs/coming-from.md", "docs/getting-started.md")
PROGRAM = re.compile(r"```(python|sh)\n(.*?)```\n+```text\n(.*?)```", re.DOTALL)
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


def programs():
    for page in PAGES:
        text = (ROOT / page).read_text("utf-8")
        for found in PROGRAM.finditer(text):
            section = SECTION.findall(text[: found.start()])[-1]
            yield pytest.param(page, *found.groups(), id=f"{page}: {section}")


@pytest.fixture(scope="module")
def folders(static_bundle, tmp_path_factory):
    """A folder for each page, with a bundle; its programs follow one another there."""
    made = {}
    for page in PAGES:
        made[page] = tmp_path_factory.mktemp("docs")
        (made[page] / "bundle").symlink_to(static_bundle)
        command = made[page] / "bin" / "edge-mrl"
        command.parent.mkdir()
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m edge_mrl "$@"\n')
        command.chmod(0o755)
    return made


@pytest.mark.parametrize(("page", "kind", "code", "output"), list(programs()))
def test_a_program_prints_what_the_page_says(folders, page, kind, code, output):
    command = {"python": [sys.executable, "-c"], "sh": ["sh", "-ec"]}[kind]
    path = os.pathsep.join([str(folders[page] / "bin"), os.environ["PATH"]])
    done = subprocess.run(
        [*command, code],
        cwd=folders[page],
        env=os.environ | {"PATH": path, "COLUMNS": "120"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == output


@pytest.mark.parametrize("page", PAGES)
def test_every_program_says_what_it_prints(page):
    text = (ROOT / page).read_text("utf-8")
    assert len(re.findall(r"```(?:python|sh)\n", text)) == len(PROGRAM.findall(text)) > 0


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")]), ids=lambda page: page.name
)
def test_links_between_pages_lead_somewhere(page):
    text = page.read_text("utf-8")
    for target, anchor in re.findall(r"\]\(([\w./-]+)?(?:#([\w-]+))?\)", text):
        file = page.parent / target if target else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}
            assert anchor in anchors, f"{anchor} in {file.name}"
