"""A kernel's log as calls: lines of every form, pairs, what cannot be used, and a real log frame by frame."""

import asyncio
import gzip
import json
import random
import time
from collections.abc import Coroutine
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.errors import BadArgument
from app.ftrace import conversion, lines
from app.ftrace.adopting import adopt
from app.ftrace.conversion import Converted, convert
from app.ftrace.lines import Event
from app.sessions import LOCAL, IdempotencyKey, LimitReached, Preconditions, Reply, Sessions
from app.sessions.kernel_logs import KernelLog, plan, profile_for
from tests.support.factories import serving, settings_for
from tests.support.patience import SOON

LOGS = Path(__file__).parents[1] / "logs"
MARKS = ("4242", "4243")


@cache
def real() -> str:
    return gzip.decompress((LOGS / "shell.ftrace.txt.gz").read_bytes()).decode()


def dump(name: str) -> dict[str, Any]:
    return dict(json.loads(gzip.decompress((LOGS / f"shell.{name}.json.gz").read_bytes())))


def line(text: str, *, head: str = "bash-711 [000] ..... 2.000001: ") -> str:
    return f"{head}{text}\n"


def alloc(pfn: int | str, order: int = 0, gfp: str = "GFP_KERNEL", **more: str) -> str:
    at = f"{pfn:#x}" if isinstance(pfn, int) else pfn
    text = f"mm_page_alloc: page=00000000f2e4b0c1 pfn={at} order={order} migratetype=0 gfp_flags={gfp}"
    return line(text, **more)


def free(pfn: int, order: int = 0, **more: str) -> str:
    return line(f"mm_page_free: page=00000000f2e4b0c1 pfn={pfn:#x} order={order}", **more)


def calls(found: Converted) -> list[tuple[str, dict[str, Any], str | None]]:
    return [(call.call, call.body, call.name) for call in found.calls]


@pytest.mark.parametrize(
    ("head", "cpu", "context"),
    [
        ("            bash-711     [000] .....     2.282937: ", 0, "process"),
        ("          <idle>-0       [003] d.s2.   123.456789: ", 3, "softirq"),
        ("    kworker/u8:2-4711    [012] d.h1.  99999.000001: ", 12, "hardirq"),
        ("    kworker/u8:2-4711    [012] d.H1.  99999.000001: ", 12, "hardirq"),
        ("            bash-711     (    711) [001] .....     2.282937: ", 1, "process"),
        ("            bash-711     (-------) [001] .....     2.282937: ", 1, "process"),
        ("            bash-711   [001]  2.282937: ", 1, "process"),  # trace-cmd report, and without irq-info
        ("   a name-of-it-711   [001]  2.282937123: ", 1, "process"),
    ],
)
def test_the_forms_of_a_line(head: str, cpu: int, context: str) -> None:
    (event,) = lines.events(alloc(0x61EE, head=head).replace("mm_page_alloc:", "mm_page_alloc:       "))
    assert isinstance(event, Event)
    assert (event.line, event.cpu, event.context, event.name) == (1, cpu, context, "mm_page_alloc")
    assert event.values["pfn"] == "0x61ee"


def test_pairs() -> None:
    found = convert(
        alloc(0x400, 2)
        + alloc(0x404, 0, "GFP_ATOMIC|__GFP_ZERO")
        + free(0x400, 2)
        + alloc(0x400)
        + free(0x404)
    )
    assert calls(found) == [
        ("alloc_pages", {"gfp": "GFP_KERNEL", "order": 2}, "p400"),
        ("alloc_pages", {"gfp": "GFP_ATOMIC|__GFP_ZERO", "order": 0}, "p404"),
        ("__free_pages", {"page": "$p400", "order": 2}, None),
        ("alloc_pages", {"gfp": "GFP_KERNEL", "order": 0}, "p400"),
        ("__free_pages", {"page": "$p404", "order": 0}, None),
    ]
    assert [call.line for call in found.calls] == [1, 2, 3, 4, 5]


def test_the_callers_cpu_and_context() -> None:
    found = convert(alloc(1, head="a-1 [002] d.s1. 1.5: ") + free(1, head="a-1 [000] d.h1. 1.5: "))
    assert [call.body for call in found.calls] == [
        {"gfp": "GFP_KERNEL", "order": 0, "cpu": 2, "context": "softirq"},
        {"page": "$p1", "order": 0, "context": "hardirq"},
    ]


def test_decimal_frames_no_mask_and_no_page() -> None:
    found = convert(alloc("1024", gfp="none") + alloc("0x0", 10) + free(1024))
    assert calls(found)[0] == ("alloc_pages", {"gfp": "0", "order": 0}, "p400")
    assert found.calls[1].pfn is None
    assert calls(found)[2] == ("__free_pages", {"page": "$p400", "order": 0}, None)


def test_pages_of_vmalloc() -> None:
    text = "kmalloc: call_site=__vmalloc_node_range+0x1/0x2 ptr=000 bytes_req=24 bytes_alloc=32"
    found = convert(line(text))
    assert calls(found) == [("alloc_pages", {"gfp": "GFP_KERNEL|__GFP_NOWARN", "order": 0}, None)] * 3


def test_what_cannot_be_used_is_told_by_line_or_reason() -> None:
    log = (
        "# tracer: nop\n#\n\n"
        + alloc(1)
        + "nonsense\nmore nonsense\n"
        + alloc(2, gfp="GFP_NEW_ONE")
        + free(2)
        + alloc(3, 99)
        + line("mm_page_free: page=0 pfn=0xzz order=0")
        + line("mm_page_free_batched: page=0 pfn=0x1 order=0")
        + line("sched_switch: prev_comm=bash")
        + "x" * 5_000
        + "\n"
    )
    found = convert(log)
    assert dict(found.unused) == {
        conversion.NO_EVENT: 3, conversion.UNKNOWN_FLAG: 1, conversion.SKIPPED: 1, conversion.BROKEN: 2,
        conversion.SECOND: 1, conversion.OTHER: 1,
    }  # fmt: skip
    assert found.unread == [[5, 6], [13, 13]]
    assert found.unused_lines[conversion.BROKEN] == [9, 10]
    assert found.unused_lines[conversion.NO_EVENT] == [5, 6, 13]
    assert (found.lines, found.events, len(found.calls)) == (13, 7, 1)


def test_the_first_lines_of_each_reason() -> None:
    found = convert(alloc(1) + line("sched_switch: x") * 30)
    assert found.unused == {conversion.OTHER: 30}
    assert found.unused_lines == {conversion.OTHER: [*range(2, 12)]}


def test_lists_that_are_emptied_after_a_free_and_by_themselves() -> None:
    def drain(cpu: int = 0) -> str:
        return line("mm_page_pcpu_drain: page=0 pfn=0x9 order=0", head=f"a-1 [{cpu:03}] ..... 1.5: ")

    found = convert(alloc(1) + drain() + free(1) + drain() * 2 + drain(3) + alloc(2) + drain() * 2)
    assert found.unused_lines == {conversion.OWN_DRAIN: [2, 6, 8, 9], conversion.DRAIN: [4, 5]}


def test_marks() -> None:
    def marker(text: str) -> str:
        return line(f"tracing_mark_write: {text}")

    log = alloc(1) + marker("begin it") + alloc(2) + line("kmalloc: call_site=x bytes_req=77") + alloc(3)
    assert [call.pfn for call in convert(log, "begin it").calls] == [2, 3]
    assert [call.pfn for call in convert(log, "begin it", "77").calls] == [2]
    assert [call.pfn for call in convert(log, None, "77").calls] == [1, 2]
    for first, last, place in (("end", None, "from"), (None, "end", "to"), ("77", "begin it", "to")):
        with pytest.raises(BadArgument) as refused:
            convert(log, first, last)
        assert refused.value.faults[0].loc == (place,)


@pytest.mark.parametrize("log", ["", "\n\n", "# tracer: nop\n", "nonsense", line("sched_switch: x")])
def test_a_log_without_pages(log: str) -> None:
    with pytest.raises(BadArgument, match="tells of no pages"):
        convert(log)


def test_frames_in_use_before_are_put_into_the_dump() -> None:
    document = {
        "zones": [{"free_list": {"0U": [5], "10M": [1024]}, "pcp": [{"lists": {"0": [7], "12": [512]}}]}],
        "pages": [[3, 0, 1, 0, 0xCC0, "unmovable", "init", 0, 0]],
    }
    adopted, left = adopt(document, {5: 0, 7: 0, 3: 0, 9: 1, 1030: 0, 600: 0, 4: 1})
    assert left == {5, 7, 1030, 600, 4}
    assert [row[:2] for row in adopted["pages"]] == [[3, 0], [9, 1]]
    assert len(document["pages"]) == 1


def test_what_shares_a_frame_with_a_block_in_use_is_left_out() -> None:
    document = {"zones": [], "pages": [[8, 1, 1, 0, 0xCC0, "unmovable", "init", 0, 0]]}
    adopted, left = adopt(document, {8: 1, 9: 0, 16: 2, 18: 0, 20: 0})
    assert left == {9, 18}
    assert [row[:2] for row in adopted["pages"]] == [[8, 1], [16, 2], [20, 0]]


def test_what_is_in_no_zone_is_left_out() -> None:
    document = {"zones": [{"start_pfn": "0x1", "spanned": 15}, {"start_pfn": "0x20", "spanned": 8}]}
    adopted, left = adopt(document, {0: 0, 1: 0, 14: 1, 15: 1, 0x20: 3, 0x28: 0, 1 << 40: 0})
    assert left == {0, 15, 0x28, 1 << 40}
    assert [row[:2] for row in adopted["pages"]] == [[1, 0], [14, 1], [0x20, 3]]


WRONG = (
    {},
    {"pages": 7},
    {"zones": 3},
    {"zones": [1, {"free_list": [], "pcp": 7}]},
    {"pages": [None, [], ["x"]], "zones": [{"free_list": {"x": ["y"]}}]},
    {"pages": [[[1], 0], [{}], [3, -1], [4, 1 << 70], [5, None]]},
    {"zones": [7, {"start_pfn": "x", "spanned": 1}, {"start_pfn": [], "spanned": None}]},
    {"zones": [{"free_list": {"": [1], "99M": [2]}, "pcp": [{"lists": {"999": [3]}}]}]},
)


@pytest.mark.parametrize("document", WRONG)
def test_a_dump_that_is_wrong_is_refused_where_it_is_read(document: dict[str, Any]) -> None:
    adopt(document, {1: 0})


def test_the_machine_of_a_log_without_a_dump() -> None:
    for pfn, profile in (
        (1, "x86_64-1g"),
        (1 << 18, "x86_64-8g"),
        (9 << 18, "x86_64-64g"),
        (1 << 24, "x86_64-1t"),
    ):
        assert profile_for(convert(alloc(pfn))) == profile
    found = plan({}, KernelLog(alloc(1, head="a-1 [005] ..... 1.5: ") + free(77)))
    assert found.machine == {"cpus": 6, "profile": "x86_64-1g"}
    assert (len(found.calls), found.left) == (1, 1)
    with pytest.raises(BadArgument, match="frees only what was in use"):
        plan({}, KernelLog(free(77)))


# -- as sessions ---------------------------------------------------------------------------------------------


async def test_every_frame_of_a_real_kernel(sessions: Sessions) -> None:
    made = await sessions.from_log(LOCAL, "shell", {"dump": dump("before")}, KernelLog(real(), *MARKS))
    compared = made.compared
    assert (compared.agreeing, compared.allocations) == (2395, 2395)
    assert (compared.adopted, compared.left, compared.different) == (6, 0, ())
    assert conversion.OWN_DRAIN not in compared.log.unused
    assert made.info.seq == 4760 == len(compared.log.calls)
    after, ours = dump("after"), await sessions.dump(LOCAL, made.info.id)
    for kernel, zone in zip(after["zones"], ours["zones"], strict=True):
        assert zone["free_list"] == kernel["free_list"]
        assert zone["pcp"] == kernel["pcp"]


async def test_without_a_dump_the_calls_are_made_all_the_same(sessions: Sessions) -> None:
    log = alloc(0x400, 2) + free(0x999) + free(0x400, 2)
    made = await sessions.from_log(LOCAL, None, {}, KernelLog(log))
    shown = made.compared.as_json()
    assert (shown["calls"], shown["allocations"], shown["adopted"]) == (2, 1, 0)
    assert shown["unused"] == {conversion.BEFORE: 1}
    assert shown["unused_lines"] == {conversion.BEFORE: [2]}
    (different,) = shown["different"]
    assert (different["line"], different["seq"], different["kernel"]) == (1, 1, 0x400)
    assert await sessions.read(LOCAL, made.info.id, lambda machine: machine.live_blocks) == 0


async def test_nothing_is_left_of_what_cannot_be_made(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path, names_per_person=3)) as sessions:
        with pytest.raises(BadArgument) as refused:
            await sessions.from_log(
                LOCAL,
                None,
                {"profile": "tiny-16m", "cpus": 1},
                KernelLog(alloc(1, head="a-1 [003] ..... 1.5: ")),
            )
        assert refused.value.faults[0].loc[:3] == ("log", "line", 1)
        with pytest.raises(LimitReached):
            await sessions.from_log(LOCAL, None, {}, KernelLog("".join(alloc(pfn) for pfn in range(1, 9))))
        assert (await sessions.list(LOCAL)).items == []


async def test_of_two_equal_requests_at_once_one_session_is_left(sessions: Sessions) -> None:
    def request() -> Coroutine[Any, Any, Any]:
        key = IdempotencyKey("local", "log", "same", lambda _: Reply(201, (), b"{}"))
        return sessions.from_log(LOCAL, None, {}, KernelLog(alloc(1)), preconditions=Preconditions(None, key))

    found = await asyncio.gather(request(), request(), return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["AlreadyAnswered", "Replayed"]
    assert len((await sessions.list(LOCAL)).items) == 1


async def test_more_calls_than_a_batch_has(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path, batch_calls=7)) as sessions:
        log = "".join(alloc(pfn) for pfn in range(1, 20))
        made = await sessions.from_log(LOCAL, None, {"profile": "tiny-16m"}, KernelLog(log))
        assert made.info.seq == 19


def test_many_lines_take_time_by_the_line() -> None:
    for log in (
        alloc(1) * 20_000,
        "-" * (1 << 20),
        ("a-" * 900 + "\n") * 500,
        "a b-" * (1 << 18),
        line("kmalloc: " + "a" * 1_900) * 2_200,
        " \n" * (1 << 19),
    ):
        begun = time.process_time()
        with suppress(BadArgument):
            convert(log)
        assert time.process_time() - begun < SOON


@pytest.mark.parametrize("seed", range(30))
def test_broken_logs_are_read_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    text = list("".join(real().splitlines(keepends=True)[2000:2200]))
    for _ in range(chance.randrange(1, 400)):
        place = chance.randrange(len(text))
        text[place] = chance.choice(
            ["", "\n", "0", "x", "=", " ", "\x00", "é", "-" * 50, "9" * 30, "|", "pfn=", text[place] * 3]
        )
    try:
        found = plan({}, KernelLog("".join(text)))
    except BadArgument:
        return
    assert all(call.body["order"] <= 10 for call in found.calls)
