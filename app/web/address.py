"""The address of a machine page: it holds the whole view, so that a link shows a colleague the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final
from urllib.parse import parse_qsl, quote_plus, urlencode

from app.numerals import unsigned

BIGGEST: Final = 1 << 40
HIGHEST: Final = 1 << 64
QUERY_LENGTH: Final = 4000
SPELLED: Final = {"moment": "at"}
LONGEST: Final = {"ran": 400, "find": 100, "work": 200, "given": 400}
# Characters of a view in an address: some hundred links of a page carry it.
VIEW_LENGTH: Final = 900
NUMBERS: Final = (
    "node", "start", "shift", "pfn", "slab", "row", "outcome", "before", "part", "step", "since", "until",
    "against", "pid", "beside", "swap", "variant", "task",
)  # fmt: skip
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
    "layout",
    "view",
    "va",
    "cached",
    "exercise",
    "graded",
    "work",
    "given",
    "ask",
)


@dataclass(frozen=True, slots=True)
class Address:
    """Which part of which machine is looked at."""

    id: str
    """the session"""
    zone: str | None = None
    """the zone on the map"""
    node: int | None = None
    """the node of that zone"""
    start: int | None = None
    """the first frame of the window on the map"""
    shift: int | None = None
    """the window's cells have 2^shift frames"""
    pfn: int | None = None
    """the frame in the inspector"""
    panel: str | None = None
    """the name of the open panel"""
    call: str | None = None
    """the call whose form is shown"""
    page: str | None = None
    """the form's page"""
    addr: str | None = None
    """the form's address"""
    order: str | None = None
    """the form's order"""
    cache: str | None = None
    """the form's cache"""
    slabs: str | None = None
    """the cache whose slabs the panel shows"""
    slab: int | None = None
    """the number of the first slab that it shows"""
    area: str | None = None
    """the address of the area whose frames the panel shows"""
    obj: str | None = None
    """the address in the inspector, instead of a frame"""
    file: str | None = None
    """the file of /proc that the panel shows"""
    since: int | None = None
    """the first row of the session that the panel of its history shows"""
    until: int | None = None
    """the last row of the session that it shows"""
    against: int | None = None
    """the row whose state it compares with the state that is shown"""
    row: int | None = None
    """how many rows of the panel's table stand before the part that is shown"""
    moment: int | None = None
    """the row whose state is shown, where that is not the last; `at` in the address"""
    outcome: int | None = None
    """the row that the banner shows"""
    before: int | None = None
    """the journal is listed down from the row before this one"""
    find: str | None = None
    """what is searched for in the journal"""
    names: str | None = None
    """whose spelling stands first, where the address says so"""
    demo: str | None = None
    """the guided demo beside the machine"""
    part: int | None = None
    """the demo's part that this session is made for"""
    step: int | None = None
    """the demo's step that is shown, counted from 0"""
    ran: str | None = None
    """from which rows on steps of the demo were run, see `demopanel`"""
    exercise: str | None = None
    """the exercise beside the machine"""
    variant: int | None = None
    """the number of its variant that is practised"""
    task: int | None = None
    """the exercise's task that is shown, counted from 1"""
    graded: str | None = None
    """the variant of a sheet's exercise beside the machine, instead of one that is practised"""
    work: str | None = None
    """what has been done of its tasks, see `exercisework`"""
    given: str | None = None
    """the answers to the task that is shown, or what was predicted of the demo's step, a line each"""
    ask: str | None = None
    """whether a demo asks before it runs a step, where the address says so: `on` or `off`"""
    layout: str | None = None
    """how the page is laid out, see `layouts`; None for as its purpose asks"""
    view: str | None = None
    """what the centre of the page shows, see `app.web.views`"""
    pid: int | None = None
    """the process that is shown; None for the one that the shown call was made by"""
    va: str | None = None
    """the address of that process whose walk is shown; None for the one that the shown call was about"""
    beside: int | None = None
    """the pid of the process that it is compared with"""
    swap: int | None = None
    """the number of the swap area whose slots the panel shows"""
    cached: str | None = None
    """the file whose cached pages the panel shows"""

    @property
    def path(self) -> str:
        """The address without the view."""
        return f"/sessions/{self.id}"

    @property
    def query(self) -> str:
        """The view alone, as a query."""
        return urlencode(self.pairs)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parts of the view, as a form carries them along."""
        found = [(f.name, getattr(self, f.name)) for f in fields(self) if f.name != "id"]
        return [(SPELLED.get(name, name), text_of(name, value)) for name, value in found if value is not None]

    @property
    def href(self) -> str:
        """The whole address."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def api_moment(self) -> str:
        """The moment that is shown, as a query of the API."""
        return "" if self.moment is None else f"?at={self.moment}"

    def room(self, name: str) -> int:
        """How many characters a part of the view takes in an address."""
        return len(quote_plus(getattr(self, name) or ""))

    def to(self, **changes: Any) -> Address:
        """The same view with some parts changed."""
        return replace(self, **changes)

    def at(self, pfn: int, fragment: str = "") -> str:
        """The same view with another frame in the inspector."""
        return self.to(pfn=pfn, obj=None).href + fragment

    def inspect(self, address: str) -> Address:
        """The same view with what is at an address in the inspector."""
        return self.to(pfn=None, obj=address)

    def explain(self, seq: int) -> str:
        """The address of a row's explanation; it keeps demo, moment and layout, to lead back to them."""
        parts = (self.demo, self.exercise, self.graded, self.moment, self.layout, self.view)
        kept = any(part is not None for part in parts)
        back = f"?{self.to(outcome=None, before=None, find=None).query}" if kept else ""
        return f"{self.path}/explain/{seq}{back}"


def text_of(name: str, value: Any) -> str:
    """Write a value of an address: frame numbers in hexadecimal, as everywhere on the page."""
    return f"{value:#x}" if name in ("start", "pfn") else str(value)


def number(text: str) -> int | None:
    """Read a decimal or hexadecimal number of an address; None where the text is no such number."""
    value = unsigned(text)
    return value if value is not None and value < BIGGEST else None


def memory_address(text: str) -> int | None:
    """A kernel address as the page writes it; None where the text is none."""
    value = unsigned(text)
    return value if value is not None and value < HIGHEST else None


def parse(session: str, query: str | Mapping[str, str]) -> Address:
    """Read the view that a query asks for.

    What it does not understand is left out: an address is never an error.
    """
    if isinstance(query, str):
        pairs: Mapping[str, str] = dict(parse_qsl(query)) if len(query) <= QUERY_LENGTH else {}
    else:
        pairs = query
    found: dict[str, Any] = {}
    for name in NUMBERS:
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
