"""The address of a machine page: it holds the whole view, so that a link shows a colleague the same thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final
from urllib.parse import parse_qsl, quote_plus, urlencode

from app.numerals import unsigned

PANELS: Final = ("lists", "slab", "vmalloc", "tasks", "log", "proc")
BIGGEST: Final = 1 << 40
QUERY_LENGTH: Final = 4000
SPELLED: Final = {"moment": "at"}
LONGEST: Final = {"ran": 400, "find": 100}
# Characters of a view in an address: some hundred links of a page carry it.
VIEW_LENGTH: Final = 900
TEXTS: Final = (
    "zone",
    "panel",
    "call",
    "page",
    "addr",
    "order",
    "cache",
    "slabs",
    "area",
    "obj",
    "file",
    "names",
    "find",
    "demo",
    "ran",
)


@dataclass(frozen=True, slots=True)
class Address:
    """Which part of which machine is looked at.

    zone, node, start, shift: the window of the map. pfn: the frame in the inspector. panel: which panel is
    open. call: whose form is shown, with `page`, `addr` and `order` filled in. outcome: the row of the
    journal that the banner shows. slabs, slab: a cache whose slabs are shown, from which on. area: where the
    area begins whose frames are shown. obj: the address that is in the inspector instead of a frame. file:
    of /proc. row: how many rows of the open panel's table stand before the part that is shown. moment,
    `at` in the address: the seq after which the machine is shown, where that is not the
    last. before: the journal from there downwards. find: what is looked for in it. names: whose spelling
    stands first, where the address says so. demo, step, part, ran: a guided demo beside the machine, see
    `demopanel`.
    """

    id: str
    zone: str | None = None
    node: int | None = None
    start: int | None = None
    shift: int | None = None
    pfn: int | None = None
    panel: str | None = None
    call: str | None = None
    page: str | None = None
    addr: str | None = None
    order: str | None = None
    cache: str | None = None
    slabs: str | None = None
    slab: int | None = None
    area: str | None = None
    obj: str | None = None
    file: str | None = None
    row: int | None = None
    moment: int | None = None
    outcome: int | None = None
    before: int | None = None
    find: str | None = None
    names: str | None = None
    demo: str | None = None
    part: int | None = None
    step: int | None = None
    ran: str | None = None

    @property
    def path(self) -> str:
        """Without the view."""
        return f"/sessions/{self.id}"

    @property
    def query(self) -> str:
        """The view alone."""
        return urlencode(self.pairs)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parts of the view, as a form carries them along."""
        found = [(f.name, getattr(self, f.name)) for f in fields(self) if f.name != "id"]
        return [(SPELLED.get(name, name), text_of(name, value)) for name, value in found if value is not None]

    @property
    def href(self) -> str:
        """Path and view."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def room(self, name: str) -> int:
        """How many characters a part of the view takes in an address."""
        return len(quote_plus(getattr(self, name) or ""))

    def to(self, **changes: Any) -> Address:
        """The same view but for some parts."""
        return replace(self, **changes)

    def at(self, pfn: int, fragment: str = "") -> str:
        """The same view with another frame in the inspector."""
        return self.to(pfn=pfn, obj=None).href + fragment

    def thing(self, address: str) -> Address:
        """The same view with what is at an address in the inspector."""
        return self.to(pfn=None, obj=address)

    def explain(self, seq: int) -> str:
        """The page that explains a row of the journal. The way back knows a demo's step and the past."""
        kept = self.demo is not None or self.moment is not None
        back = f"?{self.to(outcome=None, before=None, find=None).query}" if kept else ""
        return f"{self.path}/explain/{seq}{back}"


def text_of(name: str, value: Any) -> str:
    """Frame numbers in hexadecimal, as everywhere on the page."""
    return f"{value:#x}" if name in ("start", "pfn") else str(value)


def number(text: str) -> int | None:
    """A decimal or hexadecimal number of an address; None where it is no such number."""
    value = unsigned(text)
    return value if value is not None and value < BIGGEST else None


def parse(session: str, query: str | Mapping[str, str]) -> Address:
    """The view that a query asks for.

    What it does not understand is left out: an address is never an error.
    """
    if isinstance(query, str):
        pairs: Mapping[str, str] = dict(parse_qsl(query)) if len(query) <= QUERY_LENGTH else {}
    else:
        pairs = query
    found: dict[str, Any] = {}
    for name in ("node", "start", "shift", "pfn", "slab", "row", "outcome", "before", "part", "step"):
        if name in pairs:
            found[name] = number(pairs[name])
    if "at" in pairs:
        found["moment"] = number(pairs["at"])
    for name in TEXTS:
        if pairs.get(name):
            found[name] = pairs[name][: LONGEST.get(name, 64)]
    here = Address(session, **found)
    while len(here.query) > VIEW_LENGTH:
        longest: dict[str, Any] = {max(TEXTS, key=here.room): None}
        here = here.to(**longest)
    return here
