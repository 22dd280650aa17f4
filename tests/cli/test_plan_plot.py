"""The drawing of a plan: every choice a point where its figures put it, the chosen one marked."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest

from edge_mrl.bundle.manifest_json import dump
from edge_mrl.cli.main import main
from edge_mrl.cli.plan_plot import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, plan_plot
from edge_mrl.cli.svg import Axis
from edge_mrl.planning import BundleFacts, plan
from edge_mrl.planning.planner import Survey, survey
from tests.planning.bundles import MINILM, STATIC, static_manifest
from tests.planning.profiles import board

SVG = "{http://www.w3.org/2000/svg}"


def drawing(found: Survey) -> ElementTree.Element:
    return ElementTree.fromstring(plan_plot(found))


def points(root: ElementTree.Element) -> list[str]:
    """The description of each point, which a browser shows beside the pointer."""
    return [title.text or "" for title in root.iterfind(f"{SVG}g/{SVG}title")]


def words(root: ElementTree.Element) -> str:
    return "\n".join(text.text or "" for text in root.iter(f"{SVG}text"))


def test_every_choice_is_a_point_and_the_plan_s_is_marked() -> None:
    found = survey(STATIC, board(), 100_000)
    root = drawing(found)
    assert len(points(root)) == len(found.known)
    made = plan(STATIC, board(), 100_000)
    assert f"chosen: scan {made.layout.scan}" in words(root)
    assert f"Chosen: {made.variant}, stored {made.layout.stored}" in words(root)
    (ring,) = [one for one in root.iter(f"{SVG}circle") if one.get("r") == "10"]
    mine = next(
        one
        for one in root.iterfind(f"{SVG}g")
        if (one[0].text or "").startswith(f"{made.variant}, {made.layout}:")
    )
    assert (ring.get("cx"), ring.get("cy")) == (mine[1].get("cx"), mine[1].get("cy"))


def test_points_stand_where_their_figures_say() -> None:
    """Two points give the scale; every other must lie on it."""
    root = drawing(survey(STATIC, board(memory_mib=400, latency_ms=60_000), 100_000))
    seen = [
        (
            float(re.search(r": ([\d.]+) MiB", one[0].text or "")[1]),  # type: ignore[index]
            float(one[1].get("cx", "nan")),
        )
        for one in root.iterfind(f"{SVG}g")
        if one[1].tag == f"{SVG}circle"
    ]
    (low, start), (high, end) = min(seen), max(seen)
    assert high > low
    for value, x in seen:
        expected = start + (value - low) / (high - low) * (end - start)
        assert x == pytest.approx(expected, abs=0.3 + 0.1 * (end - start) / (high - low))


@pytest.mark.parametrize("facts", [STATIC, MINILM], ids=["static", "minilm"])
@pytest.mark.parametrize("documents", [0, 1000, 1_000_000])
@pytest.mark.parametrize("memory", [120, 400])
def test_nothing_leaves_the_picture(facts: BundleFacts, documents: int, memory: int) -> None:
    root = drawing(survey(facts, board(memory_mib=memory), documents))
    for text in root.iter(f"{SVG}text"):
        if text.get("x") is None:
            continue
        x, y = float(text.get("x", "")), float(text.get("y", ""))
        assert 0 <= x <= WIDTH and 0 <= y <= HEIGHT
    for circle in root.iter(f"{SVG}circle"):
        assert LEFT <= float(circle.get("cx", "")) <= RIGHT
        assert TOP <= float(circle.get("cy", "")) <= BOTTOM or circle.get("r") == "5"


def test_budgets_are_lines_or_named() -> None:
    near = words(drawing(survey(STATIC, board(kept=0.9), 1_000_000)))
    assert "memory budget 160.0 MiB" in near and "\N{RIGHTWARDS ARROW}" not in near
    assert "quality floor 90 %" in near
    roomy = words(drawing(survey(STATIC, board(memory_mib=399), 1000)))
    assert "memory budget 399.0 MiB \N{RIGHTWARDS ARROW}" in roomy


def test_the_legend_and_the_note_count_every_choice() -> None:
    found = survey(STATIC, board(memory_mib=90, kept=0.9, latency_ms=800), 1_000_000)
    text = words(drawing(found))
    in_legend = [int(count) for count in re.findall(r"(?:budget|floor) \((\d+)\)", text)]
    beyond = [int(count) for count in re.findall(r"(\d+) more beyond", text)]
    assert len(in_legend) >= 2 and beyond
    assert sum(in_legend) + sum(beyond) == len(found.known)


def test_where_nothing_fits_that_is_said() -> None:
    text = words(drawing(survey(MINILM, board(memory_mib=60), 1000)))
    assert "No choice keeps every budget." in text
    assert "chosen" not in text


def test_names_from_a_bundle_are_text_and_not_markup() -> None:
    root = drawing(survey(replace(STATIC, model="<b>&\"'"), board(), 1000))
    assert "<b>&\"' on A made-up board" in words(root)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (61.2, 64.9), (0, 5000), (70, 102)])
def test_ticks_are_few_and_inside(low: float, high: float) -> None:
    ticks = list(Axis(low, high, 0, 100).ticks())
    assert 3 <= len(ticks) <= 10
    assert all(low - 1e-6 <= tick <= high + 1e-6 for tick in ticks)


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "manifest.json").write_bytes(dump(static_manifest()))
    return str(folder)


def test_the_command_writes_the_file(bundle: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.svg"
    command = ["plan", bundle, "--profile", "raspberry-pi-zero-2w", "--docs", "1000000"]
    assert main([*command, "--plot", str(file)]) == 0
    text = words(ElementTree.fromstring(file.read_text("utf-8")))
    assert "static-256 on Raspberry Pi Zero 2 W, 1 000 000 documents" in text


def test_a_picture_is_the_drawing(bundle: str, tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    pillow = pytest.importorskip("PIL.Image")
    file = tmp_path / "plan.png"
    command = ["plan", bundle, "--profile", "raspberry-pi-zero-2w", "--docs", "1000000"]
    if main([*command, "--plot", str(file)]) == 2:
        pytest.skip("this system has no fonts")
    picture = np.asarray(pillow.open(file).convert("RGB"))
    assert picture.shape == (2 * HEIGHT, 2 * WIDTH, 3)
    # The title's words are dark on white; the corner is not.
    assert picture[30:80, 2 * LEFT : WIDTH].max(axis=2).min() < 64
    assert picture[4, 4].tolist() == [255, 255, 255]
    # The memory budget is a dashed line of this colour.
    assert (picture == (0xD5, 0x5E, 0x00)).all(axis=2).any()


def test_a_picture_without_its_package_or_fonts_is_refused(
    bundle: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "plan.png"
    command = ["plan", bundle, "--profile", "laptop", "--docs", "10", "--plot", str(file)]
    blank = SimpleNamespace(svg_to_bytes=lambda drawing, **options: b"white")
    for module, said in ((None, r"pip install 'edge-mrl[png]'"), (blank, "fonts-dejavu-core")):
        monkeypatch.setitem(sys.modules, "resvg_py", module)
        assert main(command) == 2
        assert said in capsys.readouterr().err
        assert not file.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--all", "--docs", "10", "--plot", "p.svg"], "give one --profile and one --docs"),
        (
            ["--profile", "laptop", "--docs", "10", "--docs", "20", "--plot", "p.svg"],
            "give one --profile and one --docs",
        ),
        (["--profile", "laptop", "--docs", "10", "--plot", "p.pdf"], "the file p.svg or p.png"),
        (["--profile", "laptop", "--docs", "10", "--plot", "no/such/p.svg"], "cannot write"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    bundle: str, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", bundle, *arguments]) == 2
    assert said in capsys.readouterr().err
