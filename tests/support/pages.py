"""The pages for people: README, CONTRIBUTING and docs, with their links and their examples."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
# A path of this tree in backticks: a file or a folder, with nothing that stands for something else in it.
PLACE: Final = re.compile(r"`((?:app|tests|templates|static|migrations|docs|scripts)/[\w./-]*)`")


def fenced(page: Path, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return [body for found, body in FENCE.findall(page.read_text("utf-8")) if found == language]


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return FENCE.sub("", page.read_text("utf-8"))


def links(page: Path) -> Iterator[str]:
    """Where a page's links lead, as they are written."""
    yield from LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """The fragments of a page's headings, as GitHub makes them."""
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in HEADING.findall(prose(page))
    }
