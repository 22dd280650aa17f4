from __future__ import annotations

import pytest

from edge_mrl.errors import ProfileError
from edge_mrl.profiles.profile import parse_profile

GOOD = """
schema = 1
name = "my-board"
title = "My board"

[facts]
cores = { value = 4, unit = "cores", source = "s" }
clock = { value = 1.5, unit = "GHz", source = "s" }
isa = { value = "armv8.0-a", source = "s" }
dot_product = { value = false, source = "s" }
memory = { value = 425, unit = "MiB", source = "s" }
memory_read = { value = 1300, unit = "MB/s", source = "s", estimate = true }
storage_random_read = { value = 670, unit = "us", source = "s" }
storage_sequential_read = { value = 20, unit = "MB/s", source = "s" }
core_speed = { value = 0.12, unit = "x", source = "s" }
engines = { value = ["onnxruntime", "numpy"], source = "s" }
python = { value = "3.11", source = "s" }
libc = { value = "glibc 2.36", source = "s" }

[budgets]
memory = { value = 160, unit = "MiB", source = "s" }
storage = { value = 2, unit = "GiB", source = "s" }
query_latency = { value = 500, unit = "ms", source = "s" }
embedding_latency = { value = 800, unit = "ms", source = "s" }
quality_kept = { value = 0.7, unit = "fraction", source = "s" }
"""


def test_units_become_bytes_seconds_and_hertz() -> None:
    profile = parse_profile(GOOD, "my.toml")
    assert profile.facts.clock_hz == 1.5e9
    assert profile.facts.memory_bytes == 445_644_800
    assert profile.facts.memory_read == 1.3e9
    assert profile.facts.storage_random_read == pytest.approx(0.00067)
    assert profile.facts.engines == ("numpy", "onnxruntime")
    assert profile.budgets.storage_bytes == 2_147_483_648
    assert profile.budgets.query_latency == 0.5


def test_every_figure_keeps_its_source_and_whether_it_is_an_estimate() -> None:
    figures = {figure.field: figure for figure in parse_profile(GOOD, "my.toml").figures}
    assert len(figures) == 17
    assert (figures["facts.memory"].value, figures["facts.memory"].unit) == ("425", "MiB")
    assert [field for field, figure in figures.items() if figure.estimate] == ["facts.memory_read"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('cores = { value = 4, unit = "cores", source = "s" }', "", "'cores' is missing"),
        ("value = 425,", "value = -425,", "out of range; it must be from 1 to"),
        ("value = 425,", 'value = "425",', "facts: memory: the field 'value' must be a number"),
        ("value = 425,", "value = nan,", "facts: memory: the field 'value' must be a number"),
        (
            '425, unit = "MiB"',
            '425, unit = "MB"',
            "the unit 'MB' is unknown here; write MiB or GiB",
        ),
        ('425, unit = "MiB"', "425", "facts: memory: the field 'unit' is missing"),
        ("value = 4,", "value = 4.5,", "facts: cores: the field 'value' must be a whole number"),
        ("value = 4,", "value = 0,", "facts: cores: the field 'value' must be a whole number"),
        (
            "value = false",
            "value = 1",
            "facts: dot_product: the field 'value' must be true or false",
        ),
        ("[budgets]", "[budgets]\ncolour = 1", "budgets: unknown field 'colour'"),
        ("[facts]", "weight = 1\n[facts]", "unknown field 'weight'"),
        (
            '"onnxruntime", "numpy"',
            '"onnxruntime", "cuda"',
            "name one or more out of numpy, onnxruntime, ai-edge-litert, tflite-runtime, each once "
            "(line 16)",
        ),
        ('"onnxruntime", "numpy"', '"numpy", "numpy"', "each once (line 16)"),
        ('"onnxruntime", "numpy"', "", "each once (line 16)"),
        ('"3.11"', '"3"', "the value '3' must be \"none\" or a version such as"),
        ('"3.11"', "3.11", "facts: python: the field 'value' must be text"),
        ('"glibc 2.36"', '"2.36"', 'must be "glibc 2.36"'),
        ("value = 800", "value = 0", "embedding_latency: the value 0 ms is out of range"),
        ('0.12, unit = "x", source = "s"', '0.12, unit = "x", source = " "', "the source is empty"),
        ('0.12, unit = "x", source = "s"', '0.12, unit = "x"', "'source' is missing"),
        ("estimate = true", 'estimate = "yes"', "'estimate' must be true or false"),
        ("value = 160,", "value = 600,", "budgets.memory is more than facts.memory"),
        ("value = 160,", "value = 600,", "what is not there (line 21)"),
        ("value = 500,", "value = 0.5,", "not one row could be read in time (line 23)"),
        ('value = 2, unit = "GiB"', 'value = 1, unit = "MiB"', "no bundle and index fit there"),
        ("value = 0.7,", "value = 1.7,", "must be from 0 to 1 fraction"),
        ('"my-board"', '"My Board"', "small letters and digits"),
        ("schema = 1", "schema = 2", "newer than this edge-mrl reads"),
        ("schema = 1", "schema = ", "is not valid TOML"),
    ],
)
def test_a_wrong_field_is_refused_with_file_and_field(old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(ProfileError) as caught:
        parse_profile(GOOD.replace(old, new, 1), "my.toml")
    assert said in str(caught.value)
    assert "my.toml" in str(caught.value)
