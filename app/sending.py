"""Sends a long answer in pieces, each when the reader has taken those before it.

So a connection's buffer stays small, however slow the reader is. The answer itself stays in memory until
the last piece is taken. What is held like this is bounded for all together: beyond that, the answer is cut
off of which nothing has been taken for longest, among those of the person who holds most. A slow reader is
let go on while there is room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from starlette.types import Message

from app.quota import Quota

SENT_AT_ONCE: Final = 64 << 10


class UnreadAnswer:
    """A long answer that goes out. cut_off: ends its connection."""

    def __init__(self, who: str, size: int, cut_off: Callable[[], None]) -> None:
        self.who = who
        self.size = size
        self.cut_off = cut_off


class UnreadAnswers:
    """The memory of long answers that wait for their readers. most: bytes, for all together."""

    def __init__(self, most: int) -> None:
        self.shares = Quota(most, most)
        self.unread: dict[
            str, dict[UnreadAnswer, None]
        ] = {}  # of each, the one that has waited longest first

    @contextmanager
    def holding(self, who: str, size: int, cut_off: Callable[[], None]) -> Iterator[UnreadAnswer]:
        """Count an answer while it goes out. Others are cut off where there is no room for it."""
        unread = UnreadAnswer(who, size, cut_off)
        while self.shares.is_full(size) and self.unread:
            self._cut_one_off()
        self.shares.take(who, size)
        self.unread.setdefault(who, {})[unread] = None
        try:
            yield unread
        finally:
            self._forget(unread)

    def moved(self, unread: UnreadAnswer) -> None:
        """The reader has taken something."""
        own = self.unread.get(unread.who)
        if own is not None and unread in own:
            del own[unread]
            own[unread] = None

    def _cut_one_off(self) -> None:
        most = max(self.unread, key=self.shares.of.__getitem__)
        stalest = next(iter(self.unread[most]))
        self._forget(stalest)
        stalest.cut_off()

    def _forget(self, unread: UnreadAnswer) -> None:
        own = self.unread.get(unread.who)
        if own is None or unread not in own:
            return
        del own[unread]
        if not own:
            del self.unread[unread.who]
        self.shares.give_back(unread.who, unread.size)


def pieces_of(message: Message) -> Iterator[Message]:
    """A long part of an answer, in parts that have at most the length of a piece."""
    body = memoryview(message["body"])
    more = message.get("more_body", False)
    for at in range(0, len(body), SENT_AT_ONCE):
        last = at + SENT_AT_ONCE >= len(body)
        yield {**message, "body": bytes(body[at : at + SENT_AT_ONCE]), "more_body": more or not last}
