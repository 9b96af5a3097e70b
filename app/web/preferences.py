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
SWITCHES: Final = ("off", "on")
CHOICES: Final = {"theme": THEMES, "names": SPELLINGS, "projector": SWITCHES, "ask": SWITCHES}
TITLES: Final = {
    "names": N_("Kernel names"),
    "theme": N_("Theme"),
    "projector": N_("Projector: type half as large again"),
}
WORDS: Final = {
    "auto": N_("auto"),
    "light": N_("light"),
    "dark": N_("dark"),
    "6.1": "6.1",
    "lecture": N_("lecture"),
    "on": N_("on"),
    "off": N_("off"),
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
    ask: bool = False
    """True where demos ask what a step will do before it is run"""

    @property
    def choices(self) -> list[tuple[str, str, str, list[tuple[str, str]]]]:
        """What the menu offers: name of a choice, its title, the chosen value, each value with its word."""
        chosen = {"names": self.names, "theme": self.theme, "projector": "on" if self.projector else "off"}
        return [
            (name, _(title), chosen[name], [(value, _(WORDS[value])) for value in CHOICES[name]])
            for name, title in TITLES.items()
        ]


def preferences_of(request: Request) -> Preferences:
    """From the cookies.

    `names` in the address goes before, so that a link shows a colleague the same words.
    """

    def chosen(name: str) -> str:
        for value in (request.query_params.get(name), request.cookies.get(name)):
            if value in CHOICES[name]:
                return value
        return CHOICES[name][0]

    return Preferences(
        cast("Theme", chosen("theme")),
        cast("Spelling", chosen("names")),
        chosen("projector") == "on",
        chosen("ask") == "on",
    )


def remember(response: Response, name: str, value: str, *, secure: bool) -> None:
    """Keep a choice for a year; values that are no choice are forgotten."""
    if value in CHOICES.get(name, ()):
        response.set_cookie(name, value, max_age=A_YEAR, httponly=True, samesite="lax", secure=secure)


def local_path(address: str) -> str:
    """An address to return to: one of ours, else the home page. Two slashes would lead to another host."""
    inside = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if inside and len(address) <= ADDRESS_LENGTH and address.isprintable() else "/"
