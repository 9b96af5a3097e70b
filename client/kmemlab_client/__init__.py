"""A session of a kmemlab server, whose methods are the kernel's functions.

    from kmemlab_client import Machine

    m = Machine.new(profile="tiny-16m")
    page = m.alloc_pages("GFP_KERNEL", 3)    # arguments as in C, by position or by name
    m.__free_pages(page, 3)                  # what a call returned is given to others as it is
    m.proc("buddyinfo", at=page.seq)         # the past

Which functions there are, the server says (`GET /calls`). What the kernel refuses is an outcome; what
the server refuses is raised as `Refused`.
"""

from __future__ import annotations

from typing import Any

from kmemlab_client.errors import KmemlabError, Refused, Unreachable
from kmemlab_client.machine import Machine
from kmemlab_client.outcome import Outcome, Outcomes

__all__ = ["KmemlabError", "Machine", "Outcome", "Outcomes", "Refused", "Unreachable"]

__version__ = "0.1.0"


def load_ipython_extension(ipython: Any) -> None:
    """What `%load_ext kmemlab_client` asks for."""
    from kmemlab_client.magic import register  # noqa: PLC0415 - a script needs none

    register(ipython)
