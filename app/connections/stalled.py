"""Detects that the reader of an answer takes nothing, and throws the answer away."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from contextlib import suppress
from typing import Final

# Where Linux's `struct tcp_info` has `tcpi_bytes_acked`, 64 bits in the machine's byte order.
BYTES_ACKED: Final = slice(120, 128)


class StallDetector:
    """Notices when the reader of one connection has stalled."""

    def __init__(self) -> None:
        self.some = False  # since the last look
        self._acknowledged = 0
        self._since: float | None = None  # nothing was taken since then

    def nothing_for(self, now: float, transport: asyncio.Transport) -> float:
        """For how many seconds the reader has taken nothing of what waits; 0 where nothing waits."""
        if not transport.get_write_buffer_size():
            self._since = None
            return 0.0
        acknowledged = acknowledged_by(transport)
        if self._since is None or self.some or acknowledged != self._acknowledged:
            self._since = now
        self.some, self._acknowledged = False, acknowledged
        return now - self._since


def acknowledged_by(transport: asyncio.Transport) -> int:
    """How many bytes the reader's system has acknowledged; 0 where it is not known."""
    try:
        with socket_of(transport) as same:
            known = same.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_ACKED.stop)
    except OSError:
        return 0
    return int.from_bytes(known[BYTES_ACKED], sys.byteorder)


def throw_away(transport: asyncio.Transport) -> None:
    """Let the system forget what it still has for the reader when the connection is closed."""
    with suppress(OSError), socket_of(transport) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def socket_of(transport: asyncio.Transport) -> socket.socket:
    """The socket once more: the transport's own does not give all of its options. Raises OSError."""
    return socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
