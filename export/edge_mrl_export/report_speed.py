"""The part of report.html that says what a variant takes in time and memory. Pure.

It is what the planner expects of devices, not what this machine took: the same export gives the
same page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_mrl.bundle.manifest import Manifest
from edge_mrl.cli.output import format_bytes
from edge_mrl.planning.encoder_cost import embedding_latency, encoder_memory
from edge_mrl.planning.facts import BundleFacts, VariantFacts
from edge_mrl.profiles.profile import DeviceProfile
from edge_mrl_export.markup import Markup, code, element, table

LENGTHS = (16, 256)
"""Tokens of a short question and of a page."""


def speed(manifest: Manifest, devices: Sequence[DeviceProfile]) -> Iterator[Markup]:
    """What each variant takes on each of some devices."""
    facts = BundleFacts.from_manifest(manifest)
    yield element("h3", "Speed and memory, as planned")
    yield table(
        ("variant", "memory", *(device.title for device in devices)),
        [
            (
                one.name,
                format_bytes(encoder_memory(one)),
                *(_times(device, facts, one) for device in devices),
            )
            for one in facts.variants
        ],
    )
    lengths = " / ".join(map(str, LENGTHS))
    yield element(
        "p",
        f"Times in ms of one text of {lengths} tokens on one core, and the resident memory of "
        "the process. Estimates from the size of the model and the speed of the device's core: "
        "without int8 dot products (Raspberry Pi 4 and older) int8 gains less. Measured on the "
        "device itself, and remembered by its planner:",
        class_="note",
    )
    yield code("edge-mrl calibrate bundle\n")


def _times(device: DeviceProfile, bundle: BundleFacts, variant: VariantFacts) -> str:
    if not device.facts.runs(variant.engines):
        return "no engine"
    found = [1000 * embedding_latency(device, bundle, variant, tokens) for tokens in LENGTHS]
    return " / ".join(f"{ms:.0f}" if ms >= 10 else f"{ms:.1f}" for ms in found)
