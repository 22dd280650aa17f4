"""`report.html`: what a bundle is, keeps and costs, on one page for those who deploy it.

One file without scripts that asks for nothing from anywhere. The same manifest and reports give the
same bytes. Names come from model files of unknown origin, so all text is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_mrl.bundle.manifest import Manifest, Variant
from edge_mrl.cli.output import format_bytes
from edge_mrl.profiles.profile import DeviceProfile
from edge_mrl_export import deployment, report_quality
from edge_mrl_export.gates import MAX_DIFFERENCE, RankGate
from edge_mrl_export.markup import Markup, code, element, facts, items, joined, table, words
from edge_mrl_export.report import VariantReport
from edge_mrl_export.report_speed import speed
from edge_mrl_export.report_style import STYLE

REPORT_FILE = "report.html"


def html_report(
    manifest: Manifest,
    reports: Sequence[VariantReport],
    reference: str,
    devices: Sequence[DeviceProfile],
) -> str:
    """Write the page.

    Args:
        manifest: the bundle's, with its measured quality; its list of files need not hold the page.
        reports: every variant that was built, the refused ones too.
        reference: the library that gave the reference vectors, and its version.
        devices: those whose times and memory are shown.

    Returns:
        An HTML document.
    """
    name = manifest.model.name
    body = joined(
        [
            element("h1", name),
            *_model(manifest),
            *report_quality.slices(manifest),
            *report_quality.judged(manifest),
            *report_quality.layers(manifest),
            *_variants(reports, reference),
            *speed(manifest, devices),
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


def _variants(reports: Sequence[VariantReport], reference: str) -> Iterator[Markup]:
    yield element("h2", "Variants")
    yield element(
        "p",
        f"Each was run through the device runtime and compared with {reference}, over "
        "golden and sample texts. One that misses a gate is refused and is not in this bundle, "
        "unless it was allowed.",
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
        "reference's. The gate is what the mean cosine must reach at every trained size. A text's "
        f"vector may differ by {MAX_DIFFERENCE:g} alone, in a batch and with other padding.",
        class_="note",
    )
    refused = [one for one in reports if not one.passed]
    if refused:
        yield element("h3", "Below a gate, and why")
        yield items(
            joined([element("strong", one.name), f", {one.verdict}: {one.why_refused()}."])
            for one in refused
        )
    yield element("h3", "Why these gates")
    gates: dict[tuple[float, str], list[str]] = {}
    for one in reports:
        gates.setdefault((one.gate, one.reason), []).append(one.name)
    yield items(
        joined([element("strong", f"{gate:g}"), f" for {', '.join(names)}: {reason}."])
        for (gate, reason), names in gates.items()
    )
    rank_gates: dict[RankGate, list[str]] = {}
    for one in reports:
        rank_gates.setdefault(one.rank_gate, []).append(one.name)
    yield element("p", "Beside the mean cosine, ranks and the worst golden text are looked at:")
    yield items(
        f"overlap@10 of {gate.overlap_at_10:g} and cosine {gate.golden_cosine:g} for "
        f"{', '.join(names)}: {gate.reason}."
        for gate, names in rank_gates.items()
    )


def _variant_cells(one: VariantReport) -> tuple[str, ...]:
    small, large = min(one.cosine), max(one.cosine)
    return (
        one.name,
        one.verdict,
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
    if variant.gate.missed:
        notes.append("kept below its gate")
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
