"""Reading processes: tasks and their address spaces, the LRU lists, files, and who maps a frame."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, vm_docs, vm_models
from app.api.bodies import TEXT
from app.api.parameters import (
    Address,
    AddressAsked,
    After,
    AfterIndex,
    AfterPage,
    At,
    FilePath,
    FirstArea,
    FirstFile,
    FirstTable,
    FrameAsked,
    Limit,
    LruList,
    NodeNumber,
    Pfn,
    TaskAsked,
    TaskFile,
    TaskName,
)
from app.api.reading import onward, or_none, view
from app.api.requests import addressed, answer, long_answer
from app.errors import BadArgument, Faults
from app.machine import file_views, lru_views, rmap_views, show, show_cost, swap_views, vm_views
from app.machine import life as lives
from app.mm import proc
from app.sessions.errors import NotFound
from app.sessions.lives import Look

router = APIRouter(tags=["processes"], prefix="/sessions/{id:id}")


@router.get("/tasks", **docs.operation("list_tasks", "Tasks", docs.ok(vm_models.Processes)))
async def tasks(request: Request, at: At = None) -> Response:
    """What each task is, has and holds, and what it waits for."""
    return await long_answer(await view(request, at, show.tasks, cost=show_cost.tasks))


@router.get("/tasks/{task}", **docs.operation("get_task", "One task", docs.ok(vm_models.OneProcess)))
async def task(request: Request, task: TaskName, at: At = None) -> Response:
    """The same of one, with all its open files and the bounds of its address space."""
    cost = partial(show_cost.task, name=task)
    found = await view(request, at, or_none, show.task, task, cost=cost)
    if found is None:
        raise NotFound("task", task)
    return answer(found)


@router.get("/tasks/{task}/maps", **docs.operation("get_maps", "The areas of a process", vm_docs.MAPS))
async def maps(
    request: Request, task: TaskName, start: FirstArea = 0, limit: Limit = 1000, at: At = None
) -> Response:
    """Each area with its rights and its file, and how much of it is in memory."""
    cost = partial(show_cost.maps, name=task, start=start, limit=limit)
    found = await view(request, at, or_none, vm_views.maps, task, start, limit, cost=cost)
    if found is None:
        raise NotFound("task", task)
    return answer(found | {"next": onward(request, found["next"], limit, at)})


@router.get("/tasks/{task}/walk", **docs.operation("walk_address", "The walk of an address", vm_docs.WALK))
async def walk(request: Request, task: TaskName, addr: Address, at: At = None) -> Response:
    """The address cut into its indexes, each table's frame and entry, and what is at the end."""
    found = await view(request, at, or_none, vm_views.walk, task, addr)
    if found is None:
        raise NotFound("task", task)
    return answer(found)


@router.get(
    "/tasks/{task}/pagetables",
    **docs.operation("get_page_tables", "The page tables of a process", vm_docs.PAGETABLES),
)
async def pagetables(
    request: Request, task: TaskName, start: FirstTable = 0, limit: Limit = 1000, at: At = None
) -> Response:
    """Tables by level with their frames, and how many entries of each are used."""
    cost = partial(show_cost.pagetables, name=task)
    found = await view(request, at, or_none, vm_views.pagetables, task, start, limit, cost=cost)
    if found is None:
        raise NotFound("task", task)
    return answer(found | {"next": onward(request, found["next"], limit, at)})


@router.get(
    "/tasks/{task}/proc/{file}",
    **docs.operation("get_task_file", "A file of /proc/PID", vm_docs.TASK_PROC),
)
async def task_file(request: Request, task: TaskName, file: TaskFile, at: At = None) -> Response:
    """The text that this machine's kernel would show there."""
    if file not in proc.OF_TASKS:
        raise NotFound("file of /proc/PID", file)
    cost = partial(show_cost.task_file, name=task, file=file)
    text = await view(request, at, or_none, vm_views.task_file, task, file, cost=cost)
    if text is None:
        raise NotFound("task", task)
    return Response(text, media_type=TEXT)


@router.get("/anon_vma/{pfn:number}", **docs.operation("get_anon_vma", "Who maps a frame", vm_docs.ANON_VMA))
async def anon_vma(request: Request, pfn: Pfn, limit: Limit = 1000, at: At = None) -> Response:
    """Task and address of each place, found as the kernel finds them: through the frame's `mapping`."""
    cost = partial(show_cost.rmap, pfn=pfn)
    found = await view(request, at, or_none, rmap_views.anon_vma, pfn, limit, cost=cost)
    if found is None:
        raise NotFound("page frame", f"{pfn:#x}")
    return answer(found)


@router.get("/lru", **docs.operation("get_lru", "LRU lists", vm_docs.LRU))
async def lru(
    request: Request,
    node: NodeNumber = None,
    list: LruList = None,  # noqa: A002 - the name that the kernel and the API have for it
    after: AfterPage = None,
    limit: Limit = 1000,
    at: At = None,
) -> Response:
    """A list from head to tail; without `list` the sizes of all, what waits in batches, and which are low."""
    if list is None:
        if after is not None:
            raise BadArgument.at(("query", "after"), "only together with `list`")
        return answer(await view(request, at, lru_views.summary, node, cost=show_cost.lru_summary))
    cost = partial(show_cost.lru, limit=limit)
    found = await view(request, at, lru_views.some, node or 0, list, after, limit, cost=cost)
    if found["next"] is not None:
        past = "" if at is None else f"&at={at}"
        where = f"node={node or 0}&list={list}&after={found['next']}&limit={limit}{past}"
        found["next"] = f"{request.url.path}?{where}"
    return answer(found)


@router.get("/files", **docs.operation("list_files", "Files", vm_docs.FILES))
async def files(request: Request, start: FirstFile = 0, limit: Limit = 1000, at: At = None) -> Response:
    """Each file with its size, and how many of its pages are cached."""
    cost = partial(show_cost.files, start=start, limit=limit)
    found = await view(request, at, file_views.files, start, limit, cost=cost)
    return answer(found | {"next": onward(request, found["next"], limit, at)})


@router.get("/files/{path:path}", **docs.operation("get_file", "One file", vm_docs.ONE_FILE))
async def file(
    request: Request, path: FilePath, after: AfterIndex = None, limit: Limit = 1000, at: At = None
) -> Response:
    """Its cached pages by index with their states, and how far it is read ahead."""
    cost = partial(show_cost.file, path=f"/{path}", limit=limit)
    found = await view(request, at, or_none, file_views.file, f"/{path}", after, limit, cost=cost)
    if found is None:
        raise NotFound("file", f"/{path}")
    if found["next"] is not None:
        past = "" if at is None else f"&at={at}"
        found["next"] = f"{request.url.path}?after={found['next']}&limit={limit}{past}"
    return answer(found)


@router.get("/life", **docs.operation("get_life", "The life of a frame or a page", vm_docs.LIFE))
async def life(
    request: Request,
    pfn: FrameAsked = None,
    task: TaskAsked = None,
    addr: AddressAsked = None,
    after: After = 0,
    limit: Limit = 100,
    at: At = None,
) -> Response:
    """Every row in which it was allocated, mapped, shared, dirtied, moved between lists, swapped or freed."""
    faults = Faults()
    if pfn is None and task is None and addr is None:
        faults.add(("query", "pfn"), "a page frame, or instead `task` and `addr`")
    for name, value, other in (("task", task, addr), ("addr", addr, task)):
        if pfn is not None and value is not None:
            faults.add(("query", name), "not together with `pfn`")
        elif value is None and other is not None:
            faults.add(("query", name), "required: `task` and `addr` are given together")
    faults.check()
    look: Look
    if task is not None and addr is not None:
        look, asked = partial(lives.page, task=task, address=addr), f"task={task}&addr={addr:#x}"
    else:
        assert pfn is not None
        look, asked = partial(lives.frame, pfn=pfn), f"pfn={pfn}"
    sessions, principal, sid = addressed(request)
    try:
        found = await sessions.life(principal, sid, look, pfn, after, limit, at)
    except BadArgument as error:
        raise error.under("query") from None
    past = "" if at is None else f"&at={at}"
    onward = f"{request.url.path}?{asked}&after={found.reached}&limit={limit}{past}"
    return answer({"events": found.events, "next": None if found.reached is None else onward})


@router.get("/swaps", **docs.operation("list_swaps", "Swap areas", vm_docs.SWAPS))
async def swaps(request: Request, at: At = None) -> Response:
    """Areas to which pages can be written out, with their slots as runs."""
    return answer(await view(request, at, swap_views.swaps, cost=swap_views.cost))
