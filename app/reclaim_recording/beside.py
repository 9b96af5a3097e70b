"""A second thread of the kernel that runs beside the caller, each only while the other stands still."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Ended(BaseException):
    """Raised in a thread that is not wanted any more, to take it down."""


class Beside:
    """A function with a stack of its own, which stops where it says so.

    It is a thread of Python, but never runs at the same time as who started it: two stacks are all that is
    wanted of it.
    """

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run
        self.done = False
        self.wanted = True
        self.error: BaseException | None = None
        self.to_go = threading.Semaphore(0)
        self.to_return = threading.Semaphore(0)
        self.thread = threading.Thread(target=self.body, daemon=True)
        self.thread.start()

    def body(self) -> None:
        """What the thread does."""
        self.to_go.acquire()
        try:
            if self.wanted:
                self.run()
        except Ended:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised again, by who waits for it
            self.error = error
        self.done = True
        self.to_return.release()

    def go_on(self) -> None:
        """Let it run until it stops or ends."""
        self.to_go.release()
        self.to_return.acquire()
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    def stop(self) -> None:
        """Called by what runs in it: the other goes on."""
        self.to_return.release()
        self.to_go.acquire()
        if not self.wanted:
            raise Ended

    def end(self) -> None:
        """Take it down wherever it stands."""
        if not self.done:
            self.wanted = False
            self.go_on()
        self.thread.join()
