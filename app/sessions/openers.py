"""Opens machines for the writer: one session of an owner at a time, the owners in turn.

So long journals of one owner do not delay the sessions of others.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any

from app.sessions.scheduler import Dropped, FairScheduler
from app.store import Store, sessions


class Opener(Executor):
    """The writer's executor. quick: where a session's owner is looked up."""

    def __init__(self, store: Store, quick: Executor) -> None:
        self.scheduler = FairScheduler("opener", at_once=2, threads=4)
        self._store = store
        self._quick = quick

    def submit(self, do: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        """Have a machine opened. args: the session's id, or work for it."""
        (work,) = args
        sid = work if isinstance(work, str) else work.session_id
        return self._quick.submit(self._in_turn, sid, do, work)

    def _in_turn(self, sid: str, do: Callable[[Any], Any], work: Any) -> None:
        try:
            with self._store.reading() as db:
                row = sessions.get(db, sid)
        except Exception:  # noqa: BLE001 - opening it meets the same, and tells it
            row = None
        with suppress(Dropped):  # at the end the writer answers what waits for the session
            self.scheduler.submit(sid if row is None else row.owner, do, work)
