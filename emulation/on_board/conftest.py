"""What the board was given."""

import json
import os
import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def work():
    """The folder that the board shares with the machine that emulates it."""
    return Path(os.environ["EDGE_MRL_BOARD_WORK"])


@pytest.fixture(scope="session")
def facts(work):
    """The board: cpu, model, kernels, absent; and the installation."""
    return json.loads(os.environ["EDGE_MRL_BOARD"])


@pytest.fixture
def indexes(work, tmp_path):
    """A copy of the prepared indexes, on the board's own disk."""
    return Path(shutil.copytree(work / "indexes", tmp_path / "indexes"))


@pytest.fixture(scope="session")
def bundles(work):
    """Every bundle's folder with what this project's own machine made of the texts."""
    return [
        (file.with_suffix(""), json.loads(file.read_text()))
        for file in sorted((work / "bundles").glob("*.json"))
    ]


@pytest.fixture(scope="session")
def static_bundle(bundles):
    """A bundle with a table, which needs no engine."""
    from edge_mrl.bundle import Bundle

    for folder, _ in bundles:
        if any(variant.format == "table" for variant in Bundle.open(folder).manifest.variants):
            return folder
    pytest.skip("no bundle with a table was given")
