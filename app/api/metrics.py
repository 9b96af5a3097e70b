"""`/metrics`: the server's numbers, in the form that Prometheus reads.

They name nobody and no session: a number that anybody may keep for years must not say who did what.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app import __version__
from app.api import docs
from app.api.requests import sessions_of
from app.sessions import Forbidden, NotFound
from app.sessions.written import BOUNDS, Numbers

if TYPE_CHECKING:
    from prometheus_client.core import Metric

TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter(tags=["operations"])


@router.get("/metrics", **docs.operation("metrics", "Numbers for Prometheus", docs.METRICS))
async def metrics(request: Request) -> Response:
    """In lab mode only with the token that `KMEMLAB_METRICS_TOKEN` has set, and nothing without one."""
    require_watcher(request)
    from prometheus_client import generate_latest  # noqa: PLC0415  # not in every start

    registry = Numbered(request)
    return Response(generate_latest(registry), media_type=None, headers={"content-type": TYPE})


def require_watcher(request: Request) -> None:
    """Raise NotFound where the numbers are nobody's business, and Forbidden for a wrong token."""
    settings = request.app.state.settings
    wanted = settings.metrics_token
    if wanted is None:
        if settings.lab:
            raise NotFound("page", "/metrics")
        return
    given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
    if not hmac.compare_digest(given, wanted.get_secret_value().encode()):
        raise Forbidden("send the token of KMEMLAB_METRICS_TOKEN: `Authorization: Bearer TOKEN`")


class Numbered:
    """A registry of the process's own numbers and of this server's, as they are when it is asked."""

    def __init__(self, request: Request) -> None:
        self.numbers = sessions_of(request).numbers()
        self.answers = dict(request.app.state.answered)
        table = getattr(request.app.state, "connections", None)
        self.connections = None if table is None else table.count

    def collect(self) -> Iterator[Metric]:
        """Every family of numbers."""
        from prometheus_client import PROCESS_COLLECTOR  # noqa: PLC0415  # as above
        from prometheus_client.core import CounterMetricFamily, InfoMetricFamily  # noqa: PLC0415

        yield InfoMetricFamily("kmemlab", "The program.", {"version": __version__})
        yield from gauges(self.numbers, self.connections)
        yield from written(self.numbers)
        answers = CounterMetricFamily("kmemlab_answers", "Answers, by status.", labels=["status"])
        for status, count in sorted(self.answers.items()):
            answers.add_metric([str(status)], count)
        yield answers
        yield from PROCESS_COLLECTOR.collect()


def gauges(numbers: Numbers, connections: int | None) -> Iterator[Metric]:
    """What goes up and down."""
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415  # as above

    for name, meaning, value in (
        ("waiting", "Work that waits for the writer.", numbers.waiting),
        ("machines", "Machines that are open.", numbers.machines),
        ("machines_bytes", "Their memory, as estimated.", numbers.memory),
        ("followers", "Event streams that are open.", numbers.followers),
        ("connections", "Connections that are open.", connections),
    ):
        if value is not None:
            yield GaugeMetricFamily(f"kmemlab_{name}", meaning, value)


def written(numbers: Numbers) -> Iterator[Metric]:
    """What the writer has done."""
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily  # noqa: PLC0415  # as above

    done = numbers.written
    yield CounterMetricFamily("kmemlab_rows", "Rows of journals that were committed.", done.rows)
    yield CounterMetricFamily("kmemlab_groups_failed", "Groups that could not be committed.", done.failed)
    below = list(accumulate(done.by_seconds))
    buckets = [*zip(map(str, BOUNDS), below[:-1], strict=True), ("+Inf", below[-1])]
    meaning = "How long a group took, from its beginning to its commit."
    yield HistogramMetricFamily("kmemlab_group_seconds", meaning, buckets, done.seconds)
