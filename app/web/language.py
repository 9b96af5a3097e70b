"""The language of a request: English, which stands in the sources, or a catalogue of locale/.

While a request is answered, all that is said is said in its language: `speaking` holds it, so that nobody has
to pass it on. Numbers are grouped as the language does it.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from gettext import NullTranslations
from typing import Final

from babel import Locale
from babel.numbers import format_decimal

from app.web import catalogue


@dataclass(frozen=True, slots=True)
class Language:
    """A language that the pages can be in."""

    code: str
    """the code in HTML"""
    locale: Locale
    """how numbers and dates are written"""
    texts: NullTranslations
    """the texts of templates and Python modules"""
    scripts: catalogue.Scripts | None = None
    """the texts of scripts, as a file; None for English"""


ENGLISH: Final = Language("en", Locale("en"), NullTranslations())

# Outside of requests, and on the threads of machines, it is English: what is kept there must be no text.
speaking: ContextVar[Language] = ContextVar("speaking", default=ENGLISH)


def N_(text: str) -> str:  # noqa: N802 - gettext's name for it, by which `make text` finds the text
    """Mark a text of a constant for translation; `_` translates it where it is used."""
    return text


def _(text: str, /, **given: object) -> str:
    """Translate a text into the language of the request. given: what stands for each `%(name)s`."""
    said = phrase(text)
    return said % given if given else said


def ngettext(one: str, other: str, number: int, /, **given: object) -> str:
    """Translate a text that depends on a number. `%(num)s` is that number."""
    return phrase_of(one, other, number) % {"num": decimal(number), **given}


def phrase(text: str) -> str:
    """As `_`, with its placeholders."""
    return speaking.get().texts.gettext(text) if text else ""  # "" is where a catalogue has its header


def phrase_of(one: str, other: str, number: int) -> str:
    """As `ngettext`, with its placeholders."""
    return speaking.get().texts.ngettext(one, other, number)


def decimal(number: float, places: int = 0) -> str:
    """A number with its digits grouped: 1,310,720"""
    language = speaking.get()
    if language is ENGLISH:  # the same, and a machine's page has a thousand of them
        return f"{number:,.{places}f}"
    pattern = f"#,##0.{'0' * places}" if places else None
    return format_decimal(round(number, places), pattern, locale=language.locale)
