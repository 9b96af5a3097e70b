"""Subjects of checks, from their words: `free DMA`, `live frames in DMA of alice`, `mm a resident`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from app.exercises import live, sights
from app.exercises.look import Look, extra_refs
from app.exercises.sights import YES, figure, figures
from app.exercises.words import NUMBER, OPERATORS, Words
from app.machine.calls import KNOWN_NAME
from app.machine.kinds import TASK_NAME
from app.machine.readings import ALL, CACHE_FIELDS, MM_FIELDS, PAGE_FIELDS, ZONE_FIELDS
from app.mm.mmzone import MAX_ORDER, MIGRATE_NAMES
from app.mm.page import PAGE_FLAG_NAMES, STATES
from app.mm.vmstat import LRU_NAMES

Reading: TypeAlias = "int | tuple[int, ...] | str"

ZONES: Final = ("DMA", "DMA32", "Normal", "HighMem", "Movable")


@dataclass(frozen=True, slots=True)
class Subject:
    """What is read.

    text: its words, by which its reading at the beginning is kept. zone: of numbers that may be compared with
    per cents of the managed frames. words: what it may be, where it is no number. long: whether it is a list
    of a number for each order.
    """

    text: str
    read: Callable[[Look], Reading]
    zone: str = ""
    words: tuple[str, ...] = ()
    long: bool = False


def zone_name(words: Words, *, every: bool = True) -> str:
    """The name of a zone, or `all`."""
    return words.pick("a zone", (*ZONES, ALL) if every else ZONES)


def order(words: Words) -> int:
    """An order of blocks."""
    value = words.number(f"an order from 0 to {MAX_ORDER - 1}")
    if not 0 <= value < MAX_ORDER:
        words.place -= 1
        raise words.wrong(f"an order is a number from 0 to {MAX_ORDER - 1}")
    return value


def task_name(words: Words) -> str:
    """The name of a task."""
    if TASK_NAME.fullmatch(words.ahead) is None:
        raise words.wrong("here should stand the name of a task")
    return words.take("a task")


def page(words: Words) -> str:
    """A page by the number of its frame or by a name: `0x400`, `1024`, `p`, `p+3`."""
    word = words.ahead
    name, _, offset = word.partition("+")
    named = KNOWN_NAME.fullmatch(name) is not None and (not offset or offset.isdecimal())
    if not named and (NUMBER.fullmatch(word) is None or word[0] in "+-"):
        raise words.wrong("here should stand a page, as in 0x400, 1024, p or p+3")
    return words.take("a page") if named else str(words.number("a page"))


def of_task(words: Words) -> str:
    """`of TASK`; empty where that is not said."""
    return task_name(words) if words.skip("of") else ""


def of_zone(word: str, words: Words) -> Subject:
    """`free DMA`."""
    zone = zone_name(words)
    return Subject(f"{word} {zone}", partial(figure, (word, zone)), zone)


def of_buddyinfo(words: Words) -> Subject:
    """`buddyinfo DMA`."""
    zone = zone_name(words)
    return Subject(f"buddyinfo {zone}", partial(figures, ("buddyinfo", zone)), long=True)


def of_nr_free(words: Words) -> Subject:
    """`nr_free DMA 3`."""
    zone, place = zone_name(words), order(words)
    return Subject(f"nr_free {zone} {place}", partial(sights.nr_free, zone, place))


def of_free_blocks(words: Words) -> Subject:
    """`free_blocks DMA >= 3`."""
    zone = zone_name(words)
    if not words.skip(">="):
        raise words.wrong("here should stand an order and what is above it, as in `free_blocks DMA >=3 = 0`")
    place = order(words)
    return Subject(f"free_blocks {zone} {place}", partial(sights.free_blocks, zone, place))


def of_largest(words: Words) -> Subject:
    """`largest DMA`."""
    zone = zone_name(words)
    return Subject(f"largest {zone}", partial(sights.largest, zone))


def of_blocks(words: Words) -> Subject:
    """`blocks Normal Unmovable`, pageblocks of a type; `blocks` alone: what the rows have been given."""
    if words.ahead not in (*ZONES, ALL):
        return Subject("blocks", lambda look: look.blocks)
    names = ("blocks", zone_name(words), words.pick("a type", MIGRATE_NAMES))
    return Subject(" ".join(names), partial(figure, names))


def of_reserve(words: Words) -> Subject:
    """`reserve DMA DMA32`."""
    names = ("reserve", zone_name(words, every=False), zone_name(words, every=False))
    return Subject(" ".join(names), partial(figure, names))


def of_cache(words: Words) -> Subject:
    """`cache kmalloc-96 num_slabs`."""
    names = ("cache", words.take("the name of a cache"), words.pick("a figure of a cache", CACHE_FIELDS))
    return Subject(" ".join(names), partial(figure, names))


def of_page(words: Words) -> Subject:
    """`page 0x3045 mapcount`."""
    place, field = page(words), words.pick("a figure of a page", PAGE_FIELDS)
    return Subject(
        f"page {place} {field}", lambda look: figure(("page", str(sights.pfn_of(place, look)), field), look)
    )


def of_lru(words: Words) -> Subject:
    """`lru inactive_file`."""
    names = ("lru", words.pick("an LRU list", LRU_NAMES))
    return Subject(" ".join(names), partial(figure, names))


def of_vmstat(words: Words) -> Subject:
    """`vmstat pgsteal_kswapd`."""
    names = ("vmstat", words.take("a counter of /proc/vmstat"))
    return Subject(" ".join(names), partial(figure, names))


def of_mm(words: Words) -> Subject:
    """`mm a resident`."""
    names = ("mm", task_name(words), words.pick("a figure of a process", MM_FIELDS))
    return Subject(" ".join(names), partial(figure, names))


LIVE: Final = ("frames", "blocks", "objects", "areas")


def ends(word: str) -> bool:
    """Whether a word stands behind the subject's names."""
    return word in ("of", "while", "", *OPERATORS) or NUMBER.fullmatch(word) is not None


def of_live(words: Words) -> Subject:
    """`live frames in DMA of alice`, `live objects kmalloc-64`."""
    what = words.pick("what lives", LIVE)
    begin = words.place - 1
    zone = cache = ""
    if what == "frames" and words.skip("in"):
        zone = zone_name(words)
    elif what == "objects" and not ends(words.ahead):
        cache = words.take("a cache")
    task = of_task(words)
    text = " ".join(word for word, _ in words.found[begin : words.place])
    match what:
        case "frames":
            return Subject(f"live {text}", lambda look: live.frames(look, zone, task), zone or ALL)
        case "blocks":
            return Subject(f"live {text}", lambda look: live.count_blocks(look, task))
        case "objects":
            return Subject(f"live {text}", lambda look: live.count_objects(look, cache, task))
    return Subject(f"live {text}", lambda look: live.count_areas(look, task))


def of_refs(words: Words) -> Subject:
    """`refs 0x400`."""
    place = page(words)
    return Subject(f"refs {place}", partial(sights.refs, place))


def of_extra(words: Words) -> Subject:
    """`extra refs`."""
    words.pick("the word refs", ("refs",))
    return Subject("extra refs", lambda look: sum(extra_refs(look.machine).values()))


def of_state(words: Words) -> Subject:
    """`state 0x400 lost`."""
    place = page(words)
    return Subject(f"state {place}", partial(sights.state, place), words=STATES)


def of_flag(words: Words) -> Subject:
    """`flag 0x400 locked`, `flag 0x400 locked no`."""
    place, name = page(words), words.pick("a flag of a page", PAGE_FLAG_NAMES)
    return Subject(f"flag {place} {name}", partial(sights.flag, place, name), words=YES)


def of_locks(words: Words) -> Subject:
    """`locks`, `locks of alice`."""
    task = of_task(words)
    return (
        Subject(f"locks of {task}", partial(sights.locks_of, task))
        if task
        else Subject("locks", sights.locks)
    )


def of_became(words: Words) -> Subject:
    """`became lost 7`: over all rows of the set."""
    name = words.pick("a state", STATES)
    return Subject(f"became {name}", lambda look: look.became[name])


def of_faults(words: Words) -> Subject:
    """`faults min`, `faults maj`: over all rows of the set."""
    kind = words.pick("a kind of faults", ("min", "maj"))
    return Subject(f"faults {kind}", lambda look: look.faults[kind])


def plain(text: str, read: Callable[[Look], Reading], words: tuple[str, ...], _: Words) -> Subject:
    """A word with nothing behind it."""
    return Subject(text, read, words=words)


SUBJECTS: Final[dict[str, Callable[[Words], Subject]]] = {
    **{word: partial(of_zone, word) for word in ZONE_FIELDS},
    "buddyinfo": of_buddyinfo,
    "nr_free": of_nr_free,
    "free_blocks": of_free_blocks,
    "largest": of_largest,
    "blocks": of_blocks,
    "reserve": of_reserve,
    "cache": of_cache,
    "page": of_page,
    "lru": of_lru,
    "vmstat": of_vmstat,
    "mm": of_mm,
    "live": of_live,
    "lost": partial(plain, "lost", lambda look: look.machine.lost - look.begin.lost, ()),
    "refs": of_refs,
    "extra": of_extra,
    "state": of_state,
    "flag": of_flag,
    "locks": of_locks,
    "asleep": partial(plain, "asleep", sights.asleep, ()),
    "deadlock": partial(plain, "deadlock", sights.deadlock, YES),
    "leak": partial(plain, "leak", sights.leak, ("none",)),
    "rows": partial(plain, "rows", lambda look: len(look.rows), ()),
    "undone": partial(plain, "undone", lambda look: look.undone, ()),
    "became": of_became,
    "faults": of_faults,
}
