"""All connections: how many there may be, and which is closed to make room for a new one.

There are two limits. One is on all connections together. It stays below the number of files that the process
may open, because the database's files need room, too. The other is on the connections of one remote address
on which no person has signed in yet. A request with a valid token or cookie takes its connection out of that
count, so a whole class may sit behind one address. In open mode everybody is the same person, and only the
limit on all connections applies.

Beyond a limit, a connection that waits for its client is closed to let the new one in: the oldest one of
that address, or the oldest one of the person or address that has the most. A connection waits when it is idle
or has half a head; before anybody has signed in on it, also with half a body or an unread answer. An honest
client sends a request as soon as it has connected, and is answered or has signed in long before it is the
oldest. A client that holds such connections only pushes out its own. A connection on which the server itself
is at work is never closed for another one: where all are busy, the new one is answered 503.

One timer looks at all connections, about once a second: no request pays for timers of its own.
"""

from __future__ import annotations

import asyncio
import ipaddress
import resource
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from app.connections import refusals
from app.settings import Settings

if TYPE_CHECKING:
    from app.connections.connection import Connection

# Files for the database, uploads, exports and the program itself.
OTHER_FILES: Final = 256

# Refused connections that may stay for a moment, so that their client can read why. More are just closed.
REFUSED_PER_LOOK: Final = 64

# Bytes that wait, unparsed, behind running requests, on all connections together.
HELD_BYTES: Final = 64 << 20

Group = dict["Connection", None]


class Connections:
    """Every open connection of this process, in groups: each has one address, or one person."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lab = settings.lab
        self.most = within_files(settings.connections)
        self.most_per_address = settings.connections_per_address
        self.groups: dict[str, Group] = {}
        self.count = 0
        self.refused: Group = {}  # answered 503, and open for a moment more
        self.held = 0  # bytes that wait, unparsed, behind running requests
        self.every = min(1.0, settings.head_time / 4, settings.answer_idle / 4, settings.upload_idle / 4)
        self._timer: asyncio.TimerHandle | None = None

    def admit(self, connection: Connection, address: str) -> bytes | None:
        """Count a new connection. The answer is why there is no room for it, or None.

        Where very many are refused at once, the connection is dropped without a word.
        """
        if self._timer is None:
            self._look_again(connection.loop)
        key = group_of(address)
        refusal = self._no_room(key)
        if refusal is None:
            self._add(connection, key)
        elif len(self.refused) < REFUSED_PER_LOOK:
            self.refused[connection] = None
        else:
            connection.drop()
            return None
        return refusal

    def _no_room(self, key: str) -> bytes | None:
        own = self.groups.get(key)
        if self.lab and own is not None and len(own) >= self.most_per_address and not close_one(own):
            return refusals.full_for_address(self.most_per_address)
        if self.count >= self.most and not close_one(max(self.groups.values(), key=len)):
            return refusals.full(self.most)
        return None

    def _add(self, connection: Connection, key: str) -> None:
        self.groups.setdefault(key, {})[connection] = None
        self.count += 1
        connection.group = key

    def remove(self, connection: Connection) -> None:
        """Count a connection no more. It may have been removed before."""
        self.refused.pop(connection, None)
        key, connection.group = connection.group, None
        if key is None:
            return
        group = self.groups[key]
        del group[connection]
        if not group:
            del self.groups[key]
        self.count -= 1

    def identify(self, connection: Connection, person: str) -> None:
        """Count a connection for the person who has signed in on it, and no more for its address."""
        if connection.group is not None:
            self.remove(connection)
            self._add(connection, person)

    def may_hold(self, size: int) -> bool:
        """Count bytes that wait on some connection; whether they are few enough, all together."""
        self.held += size
        return self.held <= HELD_BYTES

    def holds_no_more(self, size: int) -> None:
        """Such bytes wait no more."""
        self.held -= size

    def _look_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(self.every, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for group in [*self.groups.values(), self.refused]:
            for connection in list(group):
                connection.look(now)
        self._look_again(loop)


def within_files(most: int) -> int:
    """So many connections that other files can still be opened."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return most
    return max(1, min(most, files - min(OTHER_FILES, files // 2)))


def close_one(group: Group) -> bool:
    """Close the oldest connection of a group that waits for its client; whether there was one."""
    for connection in group:
        if connection.waits:
            connection.drop()
            return True
    return False


@lru_cache(maxsize=1024)
def group_of(address: str) -> str:
    """The group of a remote address. One IPv6 host has a whole /64, so that counts as one address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return f"address {address}"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return f"address {ip.ipv4_mapped}"
        return f"address {ipaddress.ip_network((int(ip) >> 64 << 64, 64))}"
    return f"address {ip}"
