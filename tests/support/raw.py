"""A connection to a server by hand: what is sent, how fast, and how much of the answer is read."""

import json
import socket
import time
from pathlib import Path
from typing import Any, Self

from tests.support.patience import PATIENCE


class Raw:
    """A connection. server: an address, as `http://127.0.0.1:8000`."""

    def __init__(self, server: str, *, buffer: int | None = None) -> None:
        host, port = server.removeprefix("http://").split(":")
        self.host = f"{host}:{port}"
        self.socket = socket.socket()
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect((host, int(port)))
        self.come = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, part: bytes) -> None:
        self.socket.sendall(part)

    def flood(self, part: bytes, most: int) -> int:
        """Send the same again and again, until the server reads no more, hangs up, or that much is sent."""
        sent = 0
        self.socket.settimeout(1)
        try:
            while sent < most:
                sent += self.socket.send(part)
        except OSError:
            pass
        self.socket.settimeout(PATIENCE)
        return sent

    def head(self, method: str, path: str, *headers: str) -> bytes:
        return "\r\n".join((f"{method} {path} HTTP/1.1", f"Host: {self.host}", *headers, "", "")).encode()

    def ask(self, method: str, path: str, *headers: str) -> None:
        self.send(self.head(method, path, *headers))

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer that has a length."""
        while b"\r\n\r\n" not in self.come:
            self._more()
        head, _, self.come = self.come.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(self.come) < length:
            self._more()
        body, self.come = self.come[:length], self.come[length:]
        return int(first.split()[1]), headers, body

    def problem(self, status: int) -> str:
        """The next answer is the last one, and a problem document of that status; its words."""
        found, headers, body = self.answer()
        assert (found, headers["content-type"]) == (status, "application/problem+json"), body
        assert headers["connection"] == "close"
        document: dict[str, Any] = json.loads(body)
        assert document["status"] == status
        assert self.ended()
        return str(document["detail"])

    def ended(self) -> bool:
        """Whether the server closes the connection by itself."""
        until = time.monotonic() + PATIENCE
        try:
            while self.socket.recv(65536):
                assert time.monotonic() < until
        except ConnectionError:
            pass
        return True

    def _more(self) -> None:
        part = self.socket.recv(1 << 20)
        if not part:
            raise ConnectionError(self.come)
        self.come += part


def memory(pid: int) -> int:
    """A process's memory in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS:"))
