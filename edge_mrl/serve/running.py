"""The server itself: uvicorn with our application, until it is told to stop."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable

import uvicorn

from edge_mrl.serve.app import build_app
from edge_mrl.serve.connections import guarded_protocol
from edge_mrl.serve.engine import Engine, EngineSettings
from edge_mrl.serve.limits import Access, Limits
from edge_mrl.serve.requests import ServedModel
from edge_mrl.serve.workers import Workers


def run_server(
    listener: socket.socket,
    settings: EngineSettings,
    access: Access,
    limits: Limits,
    *,
    workers: int,
    on_ready: Callable[[ServedModel | None], None],
) -> None:
    """Answer requests until SIGINT or SIGTERM; then finish the running ones and return.

    The process is expected to exit then: both signals are ignored from there on.

    Args:
        listener: listens already; what arrives before the model is loaded waits.
        settings: what is served.
        access: who may ask.
        limits: how much.
        workers: threads that answer, each with a model of its own.
        on_ready: called once requests are about to be answered.

    Raises:
        EdgeMrlError: the model or the index cannot be used.
    """
    pool = Workers(lambda: Engine.open(settings), workers)
    model = pool.start().model
    try:
        server = uvicorn.Server(
            uvicorn.Config(
                build_app(pool, model, access, limits),
                http=guarded_protocol(limits),
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_level="warning",
                access_log=False,
                server_header=False,
                h11_max_incomplete_event_size=limits.header_bytes,
                proxy_headers=False,
                timeout_keep_alive=limits.idle_seconds,
                timeout_graceful_shutdown=limits.shutdown_seconds,
            )
        )

        def stop(number: int, frame: object) -> None:
            server.should_exit = True

        # uvicorn raises the signals it caught once more when it has stopped: to be asked to stop
        # and to have stopped is no failure.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        on_ready(model)
        server.run(sockets=[listener])
    finally:
        pool.stop()
    # Python gives the signals their default action back while it exits, and a supervisor that asks
    # twice would see a server that was killed.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
