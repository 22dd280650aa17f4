"""Arrays of numpy that are wrong, damaged or hostile."""

import io
import struct
import zipfile

import numpy as np
import pytest

from tests.vector_files.refusing import GOOD, refusal


def npy(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def header(shape, dtype="<f4", order="False"):
    text = f"{{'descr': {dtype!r}, 'fortran_order': {order}, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy(np.array([{}, {}]), allow_pickle=True), "pickled"),
        (npy(np.array(["a"])), "not numbers"),
        (npy(np.array([[1j]])), "not numbers"),
        (npy(np.ones((2, 2, 2))), "shape (2, 2, 2)"),
        (npy(np.float32(3)), "shape ()"),
        (npy(np.ones((0, 4))), "shape (0, 4)"),
        (npy(np.asfortranarray(np.ones((2, 3)))), "ascontiguousarray"),
        (npy(GOOD)[:-1], "cut off"),
        (npy(GOOD) + b"x", "damaged"),
        (npy(GOOD)[:40], "not a .npy array"),
        (b"", "not a .npy array"),
        (b"PK\x03\x04", "not a .npy array"),
        (header("(2000000000, 65536)"), "declares"),
        (header("(-1, -8)") + bytes(32), "declares"),
        (header(f"({2**80}, {2**80})"), "declares"),
        (header("(4, 2)", dtype="|O") + bytes(64), "pickled"),
        (header("__import__('os').getcwd()"), "not a .npy array"),
        (header("(" * 3000), "not a .npy array"),
        (b"\x93NUMPY\x03\x00" + bytes(100), "not a .npy array"),
    ],
)
def test_npy(tmp_path, content, words):
    (tmp_path / "v.npy").write_bytes(content)
    assert words in refusal(tmp_path / "v.npy")


def zipped(path, members, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"vectors.npy": npy(GOOD), "ids.npy": npy(np.arange(3))}, "one id"),
        ({"vectors.npy": npy(GOOD), "ids.npy": npy(np.ones(4))}, "one id"),
        ({"vectors.npy": npy(GOOD), "texts.npy": npy(np.arange(4))}, "one text"),
        (
            {
                "vectors.npy": npy(GOOD),
                "ids.npy": npy(np.array([1, None, 2, 3]), allow_pickle=True),
            },
            "pickled",
        ),
        (
            {"vectors.npy": npy(GOOD), "texts.npy": npy(np.array(["a"] * 3 + ["b" * 70_000]))},
            "long texts",
        ),
        ({"a.npy": npy(GOOD), "b.npy": npy(GOOD)}, "any of a, b"),
        ({"readme.txt": b"hello"}, "no vectors"),
        ({"vectors.npy": npy(GOOD)[:-4]}, "cut off"),
        ({"vectors.npy": header("(100000, 1536)")}, "declares"),
    ],
)
def test_npz(tmp_path, members, words):
    zipped(tmp_path / "v.npz", members)
    assert words in refusal(tmp_path / "v.npz")


def test_a_zip_bomb(tmp_path):
    path = tmp_path / "v.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("vectors.npy", "w", force_zip64=True) as member,
    ):
        member.write(header("(200000, 1000)", dtype="|i1"))
        for _ in range(200):
            member.write(b"\x01" * 1_000_000)
    assert path.stat().st_size < 2**20
    assert "200 times" in refusal(path)


def test_npz_that_is_damaged(tmp_path):
    path = tmp_path / "v.npz"
    zipped(path, {"vectors.npy": npy(np.random.default_rng(0).random((500, 20)))})
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    assert "numpy.savez" in refusal(path)
    broken = bytearray(whole)
    broken[len(whole) // 2] ^= 0xFF
    path.write_bytes(broken)
    assert "numpy.savez" in refusal(path)
