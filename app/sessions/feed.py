"""Event streams of sessions: each reader gets every row after its COMMIT, in order and exactly once.

A reader is a place in a journal, and nothing is queued for it: what is new stands in its session's channel,
in chunks that are encoded once for all, and a reader who is not at the beginning of a chunk reads the journal
until it is. So slow readers cost no memory, resuming is no special case, and one too far behind is told so.

A channel shows its first row at once, and then what has collected in a tick: three hundred readers of three
hundred calls a second cost four messages a second each. One query a tick finds the rows of other processes,
in all channels.

On the event loop, except `Feed.publish`.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from app.sessions.access import Principal
from app.sessions.errors import Busy, StorageFull, TooMany
from app.settings import Settings
from app.store import access, journal, sessions
from app.store.journal import Row
from app.store.sessions import SessionRow

TICK_SECONDS: Final = 0.25
REVIEW_SECONDS: Final = 5.0  # for so long another process's taking away of rights may be missed
KEEP_ALIVE_SECONDS: Final = 15.0
CHUNK: Final = 1 << 16  # bytes sent at a time; a single row may be more
CHUNK_MEMORY: Final = 64 << 20  # bytes of chunks, in all channels together
OPEN_SHARE: Final = 10  # one in ten streams is reserved for instructors: members cannot take all of them

NOTHING_NEW: Final = b": nothing new\n\n"
RETRY: Final = b"retry: 1000\n"

# Runs a function of the rows within a transaction, on another thread.
ReadRows = Callable[..., Coroutine[Any, Any, Any]]

log = logging.getLogger(__name__)


def message(seq: int, body: bytes) -> bytes:
    """A row as an event. body: the outcome's JSON, which is one line."""
    return b"id: %d\ndata: %b\n\n" % (seq, body)


def resync(seq: int) -> bytes:
    """Tells a reader that rows are left out, and after which seq it goes on."""
    return b'event: resync\nid: %d\ndata: {"seq": %d}\n\n' % (seq, seq)


class Chunk(NamedTuple):
    """Neighbouring rows as bytes."""

    # The last one's seq.
    to: int
    data: bytes


class Channel:
    """One session that is followed, by these readers.

    head: the last row that has been shown. seen: the last row that has come. chunks: by the seq before them.
    """

    def __init__(self, feed: Feed, head: int) -> None:
        self.readers: set[Reader] = set()
        self.chunks: dict[int, Chunk] = {}
        self.head = head
        self._feed = feed
        self._collected: list[bytes] = []
        self._timer: TimerHandle | None = None
        self._next_show = 0.0

    @property
    def seen(self) -> int:
        return self.head + len(self._collected)

    def saw(self, rows: Iterable[tuple[int, bytes]]) -> None:
        """Rows have been committed. Those that were seen are passed over, and so are those behind a gap."""
        for seq, body in rows:
            if seq == self.seen + 1:
                self._collected.append(message(seq, body))
        if self._collected and self._timer is None:
            self._timer = self._feed.loop.call_at(self._next_show, self.show)

    def show(self) -> None:
        """Let the readers have what has collected."""
        self._stop_timer()
        self._next_show = self._feed.loop.time() + TICK_SECONDS
        for part in _parts(self._collected):
            to = self.head + len(part)
            self.chunks[self.head] = Chunk(to, b"".join(part))
            self.head = to
        self._collected = []
        self._forget()
        self._wake()

    def _forget(self) -> None:
        """Let go of what no reader will take from here, and of what is too much to keep."""
        first = max(min(reader.at for reader in self.readers), self.head - self._feed.behind)
        held = sum(len(chunk.data) for chunk in self.chunks.values())
        for after, chunk in list(self.chunks.items()):
            if after >= first and held <= self._feed.share:
                break
            held -= len(chunk.data)
            del self.chunks[after]

    def skip(self, head: int) -> None:
        """Pass over rows: so many have come at once that readers are told to read the machine again."""
        self._stop_timer()
        self._collected, self.chunks = [], {}
        self.head = head
        self._wake()

    def end(self) -> None:
        """Nothing more will come."""
        self._stop_timer()
        for reader in list(self.readers):
            reader.close()

    def _wake(self) -> None:
        for reader in self.readers:
            reader.wake()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Reader:
    """A reader of a session's stream. at: the seq of the last row that it was given."""

    def __init__(self, feed: Feed, principal: Principal, session_id: str, at: int, first: bytes) -> None:
        self.principal = principal
        self.session_id = session_id
        self.at = at
        self._feed = feed
        self._channel = feed.channel(session_id, at)
        self._first = first
        self._news: Future[None] | None = None
        self._open = True
        self._channel.readers.add(self)

    async def next(self) -> bytes | None:
        """Wait for the next bytes to send; None when the stream is over."""
        channel = self._channel
        while self._open:
            if self._first:
                first, self._first = self._first, b""
                return first
            if channel.head - self.at > self._feed.behind:
                self.at = channel.head
                return resync(self.at)
            chunk = channel.chunks.get(self.at)
            if chunk is not None:
                self.at = chunk.to
                return chunk.data
            if self.at >= channel.head:
                if not await self._is_news():
                    return NOTHING_NEW
            else:
                missed = await self._feed.missed(self.session_id, self.at, channel.head)
                if missed is not None:
                    self.at = missed.to
                    return missed.data
        return None

    async def _is_news(self) -> bool:
        """Wait for news; False where the time for a keep-alive comes first."""
        self._news = self._feed.loop.create_future()
        try:
            async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                await self._news
        except TimeoutError:
            return False
        finally:
            self._news = None
        return True

    def wake(self) -> None:
        """Wake the reader: there may be something to send."""
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def close(self) -> None:
        """End the stream. May be called again."""
        if self._open:
            self._open = False
            self.wake()
            self._feed.leave(self, self._channel)


class Stream(Protocol):
    """An open stream of another kind, which counts and ends with those of sessions."""

    principal: Principal

    def close(self) -> None:
        """The stream is over."""


class Feed:
    """The channels of one server process. behind: how many rows a reader may lag."""

    def __init__(self, loop: AbstractEventLoop, read_rows: ReadRows, settings: Settings) -> None:
        self.loop = loop
        self.behind = settings.stream_behind
        self._most = settings.streams
        self._most_of_members = settings.streams - settings.streams // OPEN_SHARE
        self._most_of_one = settings.streams_per_principal
        self._most_of_member = settings.streams_per_member
        self._read_rows = read_rows
        self._channels: dict[str, Channel] = {}
        self._readers: Counter[str] = Counter()
        self._of_members = 0
        self._next_review = 0.0
        self._seated: set[Stream] = set()
        self._ticker: asyncio.Task[None] | None = None

    # -- readers come and go ---------------------------------------------------------------------------------

    def join(self, principal: Principal, row: SessionRow, after: int | None) -> Reader:
        """A reader of a session who has had the rows up to a seq. Raises TooMany and Busy."""
        self._require_room(principal)
        if after is None:
            # With its id, so that even who has had no row yet can resume.
            reader = Reader(self, principal, row.id, row.seq, RETRY + b"id: %d\n\n" % row.seq)
        elif after > row.seq:
            reader = Reader(self, principal, row.id, row.seq, RETRY + b"\n" + resync(row.seq))
        else:
            reader = Reader(self, principal, row.id, max(after, row.start), RETRY + b"\n")
        self._come(principal)
        return reader

    def _require_room(self, principal: Principal) -> None:
        most = self._most_of_one if principal.lab is None else self._most_of_member
        if self._readers[principal.id] >= most:
            raise TooMany(f"you have {most} event streams open, which is the limit; close one")
        if self._readers.total() >= self._most:
            raise Busy(f"{self._most} event streams are open here, which is the limit")
        if principal.lab is not None and self._of_members >= self._most_of_members:
            raise Busy(f"{self._most_of_members} event streams of members are open here, which is the limit")

    def register(self, stream: Stream) -> None:
        """Count a stream of another kind, and end it when those of sessions are. Raises TooMany and Busy."""
        self._require_room(stream.principal)
        self._come(stream.principal)
        self._seated.add(stream)

    @property
    def followers(self) -> int:
        """How many streams are open."""
        return self._readers.total()

    def unregister(self, stream: Stream) -> None:
        """Count the stream no more."""
        if stream in self._seated:
            self._seated.discard(stream)
            self._gone(stream.principal)

    def _come(self, principal: Principal) -> None:
        self._readers[principal.id] += 1
        self._of_members += principal.lab is not None

    def _gone(self, principal: Principal) -> None:
        self._of_members -= principal.lab is not None
        self._readers[principal.id] -= 1
        self._readers += Counter()  # without those that have none

    def channel(self, session_id: str, head: int) -> Channel:
        """The channel of a session."""
        found = self._channels.get(session_id)
        if found is None:
            found = self._channels[session_id] = Channel(self, head)
        if self._ticker is None or self._ticker.done():
            self._ticker = asyncio.create_task(self._tick())
        return found

    def leave(self, reader: Reader, channel: Channel) -> None:
        """A reader is gone."""
        self._gone(reader.principal)
        channel.readers.discard(reader)
        if not channel.readers:
            channel.end()
            if self._channels.get(reader.session_id) is channel:
                del self._channels[reader.session_id]

    def disconnect(self, principal: str) -> None:
        """End every stream of a principal that may not read any more."""
        for channel in list(self._channels.values()):
            for reader in [reader for reader in channel.readers if reader.principal.id == principal]:
                reader.close()
        for stream in [stream for stream in self._seated if stream.principal.id == principal]:
            stream.close()

    def end(self, session_id: str) -> None:
        """End the streams of a session that was deleted."""
        channel = self._channels.get(session_id)
        if channel is not None:
            channel.end()

    def review(self) -> None:
        """Have the next tick check rights, and end the streams of principals that may not read any more."""
        self._next_review = 0.0

    async def _review(self) -> None:
        readers = [reader for channel in self._channels.values() for reader in channel.readers]
        may = await self._read_rows(access.readers, {reader.session_id for reader in readers})
        for reader in readers:
            if may.get(reader.session_id, set()).isdisjoint({reader.principal.id, reader.principal.group}):
                reader.close()

    def release(self) -> None:
        """End every stream, so that none holds up the end."""
        if self._ticker is not None:
            self._ticker.cancel()
        for channel in list(self._channels.values()):
            channel.end()
        for stream in list(self._seated):
            stream.close()

    @property
    def share(self) -> int:
        """How many bytes of chunks each channel may keep."""
        return CHUNK_MEMORY // len(self._channels)

    # -- rows come -------------------------------------------------------------------------------------------

    def publish(self, rows: Sequence[Row]) -> None:
        """Rows have been committed by this process. On the writer's thread."""
        if not self._channels:
            return
        followed = [row for row in rows if row.session_id in self._channels]
        if followed and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._saw, followed)

    def _saw(self, rows: Iterable[Row]) -> None:
        for row in rows:
            channel = self._channels.get(row.session_id)
            if channel is not None:
                channel.saw([(row.seq, row.outcome)])

    async def missed(self, session_id: str, after: int, to: int) -> Chunk | None:
        """Some of the rows after one seq up to another, from the journal; None where that fails for now."""
        try:
            rows = await self._read_rows(journal.some, session_id, after, to, CHUNK)
        except (Busy, StorageFull):
            rows = []
        if not rows:
            await asyncio.sleep(TICK_SECONDS)  # or the session has just been deleted, which ends the stream
            return None
        return Chunk(rows[-1][0], b"".join(message(*row) for row in rows))

    async def _tick(self) -> None:
        """While there are readers, look for rows of other processes, and for sessions that were deleted."""
        while self._channels:
            await asyncio.sleep(TICK_SECONDS)
            try:
                followed = list(self._channels)
                heads: dict[str, int] = await self._read_rows(sessions.seqs, followed)
                for session_id in followed:
                    await self._catch_up(session_id, heads.get(session_id))
                if self.loop.time() >= self._next_review:
                    self._next_review = self.loop.time() + REVIEW_SECONDS
                    await self._review()
            except (Busy, StorageFull):
                continue
            except Exception:
                log.exception("rows of other processes cannot be looked for")

    async def _catch_up(self, session_id: str, head: int | None) -> None:
        """Bring a channel to where the session is. head: None where there is no such session any more."""
        channel = self._channels.get(session_id)
        if channel is None:
            return
        if head is None:
            channel.end()
            return
        if head - channel.seen > self.behind:
            channel.skip(head)
        while channel.seen < head:
            rows = await self._read_rows(journal.some, session_id, channel.seen, head, CHUNK)
            if not rows or not channel.readers:
                return
            channel.saw(rows)
            if channel.seen < head:
                channel.show()


def _parts(messages: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    """Messages in their order, so many together as make a chunk."""
    start = size = 0
    for place, text in enumerate(messages):
        if size and size + len(text) > CHUNK:
            yield messages[start:place]
            start, size = place, 0
        size += len(text)
    if size:
        yield messages[start:]
