"""What a library raises over a model, as one sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from edge_mrl.errors import EdgeMrlError, ExportError


@contextlib.contextmanager
def refusing(what: str) -> Iterator[None]:
    """Run a library on a model that nobody vouches for.

    Args:
        what: what did not work, to stand before the library's own words.

    Raises:
        ExportError: the library raised something. Over a wrong config.json, torch and transformers
            raise whatever the value happens to break, so nothing narrower would do.
    """
    try:
        yield
    except EdgeMrlError:
        raise
    except Exception as error:
        raise ExportError(f"{what}: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
