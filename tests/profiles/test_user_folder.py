"""A user's own profiles: where they stand, how they are found, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_mrl.cli.main import main
from edge_mrl.errors import ProfileError
from edge_mrl.planning import list_profiles, load_profile
from edge_mrl.profiles.user_folder import user_profile_folder

SHED = """\
schema = 1
name = "shed"
title = "The board in the shed"
extends = "raspberry-pi-zero-2w"

[budgets]
memory = { value = 100, unit = "MiB", source = "other programs run too" }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, with one profile in it."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    found = user_profile_folder()
    assert found is not None
    found.mkdir(parents=True)
    (found / "shed.toml").write_text(SHED, "utf-8")
    return found


@pytest.mark.parametrize(
    ("platform", "environment", "place"),
    [
        ("linux", {"HOME": "/home/ada"}, "/home/ada/.config"),
        ("linux", {"HOME": "/home/ada", "XDG_CONFIG_HOME": "/etc/ada"}, "/etc/ada"),
        ("linux", {"HOME": "/home/ada", "XDG_CONFIG_HOME": "relative"}, "/home/ada/.config"),
        ("darwin", {"HOME": "/Users/ada"}, "/Users/ada/Library/Application Support"),
        ("win32", {"APPDATA": "/Users/ada/AppData/Roaming"}, "/Users/ada/AppData/Roaming"),
    ],
)
def test_the_folder_is_the_platform_s(
    platform: str, environment: dict[str, str], place: str
) -> None:
    expected = Path(place) / "edge-mrl" / "device_profiles"
    assert user_profile_folder(platform, environment) == expected


def test_a_user_without_a_home_has_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert user_profile_folder("linux", {}) is None
    assert user_profile_folder("win32", {}) is None


def test_one_s_own_profile_is_found_by_name_and_listed(folder: Path) -> None:
    shed = load_profile("shed")
    assert shed.budgets.memory_bytes == 100 * 2**20
    assert shed.facts == load_profile("raspberry-pi-zero-2w").facts
    assert shed in list_profiles()
    assert Path(shed.place) == folder / "shed.toml"


def test_the_command_says_where_it_stands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles"]) == 0
    out = capsys.readouterr().out
    assert f"shed is your own: {folder / 'shed.toml'}" in out
    assert "Shipped ones stand in" in out
    assert main(["profiles", "shed"]) == 0
    sheet = capsys.readouterr().out
    assert "extends raspberry-pi-zero-2w" in sheet
    assert "(from raspberry-pi-zero-2w)" in sheet


def test_without_any_the_command_says_where_they_would_be_found(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "shed.toml").unlink()
    assert main(["profiles"]) == 0
    assert f"Your own are found in {folder}." in capsys.readouterr().out


def test_a_shipped_name_is_refused(folder: Path) -> None:
    text = SHED.replace('"shed"', '"raspberry-pi-5"')
    (folder / "raspberry-pi-5.toml").write_text(text, "utf-8")
    with pytest.raises(ProfileError, match="has the name of a shipped profile: rename it"):
        load_profile("raspberry-pi-5")
    with pytest.raises(ProfileError, match=r"device_profiles.raspberry-pi-5\.toml"):
        list_profiles()


def test_a_wrong_one_keeps_no_other_from_being_used(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "barn.toml").write_text("name = ", "utf-8")
    (folder / "raspberry-pi-5.toml").write_text(SHED, "utf-8")
    assert load_profile("raspberry-pi-4b").name == "raspberry-pi-4b"
    assert load_profile("raspberry-pi-5-16gb").extends == "raspberry-pi-5"
    assert load_profile("shed").name == "shed"
    assert main(["profiles"]) == 0
    printed = capsys.readouterr()
    assert "raspberry-pi-4b" in printed.out and "shed is your own" in printed.out
    first, second = sorted(printed.err.splitlines())
    assert first.startswith(f"edge-mrl: left out: {folder / 'barn.toml'}")
    assert second.startswith(f"edge-mrl: left out: {folder / 'raspberry-pi-5.toml'} has the name")
    assert main(["profiles", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["left_out"]) == 2
    names = {profile["name"] for profile in document["profiles"]}
    assert "shed" in names and not names & {"barn", "raspberry-pi-5"}


def test_a_file_and_its_name_must_agree(folder: Path) -> None:
    (folder / "barn.toml").write_text(SHED, "utf-8")
    with pytest.raises(ProfileError, match=r"barn\.toml calls itself 'shed'"):
        load_profile("barn")


def test_a_file_anywhere_may_extend_a_user_s_own(folder: Path, tmp_path: Path) -> None:
    text = SHED.replace('"shed"', '"den"', 1).replace('"raspberry-pi-zero-2w"', '"shed"')
    (tmp_path / "den.toml").write_text(text.split("[budgets]")[0], "utf-8")
    assert load_profile(tmp_path / "den.toml").budgets == load_profile("shed").budgets
