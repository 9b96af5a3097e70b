"""Whatever is written is read, or refused with its column; and what is read is checked without a fault."""

from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from app.exercises import checks, lines, steps
from app.exercises.checks import BadCheck
from app.exercises.exercise import Check
from app.exercises.lines import OWN
from app.exercises.matching import FACTS, FAULTS, MACROS
from app.exercises.playground import Playground
from app.exercises.rows import MadeRow
from app.exercises.rowsets import PREDICATES
from app.exercises.subjects import SUBJECTS, ZONES
from app.exercises.words import OPERATORS
from app.machine.outcome import VERDICTS
from app.machine.readings import CACHE_FIELDS, MM_FIELDS, PAGE_FIELDS
from tests.exercises.checking.goals import TINY

OTHERS = (
    *(
        "while",
        "in",
        "of",
        "all",
        "refs",
        "frames",
        "blocks",
        "objects",
        "areas",
        "has",
        "lacks",
        "none",
        "no",
    ),
    *(
        "yes",
        "locked",
        "lost",
        "min",
        "maj",
        "nobody",
        "nothing",
        "NULL",
        "GFP_KERNEL",
        "GFP_NOWAIT|__GFP_COMP",
    ),
    *(
        "0",
        "1",
        "+1",
        "-1",
        "0x400",
        "64K",
        "40%",
        "101%",
        "-5%",
        "p",
        "p+3",
        "alice",
        "kmalloc-64",
        "Unmovable",
    ),
    *(
        "inactive_file",
        "pgfault",
        "size",
        "order",
        "prot",
        "PROT_READ",
        "kfree(p)",
        "get_page(0x400)",
        ",",
        "%",
    ),
    *(
        "first",
        "last",
        "every",
        "2nd",
        "deciding",
        "expand",
        "zone_watermark_fast",
        "free",
        "watermark",
        "before",
    ),
    *("after", "kmalloc", "get_page", "vmalloc", "lock_page", "softirq", "((", '"', "\x00", "ß"),
)
WORDS = (
    *(*SUBJECTS, *PREDICATES, *FACTS, *OWN, *MACROS, *VERDICTS, *ZONES, *OPERATORS, *OTHERS, *FAULTS),
    *(*MM_FIELDS, *CACHE_FIELDS, *PAGE_FIELDS),
)
# Half of the lines begin with a word that begins a check.
LINES = st.tuples(
    st.sampled_from((*SUBJECTS, *PREDICATES)), st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
).map(" ".join) | st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
CALLS = (
    "p = alloc_pages(GFP_KERNEL, 2)",
    "alice: k = kmalloc(100, GFP_KERNEL)",
    "alice: lock_page(p)",
    "f = alloc_page(GFP_KERNEL) * 5",
    "__free_pages(f[::2], 0)",
    "/softirq: vmalloc(5000)",
    "lock_page(p)",
)


@cache
def made() -> tuple[Playground, list[MadeRow]]:
    """A few rows, and where they begin."""
    place = Playground.boot(TINY)
    start = place.copy()
    return start, place.make(CALLS)


def refused(error: BadCheck, line: str) -> None:
    """A fault says where and what."""
    assert 1 <= error.column <= len(line) + 1
    assert error.msg


@settings(max_examples=400, deadline=None)
@given(LINES | st.text(max_size=60))
def test_a_check_is_refused_or_says_something(line: str) -> None:
    start, rows = made()
    try:
        checks.parse(line)
    except BadCheck as error:
        refused(error, line)
        return
    (result,) = checks.evaluate([Check(line)], start.copy().machine, rows).results
    assert result.holds is not bool(result.found)


@settings(max_examples=200, deadline=None)
@given(LINES | st.text(max_size=60))
def test_a_check_of_lines_is_refused_or_finds_some(line: str) -> None:
    start, rows = made()
    try:
        check = lines.parse(line)
    except BadCheck as error:
        refused(error, line)
        return
    assert set(check.places(start.copy().machine, rows)) <= {*range(1, len(CALLS) + 1)}


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(st.sampled_from(("first", "last", "every", "2nd")), LINES).map(" ".join) | st.text(max_size=60)
)
def test_a_check_of_steps_is_refused_or_finds_some(line: str) -> None:
    step = {"fn": "expand", "lecture_fn": None, "verdict": "ok", "zone": "DMA"}
    listed = [step | {"numbers": {"free": 3, "watermark": "low"}}, step | {"numbers": {}}]
    try:
        check = steps.parse(line)
    except BadCheck as error:
        refused(error, line)
        return
    assert set(check.places(listed)) <= {1, 2}
