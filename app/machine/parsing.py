"""From JSON to a call, and what is wrong with it.

`parse` judges a call by its text and the machine's fixed shape alone; whatever depends on the machine's state
is left to the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any, Final

from app.errors import BadArgument, Faults
from app.machine.calls import MAX_FRAMES_PER_CALL, Call, longest_loop, select
from app.machine.constants import Expression
from app.machine.entry import CALLS
from app.machine.kinds import KINDS
from app.machine.vocabulary import Arg, CallSpec
from app.mm.memory_model import MemoryModel

# What stands beside a call's own arguments: who calls, in a loop, which blocks of a list.
TASK: Final = Arg("task", "task", "struct task_struct *", "who calls", False, "init")
CPU: Final = Arg("cpu", "cpu", "int", "on which CPU", False, 0)
CONTEXT: Final = Arg("context", "context", "", "from which context", False, "process")
REPEAT: Final = Arg("repeat", "repeat", "int", "how many times", False, None)
UNTIL: Final = Arg("until", "until", "", "when to stop early", False, None)
SLICE: Final = (
    Arg("start", "index", "int", "first block of the list", False, 0),
    Arg("step", "step", "int", "every how many-th block", False, 1),
    Arg("count", "index", "int", "how many blocks at most", False, None),
)


def parse(name: str, body: Mapping[str, Any], model: MemoryModel, known: Container[str] = ()) -> Call:
    """A call from its JSON arguments.

    name: a key of `CALLS`. body: the arguments with `task`, `cpu`, `context`, and `repeat`/`until` or
    `start`/`step`/`count` where the call takes them. known: names that references may use. Raises
    BadArgument with every field at fault.
    """
    spec = CALLS[name]
    parser = Parser(spec, body, model, known)
    return parser.call()


class Parser:
    """Collects all faults of one call, so that a person can mend them at once."""

    def __init__(
        self, spec: CallSpec, body: Mapping[str, Any], model: MemoryModel, known: Container[str]
    ) -> None:
        self.spec = spec
        self.body = body
        self.model = model
        self.known = known
        self.faults = Faults()
        self.used: set[str] = set()

    def call(self) -> Call:
        """The parsed call; raises BadArgument when anything was at fault."""
        args: dict[str, Any] = {}
        for arg in self.spec.args:
            kind = KINDS[arg.kind]
            if kind.forms:
                self.page(arg, kind.forms, args)
            else:
                args[arg.name] = self.field(arg.name, kind.check, arg)
        given = self.body
        call = Call(self.spec, args)
        # Most calls say little of this.
        if "task" in given and "task" not in args:
            call.task = self.beside(TASK)
        if "cpu" in given:
            call.cpu = self.beside(CPU)
        if "context" in given:
            call.context = self.beside(CONTEXT)
        if self.spec.repeats and ("repeat" in given or "until" in given):
            call.repeat, call.until = self.loop(args)
        elif self.spec.frees and ("start" in given or "step" in given or "count" in given):
            call.start, call.step, call.count = self.slice()
        if not given.keys() <= self.used:
            for key in given:
                if key not in self.used:
                    self.faults.add(str(key), f"{self.spec.name} takes no such argument")
        self.faults.check()
        value = args.get("page", args.get("addr"))
        return select(call, value, self.model) if isinstance(value, tuple) else call

    def field(self, name: str, check: Callable[[Any, Parser], Any], arg: Arg) -> Any:
        """One checked field, or the argument's default."""
        self.used.add(name)
        if name not in self.body:
            if arg.required:
                takes = f"{self.spec.name}({', '.join(each.name for each in self.spec.args)})"
                self.faults.add(name, f"missing: {takes} takes {arg.doc}")
            return arg.default
        value = self.body[name]
        try:
            return check(value.on(self.model) if type(value) is Expression else value, self)
        except BadArgument as error:
            self.faults.extend(error.under(name))
            return arg.default

    def beside(self, arg: Arg) -> Any:
        """What stands beside the call's own arguments."""
        return self.field(arg.name, KINDS[arg.kind].check, arg)

    def page(self, arg: Arg, forms: tuple[str, ...], args: dict[str, Any]) -> None:
        """Exactly one of `pfn`, `page` and, where the call takes one, `addr`."""
        given = [form for form in forms if form in self.body]
        self.used.update(forms)
        if len(given) != 1:
            self.faults.add(given[1] if given else forms[0], f"give exactly one of {', '.join(forms)}")
            return
        value = self.field(given[0], KINDS[given[0]].check, arg)
        args["addr" if given[0] == "addr" else "page"] = value

    def loop(self, args: Mapping[str, Any]) -> tuple[int | None, str | int | None]:
        """`repeat` and `until` of an allocating call, bounded by the frames they may touch.

        What a single round asks for is the kernel's to refuse, whether or not `repeat` says that it is one.
        """
        repeat = self.beside(REPEAT)
        until = self.beside(UNTIL)
        frames = self.spec.cost.frames(args)
        if repeat is not None and repeat > 1 and frames * repeat > MAX_FRAMES_PER_CALL:
            self.faults.add(
                "repeat",
                f"one call may touch {MAX_FRAMES_PER_CALL} frames; this one asks for {frames * repeat}",
            )
        if repeat is None and until is not None:
            repeat = longest_loop(frames)
        return repeat, until

    def slice(self) -> tuple[int, int, int | None]:
        """`start`, `step` and `count` of a call that frees a list."""
        start, step, count = map(self.beside, SLICE)
        return start, step, count
