"""Numbers as people read them, shared by a plan's reasons, its refusals and its table."""

from __future__ import annotations


def mebibytes(count: float) -> str:
    """A size in MiB, or in GiB from 10 GiB on."""
    if count >= 10 * 2**30:
        return f"{count / 2**30:.1f} GiB"
    return f"{count / 2**20:.1f} MiB"


def milliseconds(milli: float) -> str:
    """A time in milliseconds, with two digits that count."""
    return (
        f"{milli:.2f} ms" if milli < 1 else f"{milli:.1f} ms" if milli < 10 else f"{milli:.0f} ms"
    )


def percent(fraction: float) -> str:
    """A share in percent, one decimal."""
    return f"{100 * fraction:.1f} %"


def number(count: int) -> str:
    """A count with thin groups: ``"1 000 000"``."""
    return f"{count:,}".replace(",", " ")
