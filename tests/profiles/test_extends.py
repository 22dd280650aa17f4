"""A profile that extends another, and what is said when it cannot."""

from __future__ import annotations

import pytest

from edge_mrl.errors import ProfileError
from edge_mrl.profiles.profile import parse_profile
from edge_mrl.profiles.sheets import MAX_CHAIN, line_of
from tests.profiles.test_profile import GOOD

CHILD = """\
schema = 1
name = "child"
title = "The board with more memory"
extends = "my-board"

[facts]
memory = { value = 2, unit = "GiB", source = "read off the chip" }

[budgets]
memory = { value = 512, unit = "MiB", source = "a quarter" }
"""


def family(**texts: str):
    """A lookup among texts by name, with ``-`` written ``_``."""
    found = {"my-board": GOOD} | {name.replace("_", "-"): text for name, text in texts.items()}

    def lookup(name: str) -> tuple[str, str]:
        if name not in found:
            raise ProfileError(f"there is no device profile {name!r}")
        return found[name], f"{name}.toml"

    return lookup


def link(name: str, extends: str) -> str:
    return f'schema = 1\nname = "{name}"\ntitle = "t"\nextends = "{extends}"\n'


def test_fields_given_replace_those_of_the_base_and_the_rest_is_the_base_s() -> None:
    base, child = parse_profile(GOOD, "b"), parse_profile(CHILD, "c", family())
    assert (child.name, child.title, child.extends) == (
        "child",
        "The board with more memory",
        "my-board",
    )
    assert child.facts.memory_bytes == 2 * 2**30
    assert child.budgets.memory_bytes == 512 * 2**20
    assert (child.facts.cores, child.facts.isa, child.facts.engines) == (
        base.facts.cores,
        base.facts.isa,
        base.facts.engines,
    )
    assert child.budgets.query_latency == base.budgets.query_latency


def test_each_field_keeps_its_own_source_and_the_name_of_its_profile() -> None:
    figures = {one.field: one for one in parse_profile(CHILD, "c", family()).figures}
    assert len(figures) == 17
    memory, read = figures["facts.memory"], figures["facts.memory_read"]
    assert (memory.source, memory.origin, memory.estimate) == ("read off the chip", "child", False)
    assert (read.source, read.origin, read.estimate) == ("s", "my-board", True)


def test_a_chain_of_several_takes_the_nearest() -> None:
    grandchild = link("grandchild", "child") + (
        '[facts]\ncores = { value = 2, unit = "cores", source = "s" }\n'
    )
    made = parse_profile(grandchild, "g", family(child=CHILD))
    assert (made.facts.cores, made.facts.memory_bytes, made.facts.isa) == (
        2,
        2 * 2**30,
        "armv8.0-a",
    )


@pytest.mark.parametrize(
    ("text", "others", "said"),
    [
        (link("a", "a"), {}, r"a\.toml: the field 'extends' leads back to a \(a -> a\) \(line 4\)"),
        (
            link("a", "b"),
            {"b": link("b", "a")},
            r"b\.toml: the field 'extends' leads back to a \(a -> b -> a\)",
        ),
        (
            link("a", "nobody"),
            {},
            r"a\.toml: extends: there is no device profile 'nobody' \(line 4\)",
        ),
        (link("a", ""), {}, "there is no device profile ''"),
        (
            link("a", "c0"),
            {f"c{i}": link(f"c{i}", f"c{i + 1}") for i in range(9)},
            f"a chain of more than {MAX_CHAIN} profiles",
        ),
    ],
)
def test_chains_that_lead_nowhere_are_refused(text: str, others: dict[str, str], said: str) -> None:
    with pytest.raises(ProfileError, match=said):
        parse_profile(text, "a.toml", family(**others))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"my-board"', "1", "the field 'extends' must be text of at most 60 characters, not 1"),
        ("value = 512", "value = 4096", "c.toml: budgets.memory is more than facts.memory"),
        (
            "value = 2,",
            "value = -2,",
            "c.toml: facts: memory: the value -2 GiB is out of range; it must be from 1 to "
            "1.67772e+07 MiB (line 7)",
        ),
        ("[facts]", "[facts]\nmemroy = 1", "c.toml: facts: unknown field 'memroy'"),
        ('"child"', '"auto"', "the name 'auto' stands for this machine: choose another (line 2)"),
        ("[budgets]", "[budget]", "unknown field 'budget'"),
    ],
)
def test_a_wrong_field_is_refused_with_its_own_file_and_line(old: str, new: str, said: str) -> None:
    assert old in CHILD
    with pytest.raises(ProfileError) as caught:
        parse_profile(CHILD.replace(old, new, 1), "c.toml", family())
    assert said in str(caught.value)


def test_a_wrong_field_of_the_base_names_the_base_s_file() -> None:
    broken = GOOD.replace("value = 4,", "value = 4.5,", 1)
    with pytest.raises(ProfileError, match=r"^my-board\.toml: facts: cores: .*\(line 7\)$"):
        parse_profile(CHILD, "c.toml", family(my_board=broken))


def test_what_the_base_lacks_is_missed_there() -> None:
    broken = GOOD.replace('isa = { value = "armv8.0-a", source = "s" }', "")
    with pytest.raises(ProfileError, match=r"my-board\.toml: facts: the field 'isa' is missing"):
        parse_profile(CHILD, "c.toml", family(my_board=broken))


def test_without_a_lookup_nothing_is_extended() -> None:
    with pytest.raises(ProfileError, match="read the profile from its file"):
        parse_profile(CHILD, "c.toml")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 2),
        (("t", "a"), 5),
        (("t", "c", "value"), 8),
        (("u", "value"), 10),
        (("t", "nothing"), None),
    ],
)
def test_the_line_of_a_value(path: tuple[str, ...], line: int | None) -> None:
    text = (
        "# a = 1 in a comment\n"
        "a = 1\n"
        "[t]\n"
        "# [u] and a = 3\n"
        "a = 2\n"
        'b = """\n'
        'a = 4 in a text"""\n'
        "c = { value = 1 }\n"
        "[u]\n"
        "value = 2\n"
    )
    assert line_of(text, path) == line
