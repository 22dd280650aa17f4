"""A calibrated profile as the text of its file. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from edge_mrl.profiles.encoder_times import EncoderTimes
from edge_mrl.profiles.sheets import SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found.

    Attributes:
        memory_read: bytes a second.
        scan_speed: relative to the constants of `search_cost`.
        core_speed: likewise, of a search besides the scan.
        search_base: seconds of a search besides scan and rereading.
        row_read: seconds for rereading a row whose page is cached.
        row_held: the same for a row that is in memory.
        storage_random_read: seconds of one read of 4 KiB.
        storage_sequential_read: bytes a second.
        encoders: the variants of a bundle, where one was given.
    """

    memory_read: float
    scan_speed: float
    core_speed: float
    search_base: float
    row_read: float
    row_held: float
    storage_random_read: float
    storage_sequential_read: float
    encoders: tuple[EncoderTimes, ...] = ()


def profile_text(
    name: str,
    title: str,
    extends: str,
    measured: Measured,
    *,
    source: str,
    kept: Sequence[EncoderTimes] = (),
    doubtful: bool,
) -> str:
    """The TOML document.

    Args:
        name: of the new profile.
        title: of the one that it extends.
        extends: the name of that.
        measured: what was found.
        source: where the figures come from, in words.
        kept: encoders that were measured before, for models that were not measured now.
        doubtful: whether the machine was busy; the figures are then marked as estimates.
    """
    facts = (
        ("memory_read", f"{measured.memory_read / 1e6:.0f}", "MB/s"),
        ("storage_random_read", f"{measured.storage_random_read * 1e6:.1f}", "us"),
        ("storage_sequential_read", f"{measured.storage_sequential_read / 1e6:.1f}", "MB/s"),
        ("core_speed", f"{measured.core_speed:.4f}", "x"),
        ("scan_speed", f"{measured.scan_speed:.4f}", "x"),
        ("search_base", f"{measured.search_base * 1e6:.2f}", "us"),
        ("row_read", f"{measured.row_read * 1e6:.4f}", "us"),
        ("row_held", f"{measured.row_held * 1e6:.4f}", "us"),
    )
    estimate = "estimate = true, " if doubtful else ""
    quoted = json.dumps(source)
    lines = [
        f"schema = {SCHEMA_VERSION}",
        f"name = {json.dumps(name)}",
        f"title = {json.dumps(title)}",
        f"extends = {json.dumps(extends)}",
        "",
        "[facts]",
        *(
            f'{key} = {{ value = {value}, unit = "{unit}", {estimate}source = {quoted} }}'
            for key, value, unit in facts
        ),
    ]
    now = {(one.identity, one.variant) for one in measured.encoders}
    older = [one for one in kept if (one.identity, one.variant) not in now]
    for one in (*measured.encoders, *older):
        lines += [
            "",
            "[[encoders]]",
            f"identity = {json.dumps(one.identity)}",
            f"variant = {json.dumps(one.variant)}",
            f"tokens = {[tokens for tokens, _ in one.seconds]}",
            f"ms = [{', '.join(f'{1e3 * seconds:.4f}' for _, seconds in one.seconds)}]",
            f"source = {quoted}",
        ]
    return "\n".join(lines) + "\n"
