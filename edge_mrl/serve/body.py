"""Reading a request's body within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from edge_mrl.serve.http_error import HttpError
from edge_mrl.serve.limits import Limits

Receive = Callable[[], Awaitable[Any]]

_DRAINED_BYTES = 64 * 2**20
_DRAIN_SECONDS = 5


class ClientGone(Exception):  # noqa: N818 - nothing went wrong here
    """The client closed the connection before its request was whole."""


class Incoming:
    """A request's body as it comes: ASGI's ``receive``, which remembers whether all was read.

    Args:
        receive: ASGI's.
        headers: by lower-case name.
    """

    def __init__(self, receive: Receive, headers: Mapping[str, str]) -> None:
        self._receive = receive
        self._headers = headers
        self._started = False
        self._finished = not ({"content-length", "transfer-encoding"} & set(headers))

    async def __call__(self) -> Any:
        """The next message."""
        self._started = True
        message = await self._receive()
        self._finished = not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Read and forget what a refused client is still sending.

        A connection that is closed while the client sends is reset, and the client never reads why
        it was refused. So we let it finish, within bounds. One that waits for our word before it
        sends (``Expect: 100-continue``) is not given it.
        """
        if not self._started and "expect" in self._headers:
            return
        left = _DRAINED_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not self._finished and left > 0:
                    left -= len((await self()).get("body", b""))


async def read_body(receive: Receive, headers: Mapping[str, str], limits: Limits) -> bytes:
    """The whole body.

    Args:
        receive: ASGI's.
        headers: by lower-case name.
        limits: how large it may be, and how long it may take.

    Raises:
        HttpError: 413, 408.
        ClientGone: there is no body to come.
    """
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limits.body_bytes:
        raise _too_large(limits)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                more = message.get("more_body", False)
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limits.body_bytes:
                    raise _too_large(limits)
    except TimeoutError as error:
        raise HttpError(
            408, f"the body did not come within {limits.body_seconds:g} seconds: send it at once"
        ) from error
    return b"".join(parts)


def _too_large(limits: Limits) -> HttpError:
    return HttpError(
        413,
        f"the body is larger than {limits.body_bytes} bytes: send fewer texts at once",
        code="request_too_large",
    )
