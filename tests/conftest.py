"""What several tests use: a real bundle, exported once, and the labelled sets where they are at
hand."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from edge_mrl_export import ExportOptions, export

ROOT = Path(__file__).parent.parent


def pytest_configure(config):
    """Whoever runs the tests may have device profiles of their own; the tests count the shipped.
    Some do so while they are collected, before any fixture."""
    settings = tempfile.TemporaryDirectory(prefix="settings-")
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CONFIG_HOME", settings.name)
    config.add_cleanup(settings.cleanup)
    config.add_cleanup(patch.undo)


@pytest.fixture(scope="session")
def few_texts(tmp_path_factory):
    """A file of 40 texts, for exports of which only something else than quality matters: the
    default sample of 2000 takes seconds for each variant."""
    file = tmp_path_factory.mktemp("texts") / "few.txt"
    file.write_text(
        "\n".join(
            f"the heron number {n} waits. it stands in the reeds of pond {n * 7} until dusk."
            for n in range(40)
        )
    )
    return file


@pytest.fixture(scope="session")
def export_report(tmp_path_factory):
    """The report of a real export of wordllama's table with the default options."""
    return export("wordllama", tmp_path_factory.mktemp("static") / "bundle")


@pytest.fixture(scope="session")
def static_bundle(export_report):
    """The folder of that bundle. Not to be changed: see `bundle_copy`."""
    return export_report.path


@pytest.fixture(scope="session")
def token_model(tmp_path_factory):
    """The folder of a small random transformer, for `token_bundle`."""
    pytest.importorskip("sentence_transformers")
    from tests.export.st_models import write_bert, write_modules

    folder = tmp_path_factory.mktemp("token-model") / "small"
    write_bert(folder)
    return write_modules(folder, 5)


@pytest.fixture(scope="session")
def token_bundle(token_model, few_texts, tmp_path_factory):
    """That model as a bundle with token vectors, ONNX fp32, sizes 8, 16 and 48. Not to be
    changed."""
    options = ExportOptions(
        formats=("onnx",), precisions=("fp32",), texts=few_texts, token_vectors=True
    )
    return export(str(token_model), tmp_path_factory.mktemp("tokens") / "bundle", options).path


@pytest.fixture
def bundle_copy(static_bundle, tmp_path):
    """A copy that a test may damage."""
    return Path(shutil.copytree(static_bundle, tmp_path / "copy"))


@pytest.fixture(scope="session")
def labelled_sets():
    """The folder of labelled retrieval sets in BEIR layout; skips where there is none."""
    folder = Path(os.environ.get("EDGE_MRL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no labelled sets here: name their folder with EDGE_MRL_DATA")
    return folder
