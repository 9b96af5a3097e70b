"""The teacher's description of files: its example is an exercise, and it names all that there is."""

import re

import pytest

from app import paths
from app.exercises import facts, formula
from app.exercises.exercise import COUNTS, KINDS
from app.exercises.forms import FORMS
from app.exercises.likely import LIKELY
from app.exercises.proving import prove
from app.exercises.reading import parse
from tests.exercises.planted import WHOLE

TEXT = (paths.EXERCISES / "README.md").read_text()
PROSE = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
NAMED = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"`([^`]+)`", PROSE))))
# Of the whole file, without its values, results and what a machine's description has.
OTHERS = {*"afpqx", "mib", "smp", "order", "need", "profile", "lecture"}
FIELDS = set(re.findall(r"(?:^|[{,] )([a-z_]+) = ", WHOLE, re.MULTILINE)) - OTHERS


def test_its_example_can_be_asked() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    report = prove(parse("example.toml", example), 12)
    assert report.faults == []
    assert [task.answers.total() for task in report.tasks] == [12, 12]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(FORMS, id="forms"),
        pytest.param(LIKELY, id="likely"),
        pytest.param(KINDS, id="kinds"),
        pytest.param(COUNTS, id="counts"),
        pytest.param(formula.FUNCTIONS, id="functions"),
        pytest.param([*facts.OF_MACHINE, *facts.OF_ZONE], id="facts"),
        pytest.param(FIELDS, id="fields"),
    ],
)
def test_it_names_all(words: list[str]) -> None:
    assert set(words) - NAMED == set()
