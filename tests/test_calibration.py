"""Calibration: when a machine is believed, what is written, and that `auto` then plans with it."""

import json
import tomllib

import pytest

from edge_mrl import calibration
from edge_mrl.calibration import run
from edge_mrl.calibration.load import (
    Repeats,
    Ticks,
    parse_ticks,
    standing_load,
    stolen_time,
    unsteady,
)
from edge_mrl.calibration.sheet import Measured, profile_text
from edge_mrl.cli.main import main
from edge_mrl.errors import CalibrationError
from edge_mrl.planning import load_profile
from edge_mrl.profiles.encoder_times import EncoderTimes
from edge_mrl.profiles.files import _lookup
from edge_mrl.profiles.profile import parse_profile


def test_a_line_of_proc_stat_is_read_by_its_columns():
    # user nice system idle iowait irq softirq steal guest guest_nice (proc(5)).
    text = "cpu  10 20 30 400 5 6 7 8 9 1\ncpu0 1 2 3 4 5 6 7 8 9 1\n"
    assert parse_ticks(text) == Ticks(486, 8)
    assert parse_ticks("nothing of the kind") is None


@pytest.mark.parametrize(
    ("average", "cores", "busy"), [(0.4, 1, False), (0.6, 1, True), (2, 4, False)]
)
def test_the_load_average_counts_for_each_core(average, cores, busy):
    assert (standing_load(average, cores) is not None) == busy


def test_time_that_the_host_took_away():
    assert stolen_time(Ticks(1000, 10), Ticks(2000, 25)) is None
    assert stolen_time(Ticks(1000, 10), Ticks(2000, 110)) == "its host took 10% of the time away"
    assert stolen_time(None, Ticks(1, 1)) is None


def test_repeats_that_differ_are_named():
    steady, uneven = Repeats("a", (1.0, 1.1, 1.2)), Repeats("the scan", (1.0, 1.5, 2.0))
    assert uneven.spread == pytest.approx(0.5) and uneven.best == 1.0
    assert unsteady([steady]) is None
    assert unsteady([steady, uneven]) == "repeats of the scan differ by 50%"


MEASURED = Measured(
    memory_read=12.5e9,
    scan_speed=1.75,
    core_speed=0.9,
    search_base=0.00025,
    row_read=2.5e-6,
    row_held=3.75e-7,
    storage_random_read=0.00042,
    storage_sequential_read=87.5e6,
    encoders=(EncoderTimes("ab" * 32, "onnx-fp32", ((8, 0.004), (32, 0.012))),),
)


def test_what_is_written_is_read_again_to_the_last_figure():
    text = profile_text(
        "mine", 'A "board"', "raspberry-pi-5", MEASURED, source='tried "here"', doubtful=True
    )
    tomllib.loads(text)
    profile = parse_profile(text, "mine.toml", _lookup)
    facts, base = profile.facts, load_profile("raspberry-pi-5")
    assert (facts.memory_read, facts.scan_speed, facts.core_speed) == (12.5e9, 1.75, 0.9)
    assert (facts.search_base, facts.row_read) == pytest.approx((0.00025, 2.5e-6))
    assert facts.row_held == pytest.approx(3.75e-7)
    assert facts.storage_random_read == pytest.approx(0.00042)
    assert facts.storage_sequential_read == 87.5e6
    assert profile.encoders == MEASURED.encoders
    assert (profile.budgets, facts.cores) == (base.budgets, base.facts.cores)
    figures = {one.field: one for one in profile.figures}
    assert figures["facts.core_speed"].estimate and not figures["facts.cores"].estimate
    assert figures["facts.core_speed"].source == 'tried "here"'


def test_times_between_lengths_and_beyond():
    (times,) = MEASURED.encoders
    assert times.at(8, padded=False) == 0.004 == times.at(2, padded=False)
    assert times.at(20, padded=False) == pytest.approx(0.008)
    assert times.at(56, padded=False) == pytest.approx(0.020)
    # A file with a signature of 32 tokens fills a text of 9 up to it.
    assert times.at(9, padded=True) == 0.012


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("tokens = [8, 32]", "tokens = [32, 8]", "tokens must rise"),
        ("tokens = [8, 32]", "tokens = [8]", "one time for each"),
        ("ms = [4.0000", "ms = [-4.0000", "the field 'ms' must be a list of numbers from 0"),
        ("variant =", "variants =", "unknown field 'variants'"),
    ],
)
def test_a_wrong_entry_of_an_encoder_is_refused(old, new, said):
    text = profile_text("mine", "t", "laptop", MEASURED, source="s", doubtful=False)
    assert old in text
    with pytest.raises(Exception, match="encoders\\[0\\]") as caught:
        parse_profile(text.replace(old, new), "mine.toml", _lookup)
    assert said in str(caught.value) and "(line " in str(caught.value)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setattr(run.device, "FILE_BYTES", 2**20)
    monkeypatch.setattr(run.device, "SCAN_ROWS", 6400)
    return tmp_path


def test_a_busy_machine_is_refused_and_nothing_written(settings, monkeypatch, capsys):
    monkeypatch.setattr(run.os, "getloadavg", lambda: (99.0, 99.0, 99.0))
    assert main(["calibrate", "--folder", str(settings)]) == 1
    said = capsys.readouterr().err
    assert "this machine is busy, its load average is 99.0" in said and "--force" in said
    assert not list((settings / "settings").rglob("*.toml"))


def test_a_forced_profile_is_marked_and_auto_plans_with_it(settings, static_bundle, monkeypatch):
    monkeypatch.setattr(run.os, "getloadavg", lambda: (99.0, 99.0, 99.0))
    before = load_profile("auto")
    steps = []
    found = calibration.calibrate(
        static_bundle, folder=settings, force=True, on_progress=lambda *step: steps.append(step)
    )
    assert found.busy is not None and steps[-1] == (8, 8)
    profile = load_profile("auto")
    assert (profile.name, profile.extends) == (found.name, before.name)
    assert profile.facts.core_speed == pytest.approx(found.measured.core_speed, rel=0.01)
    assert {one.variant for one in profile.encoders} >= {"table-int8-256", "onnx-int8-portable"}
    figure = next(one for one in profile.figures if one.field == "facts.core_speed")
    assert figure.estimate and "measured under load: its load average is 99.0" in figure.source
    # Measured again without a bundle, the models that were measured before are kept.
    calibration.calibrate(folder=settings, force=True)
    assert load_profile("auto").encoders == profile.encoders
    assert [file.name for file in settings.iterdir()] == ["settings"]


def test_without_permission_it_stops_before_it_measures(settings, monkeypatch):
    (settings / "settings").write_text("a file where a folder should be")
    with pytest.raises(CalibrationError, match="cannot be written into .*XDG_CONFIG_HOME"):
        calibration.calibrate(folder=settings, force=True)


def test_a_folder_that_is_not_there_is_named(settings):
    with pytest.raises(CalibrationError, match="storage cannot be measured in .*no.*--folder"):
        calibration.calibrate(folder=settings / "no", force=True)


def test_bench_prints_what_was_predicted_beside_what_was_measured(static_bundle, capsys, tmp_path):
    command = ["bench", str(static_bundle), "--docs", "2500", "--folder", str(tmp_path)]
    assert main([*command, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    found = {one["what"]: one for one in document["compared"]}
    assert list(found) == [
        "resident memory",
        "index file",
        "search",
        "embedding, 32 tokens",
        "recall@10",
    ]
    memory, file, recall = found["resident memory"], found["index file"], found["recall@10"]
    assert abs(memory["predicted"] - memory["measured"]) < max(0.1 * memory["measured"], 4e6)
    assert file["predicted"] == pytest.approx(file["measured"], rel=0.05)
    assert recall["measured"] > 0.95 and found["search"]["measured"] > 0
    assert list(tmp_path.iterdir()) == []
