"""What the machine page is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.web.contexts.base import Fact, Link, Page, ShownRefusal
from app.web.contexts.callform import CallForm
from app.web.contexts.demo import DemoPanel
from app.web.contexts.exercise import ExercisePanel
from app.web.contexts.framemap import MapView, PatternView
from app.web.contexts.inspector import AddressView, Inspector
from app.web.contexts.journal import Finding, JournalRow, OutcomeView
from app.web.contexts.panels import PanelView
from app.web.contexts.place import PlaceView, PresentingView, Sleeper
from app.web.contexts.views import CentreView


@dataclass(frozen=True, slots=True)
class Mark:
    """A watermark on a zone's gauge."""

    name: str
    """`min`, `low` or `high`"""
    pages: int
    """the watermark"""
    x: float
    """its place on the bar, in per cent"""
    above: bool
    """True where its label stands above the bar"""
    anchor: str
    """`start`, `middle` or `end`: which part of its label stands at the mark"""
    dx: int
    """how far its label stands from the mark"""


@dataclass(frozen=True, slots=True)
class Spark:
    """Free frames after the last calls, as a small line."""

    points: str
    """the line, one unit to the right for each call"""
    width: int
    """how many units it is wide"""
    marks: Sequence[float]
    """the heights of the watermarks, where they are near"""
    ran: Sequence[int]
    """the calls, counted from 0, at whose end kswapd ran"""
    words: str
    """the same in words"""


@dataclass(frozen=True, slots=True)
class KswapdView:
    """The kernel thread that reclaims in the background."""

    task: str
    """its name"""
    state: str
    """whether it sleeps"""
    woken: bool
    """True where it does not"""
    last: Link | None
    """when it ran last, and the way to that row's explanation"""
    what: str
    """what that brought"""
    why: str
    """what it was woken for"""


@dataclass(frozen=True, slots=True)
class ZoneView:
    """A zone with the bar of its free frames."""

    name: str
    """the zone's name"""
    node: int | None
    """the zone's node; None on a machine with one node"""
    href: str
    """the page with the zone on the map"""
    current: bool
    """True where the map shows it"""
    managed: int
    """how many frames the allocator has"""
    free: int
    """free frames"""
    pcp_pages: int
    """frames on per-CPU lists"""
    boost: int
    """how much the watermarks are raised"""
    water: float
    """free frames in per cent of the bar, which ends at twice the high watermark"""
    cut: bool
    """True where more is free than the bar has room for"""
    low_level: bool
    """True where free frames are below min"""
    level: str
    """where free frames stand against the watermarks, in words"""
    marks: Sequence[Mark]
    """the three watermarks"""
    spark: Spark | None
    """free frames after the last calls; None where too few were made"""
    kswapd: KswapdView | None
    """the kswapd of its node, in the highest zone of that; None in the others"""
    kswapd_range: tuple[float, float] | None
    """from low, where kswapd is woken, to high, above which it sleeps: left edge and width in per cent of the
    bar; None where it takes nothing back"""
    reserve: Sequence[tuple[str, int]]
    """how many frames it keeps from requests for which other zone"""
    fallback: Sequence[str]
    """the zones that are tried after it"""


@dataclass(frozen=True, slots=True)
class Switch(Fact):
    """Something that this machine was made with or without. `value` says `on` or `off`."""

    on: bool = False
    """True where the machine has it"""


@dataclass(frozen=True, slots=True)
class NameChip:
    """A name that an earlier call gave to its result."""

    name: str
    """the name"""
    value: str
    """what it stands for"""
    href: str | None
    """the page with it in the inspector"""
    whose: str = ""
    """who has given it, where that is somebody else"""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The session's rows as a line."""

    start: int
    """the row before the first"""
    head: int
    """the last row"""
    at: int
    """the row whose state is shown"""
    view: Sequence[tuple[str, str]]
    """the other parts of the address, as names and values"""
    earlier: Link
    """link to the row before"""
    later: Link
    """link to the row after"""


@dataclass(frozen=True, slots=True)
class PastBar:
    """The bar of a page that shows an earlier moment."""

    seq: int
    """the row whose state is shown"""
    head: int
    """the last row"""
    live: str
    """the address of the present"""


@dataclass(frozen=True, slots=True)
class ReportView:
    """The text that a machine was made from."""

    title: str
    """what the text was"""
    kernel: str
    """the release of the kernel that printed it; empty where it does not say"""
    assumed: Sequence[str]
    """what the text leaves open, and what is taken to be so"""
    unread: str
    """which lines were passed over"""
    line: str
    """the request that it tells of, as a line of the console; empty where there is none"""
    open: bool
    """whether all this is shown at once"""


@dataclass(frozen=True, slots=True)
class MachinePage(Page):
    """machine.html: a session's machine at its head, or as it was: `past` says when."""

    TEMPLATE: ClassVar[str] = "machine.html"
    id: str
    """the session's id"""
    name: str
    """the session's name"""
    seq: int
    """the session's last row"""
    facts: Sequence[Fact]
    """profile, kernel, memory and CPUs"""
    overhead: Sequence[Fact]
    """what the struct pages cost, for each size that they had"""
    switches: Sequence[Switch]
    """what the machine was made with or without"""
    view: str
    """the query of the address, which forms carry along"""
    zones: Sequence[ZoneView]
    """the zones with their gauges"""
    map: MapView
    """the frame map"""
    patterns: Sequence[PatternView]
    """the pattern of each frame state"""
    inspector: Inspector | None
    """the page frame in the inspector"""
    address_inspector: AddressView | None
    """what is at the address in the inspector, instead of a page frame"""
    outcome: OutcomeView | None
    """the banner"""
    refusal: ShownRefusal | None
    """why the last request was not carried out"""
    form: CallForm
    """the form of one call"""
    layout: str
    """how the page is laid out: `work` or `stage`"""
    layouts: Sequence[Link]
    """links to the layouts"""
    views: Sequence[Link]
    """links to the views of the centre"""
    centre: CentreView
    """what the centre shows; its `TEMPLATE` draws it"""
    tabs: Sequence[Link]
    """links to the panels"""
    panel: PanelView
    """what the open panel shows; its `TEMPLATE` draws it"""
    journal: Sequence[JournalRow]
    """a page of the journal"""
    find: Finding
    """the search in the journal"""
    older: Link
    """link to older rows"""
    newer: Link
    """link to the newest rows"""
    line: str
    """what stood in the console"""
    report: ReportView | None
    """the text that the machine was made from, where it was"""
    speaker: str | None
    """the process that makes the console's calls where a line names nobody; None for init"""
    names: Sequence[NameChip]
    """names that earlier calls gave to their results"""
    more_names: int
    """how many names are left out"""
    gfp_names: Sequence[str]
    """every name of a GFP flag, for suggestions"""
    caches: Sequence[str]
    """names of slab caches, for suggestions"""
    api: str
    """the session's address in the API"""
    close: str
    """the address without anything in the inspector"""
    timeline: Timeline
    """the session's rows as a line"""
    past: PastBar | None
    """the bar of an earlier moment; None at the head"""
    origin: Link | None
    """link to the session that this one was branched off"""
    newcomer: bool
    """True until three calls have been made: what one does here is said in three verbs"""
    notices: Sequence[str]
    """what of the address shows nothing, in words"""
    begun: Link | None
    """link to the row of another session after which this journal goes on"""
    diverged: Link | None
    """why the session is read-only, and link to its last moment that can be shown"""
    history_refusal: ShownRefusal | None
    """why an undo, a rewind or a fork was refused, or a moment cannot be shown"""
    demo: DemoPanel | None
    """a guided demo beside the machine"""
    exercise: ExercisePanel | None
    """an exercise beside the machine"""
    place: PlaceView | None
    """the machine's place in a lab"""
    copied_in: Sequence[Link]
    """links to labs that have copies of it, where it is the instructor's own"""
    into_lab: str | None
    """the address of the form that puts it into a lab; None where it cannot be put into one"""
    stopped: str | None
    """why the person at the browser can make no call"""
    asks: bool
    """True where the person at the browser can ask a class what a call will do"""
    callable: bool
    """True where a call can be made in this view"""
    watched: bool
    """True where the person at the browser can never make a call"""
    rewinds: bool
    """True where the person at the browser may undo and rewind"""
    undoes: bool
    """True where they may undo the last call: also if by it they have stopped a machine that all share"""
    task: str | None
    """the task as which the person at the browser calls, where it cannot be chosen"""
    sleepers: Sequence[Sleeper]
    """tasks that the person at the browser may end"""
    presenting: PresentingView | None
    """presenting, and following, in a lab"""
