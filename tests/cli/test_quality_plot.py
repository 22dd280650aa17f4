"""The drawing of what slices cost and keep: every slice a point where its figures put it."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from edge_mrl.bundle.manifest import SliceQuality
from edge_mrl.bundle.manifest_json import dump
from edge_mrl.cli.main import main
from edge_mrl.cli.quality_plot import ON_WHITE, RADIUS, best_for_their_bytes, quality_plot
from edge_mrl.cli.svg import LETTER
from edge_mrl.slices import Slice
from tests.planning.bundles import minilm_manifest, static_manifest

SVG = "{http://www.w3.org/2000/svg}"
WIDE, NARROW = (720, 460), (360, 520)


def rows_of(manifest):
    return [row for row in manifest.quality.slices if row.slice.bits != 16]


def drawn(rows, width, height):
    return ElementTree.fromstring(f"<svg>{quality_plot(rows, width, height, ON_WHITE)}</svg>")


ROUGH = [
    SliceQuality(Slice(dim, bits), 0.3, round(min(1.0, dim / 900 + 0.03 * bits), 4), 10)
    for dim in (64, 128, 256, 512, 768)
    for bits in (1, 2, 4, 8, 32)
]
POOR = [SliceQuality(Slice(64, 32), 0.0, 0.0, 10)]


@pytest.mark.parametrize("size", [WIDE, NARROW])
@pytest.mark.parametrize(
    "rows",
    [rows_of(static_manifest()), rows_of(minilm_manifest()), ROUGH, POOR],
    ids=["static", "minilm", "rough", "poor"],
)
def test_every_slice_has_a_point_and_a_label_that_nothing_covers(rows, size):
    root = drawn(rows, *size)
    hints = [title.text.split(":")[0] for title in root.iterfind("g/title")]
    assert hints == [str(row.slice) for row in rows]
    circles = [(float(one.get("cx")), float(one.get("cy"))) for one in root.iterfind("g/circle")]
    boxes = {}
    for text in root.iterfind("text"):
        if re.fullmatch(r"\d+x\d+", text.text):
            x, y, letters = float(text.get("x")), float(text.get("y")), int(text.get("font-size"))
            half = 0.5 * LETTER * letters * len(text.text)
            boxes[text.text] = (x - half, y - 0.75 * letters, x + half, y)
    assert sorted(boxes) == sorted(hints)
    for name, (left, top, right, bottom) in boxes.items():
        assert left >= 0 and right <= size[0] and top >= 0 and bottom <= size[1]
        for other, (left2, top2, right2, bottom2) in boxes.items():
            assert name == other or not (
                left < right2 and left2 < right and top < bottom2 and top2 < bottom
            ), (name, other)
        for x, y in circles:
            assert not (
                left < x + RADIUS
                and x - RADIUS < right
                and top < y + RADIUS
                and y - RADIUS < bottom
            ), name


def test_points_stand_where_their_figures_say():
    """Two points give the scales, bytes in powers of two; every other must lie on them."""
    root = drawn(rows_of(static_manifest()), *WIDE)
    seen = []
    for group in root.iterfind("g"):
        count, kept = re.search(r": (\d+) bytes, ([\d.]+) %", group[0].text).groups()
        seen.append((int(count), float(kept), float(group[1].get("cx")), float(group[1].get("cy"))))
    few, most = min(seen), max(seen)
    low, high = min(seen, key=lambda one: one[1]), max(seen, key=lambda one: one[1])
    for count, kept, x, y in seen:
        share = math.log2(count / few[0]) / math.log2(most[0] / few[0])
        assert x == pytest.approx(few[2] + share * (most[2] - few[2]), abs=0.2)
        assert y == pytest.approx(
            low[3] + (kept - low[1]) / (high[1] - low[1]) * (high[3] - low[3]), abs=0.5
        )


def test_the_best_for_their_bytes_by_trying_all():
    rows = rows_of(minilm_manifest())
    expected = [
        row
        for row in rows
        if not any(
            other.slice.nbytes <= row.slice.nbytes
            and other.kept >= row.kept
            and (other.slice.nbytes, other.kept) != (row.slice.nbytes, row.kept)
            for other in rows
        )
    ]
    best = best_for_their_bytes(rows)
    assert {(row.slice.nbytes, row.kept) for row in best} == {
        (row.slice.nbytes, row.kept) for row in expected
    }
    assert [row.kept for row in best] == sorted(row.kept for row in best)


@pytest.fixture
def bundle(tmp_path):
    def written(manifest):
        folder = tmp_path / "bundle"
        folder.mkdir()
        (folder / "manifest.json").write_bytes(dump(manifest))
        return str(folder)

    return written


def test_the_command_draws_the_bundle_s_table(bundle, tmp_path):
    manifest = static_manifest()
    hostile = manifest._replace(model=manifest.model._replace(name="<script>&" + 80 * "long"))
    file = tmp_path / "slices.svg"
    assert main(["inspect", bundle(hostile), "--plot", str(file)]) == 0
    root = ElementTree.fromstring(file.read_text("utf-8"))
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert words[0].startswith("<script>&long") and words[0].endswith("costs and keeps")
    assert {str(row.slice) for row in manifest.quality.slices} <= set(words)
    colours = {one.get("fill") for one in root.iter(f"{SVG}circle")}
    assert colours == {ON_WHITE.bits[row.slice.bits] for row in manifest.quality.slices}


def test_nothing_to_draw_is_said(bundle, tmp_path, capsys):
    manifest = static_manifest()
    bare = bundle(manifest._replace(quality=manifest.quality._replace(slices=())))
    for file, said in (("p.svg", "edge-mrl eval"), ("p.pdf", "p.svg or")):
        assert main(["inspect", bare, "--plot", str(tmp_path / file)]) == 2
        assert said in capsys.readouterr().err
        assert not (tmp_path / file).exists()
