"""A sentence-transformers folder to change, and the sentence that a wrong one gets."""

import json

import pytest

from edge_mrl.errors import ExportError
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from tests.export.st_models import write_json

REMOVED = object()


def edit(path, **changes):
    value = json.loads(path.read_text()) if path.is_file() else {}
    value |= changes
    write_json(path, {key: item for key, item in value.items() if item is not REMOVED})


def edit_modules(folder, number, **changes):
    entries = json.loads((folder / "modules.json").read_text())
    entries[number] |= changes
    write_json(folder / "modules.json", entries)


def refusal(folder, **options):
    with pytest.raises(ExportError) as caught:
        SentenceTransformersSource(folder, **options)
    return str(caught.value)
