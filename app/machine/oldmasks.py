"""GFP masks out of logs: as the kernel prints them, and as kernels before and after 6.1 numbered them.

The bits have moved four times: in 4.4 (__GFP_WAIT became two flags), 4.10, 4.18 and 5.1; 6.3 dropped
__GFP_ATOMIC. A number in a log means what the kernel that printed it meant by it: `mode:0xd0` of a 3.x kernel
is GFP_KERNEL. Kernel: include/linux/gfp.h of the versions that are named.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Final

from app.errors import BadArgument
from app.machine.gfp_text import LECTURE, TEXT_MAX, VALUE, parse
from app.machine.gfp_text import as_number as number_of
from app.mm import gfp

# `mode:0x40cc0(GFP_KERNEL|__GFP_COMP)`, `gfp_mask=0xd0`, `gfp_flags=GFP_KERNEL`, and a comma behind it.
PRINTED: Final = re.compile(
    r"\s*+(?:(?:mode|gfp_mask|gfp_flags|gfp|flags)\s*+[:=]\s*+)?"
    r"(?P<number>0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})?+\s*+\(?(?P<names>[A-Za-z_0-9|\s]*+)\)?\s*+,?\s*+",
    re.ASCII,
)
# The same within a line of the log, and a number some of whose digits somebody has hidden.
LOGGED: Final = re.compile(r"\b(?:mode|gfp_mask|gfp_flags)\s*+[:=]\s*+[A-Za-z0-9_|()*]++", re.ASCII)
HIDDEN: Final = re.compile(r"0[xX][0-9a-fA-F]*+\*[0-9a-fA-F*]*+(?=\()")
VERSION: Final = re.compile(
    r"(?:Linux\s++|v)?([2-9])\.([0-9]{1,3})(?:\.([0-9]{1,3}))?(?:[-.+_ ][\w.+-]{0,80})?", re.ASCII
)

Version = tuple[int, int, int]
THIS: Final[Version] = (6, 1, 0)
OLDEST: Final[Version] = (2, 6, 31)
MANY: Final[Version] = (99, 0, 0)


@dataclass(frozen=True, slots=True)
class Numbering:
    """What the bits meant from one version up to, and without, another.

    bits: each flag by its place, "" where a bit was unused. types: what one normally writes, the largest
    first.
    waits: what a mask must have that may start I/O or enter file systems.
    """

    since: Version
    before: Version
    bits: tuple[str, ...]
    types: tuple[str, ...]
    waits: str

    @property
    def words(self) -> str:
        """The versions, for a person."""
        first, last = version_words(self.since), version_words(previous(self.before))
        return f"{first}+" if self.before == MANY else f"{first}–{last}"


ZONES: Final = ("__GFP_DMA", "__GFP_HIGHMEM", "__GFP_DMA32", "__GFP_MOVABLE")
TRIES: Final = ("__GFP_HIGH", "__GFP_IO", "__GFP_FS")
MIDDLE: Final = (
    "__GFP_NOFAIL", "__GFP_NORETRY", "__GFP_MEMALLOC", "__GFP_COMP", "__GFP_ZERO", "__GFP_NOMEMALLOC",
    "__GFP_HARDWALL", "__GFP_THISNODE",
)  # fmt: skip
TYPES: Final = (
    "GFP_HIGHUSER_MOVABLE", "GFP_HIGHUSER", "GFP_USER", "GFP_KERNEL", "GFP_NOFS", "GFP_ATOMIC", "GFP_NOIO",
)  # fmt: skip
LATER_TYPES: Final = (*TYPES, "GFP_NOWAIT")
RECLAIM: Final = "__GFP_DIRECT_RECLAIM"
KSWAPD: Final = "__GFP_KSWAPD_RECLAIM"
LAST: Final = (
    "__GFP_ZERO", "__GFP_ATOMIC", RECLAIM, KSWAPD, "__GFP_WRITE", "__GFP_NOWARN", "__GFP_RETRY_MAYFAIL",
    "__GFP_NOFAIL", "__GFP_NORETRY", "__GFP_MEMALLOC", "__GFP_COMP", "__GFP_NOMEMALLOC", "__GFP_HARDWALL",
    "__GFP_THISNODE", "__GFP_ACCOUNT",
)  # fmt: skip

NUMBERINGS: Final = (
    Numbering(
        OLDEST, (4, 4, 0),
        (*ZONES, "__GFP_WAIT", *TRIES, "__GFP_COLD", "__GFP_NOWARN", "__GFP_REPEAT", *MIDDLE,
         "__GFP_RECLAIMABLE", "__GFP_KMEMCG", "__GFP_NOTRACK", "__GFP_NO_KSWAPD", "__GFP_OTHER_NODE",
         "__GFP_WRITE"),
        TYPES, "__GFP_WAIT",
    ),
    Numbering(
        (4, 4, 0), (4, 10, 0),
        (*ZONES, "__GFP_RECLAIMABLE", *TRIES, "__GFP_COLD", "__GFP_NOWARN", "__GFP_REPEAT", *MIDDLE,
         "__GFP_ATOMIC", "__GFP_ACCOUNT", "__GFP_NOTRACK", RECLAIM, "__GFP_OTHER_NODE", "__GFP_WRITE",
         KSWAPD),
        LATER_TYPES, RECLAIM,
    ),
    Numbering(
        (4, 10, 0), (4, 18, 0),
        (*ZONES, "__GFP_RECLAIMABLE", *TRIES, "__GFP_COLD", "__GFP_NOWARN", "__GFP_RETRY_MAYFAIL", *MIDDLE,
         "__GFP_ATOMIC", "__GFP_ACCOUNT", "__GFP_NOTRACK", RECLAIM, "__GFP_WRITE", KSWAPD),
        LATER_TYPES, RECLAIM,
    ),
    Numbering(
        (4, 18, 0), (5, 1, 0),
        (*ZONES, "__GFP_RECLAIMABLE", *TRIES, "__GFP_WRITE", "__GFP_NOWARN", "__GFP_RETRY_MAYFAIL", *MIDDLE,
         "__GFP_ATOMIC", "__GFP_ACCOUNT", RECLAIM, KSWAPD),
        LATER_TYPES, RECLAIM,
    ),
    Numbering(
        (5, 1, 0), (6, 3, 0),
        (*ZONES, "__GFP_RECLAIMABLE", *TRIES, *LAST, "__GFP_ZEROTAGS"), LATER_TYPES, RECLAIM,
    ),
    Numbering(
        (6, 3, 0), MANY,
        (*ZONES, "__GFP_RECLAIMABLE", *TRIES, LAST[0], "", *LAST[2:], "__GFP_ZEROTAGS"), LATER_TYPES, RECLAIM,
    ),
)  # fmt: skip
PRESENT: Final = NUMBERINGS[4]

MADE_OF: Final[dict[str, tuple[str, ...]]] = {
    "GFP_ATOMIC": ("__GFP_HIGH", "__GFP_ATOMIC", KSWAPD),
    "GFP_NOWAIT": (KSWAPD,),
    "GFP_NOIO": ("__GFP_WAIT", RECLAIM, KSWAPD),
    "GFP_NOFS": ("__GFP_WAIT", RECLAIM, KSWAPD, "__GFP_IO"),
    "GFP_KERNEL": ("__GFP_WAIT", RECLAIM, KSWAPD, "__GFP_IO", "__GFP_FS"),
    "GFP_USER": ("__GFP_WAIT", RECLAIM, KSWAPD, "__GFP_IO", "__GFP_FS", "__GFP_HARDWALL"),
    "GFP_HIGHUSER": (
        "__GFP_WAIT", RECLAIM, KSWAPD, "__GFP_IO", "__GFP_FS", "__GFP_HARDWALL", "__GFP_HIGHMEM",
    ),
    "GFP_HIGHUSER_MOVABLE": (
        "__GFP_WAIT", RECLAIM, KSWAPD, "__GFP_IO", "__GFP_FS", "__GFP_HARDWALL", "__GFP_HIGHMEM",
        "__GFP_MOVABLE",
    ),
}  # fmt: skip
NEW_NAMES: Final = {"__GFP_REPEAT": "__GFP_RETRY_MAYFAIL", "__GFP_KMEMCG": "__GFP_ACCOUNT"}


@dataclass(frozen=True, slots=True)
class Given:
    """A mask as it was written. number: the one that a log has; None where there are only names."""

    number: int | None
    names: str

    @property
    def value(self) -> int:
        """The mask in 6.1: what the names mean, where there are any."""
        return parse(self.names) if self.names else self.number or 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What one kernel means by a mask.

    now: the mask that means the same in 6.1. unknown: bits without a flag.
    """

    kernel: str
    mask: int
    names: str
    now: int
    unknown: int
    likely: bool


def read(text: str) -> Given:
    """A mask in any form: a number, names, both as logs have them, or a line of a log. Raises BadArgument."""
    if len(text) <= TEXT_MAX and PRINTED.fullmatch(text) is None:
        logged = LOGGED.search(text)
        text = HIDDEN.sub("", text if logged is None else logged[0])
    found = PRINTED.fullmatch(text) if len(text) <= TEXT_MAX else None
    number = None if found is None or found["number"] is None else number_of(found["number"])
    names = "" if found is None else found["names"].strip()
    if found is None or number is None or (names and not known(names, VALUE)):
        plain = names if found is not None and found["number"] is None and names else text.strip()
        value = parse(plain)
        return Given(value, "") if number_of(plain) is not None else Given(None, plain)
    return Given(number, names)


def known(text: str, names: Collection[str]) -> bool:
    """Whether a text is names joined by `|`, each of which is known."""
    return all(word.strip() in names for word in text.split("|"))


def unprinted(text: str) -> str:
    """A mask as a call takes it: of a number with its names, as logs print it, the names."""
    found = PRINTED.fullmatch(text)
    if found is None or not found["number"] or not found["names"] or not known(found["names"], VALUE):
        return text
    return found["names"].strip()


def version_of(text: str) -> Version:
    """`3.10`, `5.15.0-91-generic`, `v6.1`. Raises BadArgument."""
    found = VERSION.fullmatch(text.strip()) if len(text) <= 100 else None
    if found is None:
        raise BadArgument.at((), "the version of a kernel, as in 3.10 or 5.15.0-91-generic")
    version = int(found[1]), int(found[2]), int(found[3] or 0)
    if version < OLDEST:
        raise BadArgument.at(
            (), f"a kernel from {version_words(OLDEST)} on: before, the bits were others again"
        )
    return version


def version_words(version: Version) -> str:
    """A version as people write it."""
    return ".".join(map(str, version[:2] if not version[2] else version))


def previous(version: Version) -> Version:
    """The version before one that ends a numbering."""
    major, minor, _ = version
    return {(5, 0): (4, 20, 0)}.get((major, minor), (major, minor - 1, 0))


def readings(given: Given, version: Version | None = None) -> list[Reading]:
    """What a mask means in 6.1, and in the kernel that printed it.

    version: that kernel's; without one, whatever numbering reads the number better than 6.1's does. Names
    alone are the same in every kernel.
    """
    now = in_6_1(given)
    if version is not None:
        asked = next(one for one in NUMBERINGS if one.since <= version < one.before)
        kernel = version_words(version)
        if asked is PRESENT:
            return [now if version[:2] == THIS[:2] else replace(now, kernel=kernel)]
        return [replace(reading(given, asked), kernel=kernel, likely=True), replace(now, likely=False)]
    if given.number is None or (given.names and given.number == given.value):
        return [now]
    others = [one for one in NUMBERINGS if one is not PRESENT]
    if given.names:
        same = [one for one in others if mask_of(given.names.split("|"), one) == given.number]
        return [replace(now, likely=not same), *(reading(given, one) for one in same)]
    found = [one for one in (reading(given, numbering) for numbering in others) if one.likely]
    shortest = min(map(words, found), default=0)
    if now.likely and shortest >= words(now):
        return [now]
    return [now, *(one for one in found if words(one) == shortest)]


def in_6_1(given: Given) -> Reading:
    """A mask as 6.1 reads it, in the spelling of its log."""
    mask = given.value if given.number is None else given.number
    known = replace(reading(Given(mask, ""), PRESENT), kernel="6.1", now=mask)
    return replace(known, names=gfp.pGg(mask) or "0x0")


def words(one: Reading) -> int:
    """How many flags a reading needs: what people write is short."""
    return one.names.count("|") + 1 + one.unknown.bit_count()


def reading(given: Given, numbering: Numbering) -> Reading:
    """A mask in one numbering: its number where it has one, else that of its names."""
    mask = given.number if given.number is not None else mask_of(given.names.split("|"), numbering)
    found = list(printed(mask, numbering))
    flags = {name for place, name in enumerate(numbering.bits) if name and mask >> place & 1}
    unknown = mask & ~mask_of(flags, numbering)
    if not mask and numbering.waits == "__GFP_WAIT":
        found = ["GFP_NOWAIT"]  # which was GFP_ATOMIC without __GFP_HIGH: nothing
    names = "|".join(found) or "0x0"
    return Reading(numbering.words, mask, names, now_of(found), unknown, likely(flags, unknown, numbering))


def mask_of(names: Collection[str], numbering: Numbering) -> int:
    """The number of some flags in a numbering; those that it does not have count for nothing."""
    mask = 0
    for name in map(str.strip, names):
        parts = MADE_OF.get(name) or (
            ("__GFP_WAIT", RECLAIM, KSWAPD) if name in ("__GFP_RECLAIM", "__GFP_WAIT") else (name,)
        )
        for place, bit in enumerate(numbering.bits):
            if bit and (bit in parts or NEW_NAMES.get(bit) in parts):
                mask |= 1 << place
    return mask


def printed(mask: int, numbering: Numbering) -> Iterator[str]:
    """The names of a mask, types before the flags that they are made of."""
    for name in numbering.types:
        value = mask_of((name,), numbering)
        if value and mask & value == value:
            yield name
            mask &= ~value
    for place, name in enumerate(numbering.bits):
        if name and mask >> place & 1:
            yield name


def now_of(names: Collection[str]) -> int:
    """What has the same meaning in 6.1. What kswapd was not to be woken for does not wake it."""
    mask = 0
    for name in names:
        name = NEW_NAMES.get(name, name)  # noqa: PLW2901
        mask |= LECTURE.get(name) or VALUE.get(name, 0)
    return mask & ~gfp.__GFP_KSWAPD_RECLAIM if "__GFP_NO_KSWAPD" in names else mask


def likely(flags: set[str], unknown: int, numbering: Numbering) -> bool:
    """Whether such a mask is written: who may start I/O may wait, and who may not wait says what for."""
    if unknown:
        return False
    if numbering.waits in flags:
        return True
    if "__GFP_IO" in flags or "__GFP_FS" in flags:
        return False
    if numbering.waits == "__GFP_WAIT":
        return not flags or "__GFP_HIGH" in flags or bool(flags & {"__GFP_DMA", "__GFP_DMA32"})
    return KSWAPD in flags
