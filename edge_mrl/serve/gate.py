"""Who may ask, and how many at once: the first that sees a request. An ASGI application around
another, without any web package."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from edge_mrl.serve.body import Incoming, Receive
from edge_mrl.serve.http_error import HttpError
from edge_mrl.serve.limits import Access, Limits, host_of, is_loopback

Scope = dict[str, Any]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

HEALTH = "/health"

_PIECE = 64 << 10
"""Bytes of an answer that are handed on before the client has taken those before."""


class Gate:
    """Lets a request through, or answers it.

    `/health` is free of the token and of the count, so that a supervisor can tell a busy server
    from a dead one.
    """

    def __init__(self, inner: Application, access: Access, limits: Limits) -> None:
        self._inner = inner
        self._access = access
        self._limits = limits
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        incoming = Incoming(receive, headers)

        async def answer(message: Any) -> None:
            # Who was too slow is not waited for.
            if message["type"] == "http.response.start" and 408 != message["status"] >= 400:
                await incoming.drain()
            await _send_in_pieces(send, message)

        try:
            self._check_size(scope)
            self._check_host(headers)
            if scope["path"] == HEALTH:
                await self._inner(scope, incoming, answer)
                return
            self._check_token(headers)
            self._check_room()
        except HttpError as error:
            await respond(answer, error)
            return
        self._running += 1
        try:
            await self._inner(scope, incoming, answer)
        finally:
            self._running -= 1

    def _check_size(self, scope: Scope) -> None:
        # The parser's own bound counts only while a header is incomplete: one that comes at once
        # passes it.
        size = len(scope["path"]) + len(scope.get("query_string", b""))
        size += sum(len(name) + len(value) for name, value in scope["headers"])
        if size > self._limits.header_bytes:
            raise HttpError(
                431, f"the header is larger than {self._limits.header_bytes} bytes: send less"
            )

    def _check_host(self, headers: Mapping[str, str]) -> None:
        host = host_of(headers.get("host", ""))
        if self._access.local_only and host and not is_loopback(host):
            raise HttpError(
                403, f"this server answers requests to this machine, not to {host[:100]!r}"
            )

    def _check_token(self, headers: Mapping[str, str]) -> None:
        if self._access.token is None:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), self._access.token.encode())
        if scheme.lower() != "bearer" or not right:
            raise HttpError(
                401,
                "the token is missing or wrong: send it as `Authorization: Bearer TOKEN`",
                code="invalid_api_key",
            )

    def _check_room(self) -> None:
        if self._running >= self._limits.concurrent:
            raise HttpError(
                429,
                f"{self._running} requests are being answered already: try again in a moment",
                code="rate_limit_exceeded",
                kind="requests",
            )


async def _send_in_pieces(send: Send, message: Any) -> None:
    """A request whose answer nobody reads keeps its place, so that these are counted too: handed on
    at once, the answer would wait in memory, and the next client's beside it."""
    if message["type"] != "http.response.body":
        await send(message)
        return
    body, more = message.get("body", b""), message.get("more_body", False)
    starts = range(0, max(1, len(body)), _PIECE)
    for start in starts:
        piece = body[start : start + _PIECE]
        await send({**message, "body": piece, "more_body": more or start != starts[-1]})


async def respond(send: Send, error: HttpError) -> None:
    """Answer with an error."""
    body = error.body()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        **error.headers(),
    }
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
