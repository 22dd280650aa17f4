"""An argument that is JSON, written out or in a file."""

from __future__ import annotations

from pathlib import Path

from edge_mrl.errors import InputError
from edge_mrl.schema import load_json

_MAX_BYTES = 64 << 20


def json_argument(argument: str, flag: str) -> object:
    """The values of a JSON text, which starts with a brace, or of the file of that name.

    Args:
        argument: the text or the path.
        flag: names the argument in messages.

    Raises:
        InputError: it is not JSON, or there is no such file.
    """
    text, advice = argument, "quote it for the shell"
    if argument.lstrip()[:1] != "{":
        place = Path(argument)
        advice = "it must hold one JSON object"
        try:
            if place.stat().st_size > _MAX_BYTES:
                raise InputError(f"{flag}: {place} is larger than {_MAX_BYTES >> 20} MiB")
            text = place.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                f"{flag}: cannot read {argument[:200]} ({reason}): give a file or a JSON object"
            ) from error
    try:
        return load_json(text)
    except ValueError as error:
        raise InputError(f"{flag} is not JSON ({error}): {advice}") from error
