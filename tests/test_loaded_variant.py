"""Loading tokenizer and engine at once: nothing is used before it was checked, whoever is first."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from edge_mrl import Encoder
from edge_mrl.bundle import Bundle
from edge_mrl.encoder import loaded_variant
from edge_mrl.encoder.loaded_variant import BATCH_CHARACTERS, LoadedVariant
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
        for file in (bundle_copy / name for name in variant.files):
            whole = file.read_bytes()
            damage(file)
            with pytest.raises(BundleError, match=rf"{file.name} is damaged"):
                LoadedVariant.open(bundle, variant, 1)
            file.unlink()
            with pytest.raises(BundleError, match=rf"{file.name} is missing"):
                LoadedVariant.open(bundle, variant, 1)
            file.write_bytes(whole)
    assert not started
    LoadedVariant.open(bundle, variant, 1)
    assert started == [variant.name]


def test_the_engine_starts_while_the_tokenizer_is_read(static_bundle, monkeypatch):
    starting = threading.Event()
    start = loaded_variant.open_backend

    def announced(variant, files, **settings):
        starting.set()
        return start(variant, files, **settings)

    class Waiting(loaded_variant.TextTokenizer):
        def __init__(self, file, info):
            assert starting.wait(20)
            super().__init__(file, info)

    monkeypatch.setattr(loaded_variant, "open_backend", announced)
    monkeypatch.setattr(loaded_variant, "TextTokenizer", Waiting)
    bundle = Bundle.open(static_bundle)
    assert isinstance(LoadedVariant.open(bundle, bundle.manifest.variants[0], 1).tokenizer, Waiting)


def test_what_an_index_needs_is_imported_while_the_engine_starts(static_bundle):
    """In a fresh process, with an engine that waits for it."""
    code = (
        "import sys, time\n"
        "from edge_mrl import Encoder\n"
        "from edge_mrl.encoder import loaded_variant\n"
        "start = loaded_variant.open_backend\n"
        "def waiting(*given, **settings):\n"
        "    end = time.monotonic() + 20\n"
        "    while loaded_variant.WHAT_FOLLOWS[-1] not in sys.modules:\n"
        "        assert time.monotonic() < end\n"
        "        time.sleep(0.01)\n"
        "    return start(*given, **settings)\n"
        "loaded_variant.open_backend = waiting\n"
        "assert loaded_variant.WHAT_FOLLOWS[-1] not in sys.modules\n"
        "Encoder.load(sys.argv[1])\n"
    )
    subprocess.run([sys.executable, "-c", code, str(static_bundle)], check=True)


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


def test_a_few_long_texts_are_embedded_as_each_alone(static_bundle):
    encoder = Encoder.load(static_bundle)
    texts = [f"{word} " * (BATCH_CHARACTERS // 8) for word in ("heron", "zip", "")] * 3
    together = encoder.encode(texts)
    for text, vector in zip(texts, together, strict=True):
        assert np.array_equal(encoder.encode([text])[0], vector)


def test_long_texts_are_tokenised_few_at_a_time(static_bundle, monkeypatch):
    """The tokenizer takes a kilobyte for a character, so few are handed to it at once."""
    bundle = Bundle.open(static_bundle)
    loaded = LoadedVariant.open(bundle, bundle.manifest.variants[0], 1)
    texts = ["a heron", "reeds " * 5, "x", "", "the heron waits in the reeds", *"abcdefg"]
    whole = loaded.embed(texts, 256, "")
    sizes = []
    encode = loaded.tokenizer.encode
    monkeypatch.setattr(
        loaded.tokenizer, "encode", lambda part: sizes.append(len(part)) or encode(part)
    )
    monkeypatch.setattr(loaded_variant, "BATCH_CHARACTERS", 31)
    monkeypatch.setattr(loaded_variant, "BATCH_TEXTS", 5)
    assert (loaded.embed(texts, 256, "") == whole).all()
    # 7 and 30 characters, then 1 and 0 with the 30, 28 with three of one letter, the last four.
    assert sizes == [1, 3, 4, 4]
    assert loaded.embed([], 256, "").shape == (0, 256)
