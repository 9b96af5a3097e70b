"""In which language a page speaks: English, which stands in the sources, or that of a catalogue in locale/.

While a request is answered, all that is said is said in its language: `speaking` holds it, so that nobody has
to pass it on. Numbers are grouped as the language does it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from gettext import NullTranslations
from pathlib import Path
from typing import Final

from babel import Locale, negotiate_locale
from babel.messages.catalog import Message
from babel.numbers import format_decimal
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.web import catalogue

DIRECTORY: Final = Path(__file__).parent / "locale"
TEMPLATE: Final = "kmemlab.pot"


@dataclass(frozen=True, slots=True)
class Language:
    """code: as in HTML. scripts: what static/js says, as a file; None for English."""

    code: str
    locale: Locale
    texts: NullTranslations
    scripts: catalogue.Scripts | None = None


ENGLISH: Final = Language("en", Locale("en"), NullTranslations())

# Outside of requests, and on the threads of machines, it is English: what is kept there must be no text.
speaking: ContextVar[Language] = ContextVar("speaking", default=ENGLISH)


def N_(text: str) -> str:  # noqa: N802 - gettext's name for it, by which `make text` finds the text
    """A text of a constant: it is found here, and said by `_` where it is used."""
    return text


def _(text: str, /, **given: object) -> str:
    """A text in the language of the request. given: what stands for each `%(name)s`."""
    said = phrase(text)
    return said % given if given else said


def ngettext(one: str, other: str, number: int, /, **given: object) -> str:
    """A text that depends on a number, in the form that the language has for it. `%(num)s` is that number."""
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


class Languages:
    """English, and a language for each catalogue. They are read once: a new one is there after a restart."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        messages = catalogue.said_by_scripts(directory / TEMPLATE)
        others = [read(path, messages) for path in sorted(directory.glob("*.po"))]
        self.known: Mapping[str, Language] = {language.code: language for language in (ENGLISH, *others)}
        self.scripts: Mapping[str, bytes] = {
            language.scripts.name: language.scripts.content for language in others if language.scripts
        }

    def of(self, accepted: str) -> Language:
        """accepted: an Accept-Language header."""
        code = negotiate_locale(wanted(accepted), list(self.known), sep="-")
        return self.known.get(code or "", ENGLISH)


def read(path: Path, messages: Iterable[Message]) -> Language:
    """The language of a catalogue. messages: those that scripts say."""
    locale = Locale.parse(path.stem)
    code = path.stem.replace("_", "-")
    texts = catalogue.compiled(path, locale)
    return Language(code, locale, texts, catalogue.for_scripts(code, locale, texts, messages))


def wanted(accepted: str) -> list[str]:
    """The languages of an Accept-Language header, the most wanted first; what is no wish is passed over."""
    found: list[tuple[float, str]] = []
    for part in accepted.split(","):
        code, _semicolon, weight = part.replace(" ", "").partition(";q=")
        try:
            found.append((float(weight or 1), code))
        except ValueError:
            continue
    return [code for weight, code in sorted(found, key=lambda one: -one[0]) if weight > 0 and code]


class Speaking:
    """Around all pages, errors too: each request has its language before anybody answers it."""

    def __init__(self, app: ASGIApp, languages: Languages) -> None:
        self.app = app
        self.languages = languages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            speaking.set(self.languages.of(Headers(scope=scope).get("accept-language", "")))
        await self.app(scope, receive, send)
