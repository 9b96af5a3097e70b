"""What somebody wants to have compared: the fields of an address or a form, and what is wrong there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from app.errors import Faults
from app.machine.replacement import POLICIES
from app.machine.replacement.comparison import MOST_FRAMES
from app.numerals import unsigned
from app.web import wording
from app.web.language import _

SOURCES: Final = ("list", "session", "trace")
FRAMES: Final = 3
FIRST_STEPPED: Final = "lru"
# Of an address with its fields; the guard lets some more through.
ADDRESS_LENGTH: Final = 6000
LONGEST_NAME: Final = 64


# The texts of an address or a form, by field.
Given = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A comparison."""

    source: str
    """where the string comes from, of `SOURCES`"""
    text: str
    """a list of pages, or a trace"""
    session: str
    """the session whose journal is read"""
    task: str
    """the process whose accesses are taken"""
    frames: int
    """with how many frames the steps are shown"""
    to: int | None
    """with how many frames the curve ends; None for as many as there are pages, if that is not too much"""
    policy: str
    """whose steps are shown"""
    policies: tuple[str, ...]
    """the policies of the curve"""
    load_bit: int
    """the referenced bit of a page when it is loaded"""
    row: int
    """how many references stand before the part of the steps"""
    opinion: str
    """the steps of somebody else; empty without"""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The fields, as an address has them; not a trace, nor what is as it always is."""
        given = [("of", self.source)]
        if self.source == "session":
            given += [("session", self.session), ("task", self.task)]
        elif self.source == "list":
            given.append(("string", self.text))
        given.append(("frames", str(self.frames)))
        given += [("to", str(self.to))] if self.to is not None else []
        given.append(("policy", self.policy))
        given += [("with", name) for name in self.policies] if len(self.policies) < len(POLICIES) else []
        given += [] if self.load_bit else [("load_bit", "0")]
        given += [("row", str(self.row))] if self.row else []
        return given + ([("opinion", self.opinion)] if self.opinion else [])

    @property
    def address(self) -> str | None:
        """The address of the page that shows it; None where it fits into none."""
        address = f"/replacement?{urlencode(self.pairs)}"
        return None if self.source == "trace" or len(address) > ADDRESS_LENGTH else address


def parse(given: Given, trace: str | None) -> Asked:
    """Read the fields. trace: the text of a file, where one came. Raises BadArgument with each at fault."""
    faults = Faults()
    source = text_of(given, "of") or "list"
    if source not in SOURCES:
        faults.add("of", _("list, session or trace"))
    frames = number(given, "frames", faults)
    to = number(given, "to", faults)
    policy = text_of(given, "policy") or FIRST_STEPPED
    if policy not in POLICIES:
        faults.add("policy", _("one of %(names)s", names=", ".join(POLICIES)), policy, POLICIES)
    policies = given.get("with", ())
    if any(name not in POLICIES for name in policies):
        faults.add("with", _("some of %(names)s", names=", ".join(POLICIES)))
    load_bit = text_of(given, "load_bit") or "1"
    if load_bit not in ("0", "1"):
        faults.add("load_bit", _("0 or 1"))
    if source == "session" and not text_of(given, "session"):
        faults.add("session", _("choose one of your sessions"))
    text = text_of(given, "trace_text") if trace is None else trace
    if source == "trace" and not text.strip():
        faults.add("trace", _("choose a file, or paste its lines"))
    faults.check()
    return Asked(
        source=source,
        text=text if source == "trace" else text_of(given, "string"),
        session=text_of(given, "session")[:LONGEST_NAME],
        task=text_of(given, "task").strip()[:LONGEST_NAME],
        frames=FRAMES if frames is None else frames,
        to=to,
        policy=policy,
        policies=tuple(name for name in POLICIES if name in policies) or tuple(POLICIES),
        load_bit=int(load_bit),
        row=unsigned(text_of(given, "row")) or 0,
        opinion=text_of(given, "opinion").strip(),
    )


def given_by(pairs: Iterable[tuple[str, object]]) -> Given:
    """The fields of an address or a form; not those that are files."""
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        if isinstance(value, str):
            given.setdefault(name, []).append(value)
    return given


def text_of(given: Given, name: str) -> str:
    """A field; empty where there is none."""
    return next(iter(given.get(name, ())), "")


def number(given: Given, name: str, faults: Faults) -> int | None:
    """A number of frames; None where the field is empty, or at fault."""
    text = text_of(given, name).strip()
    if not text:
        return None
    value = unsigned(text)
    if value is None or not 1 <= value <= MOST_FRAMES:
        faults.add(name, _("a number of frames from 1 to %(most)s", most=wording.count(MOST_FRAMES)))
        return None
    return value
