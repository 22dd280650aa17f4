"""A file that is refused."""

import tracemalloc

import numpy as np
import pytest

from edge_mrl.errors import VectorFileError
from edge_mrl.vector_files import open_vector_file

GOOD = np.arange(1, 9, dtype=np.float32).reshape(4, 2)


def refusal(path, columns=None):
    """The sentence; whatever a file claims, little memory is taken."""
    tracemalloc.start()
    try:
        with pytest.raises(VectorFileError) as caught:
            list(open_vector_file(path, columns).batches())
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message
