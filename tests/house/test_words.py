"""Plain words: what can be checked of them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.test_house import APP, modules, name_of

PACKAGES = ("sessions", "labs", "api", "store", "commands", "demos", "connections")


def fields_in_docstrings(source: str) -> Iterator[str]:
    """Fields whose meaning stands in the docstring of their class instead of at the field."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            targets = (part.target for part in node.body if isinstance(part, ast.AnnAssign))
            fields = "|".join(target.id for target in targets if isinstance(target, ast.Name))
            found = re.findall(rf"(?:^|[.\n] *)({fields}): ", ast.get_docstring(node) or "") if fields else []
            yield from (f"{node.name}.{field}" for field in found)


@pytest.mark.parametrize("path", [*modules(*PACKAGES), *sorted(APP.glob("*.py"))], ids=name_of)
def test_the_meaning_of_a_field_stands_at_the_field(path: Path) -> None:
    assert not list(fields_in_docstrings(path.read_text()))


def test_a_meaning_elsewhere_is_found() -> None:
    source = 'class Row:\n    """One row. seq: its number."""\n\n    seq: int\n'
    assert list(fields_in_docstrings(source)) == ["Row.seq"]
