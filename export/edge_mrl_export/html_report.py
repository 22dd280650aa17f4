"""`report.html`: what a bundle is, keeps and costs, on one page for those who deploy it.

One file without scripts that asks for nothing from anywhere. The same manifest and reports give the
same bytes. Names come from model files of unknown origin, so all text is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_mrl.bundle.manifest import Manifest, Variant
from edge_mrl.cli.output import format_bytes
from edge_mrl_export import deployment
from edge_mrl_export.markup import Markup, code, element, facts, items, joined, table, words
from edge_mrl_export.quality_plot import best_for_their_bytes, quality_plot
from edge_mrl_export.report import VariantReport
from edge_mrl_export.report_style import STYLE

REPORT_FILE = "report.html"
LEVELS = (0.9, 0.95, 0.99)
"""Shares of the full quality for which the cheapest slice is named."""

MANY = 100_000
WIDE, NARROW = (720, 460), (360, 520)
"""Both sizes of the plot; the page shows the one that suits the screen."""


def html_report(manifest: Manifest, reports: Sequence[VariantReport], reference: str) -> str:
    """Write the page.

    Args:
        manifest: the bundle's, with its measured quality; its list of files need not hold the page.
        reports: every variant that was built, the refused ones too.
        reference: the library that gave the reference vectors, and its version.

    Returns:
        An HTML document.
    """
    name = manifest.model.name
    body = joined(
        [
            element("h1", name),
            *_model(manifest),
            *_slices(manifest),
            *_variants(reports, reference),
            *_use(manifest),
            *_phone(manifest),
            *_made_with(manifest),
        ],
        "\n",
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
        f"<title>{words(name)}: embedding bundle</title>\n<style>\n{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _model(manifest: Manifest) -> Iterator[Markup]:
    model, embedding, tokenizer = manifest.model, manifest.embedding, manifest.tokenizer
    longest = tokenizer.max_tokens
    reads = "texts of any length" if longest is None else f"the first {longest} tokens of a text"
    prompts = "; ".join(f"{name}: {said!r}" for name, said in embedding.prompts.items() if said)
    yield element(
        "p",
        "A Matryoshka embedding model, exported for devices. The first numbers of each of its "
        "vectors are a good vector by themselves, so a device keeps as many as it can afford, at "
        "as many bits as it can afford: a slice, written dimensions x bits.",
    )
    yield facts(
        [
            ("architecture", model.architecture),
            ("from", model.source),
            ("licence", model.licence),
            ("vector", f"{embedding.dim} numbers, compared by {embedding.similarity}"),
            ("trained sizes", ", ".join(map(str, embedding.matryoshka_dims))),
            ("reads", reads),
            ("prompts", prompts or "none"),
            ("identity", element("code", model.identity)),
        ]
    )
    yield element(
        "p",
        "All variants share this identity. An index keeps it, and refuses another model's vectors.",
        class_="note",
    )


def _slices(manifest: Manifest) -> Iterator[Markup]:
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
        plots = [quality_plot(quality.slices, *size) for size in (WIDE, NARROW)]
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
        f"vector has nDCG@10 {quality.full_ndcg_at_10:.3f}; {quality.method}. Nobody judged these "
        "labels, so read the shares and not the figures. To measure on your own texts, or with "
        "labelled data:",
        class_="note",
    )
    yield code("edge-mrl export MODEL -o bundle --texts FILE\nedge-mrl eval bundle --data FOLDER\n")
    yield element(
        "p",
        "The shortlist is how many candidates a scan at that slice must hand on so that 99 % of "
        "the full vector's top 10 are among them. For n documents expect the table's number times "
        f"(n / {quality.documents}) to the power {quality.shortlist_growth:g}.",
        class_="note",
    )


def _variants(reports: Sequence[VariantReport], reference: str) -> Iterator[Markup]:
    yield element("h2", "Variants")
    yield element(
        "p",
        f"Each was run through the device runtime and compared with {reference}, over "
        "golden and sample texts. One that misses its gate is refused and is not in this bundle.",
    )
    yield table(
        (
            "variant",
            "verdict",
            "with tokenizer",
            "cosine, smallest slice",
            "largest slice",
            "lowest",
            "overlap@10",
            "gate",
        ),
        [_variant_cells(one) for one in reports],
        ["" if one.passed else "refused" for one in reports],
    )
    yield element(
        "p",
        "Cosines are means over the texts; lowest is that of the worst golden text. overlap@10 is "
        "the share of the ten nearest neighbours, at the largest slice, that agree with the "
        "reference's. The gate is what the mean cosine must reach at every trained size.",
        class_="note",
    )
    refused = [one for one in reports if not one.passed]
    if refused:
        yield element("h3", "Refused, and why")
        yield items(
            joined([element("strong", one.name), f": {one.why_refused()}."]) for one in refused
        )
    yield element("h3", "Why these gates")
    gates: dict[tuple[float, str], list[str]] = {}
    for one in reports:
        gates.setdefault((one.gate, one.reason), []).append(one.name)
    yield items(
        joined([element("strong", f"{gate:g}"), f" for {', '.join(names)}: {reason}."])
        for (gate, reason), names in gates.items()
    )


def _variant_cells(one: VariantReport) -> tuple[str, ...]:
    small, large = min(one.cosine), max(one.cosine)
    return (
        one.name,
        "written" if one.passed else "refused",
        format_bytes(one.size),
        f"{one.cosine[small]:.5f} ({small})",
        f"{one.cosine[large]:.5f} ({large})",
        f"{one.cosine_min:.5f}",
        f"{one.overlap_at_10[large]:.3f}",
        f"{one.gate:g}",
    )


def _use(manifest: Manifest) -> Iterator[Markup]:
    yield element("h2", "Use it")
    installs = deployment.install_commands(manifest)
    yield code("\n".join(f"{command}   # {name} variants" for name, command in installs.items()))
    yield element("p", "In Python, beside the bundle's folder:")
    yield code(deployment.python_snippet(manifest))
    yield element(
        "p",
        "Instead of truncate_dim, ",
        element("code", 'profile="auto"'),
        " lets the planner choose variant and slices for this device; ",
        element("code", 'variant="NAME"'),
        " takes one by name. On the command line:",
    )
    yield code(deployment.command_lines(manifest))
    yield element("h3", "Files a device needs")
    yield element(
        "p",
        f"The whole folder, or {', '.join(deployment.shared_files(manifest))} and the files of the "
        "one variant that you name. Files are checked against their SHA-256 before use.",
    )
    yield items(_variant_files(manifest, variant) for variant in manifest.variants)


def _variant_files(manifest: Manifest, variant: Variant) -> Markup:
    files = ", ".join(
        f"{path} ({format_bytes(manifest.file(path).size)})" for path in variant.files
    )
    notes = []
    if variant.dims != manifest.embedding.matryoshka_dims:
        notes.append(f"gives {', '.join(map(str, variant.dims))} numbers only")
    if not variant.pad_invariant:
        notes.append("runs texts one by one")
    if variant.engines:
        notes.append(f"only with {' or '.join(variant.engines)}")
    if variant.max_tokens is not None:
        notes.append(f"reads at most {variant.max_tokens} tokens")
    return joined([element("strong", variant.name), ": ", "; ".join([files, *notes])])


def _phone(manifest: Manifest) -> Iterator[Markup]:
    variant = deployment.phone_variant(manifest)
    needed = joined(
        (element("code", path) for path in (*variant.files, manifest.tokenizer.path)), " and "
    )
    yield element("h2", "On a phone")
    yield element(
        "p", "Take ", needed, f" (variant {variant.name}). ", deployment.phone_advice(manifest)
    )
    yield element("p", "Which slices a phone affords, and why:")
    yield code(
        "edge-mrl plan bundle --docs 10000 --profile android-mid-range\n"
        "# or android-low-end, iphone\n"
    )


def _made_with(manifest: Manifest) -> Iterator[Markup]:
    yield element("h2", "Made with")
    yield element(
        "p", ", ".join(f"{tool} {version}" for tool, version in sorted(manifest.tools.items()))
    )
    yield element(
        "p",
        "The same model, options and tool versions give the same bundle, byte for byte.",
        class_="note",
    )
