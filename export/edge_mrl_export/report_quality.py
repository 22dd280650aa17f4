"""The part of report.html that says what slices, variants and layers keep. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_mrl.bundle.manifest import Estimate, Manifest, SliceQuality
from edge_mrl.cli import svg
from edge_mrl.cli.output import format_bytes
from edge_mrl.cli.quality_plot import ON_WHITE, Palette, best_for_their_bytes, quality_plot
from edge_mrl_export import deployment
from edge_mrl_export.markup import Markup, code, element, items, joined, table

LEVELS = (0.9, 0.95, 0.99)
"""Shares of the full quality for which the cheapest slice is named."""

MANY = 100_000
WIDE, NARROW = (720, 460), (360, 520)
"""Both sizes of the plot; the page shows the one that suits the screen."""

OF_THE_PAGE = Palette(
    page="var(--page)",
    ink="var(--ink)",
    soft="var(--soft)",
    faint="var(--faint)",
    bits={bits: f"var(--bits{bits})" for bits in ON_WHITE.bits},
)
"""Variables of the page's style, so that the plot follows the page into the dark."""


def slices(manifest: Manifest) -> Iterator[Markup]:
    """What a slice costs and keeps."""
    quality = manifest.quality
    yield element("h2", "What a slice costs and keeps")
    levels = [(level, deployment.cheapest_for(manifest, level)) for level in LEVELS]
    yield items(
        joined(
            [
                f"To keep {100 * level:g} % of the quality, take ",
                element("strong", str(slice_)),
                f": {slice_.nbytes} bytes per vector.",
            ]
        )
        for level, slice_ in levels
        if slice_ is not None
    )
    if quality.slices:
        plots = [plot(quality.slices, *size) for size in (WIDE, NARROW)]
        caption = element(
            "figcaption",
            "Share of the full vector's nDCG@10 that retrieval with the slice alone keeps. The "
            "line joins the slices that keep the most for their bytes; their names are bold.",
        )
        yield element("figure", *plots, caption)
    best = best_for_their_bytes(quality.slices)
    yield table(
        ("slice", "bytes/vector", "kept", "shortlist", "nDCG@10", f"{MANY // 1000} 000 vectors"),
        [
            (
                str(row.slice),
                str(row.slice.nbytes),
                f"{100 * row.kept:.1f} %",
                str(row.shortlist),
                f"{row.ndcg_at_10:.3f}",
                format_bytes(MANY * row.slice.nbytes),
            )
            for row in quality.slices
        ],
        ["best" if row in best else "" for row in quality.slices],
    )
    yield element(
        "p",
        f"Measured with {quality.queries} queries on {quality.documents} documents, where the full "
        f"vector has nDCG@10 {quality.full_ndcg_at_10:.3f}; {quality.method}. "
        f"{_LABELS[quality.labels]} To measure on your own texts, or on labelled data:",
        class_="note",
    )
    yield code(
        "edge-mrl export MODEL -o bundle --texts FILE\n"
        "edge-mrl export MODEL -o bundle --eval FOLDER\n"
        "edge-mrl eval bundle --data FOLDER\n"
    )
    yield element(
        "p",
        "The shortlist is how many candidates a scan at that slice must hand on so that 99 % of "
        "the full vector's top 10 are among them. For n documents expect the table's number times "
        f"(n / {quality.documents}) to the power {quality.shortlist_growth:g}.",
        class_="note",
    )


def plot(rows: Sequence[SliceQuality], width: int, height: int) -> Markup:
    """The rows of a quality table as an SVG element, of this width and height in pixels."""
    return Markup(
        f'<svg viewBox="0 0 {width} {height}" role="img" font-family="{svg.FONT}" '
        f'font-size="12" class="at{width}">\n<title>Quality kept against bytes per vector</title>'
        f"\n{quality_plot(rows, width, height, OF_THE_PAGE)}\n</svg>"
    )


_LABELS = {
    "judged": "People judged which documents answer which query.",
    "self-labelled": "Nobody judged these labels, so read the shares and not the figures.",
}


def judged(manifest: Manifest) -> Iterator[Markup]:
    """Every variant at every slice, where labelled data was given."""
    rows = manifest.quality.variants
    if not rows:
        return
    yield element("h2", "What a variant keeps")
    yield table(
        ("variant", "slice", "bytes/vector", "nDCG@10", "95 %", "recall@100", "95 %"),
        [
            (
                one.variant,
                str(one.slice),
                str(one.slice.nbytes),
                _percent(one.ndcg_at_10),
                _interval(one.ndcg_at_10),
                _percent(one.recall_at_100),
                _interval(one.recall_at_100),
            )
            for one in rows
        ],
        ["" for _ in rows],
    )
    yield element(
        "p",
        f"In percent, {manifest.quality.method.rpartition(';')[0]}; documents are stored at the "
        "slice's bits, queries stay float32. Intervals are bootstrapped over queries: two variants "
        "whose intervals lie on each other were not told apart.",
        class_="note",
    )


def _percent(one: Estimate) -> str:
    return f"{100 * one.value:.1f}"


def _interval(one: Estimate) -> str:
    return f"{100 * one.low:.1f} to {100 * one.high:.1f}"


def layers(manifest: Manifest) -> Iterator[Markup]:
    """The first layers of the model against all of them, where the bundle has only some."""
    rows = manifest.quality.layers
    if not rows:
        return
    counts = [one.layers for one in rows]
    yield element("h2", "What fewer layers keep")
    yield table(
        ("layers", "size", "nDCG@10", "kept"),
        [
            (
                str(one.layers),
                str(one.dim),
                f"{one.ndcg_at_10:.3f}",
                f"{100 * one.kept:.1f} %",
            )
            for one in rows
        ],
        ["best" if one.layers == min(counts) else "" for one in rows],
    )
    yield element(
        "p",
        f"This bundle holds the first {min(counts)} of {max(counts)} layers: its rows are bold. "
        "In float32, by the model's own library, on texts that nobody judged; kept is the share of "
        "the whole model's full vector.",
        class_="note",
    )
