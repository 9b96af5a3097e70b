"""What a machine in a lab shows about its place there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.web.contexts.base import Link


@dataclass(frozen=True, slots=True)
class Sleeper:
    """A task that sleeps and can be ended."""

    task: str
    """the task's name in the machine"""
    name: str
    """the task's name for people"""
    words: str
    """what it waits for, and since when"""
    action: str
    """where the form that ends it is sent"""
    mine: bool
    """True where it is the task of the person at the browser"""


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """A checkpoint that the machine has just been brought to."""

    title: str
    """the checkpoint's title"""
    own: Link | None
    """link to the row before, where the member had made calls; None where not"""


@dataclass(frozen=True, slots=True)
class InstructorControls:
    """What an instructor may do with a member's machine."""

    locked: bool
    """True where it is locked"""
    lock: str
    """where the form that locks and unlocks it is sent"""
    reset: str
    """the address of the page that resets it"""


@dataclass(frozen=True, slots=True)
class PlaceView:
    """A machine's place in a lab: whose it is, and what may be done with it."""

    lab: Link
    """link to the lab"""
    called: str | None
    """the lab's name for the machine, where it is not the session's"""
    whose: str
    """whose machine it is"""
    meaning: str
    """what that means for the person at the browser"""
    held: str | None
    """why members cannot call it: `closed`, `frozen` or `locked`; None where they can"""
    over: bool
    """True where it can never be called again"""
    stopped: bool
    """True where the person at the browser cannot call it either"""
    catch_up: str | None
    """the title of the next checkpoint; None where there is none"""
    checkpoint: str | None
    """the id of the next checkpoint"""
    starts_over: bool
    """True where catching up leaves calls of the member behind"""
    caught_up: CaughtUp | None
    """the checkpoint that the machine has just been brought to"""
    action: str
    """where the form that catches up is sent"""
    sleepers: Sequence[Sleeper]
    """tasks that the person at the browser may end from the bar"""
    controls: InstructorControls | None
    """what the instructor may do with a member's machine; None for others"""


@dataclass(frozen=True, slots=True)
class PresentingView:
    """Presenting, and following the presenter, on a page of a machine in a lab."""

    api: str
    """the lab's address in the API"""
    action: str
    """where the form that presents is sent"""
    polls: str
    """the address of the lab's questions"""
    here: str
    """the address that this page presents: a machine's in the layout for a room that looks on"""
    presents: bool
    """True where the person at the browser may present this machine"""
    follows: bool
    """True where the person at the browser may follow the presenter"""
    view: str | None
    """the address that is presented"""
    frozen: bool
    """True where the lab is frozen"""
    closed: bool
    """True where the lab is closed"""
