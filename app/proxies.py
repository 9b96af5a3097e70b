"""The address of a client behind proxies that are trusted to say it.

Behind a proxy all requests come from one address. What `X-Forwarded-For` says may have been written by
anybody, but for its last entries: each trusted proxy has added the address that it was asked from. So it is
read from its end, and the first address there that is no trusted proxy is the client's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# A proxy that comes through the socket of `--uds`, which has no address.
UNIX: Final = "unix"
# Entries that are looked at. A way through more proxies than this is none.
MOST_HOPS: Final = 16


class TrustedProxies:
    """The proxies of a server. named: addresses, networks and `unix`. Raises ValueError for all else."""

    def __init__(self, named: Sequence[str]) -> None:
        self.unix = UNIX in named
        self.networks: tuple[Network, ...] = tuple(ipaddress.ip_network(one) for one in named if one != UNIX)

    def __bool__(self) -> bool:
        return self.unix or bool(self.networks)

    def client(self, peer: str | None, forwarded: Sequence[bytes]) -> str | None:
        """The address of the client. peer: who is connected; forwarded: every `X-Forwarded-For`, in order."""
        if not self._trusts(peer):
            return peer
        address = peer
        entries = b",".join(forwarded).split(b",")[-MOST_HOPS:]
        for entry in reversed(entries):
            found = parsed(entry)
            if found is None:
                break
            address = found
            if not self._trusts(address):
                break
        return address

    def _trusts(self, address: str | None) -> bool:
        if address is None:
            return self.unix
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self.networks)


def parsed(entry: bytes) -> str | None:
    """An address as `X-Forwarded-For` has it, which may have a port; None where there is none."""
    text = entry.strip().decode("latin-1")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
