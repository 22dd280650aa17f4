"""The pinned installations for boards: the tested versions, whole, and as few as can be."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "requirements").glob("device-*.txt"))
ENDED = {"tflite-runtime": "2.14.0"}
"""Installed on boards only, so constraints.txt does not name it."""


def pins(text):
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


TESTED = {
    name.replace("_", "-"): version
    for name, version in pins((ROOT / "constraints.txt").read_text()).items()
} | ENDED


def test_every_installation_is_here():
    assert {file.name for file in FILES} == {
        "device-static.txt",
        "device-litert.txt",
        "device-onnx.txt",
        "device-tflite-armv7l.txt",
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_versions_are_the_tested_ones_and_have_hashes(file):
    text = file.read_text()
    found = pins(text)
    assert 2 <= len(found) <= 3
    assert found == {name: TESTED[name] for name in found}
    for entry in re.split(r"^(?=[\w-]+==)", text, flags=re.MULTILINE)[1:]:
        assert re.fullmatch(r"\S+( \\\n    --hash=sha256:[0-9a-f]{64})+\n", entry)
    assert f"-r requirements/{file.name}" in text
    assert file.name in (ROOT / "docs" / "raspberry-pi.md").read_text()


def test_what_the_package_declares_is_in_every_installation():
    declared = re.search(r"^dependencies = \[(.*)\]$", (ROOT / "pyproject.toml").read_text(), re.M)
    names = set(re.findall(r'"([\w-]+)[><=]', declared[1]))
    for file in FILES:
        # numpy has no 32-bit wheel: Debian's is used.
        missing = {"numpy"} if "armv7l" in file.name else set()
        assert names - missing <= set(pins(file.read_text()))
