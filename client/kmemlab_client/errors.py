"""What can go wrong: the server refuses a request, or does not answer."""

from __future__ import annotations

import json
from typing import Any


class KmemlabError(Exception):
    """All that this package raises about a server."""


class Unreachable(KmemlabError):  # noqa: N818 - it is what is said of the server
    """No kmemlab server answers at the address, or it stopped in mid-answer."""


class Refused(KmemlabError):  # noqa: N818 - it is what is said of the request
    """The server refused a request, which had no effect.

    status: of HTTP. detail: in one sentence. errors: the fields at fault, each with `loc` and `msg`.
    """

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        self.detail = str(problem.get("detail") or f"the server answers {status}")
        errors = problem.get("errors")
        self.errors: list[dict[str, Any]] = errors if isinstance(errors, list) else []
        super().__init__("\n".join([self.detail, *map(meant, self.suggested())]))

    def suggested(self) -> list[dict[str, Any]]:
        """The fields at fault for which the server knows what was probably meant."""
        return [error for error in self.errors if error.get("suggestions")]


def meant(error: dict[str, Any]) -> str:
    """What was probably meant by a word."""
    return f"{error.get('word')}: did you mean {' or '.join(map(str, error['suggestions']))}?"


def problem_in(body: bytes) -> dict[str, Any]:
    """The problem document of an answer; an empty one where it is something else, of a proxy for example."""
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
