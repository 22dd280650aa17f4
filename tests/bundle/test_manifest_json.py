"""The manifest's text form: what is written is read back, and nothing wrong gets through."""

import binascii
import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl.bundle.manifest import (
    EmbeddingInfo,
    Estimate,
    FileEntry,
    GateResult,
    LayerQuality,
    Manifest,
    ModelInfo,
    Quality,
    SliceQuality,
    TokenizerInfo,
    Variant,
    VariantQuality,
)
from edge_mrl.bundle.manifest_json import dump, parse
from edge_mrl.bundle.seal import sealed
from edge_mrl.errors import BundleError, EdgeMrlError
from edge_mrl.slices import Slice

HASH = "0123456789abcdef" * 4
MANIFEST = Manifest(
    model=ModelInfo("model", "static", "somewhere", "MIT", HASH),
    embedding=EmbeddingInfo(256, (64, 256), "cosine", {"query": "q: "}, None),
    tokenizer=TokenizerInfo("tokenizer.json", False, None, 0),
    variants=(
        Variant(
            "t",
            "table",
            "int8-portable",
            (64,),
            ("table/a.npy",),
            True,
            {},
            GateResult(0.9999, 0.999, 0.999, "mean cosine 0.9, where 0.999 is needed"),
            engines=("ai-edge-litert",),
            max_tokens=256,
            sequence_lengths=(16, 256),
        ),
    ),
    quality=Quality(
        "by hand",
        5,
        50,
        0.5,
        0.75,
        (SliceQuality(Slice(64, 4), 0.4, 0.8, 17),),
        "judged",
        (VariantQuality("t", Slice(64, 4), Estimate(0.4, 0.3, 0.5), Estimate(0.9, 0.8, 1.0)),),
        (LayerQuality(3, 64, 0.4, 0.8),),
    ),
    golden="golden.json",
    files=tuple(FileEntry(p, HASH, 10) for p in ("golden.json", "table/a.npy", "tokenizer.json")),
    tools={"python": "3.11"},
)
DOCUMENT = json.loads(dump(MANIFEST))


def test_round_trip():
    assert parse(dump(MANIFEST)) == MANIFEST


@pytest.mark.parametrize("schema", [1, 2])
def test_a_manifest_of_an_older_schema_is_read_without_a_checksum(schema):
    older = DOCUMENT | {"schema": schema}
    del older["checksum"]
    assert parse(json.dumps(older).encode()) == MANIFEST


def test_the_checksum_is_the_crc_of_the_file_with_zeros_in_its_place():
    data = dump(MANIFEST)
    start = b'{\n  "checksum": "'
    assert data.startswith(start)
    digits = slice(len(start), len(start) + 8)
    blank = data[: digits.start] + b"00000000" + data[digits.stop :]
    assert data[digits].decode() == f"{binascii.crc32(blank):08x}"


def test_a_name_inside_that_looks_like_the_checksum_is_not_taken_for_it():
    named = MANIFEST._replace(
        embedding=MANIFEST.embedding._replace(prompts={"checksum": "00000000"})
    )
    assert parse(dump(named)) == named


def test_every_flipped_bit_is_found():
    """Also those after which the manifest is as good JSON as before: a figure, a letter of a
    prompt, its schema, the space at a line's beginning."""
    data = dump(MANIFEST)
    for place in range(len(data)):
        for bit in range(8):
            flipped = data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
            with pytest.raises(BundleError, match=r"manifest\.json"):
                parse(flipped)


def test_every_truncation_is_found():
    data = dump(MANIFEST)
    for length in range(len(data)):
        with pytest.raises(BundleError, match=r"manifest\.json"):
            parse(data[:length])


def test_a_manifest_of_this_schema_has_a_checksum():
    without = {key: value for key, value in DOCUMENT.items() if key != "checksum"}
    with pytest.raises(BundleError, match=r"manifest\.json: it has no checksum: it is damaged"):
        parse(json.dumps(without).encode())


def test_a_variant_may_name_no_engine_no_limit_and_no_lengths():
    document = copy.deepcopy(DOCUMENT)
    for field in ("engines", "max_tokens", "sequence_lengths"):
        del document["variants"][0][field]
    (variant,) = parse(sealed(document)).variants
    assert variant.engines == ()
    assert variant.max_tokens is None
    assert variant.sequence_lengths == ()


def test_prompts_are_pooled_unless_the_manifest_says_otherwise():
    document = copy.deepcopy(DOCUMENT)
    del document["embedding"]["include_prompt"]
    assert parse(sealed(document)).embedding.include_prompt
    document["variants"][0] |= {"format": "onnx"}
    document["embedding"]["include_prompt"] = False
    manifest = parse(sealed(document))
    assert not manifest.embedding.include_prompt
    assert parse(dump(manifest)) == manifest
    with pytest.raises(BundleError, match="must be true or false"):
        parse(changed("embedding", "include_prompt", to="no"))


def test_a_table_cannot_leave_prompts_out():
    with pytest.raises(BundleError, match="'t' is a table, which pools all"):
        parse(changed("embedding", "include_prompt", to=False))


def test_an_older_manifest_has_no_judged_quality_and_no_layers():
    document = copy.deepcopy(DOCUMENT)
    for key in ("labels", "variants", "layers"):
        del document["quality"][key]
    del document["variants"][0]["gate"]["missed"]
    manifest = parse(sealed(document))
    assert manifest.quality.labels == "self-labelled"
    assert (manifest.quality.variants, manifest.quality.layers) == ((), ())
    assert manifest.variants[0].gate.missed == ""


@pytest.mark.parametrize(("key", "value"), [("variant", "another"), ("slice", "128x4")])
def test_judged_quality_of_what_is_not_there_is_refused(key, value):
    with pytest.raises(BundleError, match="no variant of this bundle at a trained size"):
        parse(changed("quality", "variants", 0, key, to=value))


def test_same_manifest_same_bytes():
    assert dump(parse(dump(MANIFEST))) == dump(MANIFEST)


def changed(*path, to):
    document = copy.deepcopy(DOCUMENT)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return sealed(document)


@pytest.mark.parametrize(
    "bad",
    [
        "../outside",
        "/etc/passwd",
        "a/../../b",
        "a//b",
        "./a",
        "a\\b",
        "C:/a",
        "",
        "a" * 300,
        "a\x00b",
        "a b",
    ],
)
def test_paths_that_could_leave_the_bundle_are_refused(bad):
    for place in (
        ("golden",),
        ("tokenizer", "path"),
        ("files", 0, "path"),
        ("variants", 0, "files", 0),
    ):
        with pytest.raises(BundleError, match="path|control character"):
            parse(changed(*place, to=bad))


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("schema",), 4, "newer"),
        (("format",), "other", "not a bundle"),
        (("embedding", "matryoshka_dims"), [64, 64], "rising"),
        (("embedding", "matryoshka_dims"), [256, 64], "rising"),
        (("embedding", "matryoshka_dims"), [], "rising"),
        (("embedding", "matryoshka_dims"), [64, 512], "matryoshka_dims"),
        (("embedding", "dim"), 10**9, "dim"),
        (("embedding", "similarity"), "euclid", "cosine, dot"),
        (("model", "identity"), "abc", "64 hexadecimal"),
        (("files", 0, "size"), -1, "size"),
        (("files", 0, "size"), 2**60, "size"),
        (("files", 0, "sha256"), "0" * 63, "sha256"),
        (("files", 0, "path"), "table/a.npy", "listed twice"),
        (("variants",), [], "at least one variant"),
        (("variants", 0, "dims"), [128], "not among"),
        (("variants", 0, "format"), "pickle", "unknown"),
        (("variants", 0, "files"), ["other.npy"], "not listed"),
        (("variants", 0, "engines"), "ai-edge-litert", "engines"),
        (("variants", 0, "max_tokens"), 0, "max_tokens"),
        (("variants", 0, "sequence_lengths"), [16, 16, 256], "must rise"),
        (("variants", 0, "sequence_lengths"), [16, 128], "more tokens than the longest"),
        (("variants", 0, "sequence_lengths"), [0, 256], "sequence_lengths"),
        (("quality", "slices", 0, "slice"), "100x4", "trained size"),
    ],
)
def test_contradictions_are_refused(path, value, words):
    with pytest.raises(BundleError, match=words):
        parse(changed(*path, to=value))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format": 1}']
)
def test_what_is_no_manifest_is_refused(data):
    with pytest.raises(BundleError):
        parse(data)


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from places(item, (*path, number))


JUNK = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.lists(st.integers())
    | st.just({})
)


@settings(max_examples=300)
@given(st.sampled_from(list(places(DOCUMENT))[1:]), JUNK)
def test_any_field_may_be_anything_and_only_our_error_comes_out(path, junk):
    try:
        parse(changed(*path, to=junk))
    except EdgeMrlError as error:
        assert str(error)


@pytest.mark.parametrize(
    "options",
    [
        # ONNX Runtime 1.31 writes a table there, whatever stands at the path.
        {"session.collect_node_memory_stats_to_file": "/tmp/of-somebody"},
        {"session.disable_quant_qdq": "/tmp/of-somebody"},
        {"ep.context_enable": "1"},
    ],
)
def test_options_of_the_engine_that_a_bundle_may_not_set(options):
    document = json.loads(dump(MANIFEST))
    document["variants"][0]["session_options"] = {"session.disable_quant_qdq": "1"}
    assert parse(sealed(document)).variants[0].session_options
    document["variants"][0]["session_options"] = options
    with pytest.raises(BundleError, match="is no option of a bundle"):
        parse(sealed(document))
