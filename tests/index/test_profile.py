"""An index that obeys a plan: slices, memory for codes, and what is heard as it grows."""

from dataclasses import replace

import pytest

from edge_mrl import Encoder, Index, IndexLayout, Prefetch, Slice
from edge_mrl.errors import InputError, PlanError, ProfileError
from edge_mrl.planning import load_profile, search_cost
from edge_mrl.retrieval import Lexical

TEXTS = [f"note {number} about {word}" for number in range(300) for word in ("tea", "rain")]
LAYOUT = IndexLayout(Slice(256, 8), Slice(256, 2))


@pytest.fixture(scope="module")
def encoder(static_bundle):
    return Encoder.load(static_bundle, variant="table-int8-256")


@pytest.fixture
def path(encoder, tmp_path):
    """600 documents, without a plan."""
    with Index.open(tmp_path / "i.db", encoder, layout=LAYOUT) as index:
        index.add(TEXTS)
    return tmp_path / "i.db"


@pytest.fixture
def small_segments(monkeypatch):
    """Reading codes from the file saves memory from 300 rows on, instead of 200 000."""
    monkeypatch.setattr(search_cost, "most_rows", lambda layout: 100)


def granting(path, encoder, rows):
    """A laptop whose memory budget leaves room for the codes of so many rows beside all else."""
    laptop = load_profile("laptop")
    with Index.open(path, encoder, profile=laptop) as index:
        spare = index.plan.scan_budget_bytes - rows * (64 + 2)
    memory = laptop.budgets.memory_bytes - spare
    return replace(laptop, budgets=replace(laptop.budgets, memory_bytes=memory))


def test_without_a_profile_nothing_is_planned(path, encoder):
    with Index.open(path, encoder) as index:
        assert (index.plan, index.plan_advice) == (None, None)


def test_codes_that_fit_stand_in_memory(path, encoder):
    with Index.open(path, encoder, profile=granting(path, encoder, 1000)) as index:
        assert index.plan.scan_home == "ram"
        assert index.stats().resident_bytes == 600 * (64 + 2) + 40 * 64


def test_stored_rows_are_held_where_the_plan_leaves_room(path, encoder):
    with Index.open(path, encoder, profile="laptop") as index:
        # 1000 documents are planned for, of 256 bytes and 16 besides.
        assert index.plan.row_cache_bytes == 1000 * (256 + 16)
        wanted = index.search("rain in note 7", k=20)
        assert index._searcher._cache.capacity == 1000
    # Of 64 + 2 bytes a row for codes, and nothing more.
    with Index.open(path, encoder, profile=granting(path, encoder, 1001)) as index:
        assert (index.plan.scan_home, index.plan.row_cache_bytes) == ("ram", 0)
        assert index.search("rain in note 7", k=20) == wanted
        assert index._searcher._cache is None
        assert any("row cache: none, because memory" in reason for reason in index.plan.because)


def test_codes_that_do_not_fit_are_read_at_each_search_with_the_same_hits(
    path, encoder, small_segments
):
    with Index.open(path, encoder) as index:
        wanted = index.search("rain in note 7", k=20)
    with Index.open(path, encoder, profile=granting(path, encoder, 500)) as index:
        assert index.plan.scan_home == "disk"
        assert index.stats().resident_bytes == 600 * (64 + 2) + 40 * 64  # all in the tail
        assert index.search("rain in note 7", k=20) == wanted


@pytest.mark.parametrize("rows", [500, 2000])
def test_queries_of_a_planned_index_are_those_of_any(path, encoder, small_segments, rows):
    rain = {"must": [{"key": "about", "match": {"value": "rain"}}]}

    def ask(index):
        return [
            index.query("rain in note 7", filter=rain, limit=5).hits,
            index.query("rain in note 7", prefetch=Prefetch((64, 8), 50), using=(256, 8)).hits,
            index.query(Lexical("rain 7")).hits,
            index.query(
                "rain in note 7",
                prefetch=[Prefetch(limit=50), Prefetch(using="lexical", limit=50)],
                fusion="rrf",
            ).hits,
        ]

    with Index.open(path, encoder) as index:
        index.create_lexical_index()
        index.create_payload_index("about")
        index.upsert(TEXTS, ids=range(1, 601), metadata=[{"about": t.split()[-1]} for t in TEXTS])
        index.optimize()
        wanted = ask(index)
        assert all(wanted)
    with Index.open(path, encoder, profile=granting(path, encoder, rows)) as index:
        assert index.plan.scan_home == ("disk" if rows == 500 else "ram")
        assert ask(index) == wanted


def test_the_encoder_s_profile_holds_for_its_index(static_bundle, tmp_path):
    encoder = Encoder.load(static_bundle, profile="raspberry-pi-5", documents=50_000)
    with Index.open(tmp_path / "i.db", encoder) as index:
        assert index.layout == encoder.plan.layout
        assert (index.plan.device, index.plan.documents) == ("raspberry-pi-5", 50_000)
        assert index.plan.variant == encoder.variant.name


def test_a_growing_index_is_planned_anew_and_the_change_is_heard(
    path, encoder, small_segments, monkeypatch
):
    # An index that has not measured yet rereads more rows than a larger one that has.
    monkeypatch.setattr(search_cost, "RERANK_BYTES", 0)
    heard = []
    device = granting(path, encoder, 3000)
    with Index.open(path, encoder, profile=device, on_plan_change=heard.append) as index:
        first = index.plan
        index.add(TEXTS)
        assert (index.plan.documents, index.plan.scan_home, heard) == (1500, "ram", [])
        index.add(4 * TEXTS)
        assert index.plan.documents == 5000 > first.documents
        (change,) = heard
        assert change.before.scan_home == "ram" and change.after == index.plan
        assert "the scan codes now live in the file" in str(change)
        wanted = {"note 7 about rain"}
        assert {hit.text for hit in index.search("note 7 about rain", k=3)} == wanted


def test_an_index_that_does_not_fit_is_refused_and_left_alone(path, encoder):
    before = path.read_bytes()
    laptop = load_profile("laptop")
    cramped = replace(laptop, budgets=replace(laptop.budgets, memory_bytes=40 * 2**20))
    with pytest.raises(PlanError, match="do not fit laptop: .*table-int8-256 needs"):
        Index.open(path, encoder, profile=cramped)
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["i.db"]
    with pytest.raises(PlanError):
        Index.open(path.with_name("new.db"), encoder, profile=cramped)
    assert sorted(file.name for file in path.parent.iterdir()) == ["i.db"]


def test_a_profile_needs_an_encoder_that_plans(path, encoder, word_encoder):
    with pytest.raises(InputError, match="needs an encoder loaded from a bundle"):
        Index.open(path, profile="laptop")
    with pytest.raises(InputError, match="memory_budget instead"):
        Index.open(path, word_encoder(), profile="laptop")
    with pytest.raises(ProfileError, match="no device profile 'toaster'"):
        Index.open(path, encoder, profile="toaster")
