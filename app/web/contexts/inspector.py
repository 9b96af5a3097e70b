"""What the inspector is given: a page frame, or what is at an address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.web.contexts.base import Fact, Link


@dataclass(frozen=True, slots=True)
class BuddyRow:
    """The buddy of the frame's block at one order."""

    order: int
    """the order"""
    pfn: int
    """the buddy's first frame"""
    href: str | None
    """the page with the buddy in the inspector"""
    state: str
    """whether the buddy is free, in words"""
    merges: bool
    """True where freeing the block would merge both"""


@dataclass(frozen=True, slots=True)
class Action:
    """A button that makes a call on what is selected."""

    call: str
    """the name of the call"""
    label: str
    """what the button says"""
    fields: Sequence[tuple[str, str]]
    """names and values of the arguments"""


@dataclass(frozen=True, slots=True)
class Flag:
    """A bit of page->flags."""

    bit: int
    """the bit's number"""
    name: str
    """the bit's name"""
    on: bool
    """True where it is set"""


@dataclass(frozen=True, slots=True)
class StructWord:
    """One word of struct page in memory, and what it holds on this frame."""

    offset: str
    """where it is"""
    name: str
    """the field that it holds now"""
    others: Sequence[str]
    """the fields that it holds on other frames: they share the word"""


@dataclass(frozen=True, slots=True)
class MappedAt:
    """A place where a frame is mapped."""

    task: str
    """the process"""
    place: Link
    """the address, with a link to its walk"""
    rights: str
    """the rights of the area"""
    flags: str
    """the flags of the entry"""


@dataclass(frozen=True, slots=True)
class UserPage:
    """What a frame is to processes and files."""

    meaning: Sequence[Fact]
    """mapping, index and _mapcount in words"""
    mapped: str
    """how often it is mapped, and what part of it each mapping counts"""
    places: Sequence[MappedAt]
    """who maps it, where"""
    more: int
    """how many places are left out"""
    life: Link
    """every row in which something became of it"""


@dataclass(frozen=True, slots=True)
class Inspector:
    """One page frame."""

    pfn: int
    """the frame's number"""
    missing: str | None = None
    """that there is no such frame, in words; None where there is"""
    state: str = ""
    """the frame state"""
    letter: str = ""
    """the letter of the state"""
    summary: str = ""
    """what the frame is, in a few words"""
    struct: Sequence[Fact] = ()
    """the fields of struct page"""
    where: Sequence[Fact] = ()
    """addresses, zone and pageblock"""
    flags: Sequence[Flag] = ()
    """every bit of page->flags, the set ones first"""
    words: Sequence[StructWord] = ()
    """struct page word by word: what the union holds now"""
    clear: int = 0
    """how many of the bits are clear"""
    raw_flags: str = ""
    """page->flags as a number"""
    buddies: Sequence[BuddyRow] = ()
    """the buddy at each order"""
    actions: Sequence[Action] = ()
    """calls that make sense on the frame"""
    near: Sequence[Link] = ()
    """links to the frames beside it, and to what it belongs to"""
    user: UserPage | None = None
    """what it is to processes and files; None for a frame that none uses"""
    owner: Fact | None = None
    """who allocated it, with which mask, at which row"""


@dataclass(frozen=True, slots=True)
class ObjectCell:
    """One object of a slab."""

    index: int
    """its number in the slab"""
    kind: str
    """`allocated`, `kernel`, `free` or `cpu`: a class of the style sheet"""
    text: str
    """A for allocated, K for the kernel's own; a free object has its turn on the free list"""
    words: str
    """what it is, for the tooltip and for screen readers"""
    href: str
    """the page with the object in the inspector"""


@dataclass(frozen=True, slots=True)
class AddressView:
    """What is at an address: an object, a vmap area, or whole pages."""

    kind: str
    """the word before the address"""
    address: str
    """the address as text"""
    summary: str
    """what is there, in a few words"""
    state: str = ""
    """the frame state; empty where there is no memory"""
    letter: str = ""
    """the letter of the state"""
    owner: Fact | None = None
    """who allocated it, at which row"""
    facts: Sequence[Fact] = ()
    """what is known about it"""
    slab: Sequence[Fact] = ()
    """what is known about the slab that holds it"""
    actions: Sequence[Action] = ()
    """calls that need no further argument"""
    forms: Sequence[Link] = ()
    """links to the forms of calls that need one"""
    beside: Sequence[ObjectCell] = ()
    """the objects of the same slab around it, itself among them"""
    frames: Sequence[Link] = ()
    """links to an area's frames"""
    more: int = 0
    """how many frames are left out"""
    index: int | None = None
    """the object's number in its slab"""
