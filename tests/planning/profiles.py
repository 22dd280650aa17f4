"""Profiles for the planner's tests: a small board whose figures are easy to reckon with."""

from __future__ import annotations

from dataclasses import replace

from edge_mrl.bundle.engines import ENGINES
from edge_mrl.bundle.manifest import VariantFormat
from edge_mrl.profiles.profile import Budgets, DeviceFacts, DeviceProfile

MIB = 2**20

BOARD = DeviceProfile(
    name="board",
    title="A made-up board",
    facts=DeviceFacts(
        cores=4,
        clock_hz=1e9,
        isa="armv8.0-a",
        dot_product=False,
        memory_bytes=400 * MIB,
        memory_read=1e9,
        storage_random_read=1e-3,
        storage_sequential_read=20e6,
        core_speed=0.1,
        scan_speed=0.1,
        engines=("numpy", "onnxruntime"),
        python="3.11",
        libc="glibc 2.36",
    ),
    budgets=Budgets(
        memory_bytes=160 * MIB,
        storage_bytes=2048 * MIB,
        query_latency=0.5,
        embedding_latency=1.0,
        quality_kept=0.0,
    ),
    figures=(),
)


def board(
    *,
    memory_mib: float = 160,
    storage_mib: float = 2048,
    latency_ms: float = 500,
    embedding_ms: float = 1000,
    kept: float = 0.0,
    formats: tuple[VariantFormat, ...] = ("table", "onnx"),
) -> DeviceProfile:
    """The board with other budgets or engines."""
    budgets = Budgets(
        int(memory_mib * MIB),
        int(storage_mib * MIB),
        latency_ms / 1000,
        embedding_ms / 1000,
        kept,
    )
    engines = tuple(engine for format_ in formats for engine in ENGINES[format_])
    return replace(BOARD, facts=replace(BOARD.facts, engines=engines), budgets=budgets)
