"""Loading tokenizer and engine at once: nothing is used before it was checked, whoever is first."""

import threading

import pytest

from edge_mrl.bundle import Bundle
from edge_mrl.encoder import loaded_variant
from edge_mrl.encoder.loaded_variant import LoadedVariant
from edge_mrl.errors import BundleError


@pytest.fixture
def started(monkeypatch):
    """The variants that an engine was started for."""
    seen = []
    start = loaded_variant.open_backend

    def recorded(variant, files, **settings):
        seen.append(variant.name)
        return start(variant, files, **settings)

    monkeypatch.setattr(loaded_variant, "open_backend", recorded)
    return seen


def damage(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_an_engine_never_gets_a_damaged_file(bundle_copy, started):
    bundle = Bundle.open(bundle_copy)
    for variant in bundle.manifest.variants:
        file = bundle_copy / variant.files[0]
        whole = file.read_bytes()
        damage(file)
        with pytest.raises(BundleError, match=rf"{file.name} is damaged"):
            LoadedVariant.open(bundle, variant, 1)
        file.write_bytes(whole)
    assert not started
    LoadedVariant.open(bundle, variant, 1)
    assert started == [variant.name]


def test_a_damaged_tokenizer_is_refused_and_leaves_no_thread(bundle_copy):
    bundle = Bundle.open(bundle_copy)
    damage(bundle_copy / bundle.manifest.tokenizer.path)
    before = threading.active_count()
    with pytest.raises(BundleError, match=r"tokenizer.json is damaged"):
        LoadedVariant.open(bundle, bundle.manifest.variants[0], 1)
    assert threading.active_count() == before


def test_a_file_that_the_engine_refuses_leaves_no_thread(bundle_copy, monkeypatch):
    def refuse(variant, files, **settings):
        raise BundleError(f"no engine takes {files[0].name}")

    monkeypatch.setattr(loaded_variant, "open_backend", refuse)
    bundle = Bundle.open(bundle_copy)
    before = threading.active_count()
    with pytest.raises(BundleError, match="no engine takes"):
        LoadedVariant.open(bundle, bundle.manifest.variants[0], 1)
    assert threading.active_count() == before
