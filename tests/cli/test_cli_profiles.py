from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_mrl.cli.main import main

FOLDER = Path(__file__).resolve().parents[2] / "device_profiles"


def test_the_list_names_every_device(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles"]) == 0
    out = capsys.readouterr().out
    for file in FOLDER.glob("*.toml"):
        assert file.stem in out


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles", "--json"]) == 0
    profiles = json.loads(capsys.readouterr().out)["profiles"]
    zero = next(one for one in profiles if one["name"] == "raspberry-pi-zero-2w")
    assert zero["facts"]["memory_bytes"] == 425 * 2**20
    assert zero["budgets"]["memory_bytes"] == 160 * 2**20
    assert all(figure["source"] for one in profiles for figure in one["figures"])


def test_one_device_is_shown_with_its_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles", "raspberry-pi-5"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("raspberry-pi-5: Raspberry Pi 5, 8 GB")
    assert "facts.memory_read" in out and "14.8 GB/s" in out and "sbc-bench" in out


def test_an_unknown_device(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles", "laptob"]) == 2
    assert "did you mean laptop?" in capsys.readouterr().err
