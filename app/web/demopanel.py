"""A guided demo beside its machine. Its whole state is in the address: no script, nothing stored.

`demo`, `step` and `part` say what is shown, `ran` from which row of the journal on each step was run:
`1.3..7` is step 0 from row 1, step 1 from row 3, step 2 not at all. Of a step that is run call by call, the
rows are named one by one, with a dash at the end while calls are left: `1.3-5-` is step 1 in rows 3 and 5.
`ask` and `given` are of the predictions, see `demoasking`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from app.demos import Demo, Library, Part, Step
from app.demos.demo import VIEW_NUMBERS, VIEW_TEXTS
from app.machine.profiles import DEFAULT_PROFILE
from app.web import wording
from app.web.address import Address, number
from app.web.contexts.base import Link, ShownRefusal
from app.web.contexts.demo import DemoPanel, DemoRow, StepDot
from app.web.journal import journal_row
from app.web.language import N_, _, ngettext
from app.web.panels import opened, pointed_at
from app.web.recipes import Api, curl_line
from app.web.shownrows import Outcome

if TYPE_CHECKING:
    from app.web.demoasking import Asking

# What a step may point at beside the panels, and where on the page it is.
ANCHORS: Final = {
    N_("zones"): "zones",
    N_("map"): "map-picture",
    N_("outcome"): "outcome",
    N_("journal"): "journal",
    N_("inspector"): "inspector",
}
# From well to worst.
BAD: Final = ("ok", "null", "blocked", "warn", "bug", "oom", "hang", "panic")
# Rows that are looked through for those of a step; other calls may stand between them.
MOST_ROWS: Final = 60
VIEW: Final = (*VIEW_TEXTS, *VIEW_NUMBERS)
# What of a view points at the frames that a step is about.
POINTING: Final = ("start", "shift", "pfn")


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


def at_step(demo: Demo, step: int, here: Address, *, asks: bool = False) -> Address:
    """The view that a step asks for; parts that it does not mention stay as they are.

    asks: whether the reader is asked first. Then the map goes to the frames only when the step was run.
    """
    wanted = demo.steps[step]
    view = wanted.view
    if asks and withheld(demo, step, here):
        view = {name: value for name, value in view.items() if name not in POINTING}
        if view.get("zone") == here.zone:
            view |= {name: getattr(here, name) for name in POINTING if getattr(here, name) is not None}
    changes: dict[str, Any] = dict.fromkeys(VIEW, None) | dict(view) if wanted.view else {}
    if (panel := pointed_at(wanted.look)) is not None:
        changes["panel"] = panel.name
    return here.to(step=step, outcome=None, before=None, given=None, **changes)


def withheld(demo: Demo, step: int, here: Address) -> bool:
    """Whether there is something to predict of a step that was not run to its end."""
    return bool(demo.steps[step].predict) and not is_done(demo, step, here)


def is_done(demo: Demo, step: int, here: Address) -> bool:
    """Whether all calls of a step have been made."""
    return len(ran_rows(demo, step, here)) == len(demo.steps[step].calls)


def ran(here: Address) -> list[str]:
    """What the address says of each step: the rows in which it was run."""
    return here.ran.split(".") if here.ran else []


def ran_rows(demo: Demo, step: int, here: Address) -> list[int]:
    """The rows of the calls of a step that have been made, in order."""
    word = (ran(here)[step : step + 1] or [""])[0]
    rows = [seq for part in word.split("-") if (seq := number(part))]
    calls = len(demo.steps[step].calls)
    return list(range(rows[0], rows[0] + calls)) if rows and "-" not in word else rows[:calls]


def with_ran(demo: Demo, step: int, seqs: Sequence[int], here: Address) -> Address:
    """Note in the address in which rows calls of a step have been made."""
    rows = [*ran_rows(demo, step, here), *seqs]
    calls = len(demo.steps[step].calls)
    if rows == list(range(rows[0], rows[0] + calls)):
        word = str(rows[0])
    else:
        word = "-".join(map(str, rows)) + ("-" if len(rows) < calls else "")
    known = ran(here)
    known += [""] * (step + 1 - len(known))
    known[step] = word
    return here.to(ran=".".join(known))


def run_of(library: Library, here: Address) -> tuple[int | None, int]:
    """The row after which the rows of the step's calls begin, and how many; None where it was not run."""
    found = demo_of(library, here)
    rows = ran_rows(*found, here) if found is not None else []
    return (None, 0) if not rows else (min(rows) - 1, min(MOST_ROWS, max(rows) - min(rows) + 1))


def demo_panel(
    library: Library,
    here: Address,
    api: Api,
    rows: Sequence[Outcome],
    asking: Asking,
    refusal: ShownRefusal | None,
) -> DemoPanel | None:
    """Make the panel, where the address names a demo. rows: the rows of the step's calls."""
    found = demo_of(library, here)
    if found is None:
        return None
    demo, step = found
    shown = demo.steps[step]
    made = ran_rows(demo, step, here)
    results = [row for row in rows if row["seq"] in made]
    mine = here.part or 1
    part = demo.part(mine) or demo.parts[0]
    inside = part.first <= step < part.end
    done = [
        not one.calls or len(ran_rows(demo, index, here)) == len(one.calls)
        for index, one in enumerate(demo.steps)
    ]
    left = first_left(demo, part, step, done) if inside else None
    calls = "\n".join(shown.calls[len(made) :])
    ready = inside and not done[step] and left is None
    following = (
        demo.part(shown.part + 1) if step + 1 < len(demo.steps) and demo.steps[step + 1].part > mine else None
    )
    waits = asking.on and withheld(demo, step, here)
    return DemoPanel(
        name=demo.name,
        title=demo.title,
        number=step + 1,
        total=len(demo.steps),
        dots=[
            StepDot(
                index + 1,
                title_of(demo, index, here, asks=asking.on),
                goto(demo, index, here, asks=asking.on),
                index == step,
                bool(one.calls) and done[index],
            )
            for index, one in enumerate(demo.steps)
        ],
        heading=title_of(demo, step, here, asks=asking.on),
        asks=asking.on,
        offers=any(one.predict for one in demo.steps),
        ask=f"{here.path}/demo/ask",
        waits=waits,
        questions=asking.fields,
        missed=asking.missed,
        score=score(asking),
        happens="" if waits else shown.happens,
        why="" if waits else shown.why,
        notice="" if waits else shown.notice,
        you="" if waits else shown.you,
        calls=calls,
        curl=curl_line("\n".join(shown.calls), api),
        action=f"{here.path}/demo",
        view=here.query,
        ready=ready,
        by_one=ready and len(shown.calls) - len(made) > 1,
        begun=bool(made),
        worst=worst(results),
        first_left=None
        if left is None
        else Link(
            _(
                "Step %(number)s: %(title)s",
                number=left + 1,
                title=title_of(demo, left, here, asks=asking.on),
            ),
            goto(demo, left, here, asks=asking.on),
        ),
        results=[(line, journal_row(row, here)) for line, row in zip(shown.calls, results, strict=False)],
        look=look_link(shown, here),
        focus=ANCHORS.get(shown.look, "panels"),
        earlier=Link(_("Back"), goto(demo, step - 1, here, asks=asking.on) if step else None),
        later=Link(
            _("Next"), goto(demo, step + 1, here, asks=asking.on) if step + 1 < len(demo.steps) else None
        ),
        next_machine=machine_text(following.machine) if following and inside else "",
        next_part=shown.part + 1,
        other_machine="" if inside else machine_text(demo.parts[shown.part - 1].machine),
        part=shown.part,
        start_part=mine,
        leave=here.to(demo=None, step=None, part=None, ran=None, ask=None, given=None).href,
        refusal=refusal,
    )


def worst(rows: Sequence[Outcome]) -> str:
    """The worst verdict of a step's calls, where it has several; empty where all went well."""
    verdicts = [row["verdict"] for row in rows]
    return max(verdicts, key=BAD.index) if len(rows) > 1 and any(BAD.index(each) for each in verdicts) else ""


def title_of(demo: Demo, step: int, here: Address, *, asks: bool) -> str:
    """The title of a step. Titles tell what happens, so that of a step that asks first is not told before."""
    return _("What will it do?") if asks and withheld(demo, step, here) else demo.steps[step].title


def score(asking: Asking) -> str:
    """How many predictions were right; empty where none were made."""
    if not asking.answered:
        return ""
    return ngettext(
        "%(right)s of %(num)s prediction right",
        "%(right)s of %(num)s predictions right",
        asking.answered,
        right=wording.count(asking.right),
    )


def goto(demo: Demo, step: int, here: Address, *, asks: bool) -> str:
    """The address of another step."""
    return at_step(demo, step, here, asks=asks).href + "#demo"


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
