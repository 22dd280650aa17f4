"""Bundle folders that are missing, damaged or hostile."""

import json
import os

import pytest

from edge_mrl import Bundle
from edge_mrl.bundle.golden import Golden, dump_golden, parse_golden
from edge_mrl.errors import BundleError


def test_a_good_bundle_passes(static_bundle):
    bundle = Bundle.open(static_bundle)
    bundle.check_all()
    assert bundle.manifest.embedding.matryoshka_dims == (64, 128, 256)


def test_a_missing_folder_says_how_to_make_one(tmp_path):
    with pytest.raises(BundleError, match="edge-mrl export"):
        Bundle.open(tmp_path / "nowhere")


def test_a_folder_without_manifest_is_no_bundle(tmp_path):
    with pytest.raises(BundleError, match=r"manifest\.json"):
        Bundle.open(tmp_path)


def test_a_path_that_no_engine_can_read_is_named_as_such(bundle_copy):
    try:
        odd = bundle_copy.rename(bundle_copy.with_name("b\udcff"))
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    with pytest.raises(BundleError, match="is not UTF-8"):
        Bundle.open(odd)


def files_of(folder):
    return [entry["path"] for entry in json.loads((folder / "manifest.json").read_text())["files"]]


def test_every_truncated_file_is_named(bundle_copy):
    for path in files_of(bundle_copy):
        file = bundle_copy / path
        whole = file.read_bytes()
        file.write_bytes(whole[:-1])
        with pytest.raises(
            BundleError, match=rf"{file.name} has {len(whole) - 1} bytes .* {len(whole)}"
        ):
            Bundle.open(bundle_copy).check_all()
        file.write_bytes(whole)


def test_all_damaged_files_are_named_at_once(bundle_copy):
    first, second, *whole = files_of(bundle_copy)
    (bundle_copy / first).unlink()
    with (bundle_copy / second).open("ab") as file:
        file.write(b" ")
    with pytest.raises(
        BundleError, match=f"2 of the {2 + len(whole)} files .*: {first}, {second};"
    ):
        Bundle.open(bundle_copy).check_all()


def test_every_flipped_byte_is_found(bundle_copy):
    for path in files_of(bundle_copy):
        file = bundle_copy / path
        whole = file.read_bytes()
        file.write_bytes(whole[:50] + bytes([whole[50] ^ 1]) + whole[51:])
        with pytest.raises(BundleError, match=rf"{file.name} is damaged"):
            Bundle.open(bundle_copy).check_all()
        file.write_bytes(whole)


def test_a_link_out_of_the_bundle_is_refused(bundle_copy, tmp_path):
    target = tmp_path / "elsewhere"
    (bundle_copy / "golden.json").rename(target)
    (bundle_copy / "golden.json").symlink_to(target)
    with pytest.raises(BundleError, match="link"):
        Bundle.open(bundle_copy).golden()


def test_a_linked_folder_is_refused(bundle_copy, tmp_path):
    (bundle_copy / "table").rename(tmp_path / "table")
    (bundle_copy / "table").symlink_to(tmp_path / "table")
    with pytest.raises(BundleError, match="link"):
        Bundle.open(bundle_copy).check_all()


def test_a_pipe_is_refused_without_being_read(bundle_copy):
    (bundle_copy / "golden.json").unlink()
    os.mkfifo(bundle_copy / "golden.json")
    with pytest.raises(BundleError, match="plain file"):
        Bundle.open(bundle_copy).golden()


def test_a_bundle_may_itself_stand_behind_a_link(static_bundle, tmp_path):
    (tmp_path / "current").symlink_to(static_bundle)
    Bundle.open(tmp_path / "current").check_all()


def test_golden_round_trip(static_bundle):
    golden = Bundle.open(static_bundle).golden()
    again = parse_golden(dump_golden(golden), golden.vectors.shape[1])
    assert again.texts == golden.texts
    assert (again.vectors == golden.vectors).all()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b'{"golden": []}',
        b'{"golden": [{"text": "a", "vector": "!"}]}',
        b'{"golden": [{"text": "a", "vector": "AAAA"}]}',
        b'{"golden": [{"text": 1, "vector": ""}]}',
    ],
)
def test_bad_golden_files_are_refused(data):
    with pytest.raises(BundleError):
        parse_golden(data, 4)


def test_golden_is_a_record_of_texts_and_vectors(static_bundle):
    golden = Bundle.open(static_bundle).golden()
    assert isinstance(golden, Golden)
    assert "" in golden.texts
    assert golden.vectors.shape == (len(golden.texts), 256)
