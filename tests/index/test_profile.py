"""An index that obeys a plan: slices, memory for codes, and what is heard as it grows."""

from dataclasses import replace

import pytest

from edge_mrl import Encoder, Index, IndexLayout, Slice
from edge_mrl.errors import InputError, PlanError, ProfileError
from edge_mrl.planning import load_profile, search_cost

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
    monkeypatch.setattr(search_cost, "STREAMED_ROWS", 100)


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


def test_codes_that_do_not_fit_are_read_at_each_search_with_the_same_hits(
    path, encoder, small_segments
):
    with Index.open(path, encoder) as index:
        wanted = index.search("rain in note 7", k=20)
    with Index.open(path, encoder, profile=granting(path, encoder, 500)) as index:
        assert index.plan.scan_home == "disk"
        assert index.stats().resident_bytes == 600 * (64 + 2) + 40 * 64  # all in the tail
        assert index.search("rain in note 7", k=20) == wanted


def test_the_encoder_s_profile_holds_for_its_index(static_bundle, tmp_path):
    encoder = Encoder.load(static_bundle, profile="raspberry-pi-5", documents=50_000)
    with Index.open(tmp_path / "i.db", encoder) as index:
        assert index.layout == encoder.plan.layout
        assert (index.plan.device, index.plan.documents) == ("raspberry-pi-5", 50_000)
        assert index.plan.variant == encoder.variant.name


def test_a_growing_index_is_planned_anew_and_the_change_is_heard(path, encoder, small_segments):
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
