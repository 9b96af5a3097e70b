"""app/api/README.md, the reference for people: it names every path and call, and its examples work."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.api.openapi import FORMS
from app.mm.calltext import parse_line
from app.mm.outcome import VERDICTS
from app.mm.vocabulary import CALLS, CallSpec
from tests.served import BASE

pytest_plugins = ("tests.clients",)

PAGE = (Path(__file__).parent.parent / "app" / "api" / "README.md").read_text()


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def row(spec: CallSpec) -> str:
    """A call as the page's table has it."""
    arguments = ", ".join(
        " or ".join(f"`{form}`" for form in FORMS.get(arg.kind, (arg.name,)))
        + ("" if arg.required else f" = {arg.default}")
        for arg in spec.args
    )
    lecture = f" Lecture: `{spec.lecture}`." if spec.lecture else ""
    return f"| `{spec.name}` | {arguments or '–'} | {spec.doc}{lecture} |"


def groups() -> Iterator[str]:
    for group in dict.fromkeys(spec.group for spec in CALLS.values()):
        rows = "\n".join(row(spec) for spec in CALLS.values() if spec.group == group)
        yield f"### {group}\n\n| call | arguments | what it does |\n| --- | --- | --- |\n{rows}\n"


@pytest.mark.parametrize("group", list(groups()), ids=lambda group: group.split()[1])
def test_every_call_is_in_its_table(group: str) -> None:
    assert group in PAGE


def test_every_path_is_named(client: TestClient) -> None:
    for path in client.get(f"{BASE}/openapi.json").json()["paths"]:
        tail = path.removeprefix(f"{BASE}/sessions/{{id}}").removeprefix(BASE) or "/sessions/{id}"
        assert any(form in PAGE for form in (f"{tail}`", f"{tail}?", f"`{tail[1:]}`")), path


def test_every_verdict_is_explained() -> None:
    assert all(f"| `{verdict}` |" in PAGE for verdict in VERDICTS)


def test_lines_of_text_are_calls() -> None:
    lines = [line for block in fenced("text") for line in block.splitlines()]
    assert len(lines) > 8
    assert all(parse_line(line) for line in lines)
