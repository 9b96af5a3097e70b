"""The wall: one page with a tile for each member of a lab, which follows what they do."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Form
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.labs import WallState
from app.labs.board import LastCall, Tile
from app.machine.mistakes import FRAMES, MISTAKES
from app.web import mistakes, wallmap, wording
from app.web.address import number
from app.web.contexts.base import Link
from app.web.contexts.wall import WallMark, WallPage, WallTile
from app.web.frame_states import LETTERS, PLAIN_PATTERNS, legend
from app.web.journal import HEADLINES
from app.web.language import N_, _, ngettext, phrase
from app.web.render import respond
from app.web.requester import labs_of, requester
from app.web.shell import shell_of
from app.web.tableparts import first_of, part_of

router = APIRouter(include_in_schema=False)

# From so many on, tiles are as small as they can be read.
CROWD: Final = 90

# So many tiles are in the page itself. A script asks for all.
SHOWN: Final = 60

# What stands in place of a verdict for a call that slept, and sleeps no more.
WOKEN: Final = "woken"

# Orders by name: what they are called, by what they sort, and whether the largest stands first.
SORTS: Final[dict[str, tuple[str, Callable[[Tile], Any], bool]]] = {
    "number": (N_("number"), lambda tile: tile.number, False),
    "nickname": (N_("nickname"), lambda tile: tile.nickname.casefold(), False),
    "last": (N_("last call"), lambda tile: "" if tile.last is None else tile.last.time, True),
    "seq": (N_("row"), lambda tile: tile.seq, True),
    "progress": (N_("progress"), lambda tile: tile.reached, False),
    "trouble": (N_("trouble first"), lambda tile: tile.trouble, True),
}


@router.get("/labs/{lab_id}/wall")
async def wall(request: Request, lab_id: str) -> Response:
    """Show a class, one tile a member. `?sort=seq`: in that order, `-seq` reversed; `?as=table`: as a table.

    `?from=60`: the tiles behind the first 60. A script puts all of them there.
    """
    state = await labs_of(request).wall.state(requester(request), lab_id)
    sort = request.query_params.get("sort", "number")
    if sort.removeprefix("-") not in SORTS:
        sort = "number"
    table = request.query_params.get("as") == "table"
    # Hundreds of tiles take their time; others are answered meanwhile.
    first = number(request.query_params.get("from", "")) or 0
    return await run_in_threadpool(lambda: respond(page(request, lab_id, state, sort, first, table=table)))


@router.post("/labs/{lab_id}/wall/freeze")
async def freeze(
    request: Request,
    lab_id: str,
    frozen: Annotated[str, Form()] = "",
    here: Annotated[str, Form()] = "",
) -> Response:
    """Stop all calls of members for now, or let them go on."""
    labs = labs_of(request)
    await labs.rooms.freeze(requester(request), lab_id, frozen=frozen == "on")
    labs.wall.changed(lab_id)
    return RedirectResponse(f"/labs/{lab_id}/wall" + (f"?{here}" if here else ""), 303)


def page(request: Request, lab_id: str, state: WallState, sort: str, first: int, *, table: bool) -> WallPage:
    """Make the page."""
    lab = state.whole
    first = first_of(first, len(state.tiles), SHOWN)
    query = {"sort": sort} | ({"as": "table"} if table else {})
    part = part_of(lambda row: href(lab_id, {**query, "from": str(row)}), first, len(state.tiles), SHOWN)
    shown = [tile_of(tile, len(lab.marks)) for tile in ordered(state.tiles, sort)[first : first + SHOWN]]
    return WallPage(
        shell=shell_of(request),
        title=_("%(lab)s · wall", lab=lab.title),
        lab=lab_id,
        version="" if part else state.token,
        api=f"/api/v1/labs/{lab_id}/wall",
        members=lab.members,
        waiting=lab.waiting,
        waiting_said=waiting_said(lab.waiting, lab.newest),
        active=lab.active,
        troubled=sum(tile.trouble for tile in state.tiles),
        frozen=lab.frozen,
        closed=lab.closed,
        view=None if lab.view is None else Link(_("To what is presented"), lab.view),
        marks=[
            WallMark(
                mark.id,
                mark.title,
                mark.reached,
                of(mark.reached, lab.members),
                wording.ways(mark.reached, mark.done, mark.said),
            )
            for mark in lab.marks
        ],
        sorts=[(name, sort_link(lab_id, query, name)) for name in SORTS],
        sort=sort,
        table=table,
        other=Link(
            _("As tiles") if table else _("As a table"),
            href(lab_id, {"sort": sort} if table else {"sort": sort, "as": "table"}),
        ),
        here=urlencode(query),
        width=wallmap.WIDTH,
        height=wallmap.HEIGHT,
        tiles=shown,
        blank=WallTile(0, "", href="", shapes=()),
        legend=legend(),
        seen={shape.state for tile in shown for shape in tile.shapes},
        patterns=PLAIN_PATTERNS,
        states=" ".join(LETTERS),
        sentences=json.dumps(sentences(), ensure_ascii=False),
        mistakes=json.dumps({name: phrase(row.say) for name, row in MISTAKES.items()}, ensure_ascii=False),
        frames=" ".join(FRAMES),
        crowded=lab.members > CROWD,
        part=part,
    )


def waiting_said(count: int, newest: Sequence[str]) -> str:
    """How many wait to be admitted, and the last of them by name."""
    names = ", ".join(newest) + (" …" if count > len(newest) else "")
    return ngettext("%(num)s waits: %(names)s", "%(num)s wait: %(names)s", count, names=names)


def href(lab_id: str, query: dict[str, str]) -> str:
    """An address of the wall."""
    return f"/labs/{lab_id}/wall?{urlencode(query)}"


def sort_link(lab_id: str, query: dict[str, str], name: str) -> Link:
    """Link to another order; the present one leads to its reverse."""
    current = query["sort"].removeprefix("-") == name
    turned = f"-{name}" if query["sort"] == name else name
    return Link(_(SORTS[name][0]), href(lab_id, {**query, "sort": turned}), current)


def ordered(tiles: Sequence[Tile], sort: str) -> list[Tile]:
    """Tiles in an order; those that are equal in it by number."""
    _words, key, largest = SORTS[sort.removeprefix("-")]
    return sorted(tiles, key=key, reverse=largest != sort.startswith("-"))


def tile_of(tile: Tile, marks: int) -> WallTile:
    """A member as the page shows them."""
    last = tile.last
    none = _("no machine yet") if tile.session_id is None else _("no call yet")
    return WallTile(
        number=tile.number,
        nickname=tile.nickname,
        href=None if tile.session_id is None else f"/sessions/{tile.session_id}",
        shapes=list(wallmap.shapes(tile.picture.cells)) if tile.picture else (),
        words=wallmap.words(tile.picture) if tile.session_id else none,
        seq=tile.seq,
        call=none if last is None else last.call,
        verdict="" if last is None else WOKEN if tile.woken else last.verdict,
        sentence="" if last is None else sentence_of(tile, last),
        time="" if last is None else last.time,
        clock="" if last is None else last.time[11:19],
        reached=tile.reached,
        progress=progress_of(tile, marks),
        ways=wording.ways(tile.reached, tile.done, tile.said),
        locked=tile.locked,
        trouble=tile.trouble,
    )


def progress_of(tile: Tile, marks: int) -> str:
    """How far a member is: `✓2 ·1/4` of four checkpoints two done, and one said or caught up."""
    done, other = tile.done, tile.reached - tile.done
    figures = [f"✓{wording.count(done)}"] if done else []
    if other or not done:
        figures.append(f"·{wording.count(other)}" if other else wording.count(0))
    return f"{' '.join(figures)}/{wording.count(marks)}"


def sentence_of(tile: Tile, last: LastCall) -> str:
    """What came of a call: what was wrong with it, else what its verdict means."""
    cause = last.cause
    if cause and (row := MISTAKES.get(cause.mistake)):
        return mistakes.said(row, cause.facts)
    return sentences().get(WOKEN if tile.woken else last.verdict, "")


def sentences() -> dict[str, str]:
    """What each verdict means, but those of calls that went well."""
    found = {verdict: _(headline) for verdict, (headline, _reason) in HEADLINES.items() if headline}
    return {**found, WOKEN: _("The task was woken.")}


def of(part: int, whole: int) -> str:
    """3 of 12"""
    return _("%(part)s of %(whole)s", part=wording.count(part), whole=wording.count(whole))
