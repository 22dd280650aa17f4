"""Programs in the documentation that say what they print are run, and print it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = ("coming-from.md",)
PROGRAM = re.compile(r"```python\n(.*?)```\n+```text\n(.*?)```", re.DOTALL)
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


def programs():
    for page in PAGES:
        text = (DOCS / page).read_text("utf-8")
        for found in PROGRAM.finditer(text):
            section = SECTION.findall(text[: found.start()])[-1]
            yield pytest.param(found[1], found[2], id=f"{page}: {section}")


@pytest.mark.parametrize(("code", "output"), list(programs()))
def test_a_program_prints_what_the_page_says(static_bundle, tmp_path, code, output):
    (tmp_path / "bundle").symlink_to(static_bundle)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == output


@pytest.mark.parametrize("page", PAGES)
def test_every_program_says_what_it_prints(page):
    text = (DOCS / page).read_text("utf-8")
    assert text.count("```python\n") == len(PROGRAM.findall(text)) > 0


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_links_between_pages_lead_somewhere(page):
    text = (DOCS / page).read_text("utf-8")
    for target, anchor in re.findall(r"\]\(([\w./-]+)?(?:#([\w-]+))?\)", text):
        file = DOCS / target if target else DOCS / page
        assert file.exists(), f"{page} names {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            assert anchor in {
                re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings
            }
