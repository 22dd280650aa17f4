"""Reading what several commands take."""

from __future__ import annotations

from edge_mrl.errors import InputError


def numbers(text: str | None, what: str, example: str) -> tuple[int, ...] | None:
    """Whole numbers with commas between, as after `--dims`.

    Raises:
        InputError: one of them is no whole number; names `what` and shows `example`.
    """
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"cannot read the {what} {text!r}: write them as {example}") from None
