"""Lines that are no checks: each fault has its column, and says what would be accepted."""

from __future__ import annotations

import tomllib

import pytest

from app import paths
from app.exercises import checks, lines, steps
from app.exercises.checks import BadCheck, parse, parse_all
from app.exercises.exercise import Check

FAULTS = [
    ("", 1, "here should stand a word that begins a check"),
    ("fre DMA = 3", 1, "'fre' is not a word that begins a check (did you mean free?)"),
    ("free", 5, "here should stand a zone: DMA, DMA32, Normal, HighMem, Movable, all"),
    ("free DMA64 = 3", 6, "'DMA64' is not a zone"),
    ("free DMA", 9, "here should stand = != < <= > >= and a value, or a change as +3 or -3"),
    ("free DMA 3", 10, "or a change as +3 or -3, not '3'"),
    ("free DMA =", 11, "here should stand a number, as in 968, 0x400, 64K or 40%"),
    ("free DMA = many", 12, "here should stand a number, as in 968, 0x400, 64K or 40%, not 'many'"),
    ("free DMA = 3 4", 14, "'4' is too much"),
    ("free DMA == 3", 11, "here should stand a number"),
    ("free DMA >= 4.5%", 13, "whole per cents, as in 40%, not '4.5%'"),
    ("nr_free DMA 3 = 5%", 17, "per cents are of a zone's managed frames"),
    ("nr_free DMA 11 = 5", 13, "an order is a number from 0 to 10"),
    ("nr_free DMA = 5", 13, "here should stand an order from 0 to 10, not '='"),
    ("free_blocks DMA 3 = 5", 17, "here should stand an order and what is above it"),
    ("buddyinfo DMA > 3", 15, "buddyinfo DMA is compared with = and the numbers of all orders"),
    ("buddyinfo DMA 1", 15, "changes have a sign"),
    ("buddyinfo DMA = 1 2 3 4 5 6 7 8 9 10 11 12", 41, "there are 11 orders"),
    ("buddyinfo DMA =", 16, "here should stand a number for each order"),
    ("blocks DMA Unmoveable = 3", 12, "'Unmoveable' is not a type (did you mean Unmovable"),
    ("reserve DMA all = 3", 13, "'all' is not a zone"),
    ("cache kmalloc-64 slabs = 3", 18, "'slabs' is not a figure of a cache"),
    ("mm a rss = 3", 6, "'rss' is not a figure of a process"),
    ("lru active = 3", 5, "'active' is not an LRU list"),
    ("page -3 mapcount = 3", 6, "here should stand a page, as in 0x400, 1024, p or p+3"),
    ("refs p+x = 3", 6, "here should stand a page"),
    ("state 0x400 gone", 13, "'gone' is not what it may be: free, pcp"),
    ("state 0x400 < anon", 13, "'<' is not what it may be: free"),
    ("flag 0x400 PG_locked", 12, "'PG_locked' is not a flag of a page"),
    ("flag 0x400 locked maybe", 19, "'maybe' is not what it may be: yes, no"),
    ("deadlock perhaps", 10, "'perhaps' is not what it may be: yes, no"),
    ("leak some", 6, "'some' is not what it may be: none"),
    ("live", 5, "here should stand what lives: frames, blocks, objects, areas"),
    ("live frames in = 3", 16, "'=' is not a zone"),
    ("live blocks of = 3", 16, "here should stand the name of a task"),
    ("live blocks in DMA = 3", 13, "and a value, or a change"),
    ("extra = 3", 7, "'=' is not the word refs: refs"),
    ("locks of", 9, "here should stand the name of a task"),
    ("became gone 3", 8, "'gone' is not a state"),
    ("faults = 3", 8, "'=' is not a kind of faults: min, maj"),
    ("rows 4", 6, "or a change as +3 or -3, not '4'"),
    ("some", 5, "here should stand a call, a fact or a verdict"),
    ("some kmaloc ok", 6, "'kmaloc' is not a call (did you mean kmalloc"),
    ("some kmalloc order 3", 14, "'order' is not a verdict or a fact"),
    ("some kmalloc okay", 14, "'okay' is not a verdict or a fact"),
    ("some kmalloc size", 18, "here should stand a value"),
    ("some mmap prot PROT_RAED", 16, "'PROT_RAED' is not flags joined by | (did you mean PROT_READ"),
    ("some kmalloc gfp GFP_KERNAL", 18, "unknown flag 'GFP_KERNAL'"),
    ("some kmalloc gfp has", 21, "here should stand a mask"),
    ("some kmalloc context irq", 22, "'irq' is not a context: process, atomic"),
    ("some kmalloc task =", 19, "here should stand the name of a task"),
    ("some kmalloc verdict fine", 22, "'fine' is not a verdict: ok, null"),
    ("some kmalloc ret < NULL", 20, "with NULL only = and != compare"),
    ("some kmalloc ret many", 18, "here should stand a number or NULL, not 'many'"),
    ("some sysctl name > swappiness", 20, "a number is needed behind >"),
    ("some kmalloc zone < DMA", 21, "a number is needed behind <"),
    ("some load fault cow", 17, "'cow' is not a kind of fault"),
    ("some load signal 11", 18, "'11' is not a signal: SIGSEGV, SIGBUS"),
    ("some kmalloc ok = 3", 17, "here may stand `while`, not '='"),
    ("count kmalloc ok", 17, "here should stand how many: =, !=, <, <=, >, >="),
    ("count kmalloc ok = all", 20, "here should stand a number of rows, not 'all'"),
    ("some kmalloc while", 19, "here should stand a subject"),
    ("some kmalloc while some kfree", 20, "'some' is not a subject"),
    ("some kmalloc while free DMA = 3 while rows = 2", 33, "'while' is too much"),
    ("only", 5, "here should stand a call"),
    ("never kmalloc ok", 15, "'ok' is not a call"),
    ("order kmalloc", 14, "here should stand two calls or more"),
    ("order kmalloc freed", 15, "'freed' is not a call or a verdict"),
    ("order kmalloc,", 15, "here should stand a call, a fact or a verdict"),
    ("woken", 6, "here should stand the name of a task"),
    ("killed a,b", 9, "here should stand the name of a task"),
    ("log", 4, "here should stand text of the kernel log"),
    ("probe", 6, "here should stand a call as in the console, and its verdict"),
    ("probe kfree(p)", 7, "at the end stands a verdict: ok, null"),
    ("probe ok", 7, "here should stand a call as in the console"),
    ("probe kfree( ok", 7, "the closing parenthesis is missing"),
    ("1 verdict fine", 1, "a verdict is one of"),
    ("1", 1, "a call's number from 1 on"),
    ("free DMA = " + "9" * 500, 501, "a check has at most 500 characters"),
]


@pytest.mark.parametrize(("line", "column", "says"), FAULTS)
def test_a_line_that_is_no_check(line: str, column: int, says: str) -> None:
    with pytest.raises(BadCheck) as error:
        parse(line)
    assert says in error.value.msg
    assert error.value.column == column
    assert str(error.value) == f"column {column}: {error.value.msg}"


STEP_FAULTS = [
    ("", 1, "here should stand which step: first, last, every, 2nd, deciding"),
    ("expand", 1, "'expand' is not which step"),
    ("first", 6, "here should stand a function, or a fact"),
    (
        "first expnd",
        7,
        "'expnd' is not a function of the kernel, or which step is meant (did you mean expand",
    ),
    ("first expand verdict", 21, "here should stand a verdict of a step"),
    ("first expand zone here", 19, "'here' is not a zone"),
    ("first expand order", 14, "'order' is not a fact of a step"),
    ("first expand order =", 21, "here should stand a number, or the name of another number of the step"),
    ("first expand ORDER = 3", 14, "'ORDER' is no name of a number of a step"),
    ("first expand before", 20, "here should stand a function, or a fact"),
    ("deciding step", 10, "'step' is too much"),
    ("0th expand", 1, "'0th' is not which step"),
]


@pytest.mark.parametrize(("line", "column", "says"), STEP_FAULTS)
def test_a_line_that_is_no_check_of_steps(line: str, column: int, says: str) -> None:
    with pytest.raises(BadCheck) as error:
        steps.parse(line)
    assert says in error.value.msg
    assert error.value.column == column


LINE_FAULTS = [
    ("", 1, "here should stand a call, a fact or a verdict"),
    ("faulty", 1, "'faulty' is not a call"),
    ("verdict bug,", 13, "here should stand a call, a fact or a verdict"),
    ("log", 4, "here should stand text of the kernel log"),
    ("log , held", 5, "here should stand text of the kernel log"),
    ("mistake sleepy", 9, "'sleepy' is not a mistake"),
    ("became gone", 8, "'gone' is not a state"),
    ("makes lost", 11, "and a value, or a change"),
    ("held = 3", 6, "'=' is not a call"),
]


@pytest.mark.parametrize(("line", "column", "says"), LINE_FAULTS)
def test_a_line_that_is_no_check_of_lines(line: str, column: int, says: str) -> None:
    with pytest.raises(BadCheck) as error:
        lines.parse(line)
    assert says in error.value.msg
    assert error.value.column == column


def test_a_task_has_three_probes_at_most() -> None:
    probe = "probe alloc_page(GFP_KERNEL) ok"
    assert len(parse_all([Check(probe)] * 3)) == 3
    with pytest.raises(BadCheck, match="at most 3 probes"):
        parse_all([*[Check(probe)] * 2, Check("", any=(probe, probe))])


def test_any_stands_once() -> None:
    either = Check("", any=("rows = 1", "rows = 2"))
    assert len(parse_all([either, Check("rows = 3")])[0]) == 2
    with pytest.raises(BadCheck, match="once"):
        parse_all([either, either])


def test_the_lines_of_demos_are_checks() -> None:
    """But for a list of states that they change, they say the same in both."""
    expected = [
        line
        for path in sorted(paths.DEMOS.glob("*.toml"))
        for step in tomllib.loads(path.read_text())["step"]
        for line in step.get("expect", ())
    ]
    assert len(expected) > 300
    for line in expected:
        checks.parse(line)


def test_a_check_keeps_its_text() -> None:
    assert checks.parse("free  DMA >=  40%").text == "free  DMA >=  40%"
    assert [checks.parse(line).is_probe for line in ("probe kfree(NULL) ok", "rows = 1")] == [True, False]
