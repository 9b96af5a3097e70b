"""The tables of calls in app/api/README.md, made from the declarations: `make text` writes them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.machine.entry import CALLS
from app.machine.kinds import KINDS
from app.machine.vocabulary import CallSpec

PAGE: Final = Path(__file__).parents[2] / "app" / "api" / "README.md"
# A heading of a group, and the table below it.
TABLE: Final = re.compile(r"^### (\w+)\n\n\| call \|.*?\n\n", re.DOTALL | re.MULTILINE)


def row(spec: CallSpec) -> str:
    """A call as its table has it."""
    arguments = ", ".join(
        " or ".join(f"`{form}`" for form in KINDS[arg.kind].forms or (arg.name,))
        + (
            ""
            if arg.required
            else f" = {arg.default if isinstance(arg.default, str) else json.dumps(arg.default)}"
        )
        for arg in spec.args
    )
    lecture = f" Lecture: `{spec.lecture}`." if spec.lecture else ""
    return f"| `{spec.name}` | {arguments or '–'} | {spec.doc}{lecture} |"


def tables() -> Iterator[str]:
    """The table of each group."""
    for group in dict.fromkeys(spec.group for spec in CALLS.values()):
        rows = "\n".join(row(spec) for spec in CALLS.values() if spec.group == group)
        yield f"### {group}\n\n| call | arguments | what it does |\n| --- | --- | --- |\n{rows}\n"


def written(text: str) -> str:
    """The page with its tables made anew."""
    found = list(TABLE.finditer(text))
    return text[: found[0].start()] + "\n".join(tables()) + "\n" + text[found[-1].end() :]


def main() -> None:
    """Write the tables into the page."""
    PAGE.write_text(written(PAGE.read_text()))


if __name__ == "__main__":
    main()
