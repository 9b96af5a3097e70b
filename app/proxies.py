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

    def _trusts(self, peer: str | None) -> bool:
        if peer is None:
            return self.unix
        address = plain(peer)
        return address is not None and any(address in network for network in self.networks)


def proxies_of(setting: str) -> TrustedProxies:
    """The proxies that a setting names, with commas between them. Raises ValueError."""
    return TrustedProxies([one for name in setting.split(",") if (one := name.strip())])


def parsed(entry: bytes) -> str | None:
    """An address as `X-Forwarded-For` has it, which may have a port; None where there is none."""
    text = entry.strip().decode("latin-1")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    address = plain(text)
    return None if address is None else str(address)


def plain(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address, of IPv4 also where it is written in IPv6 (`::ffff:192.0.2.1`); None where there is none.

    It has no zone (`fe80::1%eth0`), which may be any text, of any length.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
