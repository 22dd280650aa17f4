"""Reading JSON lines from a file that nobody vouches for: one object a line, lines of bounded
length."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge_mrl.errors import EdgeMrlError
from edge_mrl.schema import load_json

MAX_LINE_BYTES = 16 * 2**20


def read_objects(
    path: Path, error: type[EdgeMrlError], *, fields: str
) -> Iterator[tuple[int, dict[str, object]]]:
    """The objects of a file, one at a time; empty lines are passed over.

    Args:
        path: the file.
        error: the class of error to raise.
        fields: what an object should have, for a message, e.g. ``"_id and text"``.

    Yields:
        The number of the line, from 1, and the object.

    Raises:
        error: a line is too long, not JSON, or not an object.
    """
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(MAX_LINE_BYTES + 1):
            number += 1
            where = f"{path}, line {number}"
            if len(line) > MAX_LINE_BYTES:
                raise error(f"{where}: longer than {MAX_LINE_BYTES // 2**20} MiB")
            if not line.strip():
                continue
            try:
                found = load_json(line)
            except ValueError as reason:
                raise error(f"{where}: not valid JSON ({reason})") from reason
            if not isinstance(found, dict):
                raise error(f"{where}: not a JSON object with the fields {fields}")
            yield number, found
