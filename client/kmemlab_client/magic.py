"""`%%kmem m`: a cell of lines of C, made on the machine that stands in the notebook's variable m."""

from __future__ import annotations

from typing import Any

from kmemlab_client.errors import KmemlabError
from kmemlab_client.machine import Machine
from kmemlab_client.outcome import Outcomes


class NoMachine(KmemlabError):  # noqa: N818 - it is what is said of the name
    """The name behind the magic stands for no machine."""


def register(ipython: Any) -> None:
    """Teach a notebook the magic."""

    def kmem(line: str, cell: str) -> Outcomes:
        """Make the calls of a cell, all or none: `%%kmem m`."""
        machine = ipython.user_ns.get(line.strip())
        if not isinstance(machine, Machine):
            raise NoMachine(f"%%kmem {line.strip()}: the name of a Machine, as in m = Machine.new(…)")
        return machine.run(cell)

    ipython.register_magic_function(kmem, "cell", "kmem")
