"""Translations: a `.po` file, turned into the texts of pages and into the file that scripts load."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from typing import Final

from babel import Locale
from babel.messages.catalog import Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

SCRIPTS: Final = "static/js/"

# Among these is a number for every form that a language has of its words.
NUMBERS: Final = (*range(200), 1000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Scripts:
    """What scripts say, as a file. Its name changes with its content: browsers may keep it for good."""

    name: str
    """the file's name"""
    content: bytes
    """the file's content"""


def compiled(path: Path, locale: Locale) -> GNUTranslations:
    """The texts of a catalogue. What is not translated yet, or marked as fuzzy, stays English."""
    with path.open("rb") as file:
        catalogue = read_po(file, locale)
    for message in list(catalogue):
        if not isinstance(message.string, str) and not all(message.string or ()):
            catalogue.delete(message.id)  # else it would be said in the singular of English
    binary = BytesIO()
    write_mo(binary, catalogue)
    binary.seek(0)
    return GNUTranslations(binary)


def said_by_scripts(template: Path) -> list[Message]:
    """The texts of static/js. template: `kmemlab.pot`, which knows where each text is said."""
    with template.open("rb") as file:
        return [
            message
            for message in read_po(file)
            if any(place.startswith(SCRIPTS) for place, _line in message.locations)
        ]


def for_scripts(code: str, locale: Locale, texts: GNUTranslations, messages: Iterable[Message]) -> Scripts:
    """The file; of a text that depends on a number, every form under the name that a browser has for it."""
    words: dict[str, str | dict[str, str]] = {}
    for message in messages:
        if isinstance(message.id, str):
            words[message.id] = texts.gettext(message.id)
        else:
            one, other = message.id
            words[one] = {
                locale.plural_form(number): texts.ngettext(one, other, number) for number in NUMBERS
            }
    content = json.dumps(words, ensure_ascii=False).encode()
    return Scripts(f"{code}-{hashlib.sha256(content).hexdigest()[:16]}.json", content)
