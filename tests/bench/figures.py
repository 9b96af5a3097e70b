"""The table: what was measured, what it must be, and what it could be at best."""

from dataclasses import dataclass

BEGIN = "<!-- bench: begin -->"
END = "<!-- bench: end -->"


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    measured, least and goal: in the same unit. ceiling: what the same work costs where there is nothing to
    do, measured in the same run. more: whether more is better.
    """

    what: str
    measured: float
    least: float
    goal: float
    unit: str = ""
    ceiling: str = ""
    more: bool = True

    @property
    def mark(self) -> str:
        """Whether it is enough."""
        for bound, mark in ((self.goal, "goal"), (self.least, "yes")):
            if self.measured >= bound if self.more else self.measured <= bound:
                return mark
        return "no"

    def row(self) -> str:
        """Its line in Markdown."""
        sign = "≥" if self.more else "≤"
        bounds = f"{sign} {self.least:g}{self.unit} ({self.goal:g}{self.unit})"
        return (
            f"| {self.what} | {number(self.measured)}{self.unit} | {bounds} | {self.mark} | {self.ceiling} |"
        )


def number(value: float) -> str:
    """Three digits, as far as anything here is worth reading."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(figures: list[Figure]) -> str:
    """All lines, with their head."""
    head = "| what | measured | at least (goal) | enough | ceiling in the same run |"
    return "\n".join([head, "| --- | ---: | ---: | --- | --- |", *(figure.row() for figure in figures)])


def put_into(page: str, markdown: str) -> str:
    """The text with the table between its two markers replaced."""
    before, rest = page.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    return f"{before}{BEGIN}\n{markdown}\n{END}{after}"
