"""The table of frame states: the machine's names, and what styles, scripts and templates are made of."""

import re

import pytest

from app import paths
from app.mm.page import STATES
from app.web.frame_states import FRAME_STATES, FREE, LETTERS, PATTERNS, PLAIN_PATTERNS
from tests.support import styles

TOKENS = (paths.STATIC / "css" / "tokens.css").read_text()


def test_the_table_has_every_state_of_the_machine_in_its_order() -> None:
    assert tuple(state.name for state in FRAME_STATES) == STATES
    assert STATES[0] == FREE


def test_the_style_sheet_is_what_the_table_says() -> None:
    sheet = styles.SHEET.read_text()
    assert styles.put_into(sheet) == sheet, "make text"


@pytest.mark.parametrize("state", FRAME_STATES, ids=lambda state: state.name)
def test_a_state_has_its_colours(state: object) -> None:
    name, ink = getattr(state, "name"), getattr(state, "ink")  # noqa: B009 - of any row
    assert f"--state-{name}: light-dark(" in TOKENS
    assert f"--on-{ink or name}: " in TOKENS


def test_a_state_is_told_by_more_than_its_colour() -> None:
    on_the_map = [(state.letter, state.pattern) for state in FRAME_STATES]
    on_the_wall = [pattern.path for pattern in PLAIN_PATTERNS if pattern.state not in (FREE, "unmovable")]
    assert len(set(on_the_map)) == len(on_the_map)
    assert len(set(on_the_wall)) == len(on_the_wall)
    assert [pattern.state for pattern in PATTERNS] == [name for name in LETTERS if name != FREE]


@pytest.mark.parametrize(
    "path",
    sorted([*paths.TEMPLATES.rglob("*.*"), *paths.STATIC.rglob("js/*.js"), *paths.STATIC.rglob("css/*.css")]),
    ids=lambda path: path.name,
)
def test_nothing_else_lists_the_states(path: object) -> None:
    """Where three of them are named, there should be a loop over the table."""
    text = getattr(path, "read_text")()  # noqa: B009
    if path == styles.SHEET or "--state-free:" in text:
        return
    named = {name for name in STATES if re.search(rf"[\"'-]{name}\b|\b{name}:", text)}
    assert len(named - {"free", "slab", "vmalloc", "locked", "file"}) < 3, named
