"""Theme, spelling and size of pages, remembered in cookies, so that a page is right when it first appears."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, cast

from starlette.requests import Request
from starlette.responses import Response

from app.web.language import N_, _

Theme = Literal["auto", "light", "dark"]
Spelling = Literal["6.1", "lecture"]

THEMES: Final = ("auto", "light", "dark")
SPELLINGS: Final = ("6.1", "lecture")
SWITCHES: Final = ("on", "off")
CHOICES: Final = {"theme": THEMES, "names": SPELLINGS, "projector": SWITCHES}
WORDS: Final = {
    "auto": N_("auto"),
    "light": N_("light"),
    "dark": N_("dark"),
    "6.1": "6.1",
    "lecture": N_("lecture"),
}
ADDRESS_LENGTH: Final = 4000
A_YEAR: Final = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Preferences:
    """How a person wants pages to look."""

    theme: Theme = "auto"
    """the colours; `auto` follows the system"""
    names: Spelling = "6.1"
    """whose spelling stands first"""
    projector: bool = False
    """True for larger type, for a lecture hall"""

    @property
    def theme_word(self) -> str:
        """The theme as the button says it."""
        return _(WORDS[self.theme])

    @property
    def names_word(self) -> str:
        """The spelling as the button says it."""
        return _(WORDS[self.names])

    @property
    def next_theme(self) -> str:
        """What the theme button turns to."""
        return THEMES[(THEMES.index(self.theme) + 1) % len(THEMES)]

    @property
    def other_names(self) -> str:
        """The spelling that is not shown first now."""
        return "6.1" if self.names == "lecture" else "lecture"


def preferences_of(request: Request) -> Preferences:
    """From the cookies.

    `names` in the address goes before, so that a link shows a colleague the same words.
    """

    def chosen(name: str) -> str:
        for value in (request.query_params.get(name), request.cookies.get(name)):
            if value in CHOICES[name]:
                return value
        return CHOICES[name][-1] if name == "projector" else CHOICES[name][0]

    return Preferences(
        cast("Theme", chosen("theme")), cast("Spelling", chosen("names")), chosen("projector") == "on"
    )


def remember(response: Response, name: str, value: str, *, secure: bool) -> None:
    """Keep a choice for a year; values that are no choice are forgotten."""
    if value in CHOICES.get(name, ()):
        response.set_cookie(name, value, max_age=A_YEAR, httponly=True, samesite="lax", secure=secure)


def local_path(address: str) -> str:
    """An address to return to: one of ours, else the home page. Two slashes would lead to another host."""
    inside = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if inside and len(address) <= ADDRESS_LENGTH and address.isprintable() else "/"
