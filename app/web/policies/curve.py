"""Faults by numbers of frames: a line for each policy, the same as a table, and Belady's anomaly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from app.machine.replacement import Result
from app.machine.replacement.anomaly import Anomaly, anomalies
from app.web import charts, wording
from app.web.contexts.replacement import Curve, CurveCell, CurveLine, CurveRow
from app.web.language import _, ngettext
from app.web.policies import words

TICKS: Final = 12
MOST_PLACES: Final = 128
SENTENCES: Final = 3


def curve(results: Sequence[Result], cut: str, href: Callable[[int], str | None]) -> Curve:
    """The picture and its table. href: of the steps with so many frames."""
    by_policy: dict[str, list[Result]] = {}
    for result in results:
        by_policy.setdefault(result.policy, []).append(result)
    sizes = [result.frames for result in next(iter(by_policy.values()))]
    top = max(result.faults for result in results)
    found = anomalies(results)
    return Curve(
        lines=[line(name, row, top, found) for name, row in by_policy.items()],
        rows=[
            table_row(size, [row[index] for row in by_policy.values()], found, href(size))
            for index, size in enumerate(sizes)
        ],
        top=wording.count(top),
        ticks=ticks(sizes),
        words=_(
            "Page faults with %(least)s to %(most)s frames",
            least=wording.count(sizes[0]),
            most=wording.count(sizes[-1]),
        ),
        cut=cut,
        anomalies=told(found),
    )


def line(name: str, row: Sequence[Result], top: int, found: Sequence[Anomaly]) -> CurveLine:
    """The line of a policy. One number of frames is a level line."""
    points = [(place(index, len(row)), height(result.faults, top)) for index, result in enumerate(row)]
    more = {anomaly.more_frames for anomaly in found if anomaly.policy == name}
    path = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
    return CurveLine(
        name=name,
        title=words.title(name),
        path=path if len(row) > 1 else f"{path}H{charts.WIDTH}",
        marks="".join(
            f"M{x:g} {y:g}h0" for (x, y), result in zip(points, row, strict=True) if result.frames in more
        ),
    )


def place(index: int, count: int) -> float:
    """Where a number of frames is along the axis."""
    return round(charts.WIDTH * index / max(count - 1, 1), 1)


def height(faults: int, top: int) -> float:
    """Where a number of faults is; none at the bottom."""
    return round(charts.HEIGHT * (1 - faults / top), 1) if top else charts.HEIGHT


def ticks(sizes: Sequence[int]) -> list[str]:
    """What stands along the axis: of few numbers of frames each, of more some, of very many the ends."""
    if len(sizes) > MOST_PLACES:
        return [wording.count(sizes[0]), wording.count(sizes[-1])]
    every = -(-len(sizes) // TICKS)
    return ["" if index % every else wording.count(size) for index, size in enumerate(sizes)]


def told(found: Sequence[Anomaly]) -> list[str]:
    """The anomalies in sentences, and how many more there are."""
    sentences = [said(anomaly) for anomaly in found[:SENTENCES]]
    more = len(found) - len(sentences)
    if more:
        sentences.append(ngettext("And %(num)s more, marked below.", "And %(num)s more, marked below.", more))
    return sentences


def table_row(size: int, row: Sequence[Result], found: Sequence[Anomaly], href: str | None) -> CurveRow:
    """The faults of all policies with one number of frames."""
    fewest = min(result.faults for result in row)
    more = {(anomaly.policy, anomaly.more_frames) for anomaly in found}
    return CurveRow(
        frames=wording.count(size),
        steps=href,
        cells=[
            CurveCell(
                wording.count(result.faults),
                anomaly=(result.policy, size) in more,
                fewest=result.faults == fewest,
            )
            for result in row
        ],
    )


def said(anomaly: Anomaly) -> str:
    """Belady's anomaly in a sentence."""
    return _(
        "Belady’s anomaly: %(policy)s has %(faults)s faults with %(frames)s frames, "
        "and %(more_faults)s with %(more_frames)s.",
        policy=words.title(anomaly.policy),
        faults=wording.count(anomaly.faults),
        frames=wording.count(anomaly.frames),
        more_faults=wording.count(anomaly.more_faults),
        more_frames=wording.count(anomaly.more_frames),
    )
