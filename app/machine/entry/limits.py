"""What a machine may hold: calls that might add more are refused before they reach the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.errors import BadArgument, NoRoom
from app.machine import user_kinds
from app.machine.calls import MAX_REPEAT, Call, longest_loop
from app.machine.vocabulary import CallSpec, Returns
from app.mm import namei, printk

if TYPE_CHECKING:
    from app.machine.machine import Machine

MAX_LIVE_BLOCKS: Final = 1_000_000
MAX_CACHES: Final = 4_000
MAX_FILES: Final = 1_024


def check_room(m: Machine, spec: CallSpec, blocks: int) -> None:
    """Refuse a call that might add more than a machine may hold. Raises NoRoom.

    blocks: how many would live after it, at most.
    """
    if spec.returns is Returns.CACHE and len(m.caches) >= MAX_CACHES:
        raise NoRoom(f"a session holds at most {MAX_CACHES} slab caches")
    if blocks > MAX_LIVE_BLOCKS:
        raise NoRoom(f"a session holds at most {MAX_LIVE_BLOCKS} live blocks; {m.live_blocks} are in use")


def check_files(m: Machine, call: Call) -> None:
    """Refuse one file more than a machine may have. Raises BadArgument."""
    path, flags = call.args["path"], user_kinds.as_flags("open_flags", call.args["flags"])
    if flags & namei.O_CREAT and len(m.vm.inodes) >= MAX_FILES and namei.lookup(m, path) is None:
        raise BadArgument.at("path", f"a machine has at most {MAX_FILES:,} files: unlink one first")


def rounds(m: Machine, call: Call) -> int:
    """How often a loop may run: as asked; one `until` an end stops at a full session."""
    most = call.repeat or MAX_REPEAT
    if call.until is not None:
        most = min(most, (MAX_LIVE_BLOCKS - m.live_blocks) // call.spec.cost.each(call.args))
    return most


def say_if_cut(m: Machine, call: Call, blocks: int) -> None:
    """A loop that was to end at NULL, or where memory is short, came to the most that one call makes.

    Rule set 1 took that for success.
    """
    longest = longest_loop(call.spec.cost.frames(call.args))
    as_asked = call.repeat is not None and call.repeat < longest
    if m.rules < 2 or call.until is None or as_asked:
        return
    end = "no NULL" if call.until == "null" else f"no fewer than {call.until:,} free frames"
    printk.refused(m, f"{blocks:,} blocks and {end} so far: one call makes no more; make it again to go on")
    m.worsen_null()
