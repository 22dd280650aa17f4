"""The same SHA-256 however a file is brought into memory; sha256sum is the oracle."""

import subprocess

import pytest

from edge_mrl.bundle import Bundle, hashing
from edge_mrl.errors import BundleError


def by_coreutils(file):
    done = subprocess.run(["sha256sum", str(file)], capture_output=True, text=True, check=True)
    return done.stdout.split()[0]


@pytest.fixture(params=["mapped", "read"])
def way(request, monkeypatch):
    # Small windows, of which a file has many and a last, shorter one.
    monkeypatch.setattr(hashing, "_WINDOW", 1 << 16)
    if request.param == "read":
        # No kernel knows this advice, as those before 5.14 do not know the right one.
        monkeypatch.setattr(hashing, "_POPULATE_READ", 9999)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("size", [0, 1, 1 << 16, (1 << 16) + 1, (1 << 21) + 12_345])
def test_any_size_is_hashed_as_sha256sum_does(tmp_path, size):
    file = tmp_path / "file"
    file.write_bytes(bytes(number * number % 251 for number in range(size)))
    assert hashing.sha256_of(file) == by_coreutils(file)


def test_what_cannot_be_read_is_one_sentence(bundle_copy, monkeypatch):
    """/proc/self/mem stands for a bad sector: the system refuses to read it from its start."""
    bundle = Bundle.open(bundle_copy)
    monkeypatch.setattr(Bundle, "_check_plain", lambda self, entry, place: None)
    (bundle_copy / "golden.json").unlink()
    (bundle_copy / "golden.json").symlink_to("/proc/self/mem")
    with pytest.raises(BundleError, match=r"golden.json cannot be read \(.+\): copy"):
        bundle.checked("golden.json")
