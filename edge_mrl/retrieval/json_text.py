"""A filter or a tree of branches as JSON text, from a command line or a request. Pure."""

from __future__ import annotations

import json

from edge_mrl.errors import InputError
from edge_mrl.retrieval.filter_parser import parse_filter
from edge_mrl.retrieval.filters import Filter


def filter_from_json(text: str, where: str) -> Filter:
    """Read a filter.

    Args:
        text: JSON, as docs/retrieval.md says.
        where: names the text in messages, e.g. ``"--filter"``.

    Raises:
        InputError: it is not JSON, or not a filter; names the faulty element.
    """
    return parse_filter(parsed(text, where), where)


def parsed(text: str, where: str) -> object:
    """The values of a JSON text.

    Raises:
        InputError: it is not JSON.
    """
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON ({error}): quote it for the shell") from error
    return value
