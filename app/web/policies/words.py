"""What the page of replacement policies says: names, why a page went, and conventions of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.machine.replacement.whys import Why
from app.web import wording
from app.web.contexts.base import Fact
from app.web.language import N_, _, ngettext

TITLES: Final[Mapping[str, str]] = {
    "fifo": N_("FIFO"),
    "lru": N_("LRU"),
    "clock": N_("Clock"),
    "opt": N_("OPT"),
    "nru": N_("NRU"),
    "aging": N_("Aging"),
    "lru_2list": N_("6.1’s two lists"),
}

NOTES: Final[Mapping[str, str]] = {
    "clock": N_("R: the referenced bit is set. ▸ is the frame that the hand points to."),
    "nru": N_("R: referenced since the last tick. M: modified, that is written since it was loaded."),
    "aging": N_("The counter; R: referenced since the last tick."),
    "lru_2list": N_(
        "I and A: on the inactive, the active list. y: the processor has set the page’s accessed bit. "
        "r: PG_referenced, reclaim has seen it used once."
    ),
}

LOOKED_AT: Final[Mapping[str, str]] = {
    "kept": N_("%(page)s is young: one more round"),
    "activated": N_("%(page)s is young again: to the active list"),
    "deactivated": N_("%(page)s goes back from the active list"),
    "goes": N_("%(page)s is not young: it goes"),
}

LETTERS: Final[Mapping[str, str]] = {
    "page": N_("addresses of a trace"),
    "faults": N_("counted as a fault"),
    "replacements": N_("counted as a replacement"),
    "writebacks": N_("counted as written back"),
    "load_bit": N_("bit at load"),
    "tick": N_("tick"),
    "machine": N_("the machine"),
}
LARGE: Final = 10_000
UNSHOWN: Final = ("marks", "victims")

OTHERWISE: Final[Mapping[tuple[str, Any], str]] = {
    ("load_bit", 0): N_("the referenced bit of a page is 0 when it is loaded, and only a hit sets it"),
    ("load_bit", 1): N_("the referenced bit of a page is 1 when it is loaded"),
    ("count", "replacements"): N_("faults that fill an empty frame are not counted"),
    ("hand", "stays"): N_("after a replacement the hand stays at the replaced frame"),
    ("hand", "first"): N_("the hand begins at the first frame each time"),
    ("tie", "newest"): N_("of equal pages the one loaded last goes"),
    ("tie", "used"): N_("of equal pages the one not used for longest goes"),
    ("tie", "page"): N_("of equal pages the one with the smallest number goes"),
    ("tie", "frame"): N_("of equal pages the one in the first frame goes"),
    ("tick", "each"): N_("there is a tick after each reference"),
    ("tick", "never"): N_("there is no tick: referenced bits stay set"),
    ("class", "modified"): N_("modified weighs more than referenced"),
}


def title(policy: str) -> str:
    """The name of a policy for people."""
    return _(TITLES[policy])


def page(number: int) -> str:
    """A page: small ones as textbooks write them, those of addresses in hexadecimal."""
    return str(number) if number < LARGE else f"{number:#x}"


def why(reason: Why) -> str:
    """Why a page went, or that none had to."""
    given = reason.numbers
    match reason.word:
        case "hit":
            return ""
        case "empty":
            return _("frame %(frame)s was empty", frame=wording.count(given["frame"]))
        case "oldest":
            return _("loaded first: at reference %(at)s", at=wording.count(given["loaded"]))
        case "unused":
            return _("not used for longest: since reference %(at)s", at=wording.count(given["used"]))
        case "farthest":
            return _("used again last: at reference %(at)s", at=wording.count(given["use"]))
        case "never":
            return among(_("never used again"), given["others"])
        case "hand":
            return hand(given)
        case "class":
            words = _(
                "lowest class %(number)s (R %(referenced)s, M %(modified)s)",
                number=given["number"],
                referenced=given["referenced"],
                modified=given["modified"],
            )
            return among(words, given["others"])
        case "counter":
            return among(_("smallest counter %(counter)s", counter=given["counter"]), given["others"])
        case _:
            return "; ".join(_(LOOKED_AT[what], page=page(each)) for what, each in given["looked_at"])


def among(words: str, others: int) -> str:
    """The same where others are alike: the one that was loaded first goes."""
    if not others:
        return words
    return _(
        "%(words)s, %(others)s; loaded first of them",
        words=words,
        others=ngettext("as %(num)s other", "as %(num)s others", others),
    )


def hand(given: Mapping[str, Any]) -> str:
    """The way of the clock's hand."""
    frame = wording.count(given["frame"])
    if not given["spared"]:
        return _("the hand is at frame %(frame)s, and the bit is 0", frame=frame)
    return _(
        "the hand takes back the bit of %(pages)s and finds 0 at frame %(frame)s",
        pages=", ".join(map(page, given["spared"])),
        frame=frame,
    )


def otherwise(name: str, value: Any) -> str:
    """A convention of others, or what else would make their steps."""
    if name == "policy":
        return _("it is another policy: %(policy)s", policy=title(value))
    if name == "frames":
        return ngettext("there is %(num)s frame", "there are %(num)s frames", value)
    return _(OTHERWISE[name, value])


def conventions(given: Mapping[str, str]) -> list[Fact]:
    """What is written on every answer."""
    return [
        Fact(_(LETTERS[name]) if name in LETTERS else title(name), _(text))
        for name, text in given.items()
        if name not in UNSHOWN
    ]
