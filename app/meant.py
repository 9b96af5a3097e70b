"""What a person probably meant by a word that is not known."""

from __future__ import annotations

from collections.abc import Collection
from difflib import SequenceMatcher, get_close_matches
from typing import Final

# Longer words are no typing mistakes of a name.
LONGEST: Final = 40
SHORTEST: Final = 3
SUGGESTED: Final = 3
ALIKE: Final = 0.75
# How much less like the word than the likeliest.
MARGIN: Final = 0.1

# What user space calls it, and what the kernel has.
ELSEWHERE: Final[dict[str, tuple[str, ...]]] = {
    "malloc": ("kmalloc", "vmalloc", "kvmalloc"),
    "calloc": ("kzalloc", "kcalloc", "vzalloc"),
    "realloc": ("krealloc",),
    "free": ("kfree", "vfree", "kvfree"),
    "mmap": ("vmalloc", "alloc_pages"),
    "getpage": ("get_page",),
    "page_alloc": ("alloc_page",),
}


def like(word: str, known: Collection[str]) -> tuple[str, ...]:
    """Names that were probably meant, the likeliest first."""
    if not SHORTEST <= len(word) <= LONGEST:
        return ()
    found = [name for name in ELSEWHERE.get(word, ()) if name in known]
    found = found or [name for name in known if name.casefold() == word.casefold()]
    if found:
        return tuple(found)
    close = get_close_matches(word, known, SUGGESTED, ALIKE)
    return tuple(name for name in close if likeness(word, name) > likeness(word, close[0]) - MARGIN)


def likeness(word: str, name: str) -> float:
    """From 0 to 1: how much of two words is the same."""
    return SequenceMatcher(None, word, name).ratio()
