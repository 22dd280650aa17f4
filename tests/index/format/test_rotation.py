import numpy as np
import pytest

from edge_mrl.index.format.rotation import rotate_columns, splitmix64, unrotate_columns

MASK = (1 << 64) - 1


def reference_outputs(seed, count):
    """splitmix64 as published, with a state (prng.di.unimi.it/splitmix64.c)."""
    state, outputs = seed, []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        outputs.append(z ^ (z >> 31))
    return outputs


def matrix_by_definition(dim):
    """The rotation as docs/index-format.md words it, by Sylvester's matrices in float64."""
    words = reference_outputs(int.from_bytes(b"edgemrl1", "big"), 4096)
    size = 1
    while size * 2 <= dim:
        size *= 2
    hadamard = np.ones((1, 1))
    while len(hadamard) < size:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    starts = [0] if size == dim else [0, dim - size, 0, dim - size]
    result = np.eye(dim)
    for number, start in enumerate(starts):
        signs = [
            -1.0 if words[number * 1024 + i // 64] >> (i % 64) & 1 else 1.0 for i in range(size)
        ]
        step = np.eye(dim)
        block = hadamard @ np.diag(signs) / np.sqrt(size)
        step[start : start + size, start : start + size] = block
        result = step @ result
    return result


def test_splitmix64_is_the_published_generator():
    assert [splitmix64(i) for i in range(50)] == reference_outputs(0x656467656D726C31, 50)


@pytest.mark.parametrize("dim", [1, 2, 3, 5, 16, 48, 64, 100, 129, 384])
def test_rotation_follows_its_specification(dim):
    vectors = np.random.default_rng(dim).standard_normal((dim, 7)).astype(np.float32)
    expected = matrix_by_definition(dim) @ vectors
    assert np.allclose(rotate_columns(vectors), expected, atol=1e-4)
    assert np.allclose(unrotate_columns(rotate_columns(vectors)), vectors, atol=1e-4)


@pytest.mark.parametrize("dim", [3, 64, 384])
def test_the_matrix_is_orthogonal(dim):
    matrix = rotate_columns(np.eye(dim, dtype=np.float32))
    assert np.allclose(matrix @ matrix.T, np.eye(dim), atol=1e-5)


def test_energy_is_spread():
    steep = np.zeros((384, 1), dtype=np.float32)
    steep[0] = 1
    assert np.abs(rotate_columns(steep)).max() < 0.3


def test_one_vector_is_rotated_as_many_are():
    vectors = np.random.default_rng(1).standard_normal((100, 33)).astype(np.float32)
    together = rotate_columns(vectors)
    for number in range(33):
        alone = rotate_columns(np.ascontiguousarray(vectors[:, number : number + 1]))
        assert (alone[:, 0] == together[:, number]).all()
