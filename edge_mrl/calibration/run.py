"""Calibration from start to end: look whether the machine is at rest, measure, write a profile."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_mrl.calibration import device, models
from edge_mrl.calibration.load import (
    Repeats,
    Ticks,
    parse_ticks,
    standing_load,
    stolen_time,
    unsteady,
)
from edge_mrl.calibration.sheet import Measured, profile_text
from edge_mrl.errors import CalibrationError, ProfileError
from edge_mrl.planning import load_profile
from edge_mrl.profiles.encoder_times import EncoderTimes
from edge_mrl.profiles.files import calibrated_name
from edge_mrl.profiles.recognition import recognise
from edge_mrl.profiles.this_machine import available_memory, read_machine
from edge_mrl.profiles.user_folder import user_profile_folder
from edge_mrl.version import __version__


@dataclass(frozen=True, slots=True)
class Calibration:
    """What came of it.

    Attributes:
        name: the profile's name.
        place: its file.
        measured: the figures.
        spread: how far repeats lay apart at most, as a fraction.
        busy: why the figures are doubtful; None where they are not.
        seconds: how long it took.
    """

    name: str
    place: Path
    measured: Measured
    spread: float
    busy: str | None
    seconds: float


Steps = Callable[[int, int], None]


def calibrate(
    bundle: Path | None = None,
    *,
    folder: Path | None = None,
    force: bool = False,
    on_progress: Steps | None = None,
) -> Calibration:
    """Measure this device and write a profile into the user's folder, which ``"auto"`` then uses.

    Args:
        bundle: a bundle whose variants are timed too.
        folder: on the storage where indexes will stand; default the current one.
        force: write a profile of a busy machine too, and mark it so.
        on_progress: called with the steps that are done and all there are.

    Raises:
        CalibrationError: the machine is busy, or something cannot be written; nothing was written.
        BundleError: the bundle cannot be used.
        ProfileError: the profile that it extends is wrong.
    """
    begun = time.monotonic()
    machine = read_machine()
    base = recognise(machine)
    name = calibrated_name(base)
    place = _place(name)
    variants = [] if bundle is None else models.runnable(bundle)
    busy = standing_load(os.getloadavg()[0], machine.cores)
    if busy is not None and not force:
        raise _refusal(busy)
    before = _ticks()
    measured, repeats = _measure(bundle, variants, folder, on_progress)
    busy = busy or stolen_time(before, _ticks()) or unsteady(repeats)
    if busy is not None and not force:
        raise _refusal(busy)
    spread = max(one.spread for one in repeats)
    doubt = "" if busy is None else f"; measured under load: {busy}"
    source = (
        f"edge-mrl calibrate {__version__} on {time.strftime('%Y-%m-%d')}, repeats within "
        f"{spread:.0%}{doubt}"
    )
    known = load_profile(base)
    text = profile_text(
        name,
        f"{known.title}, measured"[:100],
        base,
        measured,
        source=source,
        kept=_earlier(name),
        doubtful=busy is not None,
    )
    _write(place, text)
    return Calibration(name, place, measured, spread, busy, time.monotonic() - begun)


def _measure(
    bundle: Path | None,
    variants: list[str],
    folder: Path | None,
    on_progress: Steps | None,
) -> tuple[Measured, list[Repeats]]:
    """The figures, and the repeats that say how steady the machine was."""
    steps = 4 + len(variants)

    def tell(done: int) -> None:
        if on_progress is not None:
            on_progress(done, steps)

    tell(0)
    memory, first = device.memory_read(available_memory())
    tell(1)
    scanned, second = device.scan_speed()
    tell(2)
    # Storage is uneven by itself, and says little of the load: its repeats are left out.
    random, sequential, _ = device.storage(folder or Path.cwd())
    tell(3)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        searched, third = device.search_times(Path(made))
    tell(4)
    repeats: list[Repeats] = [first, second, *third]
    encoders = []
    for number, variant in enumerate(variants, 5):
        assert bundle is not None
        times, more = models.time_variant(bundle, variant)
        encoders.append(times)
        repeats += more
        tell(number)
    measured = Measured(
        memory_read=memory,
        scan_speed=scanned,
        core_speed=searched.core_speed,
        search_base=searched.base,
        row_read=searched.row_read,
        row_held=searched.row_held,
        storage_random_read=random,
        storage_sequential_read=sequential,
        encoders=tuple(encoders),
    )
    return measured, repeats


def _refusal(why: str) -> CalibrationError:
    return CalibrationError(
        f"this machine is busy, {why}: stop other programs and try again, or give --force to "
        "write a profile that says so"
    )


def _ticks() -> Ticks | None:
    try:
        return parse_ticks(Path("/proc/stat").read_text())
    except OSError:
        return None  # not Linux


def _place(name: str) -> Path:
    """Where the profile goes; looked at before anything is measured."""
    folder = user_profile_folder()
    if folder is None:
        raise CalibrationError(
            "there is no home folder to keep the profile in: set XDG_CONFIG_HOME to a folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CalibrationError(
            f"the profile cannot be written into {folder} ({error.strerror or error}): make it "
            "writable, or set XDG_CONFIG_HOME to another folder"
        ) from error
    return folder / f"{name}.toml"


def _earlier(name: str) -> tuple[EncoderTimes, ...]:
    try:
        return load_profile(name).encoders
    except ProfileError:
        return ()


def _write(place: Path, text: str) -> None:
    """The whole file or none."""
    staged = place.with_suffix(".new")
    try:
        staged.write_text(text, encoding="utf-8")
        staged.replace(place)
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise CalibrationError(f"cannot write {place}: {error.strerror or error}") from error
