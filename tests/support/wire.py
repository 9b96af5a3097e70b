"""What goes over the wire: a relay in front of a server, which counts every byte on its way to the browser.

A page's own figures leave out what a shared worker fetches, and take headers by a rule of thumb.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit


class Wire(ThreadingTCPServer):
    """received: bytes that the server has sent through it so far, headers and all."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, upstream: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), Relay)
        self.upstream = upstream
        self.received = 0
        self.counting = threading.Lock()

    @property
    def address(self) -> str:
        """Where a browser finds the server through it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def count(self, size: int) -> None:
        with self.counting:
            self.received += size


class Relay(BaseRequestHandler):
    """One connection, until the server or the browser ends it."""

    server: Wire

    def handle(self) -> None:
        with socket.create_connection(self.server.upstream) as upstream:
            asking = threading.Thread(target=pump, args=(self.request, upstream, lambda _: None))
            asking.start()
            pump(upstream, self.request, self.server.count)
            asking.join()


def pump(source: socket.socket, sink: socket.socket, count: Callable[[int], None]) -> None:
    """Hand on what comes until no more does."""
    with suppress(ConnectionError):  # a browser drops what it needs no more
        while data := source.recv(1 << 16):
            count(len(data))
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def relayed(address: str) -> Iterator[Wire]:
    """A relay in front of the server at an address."""
    place = urlsplit(address)
    assert place.hostname
    assert place.port
    with Wire((place.hostname, place.port)) as wire:
        threading.Thread(target=wire.serve_forever, args=(0.05,), daemon=True).start()
        yield wire
        wire.shutdown()
