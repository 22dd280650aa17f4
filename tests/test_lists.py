"""benchmarks.lists: lists are counted as a full sort counts them, and the law is found again."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks import lists
from benchmarks.lists import Curve, curves, errors, fitted, true_tops
from benchmarks.vectors import Sample
from edge_mrl.index.searching.list_growth import EXPONENT, grown
from edge_mrl.slices import Slice, normalize

LAST = 102_400


def sample(seed: int, documents: int = 300, queries: int = 30) -> Sample:
    units = np.random.default_rng(seed).standard_normal((documents + queries, 128))
    units = normalize(units.astype(np.float32))
    return Sample(units[queries:], units[:queries], "drawn")


@pytest.mark.parametrize("own", [False, True])
def test_the_true_neighbours_are_those_of_a_full_sort(own: bool) -> None:
    drawn = sample(0)
    queries = drawn.documents[:30] if own else drawn.queries
    found = true_tops(drawn.documents, queries, [60, 300], own=own)
    for number, (query, tops) in enumerate(zip(queries, found, strict=True)):
        cosines = drawn.documents.astype(np.float64) @ query
        for size, top in tops.items():
            order = [place for place in np.argsort(-cosines[:size]) if not own or place != number]
            assert sorted(top.tolist()) == sorted(order[:10])


def test_a_list_is_as_long_as_a_scan_of_the_codes_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes of 8 bits order documents as their cosines do, but for near ties. Of 64 dimensions of
    128 the depths are those of a sort by the cosines of prefixes."""
    drawn = sample(1)
    monkeypatch.setattr(lists, "slices", lambda dim: [Slice(dim, 8), Slice(64, 8)])
    monkeypatch.setattr(lists, "STARTS", (60,))
    counted = {(curve.kind, curve.share): curve.rows for curve in curves(drawn, 30)}
    documents = normalize(drawn.documents[:, :64]).astype(np.float64)
    for kind, queries in (("documents", drawn.documents[:30]), ("queries", drawn.queries)):
        own = kind == "documents"
        tops = true_tops(drawn.documents, queries, [60, 300], own=own)
        for size in (60, 300):
            depths = []
            for number, (query, top) in enumerate(zip(queries, tops, strict=True)):
                scores = documents[:size] @ query[:64]
                if own:
                    scores[number] = -np.inf
                depths += [int(np.sum(scores >= scores[place])) for place in top[size]]
            for share in lists.SHARES:
                assert 10 <= counted[f"{kind} 128x8", share][size] <= 11
                expected = sorted(depths)[int(np.ceil(share * len(depths))) - 1]
                assert counted[f"{kind} 64x8", share][size] == pytest.approx(expected, abs=2)


def law(exponent: float, starts: tuple[int, ...]) -> list[Curve]:
    """Lists that grow exactly as foretold, with whole rows at the end."""
    found = []
    for rows in (40, 150, 700, 3000):
        counted = dict.fromkeys(starts, rows)
        counted[LAST] = round(grown(rows, starts[-1], LAST, 10, exponent))
        found.append(Curve("drawn", 0.99, counted))
    return found


@pytest.mark.parametrize("exponent", [0.2, 0.31, 0.55])
def test_the_exponent_is_found_again(exponent: float) -> None:
    counted = law(exponent, lists.STARTS)
    assert fitted(counted) == pytest.approx(exponent, abs=0.0101)
    assert errors(counted, lists.FITTED_FROM, exponent) == pytest.approx(0, abs=0.01)
    assert np.abs(errors(counted, lists.FITTED_FROM, exponent - 0.1)).max() > 0.02


def test_errors_are_logarithms_of_foretold_over_counted() -> None:
    foretold = grown(150, 2000, LAST, 10, EXPONENT)
    counted = [Curve("drawn", 0.99, {2000: 150, LAST: round(foretold / 2)})]
    assert np.exp(errors(counted, 2000, EXPONENT)) == pytest.approx(2, rel=0.01)


ARGUMENTS = ["lists", "folder", "--bundle", "one", "--cache", "one.npz"]
ARGUMENTS += ["--check-bundle", "two", "--check-cache", "two.npz", "--queries", "20"]


def test_what_is_counted_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lists, "STARTS", (40, 60, 120))
    monkeypatch.setattr(lists, "FITTED_FROM", 120)
    monkeypatch.setattr(lists, "embed", lambda folder, bundle, *rest: sample(len(str(bundle))))
    monkeypatch.setattr(sys, "argv", ARGUMENTS)
    lists.main()
    first, *rows = capsys.readouterr().out.splitlines()
    counted = curves(sample(3), 20)
    assert f"from 120 documents: {fitted(counted):.2f}; " in first
    for name in ("fit", "check"):
        starts = [line.split()[1] for line in rows if line.split()[:1] == [name]]
        assert {"60", "120"} <= set(starts)
    one = next(curve for curve in counted if (curve.kind, curve.share) == ("queries 64x1", 0.99))
    (line,) = (line for line in rows if line.startswith("fit") and "queries 64x1" in line)
    assert [f"{size}: {count}" in line for size, count in one.rows.items()] == [True] * 4


def test_too_few_documents_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lists, "embed", lambda *given: sample(0))
    monkeypatch.setattr(sys, "argv", ARGUMENTS)
    with pytest.raises(SystemExit) as ended:
        lists.main()
    assert ended.value.code == 2
    assert "too few documents: more than 16384 are needed" in capsys.readouterr().err
