"""What an access of a process meets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.exercises.forms import Answer
from app.exercises.forms.chosen import fault_of
from app.exercises.likely.act import Act, Likely


def last_access(act: Act) -> Mapping[str, Any] | None:
    """The last access of the call that is told."""
    found = (act.outcome.process or {}).get("access")
    return found[-1] if found else None


def every_access(act: Act) -> Answer | None:
    """Each access is a fault."""
    access = last_access(act)
    return "minor" if access is not None and fault_of(access) == "none" else None


def file_from_disk(act: Act) -> Answer | None:
    """A page of a file always comes from the disk, and so does whatever is not mapped yet."""
    access = last_access(act)
    return "major" if access is not None and fault_of(access) in ("minor", "none") else None


def cached_is_free(act: Act) -> Answer | None:
    """What is in memory already, or costs no disk, is no fault."""
    access = last_access(act)
    return "none" if access is not None and fault_of(access) == "minor" else None


LIKELY: Final = (
    Likely("every_access", "fault", "fault for each access", every_access),
    Likely("file_from_disk", "fault", "file is major", file_from_disk),
    Likely("cached_is_free", "fault", "cached is no fault", cached_is_free),
)
