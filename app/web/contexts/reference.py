"""What the reference of calls is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.machine.vocabulary import CallSpec
from app.web.contexts.base import Page


@dataclass(frozen=True, slots=True)
class CallsPage(Page):
    """calls.html: every call with its prototype, its place in the kernel, its arguments and a curl line."""

    TEMPLATE: ClassVar[str] = "calls.html"
    groups: Sequence[CallGroup]
    """the calls by group"""


@dataclass(frozen=True, slots=True)
class CallGroup:
    """Calls that belong together."""

    name: str
    """the group's name"""
    calls: Sequence[tuple[CallSpec, str]]
    """each call with the curl line that makes it"""
