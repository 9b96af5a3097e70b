"""The kernel log in a dump."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine.parts.part import Dump, Part
from app.mm.printk import LOG_BUF_LEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.machine.document import Document
    from app.machine.machine import Machine


def dump(m: Machine, doc: Dump) -> None:
    """`log`: its lines."""
    doc["log"] = list(m.log)


def load(m: Machine, doc: Document) -> None:
    """Inverse of `dump`; a recording has none."""
    for line in doc.get("log", []).list(100_000):
        m.log.append(line.str(2000))
        m.log_bytes += len(m.log[-1]) + 1


def verify(m: Machine) -> Iterator[str]:
    """The log against its size."""
    size = sum(len(line) + 1 for line in m.log)
    if size != m.log_bytes or size > LOG_BUF_LEN:
        yield f"the log counts {m.log_bytes} bytes, it holds {size}"


PART: Final = Part("log", dump, load, verify)
