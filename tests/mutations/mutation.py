"""One deliberate breakage of one rule."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

# What the rules are about: the numbers group them, as in `Mutation.fact`.
FACTS: Final = {
    1: "per-CPU lists: orders, lists, ends",
    2: "per-CPU lists: batch and high",
    3: "per-CPU lists: refill",
    4: "per-CPU lists: free_factor and free_high",
    5: "per-CPU lists: drain",
    6: "per-CPU lists: their pages are not free",
    7: "folded counters",
    8: "order of tries",
    9: "watermarks and the reserves below min",
    10: "watermark boost",
    11: "high-order atomic reserve",
    12: "min_free_kbytes and the marks",
    13: "lowmem_reserve",
    14: "what is computed when",
    15: "buddy lists: head, tail, merge, split",
    16: "migratetypes: fallback and steal",
    17: "NOFRAGMENT",
    18: "pageblocks and lists at boot",
    19: "zonelists",
    20: "blocks that are not compound",
    21: "compound pages and struct page",
    22: "kmalloc: classes, orders, rows",
    23: "SLUB: lists of slabs",
    24: "vmalloc",
    25: "blocks cut into pages",
    28: "page lock",
    29: "what labs call: constructors, bulk, translations, flags",
    101: "layout",
    102: "addresses for an area",
    103: "hints",
    104: "munmap",
    105: "overcommit",
    107: "areas that join",
    108: "mprotect",
    109: "the stack's growth",
    110: "mremap",
    111: "brk",
    112: "PAE's tables",
    113: "where tables lie",
    115: "when tables go",
    116: "bits of an entry",
    117: "PROT_NONE",
    118: "what the processor sets",
    119: "the page of zeros",
    120: "a new anonymous page",
    122: "populate",
    123: "MADV_FREE",
    124: "LRU batches",
    125: "when batches drain",
    126: "LRU lists",
    127: "gathering and freeing",
    128: "dirty file pages",
    129: "files at the end",
    130: "truncation",
    131: "anon_vmas of a fork",
    132: "what fork copies",
    133: "entries after a fork",
    134: "what a child does not get",
    135: "reuse or copy",
    136: "copies of file pages",
    137: "rights given back",
    138: "mapping around",
    139: "reading around",
    140: "the marked page",
    141: "single pages",
    142: "read-ahead",
    143: "private writes to files",
    144: "first writes to files",
    145: "behind the end of a file",
    147: "drop_caches",
    148: "resident pages counted by the task",
    149: "minor and major",
    150: "reuse is counted",
    151: "sizes by kind of area",
    152: "mlock",
    153: "where huge pages may be",
    154: "huge pages",
    155: "the huge page of zeros",
    156: "split huge pages",
    157: "huge pages after a fork",
    158: "tables set aside",
    160: "hugetlb",
    161: "bad accesses",
    162: "maps",
    163: "smaps",
    164: "status",
    165: "pagemap",
    206: "the order in which LRU batches are emptied",
    207: "who empties LRU batches",
    210: "used twice",
    212: "what read and write note",
    217: "the end of writeback",
    219: "deactivated pages",
    220: "windows of read-ahead",
    221: "the mark of a window",
    222: "reads without a window",
    223: "the first page that is missing",
    224: "reading around a fault, again",
    226: "lots that are written",
    228: "the age of evicted pages",
    230: "refaults",
    231: "writes over shadows",
    232: "folded sizes of lists",
    233: "sizes in zones",
    234: "one direct reclaim",
    235: "what is looked at before lists are scanned",
    236: "scan counts",
    237: "costs",
    238: "the balance within a run",
    239: "taking pages off a list",
    240: "dirty pages of files",
    241: "references",
    242: "active lists",
    245: "writes that take time",
    248: "slots taken in advance",
    249: "the search for slots",
    250: "entries of swapped pages",
    251: "read-ahead of swap",
    254: "when kswapd is woken",
    255: "what kswapd remembers",
    256: "when kswapd has done enough",
    257: "per-CPU lists while kswapd runs",
    259: "a boost worked off",
    263: "compaction of all memory",
    264: "lots of pages that are moved together",
    265: "free frames to move pages to",
    266: "moving a page",
    267: "direct compaction",
    268: "whether compaction is worth it",
    269: "the OOM killer's choice",
    270: "oom_score",
    271: "rounds before somebody is killed",
    272: "the victim's end",
    273: "nobody left to be killed",
    274: "the report of the OOM killer",
    301: "checks: comparisons",
    302: "checks: states",
    303: "checks: what is not given back",
    304: "checks: rows that match",
    305: "checks: the machine before a row",
    306: "checks: what the rows come to",
    307: "checks: history, and whose rows",
    308: "checks: goals",
    309: "checks: steps and lines",
}


class StaleError(Exception):
    """The text that a mutation replaces is not in its file, or not only once."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A text of `app/<file>` to be replaced by another.

    rule: what is true of the kernel, or of checks of exercises, and no longer of what is mutated.
    """

    fact: int
    file: str
    old: str
    new: str
    rule: str

    def path(self, root: Path) -> Path:
        """The file in a tree."""
        return root / "app" / self.file

    def applied(self, text: str) -> str:
        """The file's text with the mutation. Raises StaleError where it does not fit."""
        found = text.count(self.old)
        if found != 1:
            place = f"app/{self.file}: {found} times instead of once"
            raise StaleError(f"{place}: {self.old!r} ({self.rule})")
        return text.replace(self.old, self.new)
