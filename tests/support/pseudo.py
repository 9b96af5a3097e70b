"""A language for tests, in which every text stands in ⟦brackets⟧. Its numbers are those of German."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from app.web.languages import DIRECTORY, TEMPLATE, Languages

OPEN, CLOSE = "⟦", "⟧"


def bracketed(folder: Path) -> Languages:
    """English and that language. folder: where its catalogue is put."""
    with (DIRECTORY / TEMPLATE).open("rb") as file:
        messages = [message for message in read_po(file) if message.id]
    catalogue = Catalog(locale="de")
    for message in messages:
        if isinstance(message.id, str):
            catalogue.add(message.id, f"{OPEN}{message.id}{CLOSE}")
        else:
            catalogue.add(message.id, tuple(f"{OPEN}{text}{CLOSE}" for text in message.id))
    with (folder / "de.po").open("wb") as file:
        write_po(file, catalogue)
    (folder / TEMPLATE).write_bytes((DIRECTORY / TEMPLATE).read_bytes())
    return Languages(folder)


@contextmanager
def known(languages: Languages) -> Iterator[None]:
    """Applications that are built meanwhile know these languages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.web.Languages", lambda: languages)
        yield
