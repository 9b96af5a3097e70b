"""The shapes of answers, for the API's description.

Answers are encoded where they are made and not checked again; tests compare them with these models.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.machine.outcome import VERDICTS

Hex = Annotated[str, Field(pattern="^0x[0-9a-f]+$", examples=["0xffff888004a00000"])]
Pointer = Hex | None
Run = Annotated[list[Any], Field(description="[first pfn, frames, state]", min_length=3, max_length=3)]
NextUrl = Annotated[str | None, Field(description="where the list goes on; null at its end")]


class Fault(BaseModel):
    """`suggestions`: what was probably meant instead of `word`, which stands in the field or line."""

    loc: list[str | int] = Field(examples=[["gfp"], ["calls", 3, "gfp"], ["line", 4]])
    msg: str
    word: str = ""
    suggestions: list[str] = []


class Problem(BaseModel):
    """RFC 9457. `errors`: the fields at fault, the first 20 of them. `more`: how many are not listed."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Fault] = Field([], max_length=20)
    more: int = 0


class Health(BaseModel):
    status: Literal["ok"]


class Origin(BaseModel):
    id: str
    seq: int


class StructPageOverhead(BaseModel):
    bytes: int
    total: int
    share: float


class Assumed(BaseModel):
    """Something that a text does not say, and what is taken to be so."""

    key: str
    text: str


class ReportCall(BaseModel):
    """The request that a report tells of: the body of `POST …/alloc_pages`, with `call` that of a batch."""

    call: Literal["alloc_pages"]
    gfp: str
    order: int
    task: str


class Report(BaseModel):
    """The text that a machine was made from."""

    source: Literal["proc", "allocation failure", "out of memory"]
    kernel: str | None = Field(description="the release of the kernel that printed it")
    assumed: list[Assumed]
    unread: list[list[int]] = Field(description="lines that say nothing of free memory, as first and last")
    call: ReportCall | None
    line: str | None = Field(description="the call as a line of text")


class MachineShape(BaseModel):
    """What is fixed when the machine is created."""

    profile: str | None
    arch: Literal["x86_64", "i386"]
    memory: int = Field(description="bytes")
    cpus: int
    nodes: int
    kernel: str
    page_size: int
    frames: int
    struct_page_bytes: int
    lecture: bool
    struct_page_overhead: list[StructPageOverhead]
    report: Report | None = Field(default=None, description="only of a machine that was made from a text")


class Divergence(BaseModel):
    """Up to which seq the journal agrees with this kmemlab, and the first difference behind it."""

    seq: int
    detail: str


class Session(BaseModel):
    id: str
    name: str
    seq: int
    machine: MachineShape
    origin: Origin | None
    owner: str
    created: str
    engine: int
    diverged: Divergence | None = Field(default=None, description="only where it has been noticed")
    trace: dict[str, Any] | None = Field(
        default=None, description="only of one made from a log: how far it agrees with the kernel"
    )


class SessionList(BaseModel):
    items: list[Session]
    next: NextUrl


class Page(BaseModel):
    """The page that a call returned or was given, afterwards."""

    pfn: int
    order: int
    zone: str
    node: int
    address: Pointer
    page: Hex
    refcount: int


class SlabObject(BaseModel):
    address: Hex
    cache: str | None
    object_size: int
    ksize: int
    slab_pfn: int | None
    index: int | None
    offset: int | None


class Area(BaseModel):
    address: Hex
    size: int
    nr_pages: int
    guard: Hex = Field(description="the guard page behind the area")
    pfns: list[int] | None = Field(
        description="the first 4,096; null where they would take more than 16 KiB, see `/events/{seq}/pfns`"
    )
    pfns_count: int | None = None
    page_table_writes: int


class Counters(BaseModel):
    """Per zone in the dump's order."""

    zf: list[int] = Field(description="free frames")
    zv: list[int] = Field(description="free frames as the watermark check sees them")
    pc: list[int] = Field(description="frames on CPU 0's lists")


class DeadlockLink(BaseModel):
    task: str
    waits_for: int = Field(description="page frame")
    held_by: str


class Cause(BaseModel):
    """What the caller did wrong, found by a function of the kernel."""

    mistake: str = Field(examples=["object_freed_twice"])
    title: str
    fn: str = Field(description="the function that found it")
    text: str = Field(description="one sentence with the facts")
    kernel: str = Field(description="what the kernel does then")
    facts: dict[str, Any] = Field(description="by which it was found")
    lost: int | None = Field(None, description="frames that have no owner since the call")


# What stands for a list that is longer than 16 KiB.
COUNTED = "null: too long, see `/events/{seq}/{name}` and the count beside it"


class EventList(BaseModel):
    """A part of one list of an outcome."""

    items: list[Any]
    count: int = Field(description="of the whole list")
    next: NextUrl


class Access(BaseModel):
    """One access to memory by a process, or by the kernel on its behalf."""

    addr: str
    write: bool
    mode: Literal["user", "kernel"]
    fault: str = Field(description="what became of it: `none`, `anon_zero`, `anon_page`, `cow_copy`, …")
    major: bool
    signal: Literal["SIGSEGV", "SIGBUS"] | None
    code: str | None
    pfn: int | None
    walk: list[tuple[str, int, str]] = Field(description="level, index and entry, from the highest table")
    new_tables: list[str]
    mapped_around: int


class Faults(BaseModel):
    """Page faults of a call: minor, and those that waited for a disk."""

    min: int
    maj: int


class AddressSpace(BaseModel):
    """The caller's address space after a call. `rss` as the kernel counts, `resident` exactly; in pages."""

    task: str
    total_vm: int
    rss: dict[str, int]
    resident: int
    pgtables_bytes: int


class Reclaim(BaseModel):
    """Reclaim in figures, in pages: of a call, or of a kernel thread, all its runs together."""

    by: Literal["direct", "kswapd"]
    scanned: int
    reclaimed: int
    swapped_out: int = Field(description="anonymous pages and those of tmpfs that were written to swap")
    written: int = Field(description="those, and pages of files")
    priority: int = Field(description="the lowest that a run came to: 2^-priority of each list is looked at")


class Background(BaseModel):
    """What a kernel thread did at the end of a call that woke it."""

    task: str = Field(examples=["kswapd0"])
    why: str = Field(examples=["low mark of DMA32"])
    reclaim: Reclaim | None = None
    written: int | None = Field(None, description="by the flusher, pages")
    changed: list[Run] | None = Field(description="null: more than 256 runs")
    changed_count: int | None = None


class Outcome(BaseModel):
    """One row of the journal."""

    seq: int
    call: str
    args: dict[str, Any]
    ret: str | int | bool | None = Field(description="what the C function returns")
    verdict: Literal[VERDICTS]  # type: ignore[valid-type]
    time: str
    by: str | None
    page: Page | None = None
    object: SlabObject | None = None
    area: Area | None = None
    runs: list[list[Any]] | None = Field(None, description=COUNTED)
    runs_count: int | None = None
    woken: list[str] | None = Field(None, description=COUNTED)
    woken_count: int | None = None
    deadlock: list[DeadlockLink] | None = Field(
        None, description=f"the circle that the call closed; {COUNTED}"
    )
    deadlock_count: int | None = None
    cause: Cause | None = Field(None, description="where the call was a mistake")
    written: dict[str, str] | None = Field(
        None, description="arguments that were given by a name, as they were written: `page`, `addr`, `cache`"
    )
    killed: list[str] | None = Field(None, description="tasks that the OOM killer has ended, in order")
    reclaim: Reclaim | None = Field(
        None, description="what the call reclaimed itself, where memory was short"
    )
    background: list[Background] | None = Field(
        None, description="kernel threads that it woke, in the order in which they ran"
    )
    log: list[str] | None = Field(description=COUNTED)
    log_count: int | None = None
    changed: list[Run] | None = Field(description="null: more than 256 runs, read the map again")
    changed_count: int | None = Field(None, description="how many runs, where `changed` is null")
    access: list[Access] | None = Field(
        None, description="accesses of a process that faulted; null: more than 64, which `faults` counts"
    )
    faults: Faults | None = None
    mm: AddressSpace | None = None
    pte: list[tuple[str, str, int, str]] | None = Field(
        None, description="`[task, address, pages, flags]` of entries that changed; null: more than 256 runs"
    )
    vma: list[tuple[str, str, str, str]] | None = Field(
        None, description="`[task, start, end, rights]` of areas that changed, `none` where none is left"
    )
    lru: list[Run] | None = Field(
        None, description="`[pfn, frames, list]` of pages that came to a list or left one"
    )
    swap: list[list[Any]] | None = Field(
        None,
        description="`[slot, n, state]` of swap slots that came to another use, with the number of the area "
        "behind it where that is not 0; null: more than 256 runs",
    )
    counters: Counters | None = None
    woken_at: int | None = None


class Outcomes(BaseModel):
    """`stopped_after`: how many calls were made, where the batch was stopped before its end."""

    outcomes: list[Outcome]
    stopped_after: int | None = None


class Work(BaseModel):
    """A batch, or a `call` that is repeated: `done` calls or rounds `of` so many."""

    call: str | None
    done: int
    of: int
    seconds: float
    stopping: bool


class WorkUnderway(BaseModel):
    work: Work | None


class OutcomeList(BaseModel):
    items: list[Outcome]
    next: NextUrl


class Zone(BaseModel):
    name: str
    node: int
    start_pfn: int
    spanned: int
    present: int
    managed: int
    free: int
    min: int
    low: int
    high: int
    boost: int
    lowmem_reserve: list[int]
    nr_free: list[int]
    pcp: list[Any]
    fallback: list[Any]


class Zones(BaseModel):
    zones: list[Zone]


class ZoneMap(BaseModel):
    start: int
    shift: int
    states: list[str]
    cells: str = Field(description="base64: one byte a cell, the place of its dominant state in `states`")
    fill: str = Field(description="base64: one byte a cell, 0 to 255 of it in use")
    orders: str = Field(
        description="base64: one byte a cell, the order of the block that has all of it; 255 where none has"
    )


class OneSeries(BaseModel):
    """One number over time: its least, greatest and last value in each point."""

    name: str
    unit: Literal["pages", "blocks", "thousandths"]
    min: list[int]
    max: list[int]
    last: list[int]


class SeriesOverTime(BaseModel):
    """Numbers of a machine over its rows. A point has `width` rows: those from its seq to before the next."""

    model_config = ConfigDict(populate_by_name=True)

    first: int = Field(alias="from")
    to: int
    width: int = Field(description="rows in a point, a power of two")
    seqs: list[int] = Field(description="the first row of each point")
    series: list[OneSeries]


class Buddy(BaseModel):
    order: int
    pfn: int
    valid: bool
    free: bool
    mergeable: bool


class Block(BaseModel):
    """The allocation that a frame belongs to."""

    pfn: int
    order: int
    offset: int
    compound: bool
    gfp: Hex
    gfp_names: str
    task: str | None
    seq: int | None


class Step(BaseModel):
    """One decision of one kernel function. `depth` is how far below the call it was made."""

    fn: str
    file: str
    lecture_fn: str | None
    depth: int
    what: str
    zone: str | None
    node: int | None
    numbers: dict[str, Any]
    verdict: str | None
    changed: list[Any]


class Freed(BaseModel):
    """The row that freed what is freed again."""

    seq: int
    call: str
    task: str


class ExplainedCause(Cause):
    freed: Freed | None = None


class Explanation(BaseModel):
    """The answer first, then how it came about."""

    seq: int
    conclusion: str = Field(description="why the answer is what it is, in a sentence")
    deciding: int | None = Field(description="number of the step that decided it, counted from 1")
    cause: ExplainedCause | None = Field(None, description="where the call was a mistake")
    steps: list[Step]
    tracepoints: list[str] = Field(description="lines as 6.1's trace file has them")


class StructPage(BaseModel):
    """A page frame. `block`, `free` and `pcp` say where it is, as far as it is there."""

    pfn: int
    page: Hex
    address: Pointer
    physical: Hex
    zone: str
    node: int
    state: str
    pageblock: dict[str, Any]
    struct_page: dict[str, Any]
    lecture_names: dict[str, str] = Field(description="how older lectures call the same fields")
    buddies: list[Buddy]
    block: Block | None = None
    free: dict[str, Any] | None = None
    pcp: dict[str, Any] | None = None


class CacheSummary(BaseModel):
    name: str
    object_size: int
    size: int
    ksize: int
    align: int
    order: int
    objs_per_slab: int
    flags: Hex
    active_objs: int
    num_objs: int
    allocated: int
    active_slabs: int
    num_slabs: int
    pages: int


class Cache(CacheSummary):
    states: dict[str, str] = Field(description="what the letters of a slab's `states` mean")
    slabs: list[dict[str, Any]]
    next: NextUrl


class Caches(BaseModel):
    caches: list[CacheSummary]
    next: NextUrl


class VmapArea(BaseModel):
    address: Hex
    end: Hex
    size: int
    kind: str
    nr_pages: int
    lazy: bool = Field(description="freed, and its addresses wait for a purge")


class VmapAreas(BaseModel):
    areas: list[VmapArea]
    total: int = Field(description="how many areas there are")
    next: NextUrl


class Leak(BaseModel):
    task: str
    alive: bool = Field(description="whether the task still exists")
    seq: int = Field(description="the row that took it")
    what: Literal["pages", "objects", "area"]
    order: int | None = Field(description="of blocks of pages")
    cache: str | None = Field(description="of objects")
    count: int
    bytes: int = Field(description="memory that they take")
    address: Hex | None = Field(description="of the first one")
    pfn: int | None = Field(description="frame of the first one, or of its slab")


class LeaksOfTask(BaseModel):
    task: str
    alive: bool
    count: int
    bytes: int


class Leaks(BaseModel):
    items: list[Leak] = Field(description="the earliest row first")
    tasks: list[LeaksOfTask] = Field(description="the most bytes first")
    total: int = Field(description="how many rows there are")
    bytes: int
    next: NextUrl


class Task(BaseModel):
    name: str
    pid: int
    holds: list[int] = Field(description="page frames whose lock it took: the first 1,000 of them")
    holds_count: int = Field(description="how many page locks it took")
    waiting_for: int | None = Field(description="page frame that it sleeps for")
    waits_in: str | None = Field(description="the function in which it sleeps")
    since: int | None = Field(description="seq since which it sleeps")


class Name(BaseModel):
    name: str = Field(description="as a call may give it: `p`, or `m1.p` for what another person has named p")
    kind: str | None = Field(description="`page`, `addr`, `cache`, `number`; of many blocks `pages`, `addrs`")
    pfn: int | None
    addr: str | None
    blocks: int | None = Field(description="of a list: how many")
    seq: int | None = Field(description="the row that returned it, where that is known")


class Names(BaseModel):
    names: list[Name]
    more: int = Field(description="how many names are left out")


class Log(BaseModel):
    lines: list[str]


class Dump(BaseModel):
    kernel: dict[str, Any]
    nodes: list[dict[str, Any]]
    zones: list[dict[str, Any]]
    caches: list[dict[str, Any]]


class Profiles(BaseModel):
    profiles: list[dict[str, Any]]


class Argument(BaseModel):
    name: str
    kind: str
    c_type: str
    doc: str
    required: bool
    default: Any


class CallDescription(BaseModel):
    name: str
    args: list[Argument]
    prototype: str
    source: str
    group: str
    doc: str
    lecture: str | None
    allocates: bool
    frees: bool
    wants: Literal["page", "addr", "both"] | None
    path: str


class Calls(BaseModel):
    calls: list[CallDescription]
    contexts: list[str]
    sysctls: list[str]
    slab_flags: dict[str, Hex]


class Flag(BaseModel):
    name: str
    mask: Hex
    value: int
    kind: str
    doc: str
    lecture: str | None


class MaskReading(BaseModel):
    """What one kernel means by a mask.

    `now`: the mask that means the same in 6.1. `likely`: whether a mask like this is written for that kernel.
    """

    kernel: str
    mask: Hex
    names: str
    unknown: Hex
    now: Hex
    now_names: str
    likely: bool


class DecodedMask(BaseModel):
    """A mask as 6.1 has it. `readings`: what it means there, and in the kernel that printed it."""

    mask: Hex
    value: int
    names: str
    flags: list[Flag]
    lecture: str
    unknown: Hex
    readings: list[MaskReading]


class FlagNames(BaseModel):
    flags: list[Flag]
    lecture: dict[str, Hex]


Gfp = DecodedMask | FlagNames
