"""Views of a machine that take too long for the writer's thread, and the map that they have drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from app.machine.frame_states import FrameStates
    from app.sessions.live import Live

# The most work of one look on the writer's thread, as `app.machine.show_cost` counts it: about five
# milliseconds.
SHORT_LOOK: Final = 2_000


class TooLong:
    """A look was too long to be made."""


class PaintedMap:
    """The map of a machine that was painted on another machine in the same state.

    effective: the row whose state that is.
    """

    def __init__(self) -> None:
        self.effective = 0
        self.states: FrameStates | None = None

    def take(self, live: Live) -> None:
        """Take the map from the machine on which it was painted."""
        if live.diverged is None:
            self.effective, self.states = live.effective, live.machine.frame_states
            live.machine.frame_states = None

    def give(self, live: Live) -> None:
        """Give it to the open machine, unless that has gone on or has one that knows more sizes of cells."""
        assert self.states is not None
        known = live.machine.frame_states
        fuller = known is None or len(known.levels) < len(self.states.levels)
        if live.effective == self.effective and fuller:
            live.machine.frame_states = self.states
