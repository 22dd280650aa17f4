"""Small indexes of documents whose metadata is all that matters."""

import numpy as np
import pytest

from edge_mrl.index import Index, IndexLayout
from edge_mrl.slices import Slice


@pytest.fixture(scope="module")
def make_index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filters")
    layout = IndexLayout(Slice(4, 8), Slice(4, 8))
    made = []

    def make(documents, indexed=()):
        path = folder / f"{len(made)}.db"
        index = Index.create(
            path, dim=4, matryoshka_dims=[4], identity="i", model_name="m", layout=layout
        )
        with index._store.relaxed():
            index.add(
                vectors=np.ones((len(documents), 4)),
                ids=list(range(len(documents))),
                metadata=documents,
            )
            for key in indexed:
                index.create_payload_index(key)
        made.append(index)
        return index

    yield make
    for index in made:
        index.close()
