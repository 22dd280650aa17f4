"""Commands, flags, files and names that the documentation mentions are there."""

import argparse
import re
from functools import cache
from pathlib import Path

import pytest

import edge_mrl
from edge_mrl.cli.registry import COMMANDS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")])
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"``?([^`\n]+(?:\n[^`\n]+)?)``?")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*\b")
COMMAND = re.compile(r"\bedge-mrl (?!bundle$)([a-z]+)\b([^|;&#\n]*)")
"""`edge-mrl bundle` is the name of a format."""
MODULE = re.compile(r"\bpython -m (benchmarks\.\w+|emulation)\b([^|;&#\n]*)")
SCRIPT = re.compile(r"\bscripts/[\w-]+")
PATH = re.compile(r"(?<![\w./:~-])[\w.-]+(?:/[\w.*-]+)+")
SOURCE = re.compile(r"(?<![\w./-])\w+\.(?:py|c|h)\b")
MEMBER = re.compile(r"\b(Encoder|Index|encoder|index)\.([a-z]\w*)\b")
OF_OTHERS = {
    *("--constraint", "--no-deps", "--only-binary", "--require-hashes"),  # pip
    "--system-site-packages",  # venv
    "--now",  # systemctl
}
OTHER_LIBRARIES = "coming-from.md"
"""Its left columns call these; what stands in the right ones is run by test_docs.py."""

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@cache
def files():
    """All that is not hidden, by its path from the root."""
    found = [path.relative_to(ROOT) for path in ROOT.glob("[!.]*/**/*")]
    return [path.as_posix() for path in found if not set(path.parts) & {"__pycache__"}]


@cache
def flags_of(name):
    command = next(each for each in COMMANDS if each.name == name)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return set(FLAG.findall(parser.format_help()))


@cache
def flags_of_programs():
    """What programs beside `edge-mrl` take, as their files write it."""
    folders = ("benchmarks/", "emulation/", "scripts/", "examples/")
    programs = [ROOT / name for name in files() if name.startswith(folders)]
    texts = [
        file.read_text("utf-8")
        for file in programs
        if file.is_file() and file.suffix in ("", ".py", ".sh")
    ]
    return {flag for text in texts for flag in FLAG.findall(text)}


def code(page):
    """Blocks of code, each command on one line, and code between words."""
    text = page.read_text("utf-8")
    words = INLINE.findall(FENCE.sub("", text))
    return [block.replace("\\\n", " ") for block in FENCE.findall(text)] + [
        word.replace("\n", " ") for word in words
    ]


def test_there_are_pages():
    assert {"README.md", "ARCHITECTURE.md", "retrieval.md"} <= {page.name for page in PAGES}


@every_page
def test_commands_and_their_flags(page):
    names = {command.name for command in COMMANDS}
    for text in code(page):
        for name, rest in COMMAND.findall(text):
            assert name in names
            assert set(FLAG.findall(rest)) <= flags_of(name), name
        for name, rest in MODULE.findall(text):
            place = ROOT / name.replace(".", "/")
            file = place / "__main__.py" if place.is_dir() else place.with_suffix(".py")
            assert set(FLAG.findall(rest)) <= set(FLAG.findall(file.read_text("utf-8"))), name
        for name in SCRIPT.findall(text):
            assert (ROOT / name).is_file()


@every_page
def test_flags_by_themselves(page):
    known = flags_of_programs().union(*(flags_of(each.name) for each in COMMANDS))
    for text in code(page):
        assert set(FLAG.findall(text)) <= known | OF_OTHERS


@every_page
def test_files_and_folders(page):
    tops = {name.split("/")[0] for name in files() if "/" in name}
    names = {Path(name).name for name in files()} | {"hatch_build.py"}
    for text in code(page):
        for word in PATH.findall(text):
            assert word.split("/")[0] not in tops or list(ROOT.glob(word)), word
        assert set(SOURCE.findall(text)) <= names


@every_page
def test_names_of_the_package(page):
    for text in code(page):
        for line in re.findall(r"\bfrom edge_mrl import ([\w, ]+)", text):
            assert {name.strip() for name in line.split(",")} <= set(edge_mrl.__all__)
        for name, member in MEMBER.findall(text):
            if member != "py" and page.name != OTHER_LIBRARIES:
                assert hasattr(getattr(edge_mrl, name.title()), member)


def test_the_tree_of_the_architecture():
    """Each file stands in the folder under which the page names it."""
    (tree, *_) = FENCE.findall((ROOT / "ARCHITECTURE.md").read_text("utf-8"))
    folders, checked = [], 0
    for line in tree.splitlines():
        depth, entry = len(line) - len(line.lstrip()), line.split()[0]
        if depth < 6:
            folders = folders[: depth // 2]
            if entry.endswith("/"):
                folders.append(entry)
        here = ROOT.joinpath(*folders)
        assert here.is_dir(), line
        named = re.findall(r"[\w/-]+(?:_\*)?\.(?:py|c|h|toml)\b", line)
        checked += len(named)
        for name in named:
            assert list(here.glob(name)), f"{here} has no {name}"
    assert checked > 150
