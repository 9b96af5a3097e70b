"""Reports of kernels of several ages become machines: their counts and marks, and the request that failed."""

import re
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.errors import BadArgument
from app.machine import boot, invariants, proctext, ruleset
from app.machine.calltext import parse_line
from app.machine.machine import Machine
from app.machine.parsing import parse
from app.machine.parts.report import ASSUMED
from app.machine.proctext import reading, request
from app.mm.proc import buddyinfo
from app.web import reports
from tests.machine.test_proctext import PC, REPORT
from tests.support.reports import CGROUP, FIVE, LARGE_PAGES, OLD, REPORTS, SIX

SECOND = 1.0


def told(m: Machine) -> dict[str, Any]:
    found: dict[str, Any] = m.describe()["report"]
    return found


def keys(m: Machine) -> set[str]:
    return {one["key"] for one in told(m)["assumed"]}


@pytest.mark.parametrize("kernel", REPORTS)
def test_a_report_gives_its_counts_marks_reserves_and_request(kernel: str) -> None:
    text, marks, line = REPORTS[kernel]
    m = boot.boot({"proc": text})
    assert invariants.verify(m) == []
    assert boot.load(m.dump()).dump() == m.dump()
    zones = reading.read_report(text).zones
    assert [[area.nr_free for area in zone.free_area] for zone in m.zones] == [
        z.counts for z in zones.values()
    ]
    assert [[zone.wmark_pages(index) for index in range(3)] for zone in m.zones] == marks
    for zone, its in zip(m.zones, zones.values(), strict=True):
        assert zone.lowmem_reserve[: len(its.protection)] == its.protection[: len(zone.lowmem_reserve)]
    assert told(m)["line"] == line
    assert told(m)["kernel"].startswith(kernel)
    assert {"places", "owners", "bounds"} <= keys(m)
    assert not keys(m) & {"marks", "reserves", "memory"}


@pytest.mark.parametrize("kernel", ["3.10", "5.4", "6.8"])
def test_the_request_that_failed_fails_again(kernel: str) -> None:
    text, _, line = REPORTS[kernel]
    m = boot.boot({"proc": text})
    body = parse_line(line)
    outcome = m.apply(parse(str(body.name), body.body, m.model, {}).resolve({}, m.model), 1)
    assert outcome.verdict == "null"
    assert any("page allocation failure" in one for one in m.log)


def test_a_number_means_what_the_kernel_that_printed_it_meant() -> None:
    m = boot.boot({"proc": OLD})
    assert told(m)["call"]["gfp"] == "GFP_KERNEL|__GFP_COMP"
    assert "mask" in keys(m)
    assert "mask" not in keys(boot.boot({"proc": FIVE}))


def test_of_several_reports_the_first_is_taken_and_said_so() -> None:
    m = boot.boot({"proc": FIVE + SIX})
    assert (told(m)["kernel"][:3], len(m.zones)) == ("5.4", 3)
    assert "first" in keys(m)


def test_a_text_of_proc_has_no_request_and_assumes_what_it_does_not_say() -> None:
    m = boot.boot({"proc": PC})
    assert m.rules == ruleset.TODAY
    assert (told(m)["source"], told(m)["call"], told(m)["unread"]) == ("proc", None, [])
    assert {"memory", "types", "marks", "reserves"} <= keys(m)
    assert "report" not in boot.boot({"profile": "tiny-16m"}).describe()


def test_lines_that_say_nothing_of_memory_are_named() -> None:
    text = f"one\ntwo\n{REPORT}last\n"
    assert told(boot.boot({"proc": text}))["unread"] == [[1, 2], [9, 10]]


def test_the_page_says_every_assumption_in_the_words_of_the_api() -> None:
    assert reports.ASSUMED == ASSUMED


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (CGROUP, 1, "memory cgroup"),
        (LARGE_PAGES, 2, "from 4kB to 4096kB"),
        (FIVE[: FIVE.index("Apr 20 15:08:07 host kernel: Node 0 DMA32: ")], 6, "Node 0 DMA32"),
    ],
)
def test_half_a_report_is_refused_by_line(text: str, line: int, words: str) -> None:
    with pytest.raises(BadArgument) as refused:
        boot.boot({"proc": text})
    (fault,) = refused.value.faults
    assert fault.loc == ("proc", "line", line)
    assert words in fault.msg


@pytest.mark.parametrize(
    ("line", "task", "order"),
    [
        ("[1.0] Web Content: page allocation failure: order:2, mode:0xcc0", "Web_Content", 2),
        ("kernel: swapper/0: page allocation failure. order:1, mode:0x20", "swapper_0", 1),
        ("a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=-1, oom_score_adj=0", "a", None),
        ("[1.0] ]: page allocation failure: order:99", "_", None),
        (": page allocation stalls for 10004ms, order:0", "init", 0),
    ],
)
def test_who_asked_for_what(line: str, task: str, order: int | None) -> None:
    found = request.request_of(line)
    assert found is not None
    assert (found.task, found.order) == (task, order)


def torn(text: str) -> str:
    """The text as a log has it whose kernel did not say which pieces continue a line."""
    lines = []
    for line in text.splitlines():
        stamp, _, rest = line.partition("kernel: ")
        if "lowmem_reserve" in rest or "*4kB" in rest:
            rest = rest.replace("Node 0 ", "Node 0\n").replace(": ", ":\n", 1)
            rest = re.sub(r"(?<!=) ", "\n", rest).replace("Node\n", "Node ")
        elif " free:" in rest:
            rest = rest.replace("Node 0 ", "Node 0 \n")
        lines += [f"{stamp}kernel: {piece}" for piece in rest.split("\n")]
    return "\n".join(lines)


def test_a_report_that_the_log_has_torn_to_pieces_is_the_same() -> None:
    pieces = torn(FIVE)
    assert pieces.count("\n") > 60
    whole, again = boot.boot({"proc": FIVE}), boot.boot({"proc": pieces})
    assert invariants.verify(again) == []
    assert again.dump()["zones"] == whole.dump()["zones"]
    assert told(again)["call"] == told(whole)["call"]
    assert proctext.is_text(pieces)


# -- hostile texts -------------------------------------------------------------------------------------------

PIECES = (
    "Node 0 ", "Node 0, zone ", "DMA: ", "DMA32 ", "Normal", " free:1kB ", "1*4kB ", "(UME) ", "= 4kB",
    "0*8kB ", "min:", "9" * 12, "kB", "present:99999999kB ", "managed:1kB", "lowmem_reserve[]: ", " 1", "\n",
    "\r", " invoked oom-killer:", ": page allocation failure", "order:", "mode:", "0x", "GFP_KERNEL|", "(",
    ")", "*", " ", "Comm: a Not tainted 6.1.0-1 ", "reserved_highatomic:2048KB ", ", type Movable ",
    "cpu: 7", "spanned 9", "\x00", "\u2028", "Number of blocks type ", "protection: (0, 1)", "pages free 1",
)  # fmt: skip
LONG = [
    "Node 0 " * 150_000,
    "DMA: " + "1*4kB " * 170_000,
    "DMA: " + "1*4kB (U) " * 100_000 + "=",
    "Normal free:" + "1" * 1_000_000,
    "x free:1kB " + "min:1" * 200_000,
    ": page allocation failure" * 40_000,
    "a invoked oom-killer: gfp_mask=" + "0" * 1_000_000,
    "a invoked oom-killer: gfp_mask=0xcc0(" + "GFP_KERNEL|" * 90_000 + ", order=" + "1" * 1000,
    "lowmem_reserve[]:" + " 1" * 500_000,
    "CPU: 0 Comm: a Not tainted " + "6.1." * 250_000,
    " invoked oom-killer:\n" * 47_000,
    "Node 0, zone DMA " + "1 " * 500_000,
    "Node 0, zone DMA 1 0 0 0 0 0 0 0 0 0 0\n" + "Node 0, zone DMA\n  cpu: 0\n" * 38_000,
    REPORT.replace("present:1032060kB managed:982000kB", "present:999999999999kB managed:999999999999kB"),
    PC + "Node 0, zone Normal\n  spanned 4294967296\n  present 4294967296\n  managed 4294967296\n",
    "Node 0\n" * 149_000,
    "DMA:\n" * 209_000,
    "DMA:\n" + "1*4kB\n" * 170_000,
    "lowmem_reserve[]:\n" + "1\n" * 500_000,
    "(" * 1_000_000,
    "\n" * 1_000_000,
    "] " * 500_000 + ": page allocation failure: order:0",
]


@pytest.mark.parametrize("text", LONG, ids=range(len(LONG)))
def test_a_text_of_a_mebibyte_is_read_in_less_than_a_second_of_work(text: str) -> None:
    began = time.process_time()
    with suppress(BadArgument):
        proctext.dump_of(text[: 1 << 20])
    assert time.process_time() - began < SECOND


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=60).map("".join))
@example(": page allocation failure: order:3, mode:0xcc0(GFP_")
def test_no_text_is_anything_but_a_machine_or_refused_in_words(text: str) -> None:
    with suppress(BadArgument):
        assert invariants.verify(boot.boot({"proc": text})) == []


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(REPORTS)),
    st.integers(0, 4000),
    st.integers(0, 40),
    st.sampled_from(["", "0", "9", "kB", "\n", "-1", "(H)", "Node 7 "]),
)
def test_a_report_that_somebody_has_cut_or_changed(kernel: str, at: int, gone: int, put: str) -> None:
    text = REPORTS[kernel][0]
    changed = text[: at % len(text)] + put + text[at % len(text) + gone :]
    with suppress(BadArgument):
        m = boot.boot({"proc": changed})
        assert invariants.verify(m) == []
        assert buddyinfo.show(m).count("\n") == len(m.zones)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("source", "hearsay"),
        ("assumed", ["everything"]),
        ("unread", [[0, 1]]),
        ("kernel", "6" * 101),
        ("call", ["a b", 0, 0]),
        ("call", ["a", 1 << 32, 0]),
        ("call", ["a", 0, 11]),
    ],
)
def test_what_a_dump_says_of_its_text_is_checked(key: str, value: Any) -> None:
    dump = boot.boot({"proc": FIVE}).dump()
    dump["report"][key] = value
    with pytest.raises(BadArgument) as refused:
        boot.load(dump)
    assert refused.value.faults[0].loc[:3] == ("dump", "report", key)
