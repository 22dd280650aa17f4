"""What follows the documents, against real files and by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_mrl.errors import PlanError
from edge_mrl.index import Index, IndexLayout
from edge_mrl.planning import BundleFacts, IndexFacts, plan
from edge_mrl.planning.companion_cost import Companions, whole_file
from edge_mrl.retrieval.sparse_vector import SparseVector
from edge_mrl.slices import Slice
from tests.planning.bundles import static_manifest
from tests.planning.profiles import board

LAYOUT = IndexLayout(Slice(64, 8), Slice(64, 1))
DOCUMENTS = 5000
WORDS = 70
VOCABULARY = 20_000

RNG = np.random.default_rng(5)


def zipf(size: int, count: int) -> np.ndarray:
    """Numbers that are drawn as words of a language are: the n-th with a share of 1 / n."""
    weights = 1 / np.arange(1, size + 1)
    return RNG.choice(size, count, p=weights / weights.sum())


def texts() -> list[str]:
    letters = np.array(list("etaoinshrdlu"))
    words = [
        "".join(RNG.choice(letters, 2 + min(8, n.bit_length() // 2))) for n in range(VOCABULARY)
    ]
    return [" ".join(words[n] for n in zipf(VOCABULARY, WORDS)) for _ in range(DOCUMENTS)]


def sparse() -> list[SparseVector]:
    found = (np.unique(zipf(30_000, 60)) for _ in range(DOCUMENTS))
    return [SparseVector(places.tolist(), RNG.random(places.size).tolist()) for places in found]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, Companions]:
    """An index that keeps everything, the mean size of its texts, and what it keeps."""
    file = tmp_path_factory.mktemp("companions") / "index.db"
    given, vectors = texts(), sparse()
    tokens = RNG.integers(10, 30, DOCUMENTS)
    with Index.create(
        file, dim=64, matryoshka_dims=(64,), identity="made up", layout=LAYOUT
    ) as index:
        index.create_lexical_index("unicode61")
        index.create_payload_index("day")
        index.create_token_index(32)
        with index.bulk_load():
            for start in range(0, DOCUMENTS, 1000):
                part = slice(start, start + 1000)
                index.add(
                    given[part],
                    metadata=[{"day": n % 1500} for n in range(start, start + 1000)],
                    vectors=RNG.standard_normal((1000, 64)),
                    sparse=vectors[part],
                    token_vectors=[RNG.standard_normal((n, 32)) for n in tokens[part]],
                )
    companions = Companions(
        lexical="unicode61",
        payload_values=1,
        payload_value_bytes=2,
        sparse_coordinates=float(np.mean([len(one.indices) for one in vectors])),
        token_vectors=float(tokens.mean()),
        token_slice=Slice(32, 8),
    )
    # '{"day":1234}' beside the text.
    return file, round(np.mean([len(text) + 12 for text in given])), companions


def test_a_file_with_everything_is_within_five_percent(
    made: tuple[Path, int, Companions],
) -> None:
    file, text_bytes, companions = made
    assert whole_file(LAYOUT, DOCUMENTS, text_bytes, companions) == pytest.approx(
        file.stat().st_size, rel=0.05
    )


def test_an_index_says_itself_what_a_document_takes(made: tuple[Path, int, Companions]) -> None:
    file, _, _ = made
    with Index.open(file) as index:
        facts = IndexFacts.of(index.stats())
    size = file.stat().st_size
    # Whatever is said of texts and companions.
    assert whole_file(LAYOUT, DOCUMENTS, 5, Companions(), facts) == pytest.approx(size, rel=0.005)
    assert whole_file(LAYOUT, 2 * DOCUMENTS, 5, Companions(), facts) == pytest.approx(
        2 * size, rel=0.005
    )
    # 64x8 stored and 64x1 as codes, against 64x16 and 64x4: 64 and 24 bytes more a row, and what
    # rows of 146 bytes leave free of a page.
    wider = IndexLayout(Slice(64, 16), Slice(64, 4))
    more = whole_file(wider, DOCUMENTS, 5, Companions(), facts) - size
    assert more / DOCUMENTS == pytest.approx(88, abs=12)


def test_a_small_file_says_nothing() -> None:
    small = IndexFacts(900, LAYOUT, None, file_bytes=10**9)
    assert whole_file(LAYOUT, 900, 500, Companions(), small) < 10**6


@pytest.mark.parametrize(
    ("companions", "each"),
    [
        (Companions(), 0),
        # 1.08 x 500 ** 0.87 = 240.7
        (Companions(lexical="unicode61"), 240.7),
        # 2 values of 8 + 11 bytes, in pages filled to 1 / 1.08.
        (Companions(payload_values=2), 41.04),
        # 10 x (8 + 13) + 14 + 31
        (Companions(sparse_coordinates=10), 255),
        # No slice, no token vectors.
        (Companions(token_vectors=10), 0),
    ],
)
def test_a_document_by_hand(companions: Companions, each: float) -> None:
    assert companions.document_bytes(10_000, 500) == pytest.approx(each, rel=1e-3)


def test_few_sparse_vectors_have_no_lists() -> None:
    assert Companions(sparse_coordinates=10).document_bytes(4095, 0) == 8 * 10 + 14


def test_the_storage_budget_counts_what_follows_the_documents() -> None:
    facts = BundleFacts.from_manifest(static_manifest())
    kept = Companions(lexical="unicode61", sparse_coordinates=100)
    bare = plan(facts, board(), 50_000)
    full = plan(facts, board(), 50_000, companions=kept)
    assert full.layout == bare.layout
    assert full.index_file_bytes - bare.index_file_bytes == pytest.approx(
        50_000 * kept.document_bytes(50_000, 500), abs=1
    )
    with pytest.raises(PlanError, match="storage"):
        plan(facts, board(storage_mib=80), 50_000, companions=kept)


@pytest.mark.parametrize("length", [8, 36, 200])
def test_ids_of_ones_own_are_counted(tmp_path: Path, length: int) -> None:
    generator = np.random.default_rng(length)
    with Index.create(
        tmp_path / "i.db", dim=64, matryoshka_dims=[64], identity="m", layout=LAYOUT
    ) as index:
        ids = [f"{number:x}".rjust(length, "-") for number in generator.permutation(3000)]
        sizes = generator.integers(50, 350, 3000)
        index.add(
            ["x" * size for size in sizes],
            ids=ids,
            metadata=[{"kind": "bird", "n": number} for number in range(3000)],
            vectors=generator.standard_normal((3000, 64)),
        )
        index.optimize()
        measured = index.stats().file_bytes
    # {"kind":"bird","n":1234}
    text = round(sizes.mean()) + 24
    predicted = whole_file(LAYOUT, 3000, text, Companions(id_bytes=length))
    assert predicted == pytest.approx(measured, rel=0.05)
    assert whole_file(LAYOUT, 3000, text, Companions()) < predicted - 3000 * 2 * length
