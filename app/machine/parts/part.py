"""What every part of a machine's state has: how it is written into a document, read from one, and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from app.machine.document import Document
    from app.machine.machine import Machine

Dump: TypeAlias = dict[str, Any]


def nothing_to_check(m: Machine) -> Iterable[str]:
    """Any value that can be read is a good one."""
    return ()


class Part(NamedTuple):
    """One part of a machine's state."""

    name: str
    # Writes the part into a dump, in which the parts before it stand already.
    dump: Callable[[Machine, Dump], None]
    # Reads it from a dump or a recording, onto a machine that has the parts before it. Raises BadArgument.
    load: Callable[[Machine, Document], None]
    # Names in words what is wrong with the part and no call can break; usually nothing.
    verify: Callable[[Machine], Iterable[str]] = nothing_to_check
    # Writes it into a state, where that is another form than the dump's: quicker to write and to read.
    save: Callable[[Machine, Dump], None] | None = None
    # Names what only a caller's mistake breaks: a machine goes on in such a state, and people are told.
    verify_counts: Callable[[Machine], Iterable[str]] = nothing_to_check
