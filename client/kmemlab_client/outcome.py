"""An outcome: what a call returned and changed, as a number that C would see."""

from __future__ import annotations

from html import escape
from typing import Any

# Verdicts of calls that did what they were called for; `warn` says that the kernel complains.
DONE = frozenset({"ok", "warn"})
# Verdicts of calls that returned NULL, where a row has no return value.
NOTHING_GOT = frozenset({"null", "oom"})


class Outcome(int):
    """A row of the journal. As a number it is what the C function returned; NULL and void are 0.

    It is true if the call was done (verdict `ok` or `warn`), whatever it returned. `outcome["log"]` is any
    member of the row, as the API's page describes them.
    """

    row: dict[str, Any]

    def __new__(cls, row: dict[str, Any]) -> Outcome:  # noqa: PYI034 - Python 3.9 has no Self
        made = super().__new__(cls, number(row.get("ret")))
        made.row = row
        return made

    def __bool__(self) -> bool:
        return self.verdict in DONE

    def __getitem__(self, member: str) -> Any:
        return self.row[member]

    def __getnewargs__(self) -> tuple[dict[str, Any]]:  # type: ignore[override]
        return (self.row,)

    def __add__(self, more: int) -> int:
        """Bytes behind an address."""
        self._counts_in_bytes()
        return super().__add__(more)

    __radd__ = __add__

    def __sub__(self, less: int) -> int:
        """Bytes before an address."""
        self._counts_in_bytes()
        return super().__sub__(less)

    def _counts_in_bytes(self) -> None:
        """Raises TypeError for a struct page, behind which C counts in pages, and Python would in bytes."""
        if self.is_page:
            raise TypeError("C counts in pages behind a struct page *: give pfn=page.pfn + n")

    @property
    def seq(self) -> int:
        """The row's number in the journal."""
        return int(self.row["seq"])

    @property
    def ret(self) -> Any:
        """What the function returned, as the API writes it: a hexadecimal address, a number or None."""
        return self.row.get("ret")

    @property
    def verdict(self) -> str:
        """`ok`, `null`, `blocked`, `warn`, `bug`, `oom`, `hang` or `panic`."""
        return str(self.row.get("verdict"))

    @property
    def log(self) -> list[str]:
        """The kernel's log lines. Of very many the row has none: they are at `/events/{seq}/log`."""
        return [str(line) for line in self.row.get("log") or ()]

    @property
    def cause(self) -> str | None:
        """The caller's mistake in one sentence; None where there was none."""
        cause = self.row.get("cause")
        return str(cause["text"]) if cause else None

    @property
    def pfn(self) -> int | None:
        """The page frame number, if the row is about a page."""
        page = self.row.get("page")
        return int(page["pfn"]) if page else None

    @property
    def is_page(self) -> bool:
        """Whether what was returned is a `struct page *`."""
        page = self.row.get("page")
        return page is not None and self.ret is not None and page["page"] == self.ret

    @property
    def is_list(self) -> bool:
        """Whether it stands for all that a repeated call returned."""
        return "runs" in self.row

    def __repr__(self) -> str:
        return "\n".join([self.line(), *([self.cause] if self.cause else ()), *self.log])

    __str__ = __repr__

    def __format__(self, form: str) -> str:
        """As a number where a form for numbers is given: `f"{page:#x}"`."""
        return super().__format__(form) if form else repr(self)

    def line(self) -> str:
        """The call and its return in one line."""
        frame = "" if self.pfn is None else f", pfn {self.pfn:#x}"
        return f"#{self.seq} {self.called()}{self.returned()} ({self.verdict}{frame})"

    def returned(self) -> str:
        """What was returned, as people write it; nothing for a function that returns nothing."""
        if self.ret is None:
            return " = NULL" if self.verdict in NOTHING_GOT else ""
        return f" = {self.ret}"

    def called(self) -> str:
        """The call with the arguments of its own."""
        written = self.row.get("written", {})
        shown = {**self.row.get("args", {}), **written}
        if "page" in written:
            shown.pop("pfn", None)
        given = [f"{name}={argument(value)}" for name, value in shown.items() if (name, value) not in USUAL]
        return f"{self.row['call']}({', '.join(given)})"

    def _repr_html_(self) -> str:
        """A notebook's view."""
        lines = [line for line in (self.cause, *self.log) if line]
        text = f"<pre>{escape(chr(10).join(lines))}</pre>" if lines else ""
        return f"<div><code>{escape(self.line())}</code>{text}</div>"


class Outcomes(list[Outcome]):
    """The outcomes of several calls, in their order."""

    def __repr__(self) -> str:
        return "\n".join(map(repr, self))

    def _repr_html_(self) -> str:
        """A notebook's view."""
        return "".join(outcome._repr_html_() for outcome in self)


USUAL = [("task", "init"), ("cpu", 0), ("context", "process"), ("start", 0), ("step", 1)]


def number(ret: Any) -> int:
    """What C would see of a return value."""
    if isinstance(ret, str):
        return int(ret, 16)
    return int(ret or 0)


def argument(value: Any) -> str:
    """An argument as people write it; @41 is the list that row 41 returned."""
    if isinstance(value, dict) and "seq" in value:
        return f"@{value['seq']}"
    return "NULL" if value is None else str(value)
