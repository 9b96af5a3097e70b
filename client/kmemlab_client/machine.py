"""A session: one simulated machine with its journal."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any, Callable

from kmemlab_client.arguments import Function
from kmemlab_client.connection import Connection, segment
from kmemlab_client.errors import Unreachable
from kmemlab_client.events import Stream
from kmemlab_client.outcome import Outcome, Outcomes

SERVER = "http://127.0.0.1:8000"


class Machine:
    """A session of a server. Its methods are the kernel's functions, besides those that stand here.

    session: its id, as the address of its page has it. token: who you are in lab mode; without one what
    KMEMLAB_TOKEN says.
    """

    def __init__(self, session: str, server: str = SERVER, token: str | None = None) -> None:
        self._begin(Connection(server, token), session)
        self.get()

    @classmethod
    def new(
        cls, server: str = SERVER, token: str | None = None, name: str | None = None, **machine: Any
    ) -> Machine:
        """A new session. machine: as `POST /sessions` takes it: profile="tiny-16m", memory="4G", …"""
        connection = Connection(server, token)
        named = {} if name is None else {"name": name}
        session = connection.post("/sessions", {**named, "machine": machine})["id"]
        made = cls.__new__(cls)
        made._begin(connection, session)  # noqa: SLF001 - its own
        return made

    def _begin(self, connection: Connection, session: str) -> None:
        self.session = session
        self._connection = connection
        self._path = f"/sessions/{segment(session)}"
        try:
            self.functions = {call["name"]: Function(call) for call in connection.get("/calls")["calls"]}
        except (KeyError, TypeError):
            raise Unreachable(f"what answers at {connection.base} is no kmemlab server") from None
        # Attributes like others: a notebook completes nothing that only `__getattr__` knows.
        for name, function in self.functions.items():
            if not hasattr(self, name):
                setattr(self, name, function.method(self.call))

    # -- calls ------------------------------------------------------------------------------------

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Callable[..., Outcome]:
            """A kernel function; which there are, a type checker cannot ask."""

    def call(self, function: str, *given: Any, **named: Any) -> Outcome:
        """Make a call by its name. Within a class Python changes names with two underscores: use this there.

        Beside its arguments: task, cpu, context, repeat, until, … as the API's page has them; wait: seconds
        to wait for a call that is blocked; if_match: the seq that the session must be at. Raises Refused.
        """
        if function not in self.functions:
            raise AttributeError(f"{function}: no function of this server")
        wait, if_match = named.pop("wait", None), named.pop("if_match", None)
        body = self.functions[function].body(given, named)
        headers = {} if if_match is None else {"if-match": f'"{if_match}"'}
        path = f"{self._path}/{function}" + ("" if wait is None else f"?wait={wait}")
        return Outcome(self._connection.post(path, body, **headers))

    def run(self, text: str) -> Outcomes:
        """Make the calls of a text, with lines of C, all or none. Raises Refused, which names the lines."""
        rows = self._connection.post_text(f"{self._path}/calls", text)["outcomes"]
        return Outcomes(Outcome(row) for row in rows)

    def undo(self) -> Outcome:
        """Take back the last call, as a new row."""
        return Outcome(self._connection.post(f"{self._path}/undo"))

    def rewind(self, to: int) -> Outcome:
        """Bring the machine to the state after a row, as a new row."""
        return Outcome(self._connection.post(f"{self._path}/rewind", {"to": to}))

    # -- reading ----------------------------------------------------------------------------------

    def get(self, path: str = "", at: int | None = None, **query: Any) -> Any:
        """What stands below the session: "/caches", "/pages/1024".

        at: as it was after the row with this seq.
        """
        return self._connection.get(f"{self._path}{path}", at=at, **query)

    def zones(self, at: int | None = None) -> list[dict[str, Any]]:
        """Zones with their marks, free blocks and per-CPU lists."""
        zones: list[dict[str, Any]] = self.get("/zones", at=at)["zones"]
        return zones

    def proc(self, file: str, at: int | None = None) -> str:
        """A file of /proc as text: buddyinfo, zoneinfo, slabinfo, …"""
        return self._connection.text(f"{self._path}/proc/{segment(file)}", at=at)

    def explain(self, seq: int) -> dict[str, Any]:
        """Why a row came out as it did, in the kernel's decision steps."""
        explained: dict[str, Any] = self.get(f"/events/{int(seq)}/explain")
        return explained

    def rows(self, after: int = 0) -> Iterator[Outcome]:
        """The journal, from the row behind one to the last that is there."""
        while True:
            part = self.get("/events", after=after, limit=1000)
            for row in part["items"]:
                after = row["seq"]
                yield Outcome(row)
            if part["next"] is None:
                return

    def events(self, after: int | None = None) -> Iterator[Outcome]:
        """Every row behind one, then each new one as it is made; without `after`, new ones alone.

        No row is missing or comes twice, also where the connection breaks. Raises Refused when the session
        is deleted or may not be read any more, Unreachable when the server is gone.
        """
        return Stream(self._connection, self._path, self.rows).rows(after)

    # -- shown ------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"Machine({self.session!r})"

    def _repr_html_(self) -> str:
        """A notebook's view: the zones, with their free blocks."""
        orders = "".join(f"<th>{order}</th>" for order in range(11))
        rows = "".join(zone_row(zone) for zone in self.zones())
        head = (
            f"<tr><th>node</th><th>zone</th><th>free</th><th>min</th><th>low</th><th>high</th>{orders}</tr>"
        )
        return f"<table><caption>session {escape(self.session)}</caption>{head}{rows}</table>"


def zone_row(zone: dict[str, Any]) -> str:
    """A zone as a row of a table; the numbers behind its marks are free blocks by order."""
    cells = [zone["node"], zone["name"], *(zone[mark] for mark in ("free", "min", "low", "high"))]
    return f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in (*cells, *zone['nr_free']))}</tr>"
