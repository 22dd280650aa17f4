"""Connections that may not idle: uvicorn's HTTP/1.1 protocol, with a deadline for each header and
each answer."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge_mrl.serve.limits import Limits


def guarded_protocol(limits: Limits) -> type[asyncio.Protocol]:
    """Uvicorn's protocol, closing connections that send no whole header in time, that do not take
    their answer in time, and those beyond the limit.

    uvicorn bounds the time between two requests and the size of a header, but not the time in which
    a header comes or an answer is taken: a client that sends or reads a byte now and then would
    hold a connection for ever.
    """

    class GuardedProtocol(H11Protocol):  # type: ignore[misc]
        _deadline: asyncio.TimerHandle | None = None
        _send_deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > limits.connections:
                transport.close()
            else:
                self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            self._taken()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            if self._send_deadline is None:
                # To close would be to wait until all is taken.
                self._send_deadline = self.loop.call_later(
                    limits.send_seconds, self.transport.abort
                )

        def resume_writing(self) -> None:
            super().resume_writing()
            if self.cycle is None or self.cycle.response_complete:
                self._taken()

        def on_response_complete(self) -> None:
            if not self.flow.write_paused:
                self._taken()
            super().on_response_complete()

        def _taken(self) -> None:
            if self._send_deadline is not None:
                self._send_deadline.cancel()
                self._send_deadline = None

        def _watch(self) -> None:
            if self.conn.their_state is not h11.IDLE:
                self._stop()
            elif self._deadline is None:
                self._deadline = self.loop.call_later(limits.header_seconds, self.transport.close)

        def _stop(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return GuardedProtocol
