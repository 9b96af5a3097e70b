"""A lab's text: Markdown, turned into HTML that has been cleaned of everything that could act.

Some texts take long, up to a second: they are made into HTML beside the event loop, and once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool

# fmt: off
TAGS: Final = frozenset({
    "p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a",
    "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td",
})
# fmt: on
# No image: it would tell another server who looks at a lab, and when. What was written stays a link.
ATTRIBUTES: Final = {"a": {"href", "title"}, "ol": {"start"}}
SCHEMES: Final = frozenset({"http", "https", "mailto"})

# A table's rows are as wide as its first one, however short they are written: a small text, a huge table.
CELLS: Final = 5_000

_PARSER: Final = MarkdownIt("commonmark", {"html": False}).enable("strikethrough").disable("image")
_WITH_TABLES: Final = (
    MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
)


async def html(text: str) -> Markup:
    """Turn Markdown into HTML. Headings begin at `h2`; too large a table stays as it was written."""
    return await run_in_threadpool(made, text)


def cells(text: str) -> int:
    """No table of a text has more."""
    lines = text.splitlines()
    return len(lines) * (1 + max((line.count("|") for line in lines), default=0))


@lru_cache(maxsize=32)
def made(text: str) -> Markup:
    """Turn Markdown into HTML, on this thread."""
    parser = _WITH_TABLES if cells(text) <= CELLS else _PARSER
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
    clean = nh3.clean(
        parser.renderer.render(tokens, parser.options, {}),
        tags=set(TAGS),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        url_schemes=set(SCHEMES),
        link_rel="noopener nofollow",
    )
    return Markup(clean)  # noqa: S704 - cleaned just before
