"""What reading processes and files answers, as OpenAPI describes it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from app.api.models import AddressSpace, Faults, Hex, NextUrl, Task


class Descriptor(BaseModel):
    fd: int
    path: str
    pos: int
    flags: int
    references: int = Field(description="descriptors and areas that hold the open file")


class Process(Task):
    """A task, and what it is and has as a process."""

    comm: str
    parent: int = Field(description="pid of its parent, 0 for none")
    mm: AddressSpace | None = Field(description="its address space; null of a kernel thread")
    rss: dict[str, int] | None = Field(description="resident pages as the kernel has counted them")
    faults: Faults
    oom_score: int
    fds: list[Descriptor] = Field(description="its open files; in a list of tasks the first 16")
    fds_count: int


class Processes(BaseModel):
    tasks: list[Process]


class OneProcess(Process):
    oom_score_adj: int
    children: list[str]
    mm: dict[str, Any] | None  # type: ignore[assignment]


class AreaLine(BaseModel):
    start: Hex
    end: Hex
    prot: str = Field(pattern="^[r-][w-][x-][sp]$")
    name: str | None


class Vma(AreaLine):
    """A range of addresses with one set of rights and one backing; its pages in memory, counted."""

    pages: int
    flags: list[str]
    mnemonics: list[str]
    vm_flags: Hex
    file: str | None
    offset: int
    vm_pgoff: int
    anon_vma: int | None
    resident: int
    swapped: int
    dirty: int
    tables: dict[str, int]


class Maps(BaseModel):
    task: str
    vmas: list[Vma]
    total: int
    next: NextUrl


class AddressBits(BaseModel):
    level: str
    index: int


class WalkedLevel(BaseModel):
    """A table on the way, and the entry that the address uses in it."""

    level: str
    index: int
    table_pfn: int | None = Field(description="null where the table is no frame of its own: PAE's pgd")
    entry: Hex = Field(description="as it stands in the table")
    flags: str
    maps: Literal["nothing", "table", "page", "swap"]
    pfn: int | None = Field(description="of the table below, or the first of the page")


class WalkedPage(BaseModel):
    pfn: int
    size: Literal["4K", "2M", "1G"]
    offset: int
    physical: Hex
    first_pfn: int
    accessible: bool


class Walk(BaseModel):
    """An address, bit by bit, and what the processor finds. `why`: in words, also where there is no page."""

    task: str
    addr: Hex
    canonical: bool
    bits: list[dict[str, Any]]
    levels: list[WalkedLevel]
    vma: AreaLine | None
    page: WalkedPage | None
    pfn: int | None
    tlb: dict[str, dict[str, int]] = Field(
        description="by page size: entries of a common processor's TLB, and the bytes that they reach"
    )
    why: str


class TableLevel(BaseModel):
    level: str
    maps_each: int = Field(description="bytes that one entry stands for")
    tables: int
    entries: int
    used: int = Field(description="entries that are not empty")
    deposited: int = Field(description="tables kept for huge pages that may have to be split")


class Table(BaseModel):
    level: str
    pfn: int | None
    start: Hex
    end: Hex
    entries: int
    used: int
    deposited: list[int]
    deposited_count: int


class PageTables(BaseModel):
    task: str
    pgtables_bytes: int
    levels: list[TableLevel]
    tables: list[Table]
    total: int
    next: NextUrl


class Place(BaseModel):
    """Where a frame is mapped."""

    task: str | None
    addr: Hex
    entry: Hex
    flags: str
    size: int = Field(description="of the entry's page, in bytes")
    vma: AreaLine


class WhoMaps(BaseModel):
    """The reverse map of a frame: through its anon_vma, or through the file that it caches."""

    pfn: int
    kind: Literal["anon", "file", "none"]
    mapping: Hex | None
    anon_vma: dict[str, Any] | None
    file: str | None
    mapped_by: list[Place]
    mapcount: int
    truncated: bool = Field(description="whether there are more places than are shown")


class LruSize(BaseModel):
    node: int
    name: str
    pages: int
    folded: int = Field(description="the same as decisions see it: without what CPUs have not added yet")
    head: int | None
    tail: int | None


class Batch(BaseModel):
    name: str
    cpu: int
    pages: list[int]


class LruRatio(BaseModel):
    inactive: int
    active: int
    inactive_ratio: int
    inactive_is_low: bool = Field(description="inactive × ratio < active: pages are moved over")


class ListScan(BaseModel):
    priority: int
    pages: int


class PageAhead(BaseModel):
    """A page near the tail, and what would become of it."""

    pfn: int
    what: Literal["free", "keep", "activate", "moves", "split", "unknown"]
    why: str = Field(description="as explanations say it; of `moves` the batch that it waits in")
    owner: dict[str, Any] = Field(description="`file` and `index`, or `task`, `pid` and `addr`")


class LruReclaim(BaseModel):
    """What decides between the lists of a node, and who goes next."""

    node: int
    anon_cost: int
    file_cost: int
    nonresident_age: int
    refaults: dict[str, int]
    balance: Literal["file", "anon", "equal", "fractions"] | None
    lists: dict[str, ListScan | None] = Field(
        description="from which priority on a list is looked at, and how many pages of it then"
    )
    next: dict[str, list[PageAhead]] = Field(description="the next pages of each inactive list")


class LruSummary(BaseModel):
    lists: list[LruSize]
    batches: list[Batch]
    ratio: dict[str, LruRatio]
    reclaim: list[LruReclaim] | None = Field(None, description="of machines that reclaim, by node")


class LruItem(BaseModel):
    pfn: int
    frames: int
    referenced: bool
    dirty: bool
    mapped: int
    writeback: bool
    reclaim: bool
    workingset: bool
    kind: Literal["anon", "file"]
    refcount: int


class LruPart(BaseModel):
    """Pages of a list, from its head towards its tail."""

    node: int
    items: list[LruItem]
    size: int
    next: NextUrl
    list: str


Lru = LruSummary | LruPart


class FileLine(BaseModel):
    path: str
    fs: str
    ino: int
    size: int
    nr_pages: int
    cached: int
    evicted: int = Field(description="pages that reclaim has taken, and remembers")
    opens: int
    mapped_by: int


class Files(BaseModel):
    files: list[FileLine]
    total: int
    next: NextUrl


class CachedPage(BaseModel):
    index: int
    pfn: int
    refcount: int
    mapcount: int
    lru: str | None
    uptodate: bool
    dirty: bool
    writeback: bool
    referenced: bool
    active: bool
    locked: bool
    buffers: bool
    readahead: bool


class OneFile(FileLine):
    dirty: int
    writeback: int
    pages: list[CachedPage]
    next: NextUrl
    readahead: list[dict[str, Any]]
    areas: list[dict[str, Any]]


class LifeEvent(BaseModel):
    """One row in which something became of it, and how it was then."""

    seq: int
    call: str
    task: str | None
    by: str | None
    what: list[str] = Field(
        description="`allocated`, `mapped`, `shared`, `unshared`, `unmapped`, `copied`, `dirtied`, "
        "`cleaned`, `moved` (to another list), `protected`, `writable`, `swapped`, `brought back`, `freed`"
    )
    pfn: int | None
    state: str | None
    refcount: int | None
    mapcount: int | None
    lru: str | None
    dirty: bool
    before: dict[str, Any] = Field(description="what was different before the row")


class Life(BaseModel):
    events: list[LifeEvent]
    next: NextUrl


class SwapArea(BaseModel):
    """A swap area: sizes in pages, without its header."""

    area: int
    path: str
    type: Literal["partition", "file"]
    rotating: bool
    pages: int
    used: int
    priority: int
    lowest_bit: int = Field(description="no slot below is free")
    highest_bit: int = Field(description="no slot above is free")
    cluster_next: int = Field(description="where the search for a free slot goes on")
    cluster_nr: int = Field(description="how many slots in a row are still taken from there")
    slots: list[list[Any]] | None = Field(
        description="`[slot, n, state]` of slots that are used: `swapped`, `cached` (in memory, too), `kept` "
        "(in memory, and named by no entry any more), `stock` (of a CPU); null: more than 256 runs"
    )


class SwapStock(BaseModel):
    """A CPU's own stock of slots, as runs `[slot, n]`; of other areas than the first each says which."""

    cpu: int
    slots: list[list[int]] = Field(description="taken in advance")
    returned: list[list[int]] = Field(description="given back, and not in the area yet")


class Swaps(BaseModel):
    """Areas to which pages can be written out."""

    swaps: list[SwapArea]
    total: int
    free: int
    cached: int = Field(description="pages that are in memory and have a slot")
    stocks: list[SwapStock]
