"""Why a choice was made, in words: for each part of a plan the budget that decided it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from edge_mrl.planning.adding_cost import BATCHES
from edge_mrl.planning.candidates import Candidate, Request, needless_bits
from edge_mrl.planning.encoder_cost import encode_time
from edge_mrl.planning.expected_lists import TOP_K
from edge_mrl.planning.overruns import closest, codes, excess, home, worst_budget
from edge_mrl.planning.search_cost import row_cache
from edge_mrl.planning.words import mebibytes, milliseconds, number, percent


def reasons(
    request: Request, known: Sequence[Candidate], chosen: Candidate, missed: Candidate | None
) -> tuple[str, ...]:
    """One sentence for each choice.

    The budget that binds comes first; where none does, what decided the scan slice.

    Args:
        request: what was planned.
        known: all candidates, `chosen` among them.
        chosen: the one that was taken.
        missed: from `best_missed`.
    """
    found = [
        "" if missed is None else _binding(request, chosen, missed),
        _scan(request, known, chosen),
        _refine(request, known, chosen),
        _scan_home(request, known, chosen),
        _stored(request, known, chosen),
        _shortlist(request, chosen),
        _encoder(request, known, chosen),
        _sequence_length(request, known, chosen),
        "threads: 1, because several made a single short text slower where it was measured",
    ]
    return tuple(reason for reason in found if reason)


def best_missed(
    request: Request, known: Sequence[Candidate], chosen: Candidate
) -> Candidate | None:
    """The nearest to fitting of those that have what is wanted most and `chosen` lacks: the most
    quality, else the longest texts, else the fastest variant, else codes in memory; None where
    nothing is lacking."""
    had = chosen.merit(request.text_tokens)
    alike = {one: one.merit(request.text_tokens) for one in known}
    for wanted, value in enumerate(had):
        best = min(merit[wanted] for merit in alike.values())
        if best < value:
            return closest(request, [one for one in alike if alike[one][wanted] == best])
        alike = {one: merit for one, merit in alike.items() if merit[wanted] == value}
    return None


def _binding(request: Request, chosen: Candidate, missed: Candidate) -> str:
    over = excess(request, missed)
    if missed.step > chosen.step:
        if missed.layout.stored == chosen.layout.stored:
            return over
        return f"{over} ({missed.layout.stored} would keep {percent(missed.quality_kept)})"
    if missed.tokens_read(request.text_tokens) > chosen.tokens_read(request.text_tokens):
        return f"{over} (it would read {missed.max_tokens} tokens of a text)"
    if encode_time(missed.variant) < encode_time(chosen.variant):
        return f"{over} ({missed.variant.name} would be faster)"
    return f"{over}, so each search reads the codes from the file"


def _scan(request: Request, known: Sequence[Candidate], chosen: Candidate) -> str:
    """Why not fewer bytes a row, and why not more."""
    peers = [
        one
        for one in known
        if one.variant == chosen.variant
        and one.layout.stored == chosen.layout.stored
        and one.step == chosen.step
        and one.home == chosen.home
        and one.layout.refine == chosen.layout.refine
    ]
    size = chosen.layout.scan.code_bytes
    less = [one for one in peers if one.layout.scan.code_bytes < size]
    more = [one for one in peers if one.layout.scan.code_bytes > size]
    parts = []
    if less:
        parts.append(_instead(request, chosen, closest(request, less)))
    if more:
        parts.append(_instead(request, chosen, closest(request, more)))
    if not parts:
        return f"scan: {chosen.layout.scan} is the only scan slice of its kind in the quality table"
    return f"scan: {chosen.layout.scan}, because " + "; ".join(parts)


def _refine(request: Request, known: Sequence[Candidate], chosen: Candidate) -> str:
    """Why finer codes stand beside the scan's, or why not."""
    peers = [
        one
        for one in known
        if (one.variant, one.home, one.step) == (chosen.variant, chosen.home, chosen.step)
        and (one.layout.stored, one.layout.scan) == (chosen.layout.stored, chosen.layout.scan)
    ]
    finer = chosen.layout.refine
    others = [one for one in peers if (one.layout.refine is None) != (finer is None)]
    if not others:
        return ""
    why = _instead(request, chosen, closest(request, others))
    if finer is None:
        return f"refine: none, because {why}"
    first, last = chosen.shortlists
    return (
        f"refine: {finer}, which orders the scan's best {number(first)} in memory so that "
        f"{number(last)} rows are re-read, because {why}"
    )


def _scan_home(request: Request, known: Sequence[Candidate], chosen: Candidate) -> str:
    """Where the scan codes live, and why not in the other place."""
    others = [
        one
        for one in known
        if (one.variant, one.layout) == (chosen.variant, chosen.layout) and one.home != chosen.home
    ]
    where = "in memory" if chosen.home == "ram" else "in the file"
    return f"scan codes: {where}, because " + _instead(request, chosen, others[0])


def _instead(request: Request, chosen: Candidate, other: Candidate) -> str:
    if other.overruns(request.profile.budgets):
        return excess(request, other)
    memory = other.cost.memory_bytes - chosen.cost.memory_bytes
    milli = 1e3 * (other.cost.latency - chosen.cost.latency)
    what = codes(other.layout) if other.layout != chosen.layout else home(other)
    # As they would be printed: an index of few documents costs the same whatever it keeps.
    if mebibytes(abs(memory)) == mebibytes(0) and milliseconds(abs(milli)) == milliseconds(0):
        return f"{what} would take as much memory and time"
    space = f"{mebibytes(abs(memory))} {'more' if memory > 0 else 'less'} memory"
    time = f"{milliseconds(abs(milli))} {'more' if milli > 0 else 'less'} a search"
    return f"{what} would take {space} and {time}"


def _stored(request: Request, known: Sequence[Candidate], chosen: Candidate) -> str:
    """Why not more bits or dimensions, where they are simply not worth it."""
    stored = chosen.layout.stored
    larger = sorted(
        row.slice.bits
        for row in request.bundle.quality.slices
        if row.slice.dim == stored.dim
        and row.slice.bits > stored.bits
        and needless_bits(request.bundle, row.slice)
    )
    wider = sorted(
        {
            one.layout.stored.dim
            for one in known
            if one.layout.stored.dim > stored.dim and one.step == chosen.step
        }
    )
    parts = []
    if larger:
        parts.append(f"{' or '.join(map(str, larger))} bits")
    if wider:
        parts.append(f"{' or '.join(map(str, wider))} dimensions")
    if not parts:
        return ""
    return f"stored: {stored}, because {' and '.join(parts)} would gain less than half a point"


def _shortlist(request: Request, chosen: Candidate) -> str:
    rows = chosen.shortlists[-1]
    if rows >= request.documents:
        return "shortlist: every document, there are so few"
    known = "by the bundle's quality table"
    if request.measured(chosen.layout) is not None:
        known = "as measured on the index"
    return (
        f"shortlist: {number(rows)} of {number(request.documents)} rows hold "
        f"{percent(chosen.recall)} of the top {TOP_K}, {known}"
    )


def _encoder(request: Request, known: Sequence[Candidate], chosen: Candidate) -> str:
    variant = chosen.variant
    facts = request.profile.facts
    parts = [f"encoder: {variant.name}"]
    if variant.format == "table":
        parts.append(f"the cheapest table that serves {chosen.layout.stored.dim} dimensions")
    else:
        parts.append("the fastest that fits")
    faster = [
        other for other in request.bundle.variants if encode_time(other) < encode_time(variant)
    ]
    without_engine = sorted({other.name for other in faster if not facts.runs(other.engines)})
    if without_engine:
        parts.append(f"there is no engine for {' or '.join(without_engine)} here")
    for other in faster:
        fits = [one for one in known if one.variant == other and one.step == chosen.step]
        if fits:
            parts.append(f"{other.name} is faster, but {excess(request, closest(request, fits))}")
    return ", ".join(parts)


def _sequence_length(request: Request, known: Sequence[Candidate], chosen: Candidate) -> str:
    """Where texts are cut, and why not later."""
    length, limit, needed = chosen.max_tokens, chosen.variant.max_tokens, request.text_tokens
    if length is None or limit is None:
        return ""
    if length == limit:
        cut = "" if needed is None or needed <= limit else f"; of texts of {needed} the rest is cut"
        return f"sequence length: {length} tokens, all that {chosen.variant.name} reads{cut}"
    longer = closest(
        request,
        [
            one
            for one in known
            if (one.variant, one.layout, one.home) == (chosen.variant, chosen.layout, chosen.home)
            and one.max_tokens == limit
        ],
    )
    cost = (
        "the rest of a longer text is not read, which the quality table does not count"
        if needed is None
        else f"enough for texts of {needed}"
    )
    return f"sequence length: {length} tokens, because {_longer(request, longer)}; {cost}"


def _longer(request: Request, one: Candidate) -> str:
    budgets = request.profile.budgets
    if not one.overruns(budgets):
        return "longer ones do not come"
    if worst_budget(request, one) == "embedding":
        return (
            f"with {one.max_tokens} a query would take {milliseconds(1e3 * one.cost.embedding)} "
            f"of {milliseconds(1e3 * budgets.embedding_latency)}"
        )
    return (
        f"with {one.max_tokens} the process would need {mebibytes(one.cost.peak_bytes)} "
        f"of {mebibytes(budgets.memory_bytes)}"
    )


def row_cache_reason(request: Request, chosen: Candidate) -> str:
    """Whether stored rows are held in memory, and why not.

    Args:
        request: what was planned.
        chosen: from `with_rows_held`.
    """
    needed = row_cache(chosen.layout, request.documents)
    if chosen.cost.row_cache_bytes:
        return f"row cache: {mebibytes(needed)}, which hold every stored row"
    left = request.profile.budgets.memory_bytes - chosen.cost.peak_bytes
    if chosen.home == "disk" or needed > left:
        return f"row cache: none, because memory: all stored rows would need {mebibytes(needed)}"
    return f"row cache: none, because {mebibytes(needed)} for all stored rows would gain too little"


def adding_reason(request: Request, batch: int, peak: int) -> str:
    """How many documents are added at a time, and why no more.

    Args:
        request: what was planned.
        batch: so many.
        peak: resident bytes then.
    """
    taken = f"adding: {number(batch)} documents at a time, {mebibytes(peak)} at the peak"
    if batch == BATCHES[0]:
        return taken
    budget = mebibytes(request.profile.budgets.memory_bytes)
    return f"{taken}, because more would not stay within {budget}"
