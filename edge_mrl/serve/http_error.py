"""What goes wrong with a request, in the shape that OpenAI's API answers with. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from edge_mrl.errors import EdgeMrlError

RETRY_SECONDS = 1


class HttpError(Exception):
    """An answer that is an error.

    Args:
        status: the HTTP status.
        message: one sentence, what is wrong and what to do.
        param: the field of the request that is at fault.
        code: OpenAI's name for the problem, where it has one.
        kind: OpenAI's `type`; by the status where it is not given.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        kind: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.kind = kind or ("invalid_request_error" if status < 500 else "server_error")

    def body(self) -> bytes:
        """``{"error": {"message", "type", "param", "code"}}``."""
        error = {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }
        return json.dumps({"error": error}).encode()

    def headers(self) -> Mapping[str, str]:
        """What goes with the status: when to try again, how to prove who one is."""
        if self.status in (429, 503):
            return {"retry-after": str(RETRY_SECONDS)}
        if self.status == 401:
            return {"www-authenticate": "Bearer"}
        return {}


@contextmanager
def about(param: str | None) -> Iterator[None]:
    """Turn an error about a value of the request into a problem with that field."""
    try:
        yield
    except EdgeMrlError as error:
        raise HttpError(400, str(error), param=param) from error
