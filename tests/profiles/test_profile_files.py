from __future__ import annotations

from pathlib import Path

import pytest

from edge_mrl.errors import ProfileError
from edge_mrl.planning import list_profiles, load_profile
from edge_mrl.profiles.files import MAX_PROFILE_BYTES

FOLDER = Path(__file__).resolve().parents[2] / "device_profiles"


def test_all_shipped_profiles_are_listed_under_their_file_names() -> None:
    names = [profile.name for profile in list_profiles()]
    assert sorted(names) == sorted(file.stem for file in FOLDER.glob("*.toml"))
    assert names[0] == "raspberry-pi-zero-2w"
    assert {"raspberry-pi-3b-plus", "raspberry-pi-4b", "raspberry-pi-5", "laptop"} < set(names)


def test_what_is_not_measured_is_marked() -> None:
    for profile in list_profiles():
        speed = next(figure for figure in profile.figures if figure.field == "facts.core_speed")
        assert speed.estimate, profile.name


def test_a_path_is_read_too(tmp_path: Path) -> None:
    copy = tmp_path / "mine.toml"
    copy.write_text((FOLDER / "raspberry-pi-5.toml").read_text("utf-8"), "utf-8")
    assert load_profile(copy) == load_profile("raspberry-pi-5")


@pytest.mark.parametrize(
    "name", ["raspbery-pi-zero-2w", "Raspberry Pi Zero 2W", "raspberry_pi_zero_2w"]
)
def test_an_unknown_name_offers_the_nearest(name: str) -> None:
    with pytest.raises(
        ProfileError, match=r"did you mean .*raspberry-pi-zero-2w.*edge-mrl profiles"
    ):
        load_profile(name)


def test_an_unknown_name_like_no_other_offers_the_list() -> None:
    with pytest.raises(
        ProfileError, match="there is no device profile 'toaster': `edge-mrl profiles`"
    ):
        load_profile("toaster")


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"cannot read .*none\.toml: No such file"):
        load_profile(tmp_path / "none.toml")
    with pytest.raises(ProfileError, match="cannot read"):
        load_profile(f"{tmp_path}/")
    (tmp_path / "latin.toml").write_bytes(b'name = "caf\xe9"')
    with pytest.raises(ProfileError, match="not UTF-8"):
        load_profile(tmp_path / "latin.toml")
    (tmp_path / "big.toml").write_bytes(b"#" * (MAX_PROFILE_BYTES + 1))
    with pytest.raises(ProfileError, match="no device profile"):
        load_profile(tmp_path / "big.toml")


def test_a_board_in_another_size_is_the_same_board() -> None:
    """What extends another differs in the fields that it gives, and in no other."""
    for profile in list_profiles():
        if profile.extends is None:
            continue
        base = {one.field: one for one in load_profile(profile.extends).figures}
        for figure in profile.figures:
            if figure.origin != profile.name:
                assert figure == base[figure.field]
        assert any(figure.origin == profile.name for figure in profile.figures)
