"""What each template is given, one class a page: everything in words and figures, nothing left to compute.

Widths and positions are in thousandths of the figure's width, so that a template can put them into a viewBox.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from app.machine.vocabulary import CallSpec
from app.web.preferences import Preferences

if TYPE_CHECKING:
    from app.web.demo_contexts import DemoPanel, DemoRow
    from app.web.panel_contexts import ProcPanel, Queues, SlabGrid, VmallocStrip
    from app.web.stage import StageView
    from app.web.thing_contexts import Thing


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks, in lab mode. kind: `instructor`, `member`, `waiting`, or `visitor` for who has not said.

    lab: a member's, as an address.
    """

    kind: str
    name: str = ""
    lab: str | None = None


@dataclass(frozen=True, slots=True)
class Shell:
    """What stands around every page.

    language: its code. texts: where scripts find what they say in it; None for English. asset: file name →
    its address. modules: module → the addresses of what it imports. here: the address to come back to. who:
    None in open mode.
    """

    preferences: Preferences
    language: str
    texts: str | None
    asset: Callable[[str], str]
    modules: Callable[[str], Sequence[str]]
    here: str
    who: Who | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A place to go. href None: it cannot be gone to now, and the link is shown as inactive."""

    text: str
    href: str | None
    current: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Faulty:
    """One field that was refused: which, and what would be accepted. label: what the page calls it."""

    field: str
    message: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that was no kernel call: nothing happened, nothing is in the journal."""

    title: str
    faults: Sequence[Faulty]

    def of(self, name: str) -> str | None:
        """What is wrong with a field."""
        return next((fault.message for fault in self.faults if fault.field == name), None)


@dataclass(frozen=True, slots=True)
class Page:
    """What every template is given."""

    TEMPLATE: ClassVar[str]
    shell: Shell
    title: str


# -- errors and reference ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ErrorPage(Page):
    """error.html: what went wrong and where to go on."""

    TEMPLATE: ClassVar[str] = "error.html"
    detail: str
    links: Sequence[Link]


@dataclass(frozen=True, slots=True)
class CallsPage(Page):
    """calls.html: every call with its prototype, its place in the kernel, its arguments and a curl line."""

    TEMPLATE: ClassVar[str] = "calls.html"
    groups: Sequence[CallGroup]


@dataclass(frozen=True, slots=True)
class CallGroup:
    """Calls that belong together. calls: the table's entry and the curl line that makes it."""

    name: str
    calls: Sequence[tuple[CallSpec, str]]


@dataclass(frozen=True, slots=True)
class GfpPage(Page):
    """gfp.html: a mask taken apart.

    typed: what was asked for. error: why it is no mask. groups: every flag by kind. facts: what the mask
    means, as question and answer. line: what `%pGg` prints. lecture: the same with the lecture's names.
    advice: which flag to use when.
    """

    TEMPLATE: ClassVar[str] = "gfp.html"
    typed: str
    error: str | None
    value: int
    line: str
    lecture: str
    facts: Sequence[GfpFact]
    groups: Sequence[GfpGroup]
    advice: Advice


@dataclass(frozen=True, slots=True)
class Advice:
    """Which flag to use when: by place, with a column for each kind of memory, and by purpose."""

    columns: Sequence[str]
    places: Sequence[AdviceRow]
    purposes: Sequence[AdviceRow]


@dataclass(frozen=True, slots=True)
class AdviceRow:
    """One situation, the masks that fit it, and why."""

    when: str
    masks: Sequence[Link]
    why: str


@dataclass(frozen=True, slots=True)
class GfpFact:
    """One consequence of a mask. sure: False where it is a warning."""

    question: str
    answer: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class GfpGroup:
    """One of the lecture's tables. composed: its flags are made of others, then and now."""

    title: str
    flags: Sequence[GfpFlag]
    composed: bool = False


@dataclass(frozen=True, slots=True)
class GfpFlag:
    """One name.

    On: all its bits are in the mask. then: the lecture's spelling. composed, composed_then: what a type is
    made of in 6.1 and was made of in the lecture. since: the lecture's kernel did not have it.
    """

    name: str
    value: int
    doc: str
    on: bool
    then: str | None
    composed: str
    composed_then: str
    since: bool = False


# -- home ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session in the list.

    calls: rows of its own journal. last: text of its last call; verdict: of it, None where there was no
    call. map: a picture of the machine, map_words: what it shows. api: the session's address in the API.
    """

    id: str
    name: str
    href: str
    profile: str
    memory: str
    seq: int
    calls: int
    last: str | None
    verdict: str | None
    created: str
    map: str
    map_words: str
    api: str


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """A machine that can be created, with its figures. zones: with their sizes. note: its oddity."""

    name: str
    title: str
    memory: str
    frames: int
    zones: Sequence[tuple[str, str]]
    overhead: str
    note: str


@dataclass(frozen=True, slots=True)
class HomePage(Page):
    """home.html: the sessions, and the forms that make one.

    typed: what stood in a refused form. refusal: why it was refused; form: which (`profile` or `file`).
    renaming: the id of the session whose new name was refused. more: the next page of the list. dump_limit,
    import_limit: largest uploads, in words. demo_faults: files of demos that cannot be used, and why. labs:
    where an instructor teaches, or a member is.
    """

    TEMPLATE: ClassVar[str] = "home.html"
    sessions: Sequence[SessionRow]
    more: str | None
    profiles: Sequence[ProfileRow]
    typed: dict[str, str]
    dump_limit: str
    import_limit: str
    demos: Sequence[DemoRow] = ()
    demo_faults: Sequence[str] = ()
    refusal: Refusal | None = None
    form: str = ""
    renaming: str | None = None
    labs: Sequence[Link] = ()


@dataclass(frozen=True, slots=True)
class DeletePage(Page):
    """delete.html: what is lost when a session is deleted: calls, and labs that have it as a machine."""

    TEMPLATE: ClassVar[str] = "delete.html"
    id: str
    name: str
    calls: int
    labs: Sequence[Link]


# -- the machine ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mark:
    """A watermark on a gauge, at x thousandths; its label stands below at label_x, with a line between."""

    name: str
    pages: int
    x: int
    label_x: int


@dataclass(frozen=True, slots=True)
class ZoneView:
    """A zone with its gauges.

    used, pcp: thousandths of the managed frames. water: free frames on a scale that ends at twice the high
    watermark. level: where free stands against the marks, in words. reserve: for whom it keeps how many
    frames. fallback: where a request goes that it does not serve.
    """

    name: str
    node: int
    href: str
    current: bool
    start: int
    end: int
    managed: int
    free: int
    pcp_pages: int
    boost: int
    used: int
    pcp: int
    water: int
    low_level: bool
    level: str
    marks: Sequence[Mark]
    reserve: Sequence[tuple[str, int]]
    fallback: Sequence[str]


@dataclass(frozen=True, slots=True)
class Tile:
    """Neighbouring cells of one row that look the same, in the map's own units.

    letter: in its first cell. used: height of the bar in a free cell that is partly in use.
    """

    x: int
    y: int
    width: int
    state: str
    letter: str
    letter_x: float
    letter_y: float
    used: int
    used_y: int
    title: str


@dataclass(frozen=True, slots=True)
class MapShape:
    """All tiles of one state as one path. bars: what of free cells is in use. letters: one for each tile."""

    state: str
    path: str
    bars: str
    letters: str
    letters_x: str
    letters_y: str


@dataclass(frozen=True, slots=True)
class MapRow:
    """The table twin: neighbouring cells of one state. used: share of their frames that is not free."""

    start: int
    end: int
    frames: int
    state: str
    used: str
    href: str
    changed: bool


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A state with the letter that stands for it."""

    state: str
    letter: str
    meaning: str


@dataclass(frozen=True, slots=True)
class MapView:
    """A window of a zone's frames.

    cells of 2^shift frames from `first` on, `columns` in a row; start, end: the zone's frames among them.
    tiles: the drawing; of very many `shapes` instead. rows: the table; hidden_rows: how many of them are left
    out. place: the way from the node to the window. changed: the last call's runs inside the window.
    """

    zone: str
    node: int
    start: int
    end: int
    first: int
    shift: int
    cells: int
    columns: int
    width: int
    height: int
    cell_text: str
    tiles: Sequence[Tile]
    shapes: Sequence[MapShape]
    outlines: Sequence[tuple[int, int, int, int]]
    rows: Sequence[MapRow]
    hidden_rows: int
    zones: Sequence[Link]
    zoom_out: Link
    zoom_in: Link
    earlier: Link
    later: Link
    whole: Link
    legend: Sequence[LegendEntry]
    selected: int | None
    max_shift: int
    zoomed: int
    zone_first: int
    zone_end: int


@dataclass(frozen=True, slots=True)
class Fact:
    """A field of the inspector. lecture: the older name. href: what the value names."""

    name: str
    value: str
    lecture: str | None = None
    href: str | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Switch(Fact):
    """Something that this machine was made with or without. value: `on` or `off` in words."""

    on: bool = False


@dataclass(frozen=True, slots=True)
class BuddyRow:
    """The buddy of the frame's block at one order."""

    order: int
    pfn: int
    href: str | None
    state: str
    merges: bool


@dataclass(frozen=True, slots=True)
class Action:
    """A call that makes sense on what is selected. fields: its arguments."""

    call: str
    label: str
    fields: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Flag:
    """A bit of page->flags."""

    bit: int
    name: str
    on: bool


@dataclass(frozen=True, slots=True)
class Inspector:
    """One page frame. missing: no such frame, and what there is instead."""

    pfn: int
    missing: str | None = None
    state: str = ""
    letter: str = ""
    summary: str = ""
    struct: Sequence[Fact] = ()
    where: Sequence[Fact] = ()
    flags: Sequence[Flag] = ()
    raw_flags: str = ""
    buddies: Sequence[BuddyRow] = ()
    actions: Sequence[Action] = ()
    near: Sequence[Link] = ()
    owner: Fact | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A run of frames that a call changed."""

    text: str
    state: str
    letter: str
    href: str


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """What a call did: the kernel's answer.

    ret: as text; href: what it names. null: it is NULL, with the reason. changes: runs; many: too many to
    list. restored: the row whose state the machine has again by it. log_more: where to read the rest of the
    log.
    """

    seq: int
    text: str
    ret: str
    href: str | None
    verdict: str
    headline: str
    reason: str
    facts: Sequence[Fact]
    changes: Sequence[Change]
    more_changes: int
    many: bool
    restored: int | None
    log: Sequence[str]
    log_more: Link | None
    curl: str
    python: str
    explain: str


@dataclass(frozen=True, slots=True)
class FieldView:
    """An input of a call's form. kind: which macro draws it. choices: of a list."""

    name: str
    label: str
    kind: str
    value: str
    required: bool
    hint: str
    c_type: str = ""
    choices: Sequence[str] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CallForm:
    """The form of one call.

    Picker: all calls by group. caller: who calls from where. many: repeat and lists.
    """

    spec: CallSpec
    action: str
    fields: Sequence[FieldView]
    caller: Sequence[FieldView]
    many: Sequence[FieldView]
    result: FieldView | None
    picker: Sequence[tuple[str, Sequence[Link]]]
    line: str
    curl: str
    python: str
    open_caller: bool = False
    open_many: bool = False


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One call of the journal. by: who made it, as people call them; by_number: as the row does."""

    seq: int
    href: str
    text: str
    ret: str
    ret_href: str | None
    verdict: str
    by: str | None
    current: bool
    explain: str
    by_number: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What is looked for in the journal. view: the rest of the address. note: what is to be said of it."""

    text: str
    view: Sequence[tuple[str, str]]
    note: str | None


@dataclass(frozen=True, slots=True)
class ListCell:
    """Free blocks of one order and type.

    Bar: height in thousandths, on a logarithmic scale; top: where it begins.
    """

    count: int
    bar: int
    top: int


@dataclass(frozen=True, slots=True)
class ListRow:
    """The free lists of one migratetype. letter: as on the map."""

    type: str
    letter: str
    cells: Sequence[ListCell]


@dataclass(frozen=True, slots=True)
class ListHead:
    """The first blocks of one list, head first.

    More: how many stand between them and the tail, where that is known.
    """

    order: int
    type: str
    count: int
    pages: Sequence[Link]
    more: int
    tail: Link | None


@dataclass(frozen=True, slots=True)
class PcpView:
    """One CPU's lists of a zone. fill: count against high, in thousandths."""

    cpu: int
    count: int
    high: int
    batch: int
    fill: int
    lists: Sequence[ListHead]


@dataclass(frozen=True, slots=True)
class ListsPanel:
    """Free lists and per-CPU lists of the zone on the map."""

    zone: str
    node: int
    orders: Sequence[int]
    rows: Sequence[ListRow]
    totals: Sequence[int]
    free: int
    heads: Sequence[ListHead]
    pcp: Sequence[PcpView]


@dataclass(frozen=True, slots=True)
class TablePart:
    """A part of a long table: which rows of how many in words, and the ways to the parts beside it."""

    words: str
    earlier: Link
    later: Link


@dataclass(frozen=True, slots=True)
class TablePanel:
    """A panel that is one table. columns: (title, is a number). rows: per column a text, a link or some.

    part: which part of it is shown, where that is not all.
    """

    caption: str
    columns: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[str | Link | Sequence[Link]]]
    empty: str
    part: TablePart | None = None


@dataclass(frozen=True, slots=True)
class LogPanel:
    """The kernel log, oldest line first. cut: the way to all of it where only its end is shown."""

    lines: Sequence[str]
    cut: Link | None = None


@dataclass(frozen=True, slots=True)
class NameChip:
    """A name that earlier calls gave to a result."""

    name: str
    value: str
    href: str | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The session's rows as a line. view: the rest of the address, which the form carries along.

    earlier, later: one step to each side.
    """

    start: int
    head: int
    at: int
    view: Sequence[tuple[str, str]]
    earlier: Link
    later: Link


@dataclass(frozen=True, slots=True)
class Past:
    """The machine is shown as it was after row `seq` of `head`. live: the way back."""

    seq: int
    head: int
    live: str


@dataclass(frozen=True, slots=True)
class Sleeper:
    """A task that sleeps. task: as the machine calls it. action: the form that ends it. mine: who asks."""

    task: str
    name: str
    words: str
    action: str
    mine: bool


@dataclass(frozen=True, slots=True)
class Brought:
    """A checkpoint to which a machine was brought. own: the moment before, where there was something."""

    title: str
    own: Link | None


@dataclass(frozen=True, slots=True)
class Oversight:
    """What an instructor may do with a member's machine. lock: the form's action. reset: its page."""

    locked: bool
    lock: str
    reset: str


@dataclass(frozen=True, slots=True)
class PlaceView:
    """A machine in its lab.

    called: as what the lab has it, where that is not its name. whose, meaning: whose it is, and what that
    means. held: `closed`, `frozen` or `locked`; stopped: so that who asks cannot call it either; over: for
    good. catch_up: the title of the checkpoint to which `action` brings it, and checkpoint: its id;
    starts_over: what has been called is left for that. brought: where it has just come to. sleepers: who
    asks, where their task sleeps; in a member's machine for the instructor all. oversight: the same's means,
    None for others.
    """

    lab: Link
    called: str | None
    whose: str
    meaning: str
    held: str | None
    over: bool
    stopped: bool
    catch_up: str | None
    checkpoint: str | None
    starts_over: bool
    brought: Brought | None
    action: str
    sleepers: Sequence[Sleeper]
    oversight: Oversight | None


@dataclass(frozen=True, slots=True)
class MachinePage(Page):
    """machine.html: a session's machine at its head, or as it was: `past` says when.

    panel: which panel is open, and what it shows: a `table`, or what the panel draws, or both. refusal: why
    the last request was no call. line: what stood in the console. view: the address's query, which forms
    carry along. close: the address without an inspected frame. thing: what is inspected instead of a frame.
    demo: a guided demo beside the machine. place: in its lab, if it is in one. stopped: why who asks can make
    no call; callable: whether one can be made in this view. watched: they never can. begun: the row of
    another machine from which it goes on. rewinds: they may take back. more_names: how many there are
    beside `names`. task: as which they call, where they cannot choose it. sleepers: whom they may release.
    stage: presenting, and following, in a lab.
    """

    TEMPLATE: ClassVar[str] = "machine.html"
    id: str
    name: str
    seq: int
    facts: Sequence[Fact]
    overhead: Sequence[Fact]
    switches: Sequence[Switch]
    view: str
    zones: Sequence[ZoneView]
    map: MapView
    inspector: Inspector | None
    thing: Thing | None
    outcome: OutcomeView | None
    refusal: Refusal | None
    form: CallForm
    panels: Sequence[Link]
    panel: str
    lists: ListsPanel | None
    table: TablePanel | None
    log: LogPanel | None
    proc: ProcPanel | None
    grid: SlabGrid | None
    strip: VmallocStrip | None
    queues: Queues | None
    journal: Sequence[JournalRow]
    find: Finding
    older: Link
    newer: Link
    line: str
    names: Sequence[NameChip]
    more_names: int
    gfp_names: Sequence[str]
    caches: Sequence[str]
    api: str
    close: str
    timeline: Timeline
    past: Past | None
    origin: Link | None
    begun: Link | None
    diverged: Link | None
    history_refusal: Refusal | None
    demo: DemoPanel | None
    place: PlaceView | None
    stopped: str | None
    callable: bool
    watched: bool
    rewinds: bool
    task: str | None
    sleepers: Sequence[Sleeper]
    stage: StageView | None
