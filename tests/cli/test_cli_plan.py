from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_mrl.bundle.manifest_json import dump
from edge_mrl.cli.main import main
from tests.planning.bundles import static_manifest

FOLDER = Path(__file__).resolve().parents[2] / "device_profiles"


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    """A bundle of which only the manifest is there: planning reads nothing else."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "manifest.json").write_bytes(dump(static_manifest()))
    return str(folder)


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    """A Zero 2 W that grants 45 MiB."""
    text = (FOLDER / "raspberry-pi-zero-2w.toml").read_text("utf-8")
    file = tmp_path / "tiny.toml"
    changed = text.replace("memory = { value = 160", "memory = { value = 45")
    file.write_text(changed.replace('"raspberry-pi-zero-2w"', '"tiny"'), "utf-8")
    return str(file)


def test_one_device_and_number(bundle: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", bundle, "--profile", "raspberry-pi-5", "--docs", "100_000"]) == 0
    out = capsys.readouterr().out
    assert "raspberry-pi-5    100 000  table-int8-256   256x8" in out
    assert out.count("raspberry-pi-5, 100 000:") == 1
    assert out.endswith("--why gives every reason of every plan.\n")


def test_json_has_a_plan_for_each_device_and_number(
    bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", bundle, "--all", "--docs", "10000", "--docs", "1000000", "--json"]) == 0
    plans = json.loads(capsys.readouterr().out)["plans"]
    assert len(plans) == 2 * len(list(FOLDER.glob("*.toml")))
    assert all(plan["fits"] for plan in plans)
    first = plans[0]
    assert (first["device"], first["documents"]) == ("raspberry-pi-zero-2w", 10_000)
    wanted = {"variant", "threads", "stored", "scan", "refine", "shortlists", "memory_bytes"}
    assert wanted | {"because"} <= set(first)


def test_a_named_device_is_not_listed_twice(
    bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", bundle, "--profile", "laptop", "--all", "--docs", "10", "--json"]) == 0
    devices = [plan["device"] for plan in json.loads(capsys.readouterr().out)["plans"]]
    assert devices[0] == "laptop" and devices.count("laptop") == 1


def test_the_only_plan_not_fitting_is_exit_code_2(
    bundle: str, tiny: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", bundle, "--profile", tiny, "--docs", "1000"]) == 2
    assert "1 000 documents do not fit tiny" in capsys.readouterr().out


def test_one_of_several_not_fitting_is_a_row(
    bundle: str, tiny: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["plan", bundle, "--profile", tiny, "--profile", "laptop", "--docs", "1000", "--json"])
        == 0
    )
    bad, good = json.loads(capsys.readouterr().out)["plans"]
    assert (bad["fits"], good["fits"]) == (False, True)
    assert "export a smaller variant" in bad["error"]


def test_longer_texts_make_a_larger_file(bundle: str, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = []
    for size in ("100", "1000"):
        command = [
            "plan",
            bundle,
            "--profile",
            "laptop",
            "--docs",
            "1000",
            "--text-bytes",
            size,
            "--json",
        ]
        assert main(command) == 0
        sizes.append(json.loads(capsys.readouterr().out)["plans"][0]["index_file_bytes"])
    assert sizes[1] > sizes[0] + 900_000


def test_what_follows_the_documents_makes_a_larger_file(
    bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def size(*more: str) -> int:
        main(["plan", bundle, "--profile", "laptop", "--docs", "10000", "--json", *more])
        size: int = json.loads(capsys.readouterr().out)["plans"][0]["index_file_bytes"]
        return size

    bare = size()
    # 1.08 x 500 ** 0.87; 20 coordinates of 21 bytes and 45; a value of 20 + 11 bytes and its room;
    # 30 x 64 bytes and their row in pages of their own.
    assert size("--lexical", "unicode61") - bare == pytest.approx(2_407_000, rel=1e-3)
    assert size("--sparse", "20") - bare == 4_650_000
    values = size("--payload-values", "1", "--payload-value-bytes", "20") - bare
    assert values == pytest.approx(334_800, rel=1e-3)
    assert size("--token-vectors", "30", "--token-slice", "64x8") - bare > 19_200_000


def test_token_vectors_without_a_slice(bundle: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["plan", bundle, "--profile", "laptop", "--docs", "10"]
    assert main([*given, "--token-vectors", "30"]) == 2
    assert "--token-vectors N and --token-slice S" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*given, "--sparse", "-1"])
    assert "'-1' is not a number from 0" in capsys.readouterr().err


def test_every_reason(bundle: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", bundle, "--profile", "laptop", "--docs", "1000", "--why"]) == 0
    assert "    - encoder: table-int8-256" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--docs", "10"], "no device was named"),
        (["--docs", "10", "--profile", "raspberry-pi-6"], "raspberry-pi-5"),
    ],
)
def test_wrong_devices(
    bundle: str, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", bundle, *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("count", ["-1", "many", "1.5"])
def test_a_wrong_number_of_documents(
    bundle: str, count: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["plan", bundle, "--profile", "laptop", f"--docs={count}"])
    assert caught.value.code == 2
    assert "is not a whole number from 0 on" in capsys.readouterr().err


def test_a_missing_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(tmp_path / "none"), "--profile", "laptop", "--docs", "10"]) == 2
    assert "there is no bundle" in capsys.readouterr().err
