"""The languages that there are, and which of them a request is answered in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from babel import Locale, negotiate_locale
from babel.messages.catalog import Message
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.web import catalogue
from app.web.language import ENGLISH, Language, speaking
from app.web.timezone import zone, zone_of

DIRECTORY: Final = Path(__file__).parent / "locale"
TEMPLATE: Final = "kmemlab.pot"

WEIGHT: Final = re.compile(r"[01](?:\.[0-9]{0,3})?")

# Of a header; a browser sends a few dozen characters.
LONGEST: Final = 1000


class Languages:
    """English, and a language for each catalogue. They are read once: a new one is there after a restart."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        catalogues = sorted(directory.glob("*.po"))
        messages = catalogue.said_by_scripts(directory / TEMPLATE) if catalogues else []
        others = [read(path, messages) for path in catalogues]
        self.known: Mapping[str, Language] = {language.code: language for language in (ENGLISH, *others)}
        self.scripts: Mapping[str, bytes] = {
            language.scripts.name: language.scripts.content for language in others if language.scripts
        }

    def of(self, accepted: str) -> Language:
        """The language for an Accept-Language header."""
        code = negotiate_locale(wanted(accepted[:LONGEST]), list(self.known), sep="-")
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
        if not weight or WEIGHT.fullmatch(weight):
            found.append((float(weight or 1), code))
    return [code for weight, code in sorted(found, key=lambda one: -one[0]) if weight > 0 and code]


class Speaking:
    """Around all pages, errors too: each request has its language and zone before anybody answers it."""

    def __init__(self, app: ASGIApp, languages: Languages) -> None:
        self.app = app
        self.languages = languages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            speaking.set(self.languages.of(headers.get("accept-language", "")))
            zone.set(zone_of(headers.get("cookie", "")))
        await self.app(scope, receive, send)
