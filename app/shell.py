"""A session at a prompt: lines of C as the console of its page takes them, made on a server.

Which calls there are, and what completes a word, the server says. It also judges every line; only whether a
statement goes on on the next line is seen here.
"""

from __future__ import annotations

import http.client
import urllib.error
from collections.abc import Callable, Iterator
from typing import Any, Final

from app.machine.ctext import Malformed, Source
from app.serverclient import Source as Server
from app.serverclient import document_of, get, no_server, problem_of

PROMPT: Final = "kmemlab> "
GOES_ON: Final = "    ...> "
BEGIN: Final = "lines of C make calls; ? lists the calls, ?kmalloc says what one does, Ctrl-D ends"
# Where an outcome without a return value is NULL, and not that of a function without one.
NOTHING_GOT: Final = frozenset({"null", "oom"})
# What completes a word besides names.
CALLED: Final = "("
HELP: Final = "?"


class RefusedError(Exception):
    """An entry was refused, and said so."""


class Shell:
    """Reads entries, makes their calls, says what came of them.

    read: asks for a line with a prompt; raises EOFError at the end. say: prints a line.
    """

    def __init__(self, server: Server, read: Callable[[str], str], say: Callable[[str], None]) -> None:
        self.server = server
        self.read = read
        self.print = say
        described, flags = get(server.server, "/calls"), get(server.server, "/gfp")
        try:
            self.calls: dict[str, dict[str, Any]] = {call["name"]: call for call in described["calls"]}
            names = [*(name + CALLED for name in self.calls), *(flag["name"] for flag in flags["flags"])]
            settings = (*described["slab_flags"], *described["sysctls"], *described["contexts"])
        except (KeyError, TypeError):
            raise no_server(server.server) from None
        self.words = sorted({*names, *settings})

    def run(self, *, interactive: bool) -> None:
        """Take entries until they end. Raises RefusedError where nobody sits there to mend one."""
        session = self.server.session()
        if interactive:
            self.say(f"{session['name']}, at row {session['seq']}. {BEGIN}")
        while True:
            try:
                self.enter(self.entry())
            except EOFError:
                return
            except KeyboardInterrupt:
                if not interactive:
                    raise
                self.say("")
            except RefusedError:
                if not interactive:
                    raise

    def say(self, text: str) -> None:
        """Print a line."""
        self.print(printable(text))

    def entry(self) -> str:
        """A line, or the lines over which a statement goes on; nothing for blanks and comments."""
        lines = [self.read(PROMPT)]
        if lines[0].startswith(HELP):
            return lines[0]
        source, statements = Source(), 0
        try:
            statements += len([*source.feed(1, lines[0])])
            while source.open or source.within:
                lines.append(self.read(GOES_ON))
                statements += len([*source.feed(len(lines), lines[-1])])
        except Malformed:
            statements += 1  # the server says what is wrong with it
        return "\n".join(lines) if statements else ""

    def enter(self, entry: str) -> None:
        """Do what an entry says. Raises RefusedError."""
        if entry.startswith(HELP):
            for line in self.help(entry.removeprefix(HELP).strip()):
                self.say(line)
        elif entry:
            for outcome in self.made(entry):
                for line in told(outcome):
                    self.say(line)

    def made(self, entry: str) -> list[dict[str, Any]]:
        """The outcomes of an entry. Raises RefusedError, where it says why."""
        try:
            body = entry.encode("utf-8", "replace")
            with self.server.open("/calls", body, **{"content-type": "text/plain"}) as answer:
                outcomes: list[dict[str, Any]] = document_of(answer, self.server.base)["outcomes"]
                return outcomes
        except urllib.error.HTTPError as error:
            with error:
                lines = refused(problem_of(error), entry)
        except (OSError, http.client.HTTPException) as error:
            lines = iter([f"the server does not answer: {getattr(error, 'reason', error)}"])
        for line in lines:
            self.say(line)
        raise RefusedError

    def help(self, name: str) -> Iterator[str]:
        """What calls there are, or what one does."""
        name = name.removesuffix(CALLED)
        if not name:
            for group in dict.fromkeys(call["group"] for call in self.calls.values()):
                names = [call["name"] for call in self.calls.values() if call["group"] == group]
                yield f"{group}: {', '.join(names)}"
        elif name in self.calls:
            yield from (str(self.calls[name][member]) for member in ("prototype", "doc", "source"))
        else:
            yield f"{name}: no call; ? lists them"

    def complete(self, begun: str, place: int) -> str | None:
        """The word at that place of all that begin so, as readline asks for them; None behind the last."""
        found = [word for word in self.words if word.startswith(begun)]
        return found[place] if place < len(found) else None


def told(outcome: dict[str, Any]) -> Iterator[str]:
    """An outcome as lines: what came of the call, the mistake, and the kernel's log."""
    page, ret = outcome.get("page"), outcome["ret"]
    returned = " = NULL" if ret is None and outcome["verdict"] in NOTHING_GOT else ""
    returned = returned if ret is None else f" = {ret}"
    frame = f", page frame {page['pfn']:#x}" if page else ""
    yield f"#{outcome['seq']} {outcome['call']}{returned} ({outcome['verdict']}{frame})"
    if outcome.get("cause"):
        yield outcome["cause"]["text"]
    yield from outcome["log"] or ()


def refused(problem: dict[str, Any], entry: str) -> Iterator[str]:
    """Why an entry was refused: each line at fault with its word marked, what is wrong, what was meant."""
    faults = problem.get("errors") or []
    for fault in faults:
        yield from at_its_place(fault, entry.split("\n"))
        yield fault["msg"]
        if fault.get("suggestions"):
            yield f"did you mean {' or '.join(fault['suggestions'])}?"
    if not faults:
        yield problem["detail"]


def at_its_place(fault: dict[str, Any], lines: list[str]) -> Iterator[str]:
    """The line at fault, and marks below the word, where the server names them.

    The server names the line on which a statement begins; the word may stand on a later one.
    """
    match fault["loc"]:
        case ["line", int(number)] if 1 <= number <= len(lines):
            statement = [line.expandtabs() for line in lines[number - 1 :]]
        case _:
            return
    word = fault.get("word") or ""
    line = next((line for line in statement if word in line), statement[0])
    yield f"  {line}"
    if word and word in line:
        yield f"  {' ' * line.index(word)}{'^' * len(word)}"


def printable(text: str) -> str:
    """A text without what would move a terminal's cursor: not all servers are ours."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)
