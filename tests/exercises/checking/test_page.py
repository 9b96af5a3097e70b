"""The page on the check language is true: its lines are checks, and it leaves nothing out."""

from __future__ import annotations

import re
from pathlib import Path

from app.exercises import checks, lines, steps
from app.exercises.lines import OWN
from app.exercises.matching import FACTS
from app.exercises.rowsets import PREDICATES
from app.exercises.subjects import SUBJECTS

PAGE = (Path(checks.__file__).parent / "CHECKS.md").read_text()
CODE = re.compile(r"`([^`]+)`")


def first_cells(heading: str) -> list[str]:
    """The code of the first column of the table behind a heading."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [text for line in rows for text in CODE.findall(line.split(" | ")[0])]


def test_its_lines_are_checks() -> None:
    states, rows = first_cells("States"), first_cells("Rows")
    assert len(states) > 20
    assert len(rows) > 20
    for line in states:
        checks.parse(line)
    for line in rows[: rows.index("1 verdict null") + 1]:
        checks.parse(line)


def test_its_facts_are_facts_of_rows() -> None:
    facts = first_cells("Rows")
    facts = [fact for fact in facts[facts.index("1 verdict null") + 1 :] if " " in fact]
    assert len(facts) > 10
    for given in facts:
        fact = given
        for word, meant in (("F", "__GFP_HIGH"), ("n", "0"), ("C", "softirq")):
            fact = re.sub(rf" {word}$", f" {meant}", fact)
        checks.parse(f"some {fact}")


def test_its_file_and_its_lines_for_steps_and_lists_are_read() -> None:
    written = re.findall(r'"((?:[a-z]+ )[^"]*[0-9a-z%])"', PAGE.partition("```toml")[2].partition("```")[0])
    assert len(written) == 5
    for line in written:
        checks.parse(line)
    section = PAGE.partition("## Steps and lines\n")[2].partition("\n## ")[0].replace("\n", " ")
    of_steps, of_lines = (CODE.findall(part) for part in section.split("In tasks of kind *debug*"))
    for line in of_steps:
        if line not in ("answer", "_"):
            steps.parse(line)
    for line in of_lines:
        lines.parse(line.replace("TEXT", "text"))


def test_it_leaves_nothing_out() -> None:
    page = PAGE.partition("```\n\n")[2]
    words = re.findall(r"[\w-]+", " ".join(CODE.findall(page)))
    assert [word for word in (*SUBJECTS, *PREDICATES, *FACTS, *OWN) if word not in words] == []
