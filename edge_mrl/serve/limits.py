"""What the server takes at most, and who may ask. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from edge_mrl.errors import InputError

MIN_TOKEN_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds, so that no client can fill the memory or keep the others waiting.

    Attributes:
        header_bytes: of a request's header; 431 beyond.
        body_bytes: of a request; 413 beyond.
        concurrent: requests at once, waiting ones included; 429 beyond.
        connections: open ones; the next is closed at once.
        header_seconds: for a request's header to come whole, on a new connection too.
        body_seconds: for a request's body to come whole; 408 beyond.
        answer_seconds: for the answer; 503 beyond.
        send_seconds: for the client to take the answer; its connection is cut beyond.
        idle_seconds: a connection is kept for the next request.
        shutdown_seconds: for running requests to end.
    """

    header_bytes: int = 16 * 1024
    body_bytes: int = 4 * 2**20
    concurrent: int = 32
    connections: int = 256
    header_seconds: float = 10
    body_seconds: float = 30
    answer_seconds: float = 60
    send_seconds: float = 120
    idle_seconds: int = 30
    shutdown_seconds: int = 10

    def __post_init__(self) -> None:
        for name in ("header_bytes", "body_bytes", "concurrent", "connections"):
            if getattr(self, name) < 1:
                raise InputError(f"the limit {name} must be 1 or more, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask.

    Attributes:
        token: what `Authorization: Bearer` must carry; None for no question.
        local_only: whether requests must name this machine in their Host header. A web page whose
            name was pointed at 127.0.0.1 (DNS rebinding) names another.
        origins: web pages that may read answers, as browsers name them, or ``*``.
    """

    token: str | None = None
    local_only: bool = True
    origins: tuple[str, ...] = ()


def check_token(token: str) -> str:
    """The token, if it is one.

    Raises:
        InputError: it is too short, or cannot stand in a header.
    """
    if len(token) < MIN_TOKEN_LENGTH or not token.isascii() or not token.isprintable():
        raise InputError(
            f"the token must be at least {MIN_TOKEN_LENGTH} printable ASCII characters: make one "
            "with `openssl rand -hex 32`"
        )
    return token


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_of(header: str) -> str:
    """The host in a Host header, without the port: ``[::1]:8000`` -> ``::1``. All of it where that
    is no host with a port."""
    if header.startswith("["):
        host, _, rest = header[1:].partition("]")
        colon, port = rest[:1], rest[1:]
    else:
        host, colon, port = header.partition(":")
    right = colon in ("", ":") and (not port or (port.isascii() and port.isdigit()))
    return host if right else header
