"""The page for those who deploy a bundle: whole, safe whatever the model calls itself, the same
every time, and right in what it tells people to type."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from edge_mrl import Encoder
from edge_mrl.bundle import Bundle
from edge_mrl.bundle.manifest import Estimate, LayerQuality, VariantQuality
from edge_mrl.cli.main import main
from edge_mrl.planning.encoder_cost import embedding_latency
from edge_mrl.planning.facts import BundleFacts
from edge_mrl.profiles.files import shipped
from edge_mrl.slices import Slice
from edge_mrl_export import deployment
from edge_mrl_export.gates import RANK_GATES
from edge_mrl_export.html_report import REPORT_FILE, html_report
from edge_mrl_export.markup import element, words
from edge_mrl_export.report import VariantReport
from edge_mrl_export.steps import DEVICES
from tests.planning.bundles import minilm_manifest, static_manifest

HOSTILE = "<script>alert(1)</script>\"'&amp;</title></style>\x1b\u202egnp.exe\ud800"


def report(name="table-int8-256", **changes):
    one = VariantReport(
        name=name,
        format="table",
        precision="int8-portable",
        size=3 * 2**20,
        cosine={64: 0.99991, 256: 0.99998},
        cosine_min=0.9998,
        overlap_at_10={64: 0.98, 256: 0.99},
        batch_difference=1e-7,
        padding_difference=1e-7,
        gate=0.9999,
        reason="rows lose little",
        rank_gate=RANK_GATES["int8-portable"],
        missed=(),
        kept=True,
    )
    return replace(one, **changes)


def page(manifest=None, reports=None, reference="the library 1.0"):
    return html_report(
        manifest or static_manifest(), reports or [report()], reference, shipped(*DEVICES)
    )


def tree(text):
    """A strict parser's tree: every element closed, every attribute quoted, all text escaped."""
    return ElementTree.fromstring(text)


def said(element_):
    return re.sub(r"\s+", " ", "".join(element_.itertext()))


class Tags(HTMLParser):
    """As a browser reads the page: open elements, and all attributes."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.attributes = [], set(), []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes += attrs
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="session")
def real(static_bundle):
    return (static_bundle / REPORT_FILE).read_text("utf-8")


def test_it_is_listed_with_its_hash(static_bundle, export_report):
    data = (static_bundle / REPORT_FILE).read_bytes()
    entry = Bundle.open(static_bundle).manifest.file(REPORT_FILE)
    assert (entry.sha256, entry.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert export_report.manifest == Bundle.open(static_bundle).manifest


def test_the_same_export_gives_the_same_page(export_report, real):
    assert real == html_report(
        export_report.manifest,
        export_report.variants,
        export_report.reference,
        shipped(*DEVICES),
    )
    assert "seconds" not in real and str(export_report.path) not in real


def test_it_is_well_formed_to_a_strict_parser_and_to_a_browser(real):
    assert tree(real).tag == "html"
    tags = Tags()
    tags.feed(real)
    assert tags.open == []


def test_it_asks_for_nothing_and_runs_nothing(real):
    tags = Tags()
    tags.feed(real)
    assert not tags.seen & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    names = {name for name, _ in tags.attributes}
    assert not {"src", "href", "srcset", "action", "data"} & names
    assert not [name for name in names if name.startswith("on")]
    assert "://" not in real and "@import" not in real and "url(" not in real
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in tags.attributes


@pytest.mark.parametrize("field", ["name", "architecture", "source", "licence"])
def test_a_hostile_model_is_text_and_not_markup(field):
    manifest = static_manifest()
    manifest = manifest._replace(model=manifest.model._replace(**{field: HOSTILE}))
    text = page(manifest)
    text.encode("utf-8")
    assert "<script>alert(1)</script>\"'&amp;" in said(tree(text).find("body"))
    assert "<script" not in text
    assert not re.search("[\x00-\x08\x1b\u202e\ud800]", text)


def test_everything_else_that_is_not_ours_is_escaped_too():
    manifest = static_manifest()
    manifest = manifest._replace(
        embedding=manifest.embedding._replace(prompts={"<b>": "<i>"}),
        quality=manifest.quality._replace(method="<u>"),
        tools={"<q>": "<s>"},
    )
    text = page(manifest, [report(name="<em>", reason="<a>")], "<tt>")
    assert not re.search("<(b|i|u|q|s|em|a|tt)>", text)
    for name in ("<b>", "<i>", "<u>", "<q>", "<s>", "<em>", "<a>", "<tt>"):
        assert name in said(tree(text))


def test_attributes_cannot_be_left():
    assert element("p", title='"><x>') == '<p title="&quot;&gt;&lt;x&gt;"></p>'
    assert words("\x00\n") == "\ufffd\n"


def test_model_slices_variants_and_tools_are_all_named(real, export_report):
    text = said(tree(real))
    manifest = export_report.manifest
    for fact in (manifest.model.name, "MIT", manifest.model.identity, "64, 128, 256"):
        assert fact in text
    for variant in export_report.variants:
        assert variant.name in text and f"{variant.cosine_min:.5f}" in text
        assert variant.reason in text
    slices, *_ = tree(real).iter("table")
    rows = [[said(cell) for cell in row] for row in slices.find("tbody")]
    assert rows == [
        [
            str(row.slice),
            str(row.slice.nbytes),
            f"{100 * row.kept:.1f} %",
            str(row.shortlist),
            f"{row.ndcg_at_10:.3f}",
            mebibytes(row.slice.nbytes * 100_000),
        ]
        for row in manifest.quality.slices
    ]
    for tool, version in manifest.tools.items():
        assert f"{tool} {version}" in text
    assert export_report.reference in text
    assert manifest.quality.method in text


def mebibytes(count):
    return f"{count / 2**20:.1f} MiB"


def test_a_refused_variant_is_named_with_what_it_missed():
    low = report("table-int8-128", missed=("mean cosine 0.5 at 64 dimensions",), kept=False)
    uneven = report("onnx-int8", missed=("its batch", "its padding"))
    text = said(tree(page(reports=[report(), low, uneven])))
    assert "Below a gate, and why" in text
    assert "table-int8-128, refused: mean cosine 0.5 at 64 dimensions." in text
    assert "onnx-int8, allowed: its batch; its padding." in text
    assert "Below a gate, and why" not in said(tree(page()))
    assert (report().why_refused(), report().verdict) == ("", "written")


def test_judged_quality_and_layers_are_tables_of_their_own():
    plain = static_manifest()
    name = plain.variants[0].name
    quality = plain.quality._replace(
        labels="judged",
        method="judged data, cranes; best",
        variants=(
            VariantQuality(name, Slice(64, 4), Estimate(0.511, 0.4, 0.6), Estimate(0.8, 0.7, 0.9)),
        ),
        layers=(LayerQuality(3, 64, 0.25, 0.5), LayerQuality(6, 64, 0.5, 1.0)),
    )
    text = said(tree(page(plain._replace(quality=quality))))
    assert "What a variant keeps" in text and f"{name}64x43651.140.0 to 60.0" in text
    assert "People judged" in text and "Nobody judged these labels" not in text
    assert "What fewer layers keep" in text and "the first 3 of 6 layers" in text
    without = said(tree(page()))
    assert "Nobody judged these labels" in without
    assert "What a variant keeps" not in without and "fewer layers" not in without


def test_the_python_snippet_runs(real, bundle_copy, tmp_path, monkeypatch, capsys):
    bundle_copy.rename(tmp_path / "bundle")
    monkeypatch.chdir(tmp_path)
    (snippet,) = [said_ for said_ in codes(real) if "import Encoder" in said_]
    exec(compile(snippet, "report.html", "exec"), {})
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("Compress a file with gzip.") and second.endswith("reeds.")


def test_the_command_lines_run(real, bundle_copy, tmp_path, monkeypatch, capsys):
    bundle_copy.rename(tmp_path / "bundle")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.jsonl").write_text('{"_id": "1", "text": "Compress a file with gzip."}\n')
    (lines,) = [said_ for said_ in codes(real) if "edge-mrl verify" in said_]
    for line in lines.splitlines():
        program, *arguments = re.findall(r'"[^"]*"|[^\s"]+', line.split("#")[0])
        assert program == "edge-mrl"
        if arguments[0] == "plan":  # what this machine affords is not the page's matter
            continue
        assert main([argument.strip('"') for argument in arguments]) == 0, line
    assert "gzip" in capsys.readouterr().out


def codes(text):
    return ["".join(block.itertext()) for block in tree(text).iter("pre")]


def test_the_files_named_for_one_variant_are_enough(static_bundle, tmp_path):
    manifest = Bundle.open(static_bundle).manifest
    variant = deployment.phone_variant(manifest)
    for path in (*deployment.shared_files(manifest), *variant.files):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copyfile(static_bundle / path, tmp_path / path)
    encoder = Encoder.load(tmp_path, variant=variant.name)
    assert encoder.verify() > 0.999


def test_what_a_phone_takes():
    assert deployment.phone_variant(static_manifest()).name == "table-int8-256"
    manifest = minilm_manifest()
    assert deployment.phone_variant(manifest).name == "onnx-int8-fast"
    assert "--formats tflite" in page(manifest)
    lite = manifest.variants[1]._replace(name="tflite-int8", format="tflite")
    manifest = manifest._replace(variants=(*manifest.variants, lite))
    assert deployment.phone_variant(manifest).name == "tflite-int8"
    assert "LiteRT" in page(manifest)


def test_times_are_those_that_the_planner_expects():
    manifest = minilm_manifest()
    facts, devices = BundleFacts.from_manifest(manifest), shipped(*DEVICES)
    text = said(tree(page(manifest)))
    assert all(device.title in text for device in devices)
    for variant in facts.variants:
        seconds = embedding_latency(devices[0], facts, variant, 256)
        assert f"/ {1000 * seconds:.0f}" in text, variant.name
    # A board with numpy alone has no engine for a graph.
    table_only = replace(devices[1], facts=replace(devices[1].facts, engines=("numpy",)))
    alone = html_report(manifest, [report()], "the library 1.0", [table_only])
    assert said(tree(alone)).count("no engine") == len(manifest.variants)


def test_notes_that_only_some_variants_need():
    manifest = minilm_manifest()
    picky = manifest.variants[2]._replace(
        pad_invariant=False,
        engines=("ai-edge-litert",),
        max_tokens=64,
        dims=(32, 64),
    )
    text = said(tree(page(manifest._replace(variants=(picky,)))))
    for note in (
        "runs texts one by one",
        "only with ai-edge-litert",
        "reads at most 64 tokens",
        "gives 32, 64 numbers only",
    ):
        assert note in text
