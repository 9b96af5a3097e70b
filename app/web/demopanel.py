"""A guided demo beside its machine. Its whole state is in the address: no script, nothing stored.

`demo`, `step` and `part` say what is shown, `ran` from which row of the journal on each step was run:
`1.3..7` is step 0 from row 1, step 1 from row 3, step 2 not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.demos import Demo, Library, Part, Step
from app.demos.demo import VIEW_NUMBERS, VIEW_TEXTS
from app.machine.profiles import DEFAULT_PROFILE
from app.web.address import Address, number
from app.web.contexts.base import Link, Refusal
from app.web.contexts.demo import DemoPanel, DemoRow, StepDot
from app.web.journal import journal_row
from app.web.language import N_, _
from app.web.panels import opened, pointed_at
from app.web.recipes import Api, curl_line
from app.web.shownrows import Outcome

# What a step may point at beside the panels, and where on the page it is.
ANCHORS: Final = {
    N_("zones"): "zones",
    N_("map"): "map-picture",
    N_("outcome"): "outcome",
    N_("journal"): "journal",
    N_("inspector"): "inspector",
}
VIEW: Final = (*VIEW_TEXTS, *VIEW_NUMBERS)


def demo_row(demo: Demo) -> DemoRow:
    """Make a line of the home page's list."""
    machines = _(", then ").join(machine_text(part.machine) for part in demo.parts)
    return DemoRow(demo.name, demo.title, demo.teaser, machines, len(demo.steps))


def machine_text(machine: Mapping[str, Any]) -> str:
    """Describe a machine: `x86_64-1g, lecture view`."""
    profile = str(machine.get("profile", DEFAULT_PROFILE))
    return _("%(profile)s, lecture view", profile=profile) if machine.get("lecture") else profile


def demo_of(library: Library, here: Address) -> tuple[Demo, int] | None:
    """The demo and the step that an address names; None where there is no such demo."""
    demo = library.demos().get(here.demo or "")
    return None if demo is None else (demo, min(here.step or 0, len(demo.steps) - 1))


def at_step(demo: Demo, step: int, here: Address) -> Address:
    """The view that a step asks for; parts that it does not mention stay as they are."""
    wanted = demo.steps[step]
    changes: dict[str, Any] = dict.fromkeys(VIEW, None) | dict(wanted.view) if wanted.view else {}
    if (panel := pointed_at(wanted.look)) is not None:
        changes["panel"] = panel.name
    return here.to(step=step, outcome=None, before=None, **changes)


def ran(here: Address) -> list[int | None]:
    """Read from which row on each step has been run."""
    return [number(word) for word in here.ran.split(".")] if here.ran else []


def with_ran(here: Address, step: int, seq: int) -> Address:
    """Note in the address that a step has been run, from which row on."""
    known = ran(here)
    known += [None] * (step + 1 - len(known))
    known[step] = seq
    return here.to(ran=".".join("" if first is None else str(first) for first in known))


def run_of(library: Library, here: Address) -> tuple[int | None, int]:
    """The row after which the rows of the step's calls begin, and how many; None where it was not run."""
    found = demo_of(library, here)
    starts = ran(here)
    if found is None or found[1] >= len(starts):
        return None, 0
    demo, step = found
    first = starts[step]
    return (None, 0) if not first else (first - 1, len(demo.steps[step].calls))


def demo_panel(
    library: Library, here: Address, api: Api, rows: Sequence[Outcome], refusal: Refusal | None
) -> DemoPanel | None:
    """Make the panel, where the address names a demo. rows: the rows of the step's calls."""
    found = demo_of(library, here)
    if found is None:
        return None
    demo, step = found
    starts = ran(here)
    shown = demo.steps[step]
    mine = here.part or 1
    part = demo.part(mine) or demo.parts[0]
    inside = part.first <= step < part.end
    done = [bool(seq) for seq in starts] + [False] * (len(demo.steps) - len(starts))
    left = first_left(demo, part, step, done) if inside else None
    calls = "\n".join(shown.calls)
    following = (
        demo.part(shown.part + 1) if step + 1 < len(demo.steps) and demo.steps[step + 1].part > mine else None
    )
    return DemoPanel(
        name=demo.name,
        title=demo.title,
        number=step + 1,
        total=len(demo.steps),
        dots=[
            StepDot(index + 1, one.title, goto(demo, index, here), index == step, done[index])
            for index, one in enumerate(demo.steps)
        ],
        heading=shown.title,
        happens=shown.happens,
        why=shown.why,
        notice=shown.notice,
        you=shown.you,
        calls=calls,
        curl=curl_line(calls, api),
        action=f"{here.path}/demo",
        view=here.query,
        ready=inside and not rows and left is None,
        first_left=None
        if left is None
        else Link(
            _("Step %(number)s: %(title)s", number=left + 1, title=demo.steps[left].title),
            goto(demo, left, here),
        ),
        results=[(line, journal_row(row, here)) for line, row in zip(shown.calls, rows, strict=False)],
        look=look_link(shown, here),
        focus=ANCHORS.get(shown.look, "panels"),
        earlier=Link(_("Back"), goto(demo, step - 1, here) if step else None),
        later=Link(_("Next"), goto(demo, step + 1, here) if step + 1 < len(demo.steps) else None),
        next_machine=machine_text(following.machine) if following and inside else "",
        next_part=shown.part + 1,
        other_machine="" if inside else machine_text(demo.parts[shown.part - 1].machine),
        part=shown.part,
        start_part=mine,
        leave=here.to(demo=None, step=None, part=None, ran=None).href,
        refusal=refusal,
    )


def goto(demo: Demo, step: int, here: Address) -> str:
    """The address of another step."""
    return at_step(demo, step, here).href + "#demo"


def first_left(demo: Demo, part: Part, step: int, done: Sequence[bool]) -> int | None:
    """The earliest step before this one, on the same machine, whose calls have not been made."""
    return next((n for n in range(part.first, step) if demo.steps[n].calls and not done[n]), None)


def look_link(step: Step, here: Address) -> Link | None:
    """Link to what the step points at; a closed panel is opened on the way."""
    if not step.look:
        return None
    words, panel = _(step.look), pointed_at(step.look)
    if panel is None:
        return Link(words, f"#{ANCHORS[step.look]}")
    return Link(words, "#panels" if opened(here) is panel else here.to(panel=panel.name).href + "#panels")
