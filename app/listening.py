"""Where a server listens: whom an address reaches, and the socket in the file system of `--uds`."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
from pathlib import Path
from typing import Final

# Whoever may write to the socket may ask: the user of the server, and the group of its directory.
MODE: Final = 0o660


class CannotListen(Exception):  # noqa: N818 - said to a person, who reads the message
    """The socket cannot be made; the message says why."""


def listen(path: Path) -> socket.socket:
    """A socket that listens at a path. One that a server has left there is replaced."""
    made = socket.socket(socket.AF_UNIX)
    try:
        if path.exists():
            _require_abandoned(path)
            path.unlink()
        before = os.umask(0o777 & ~MODE)
        try:
            made.bind(str(path))
        finally:
            os.umask(before)
        made.listen(2048)
    except OSError as error:
        made.close()
        raise CannotListen(f"{path}: {error.strerror or error}") from error
    except CannotListen:
        made.close()
        raise
    return made


def _require_abandoned(path: Path) -> None:
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise CannotListen(f"{path}: there is a file, and no socket; nothing was changed")
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise CannotListen(f"{path}: another server listens there")


def is_loopback(host: str) -> bool:
    """Whether an address reaches this computer alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
