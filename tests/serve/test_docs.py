"""docs/serve.md says what its examples print; they are run, on a server with its two documents."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serve.conftest import TEXTS, make_index

PAGE = (Path(__file__).parents[2] / "docs" / "serve.md").read_text()
EXAMPLES = re.findall(r"```(sh|python|js)\n(.*?)```\n+```text\n(.*?)```", PAGE, re.DOTALL)
PROGRAMS = {
    "sh": ["sh", "-c"],
    "python": [sys.executable, "-W", "ignore", "-c"],
    "js": ["node", "--input-type=module", "-e"],
}
NEEDED = {"sh": "curl", "python": sys.executable, "js": "node"}


@pytest.fixture(scope="module")
def shown(static_bundle, encoder, tmp_path_factory):
    from tests.serve.conftest import Server

    few = {name: TEXTS[name] for name in ("gzip", "heron")}
    place = make_index(tmp_path_factory.mktemp("shown") / "notes.db", encoder, few)
    server = Server([static_bundle, "--index", place, "--port", 0, "--model-name", "words"])
    yield server
    server.stop()


def test_every_kind_of_example_is_there():
    assert sorted({kind for kind, _, _ in EXAMPLES}) == ["js", "python", "sh"]


@pytest.mark.parametrize(("kind", "code", "output"), EXAMPLES)
def test_it_prints_what_the_page_says(shown, kind, code, output):
    if shutil.which(NEEDED[kind]) is None:
        pytest.skip(f"no {NEEDED[kind]} here")
    code = code.replace("http://127.0.0.1:8756", shown.address)
    done = subprocess.run([*PROGRAMS[kind], code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    # The documents of these tests have metadata, those of the page have none.
    printed = done.stdout.replace('"metadata":{"n":1}', '"metadata":{}')
    assert printed.rstrip("\n") == output.rstrip("\n")
