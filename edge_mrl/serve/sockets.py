"""Where the server listens: a TCP address, or a socket in the file system."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from edge_mrl.errors import ServeError

_BACKLOG = 256


def listen_tcp(host: str, port: int) -> socket.socket:
    """Listen on an address; port 0 takes a free one.

    Raises:
        ServeError: it is taken, or not an address of this machine.
    """
    if not 0 <= port <= 65_535:
        # The resolver would take the remainder and listen there.
        raise ServeError(f"there is no port {port}: give 1 to 65535, or 0 for a free one")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # With the protocol named, asyncio turns Nagle's algorithm off; else answers wait 40 ms.
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ServeError(
            f"cannot listen on {host} port {port} ({reason}): choose another with --host or --port"
        ) from error
    return listener


def listen_unix(path: Path) -> socket.socket:
    """Listen on a socket file that only this user can reach. One left by a dead server is replaced.

    Raises:
        ServeError: something else stands there, another server listens there, or the folder cannot
            be written.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_symlink() or path.exists():
            _remove_stale(path)
        # The mode counts from the moment the file exists.
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = error.strerror or error
        raise ServeError(
            f"cannot listen on the socket {path} ({reason}): give another path"
        ) from error
    except ServeError:
        listener.close()
        raise
    return listener


def address_of(listener: socket.socket) -> str:
    """Where clients find it: ``http://127.0.0.1:8000`` or ``unix:/run/edge-mrl.sock``."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"unix:{name}"
    host, port = name[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _remove_stale(path: Path) -> None:
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise ServeError(f"{path} is no socket, so it is not replaced: give another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
    raise ServeError(f"another server listens on {path}: stop it, or give another path")
