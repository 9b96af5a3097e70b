"""The rules of the style sheet for each frame state, as `make text` writes them into map.css.

python -m tests.support.styles
"""

from collections.abc import Iterator

from app import paths
from app.web.frame_states import FRAME_STATES

SHEET = paths.STATIC / "css" / "map.css"
BEGIN = "  /* Written by `make text` from app/web/frame_states.py. */\n"
END = "  /* The end of what is written. */\n"


def rules() -> Iterator[str]:
    """A line each: of the cells, patterns and letters of a state."""
    for state in FRAME_STATES:
        name, ink = state.name, state.ink or state.name
        more = " fill: currentcolor; stroke: none;" if state.filled else ""
        more += f" stroke-opacity: {state.line_opacity};" if state.line_opacity else ""
        yield f"  .cell-{name} {{ fill: var(--state-{name}); color: var(--on-{ink}); }}\n"
        yield f"  .ink-{name} {{ color: var(--on-{ink});{more} }}\n"
        yield f"  .on-{name} {{ fill: var(--on-{ink}); }}\n"


def put_into(sheet: str) -> str:
    """A style sheet with the rules written anew between the two comments that mark them."""
    before, rest = sheet.split(BEGIN, 1)
    return before + BEGIN + "".join(rules()) + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    SHEET.write_text(put_into(SHEET.read_text()))
