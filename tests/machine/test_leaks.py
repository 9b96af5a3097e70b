"""Who leaks: what calls hold, by row and task, and the same as page_owner's text."""

import re
from typing import Any

import pytest

from app.machine import boot, calltext, leaks, parsing
from app.machine.machine import Machine
from tests.support.random_calls import RandomCalls


def machine(text: str, **param: Any) -> Machine:
    m = boot.boot({"profile": "tiny-16m", "lecture": True, **param})
    names: dict[str, Any] = {}
    for seq, line in enumerate(calltext.parse_text(text), 1):
        assert line.name is not None
        call = parsing.parse(line.name, line.body, m.model, tuple(names)).resolve(names, m.model)
        made = m.apply(call, seq)
        if line.as_name:
            names[line.as_name] = made.named
    return m


def shown(m: Machine) -> list[tuple[Any, ...]]:
    return [
        (item["seq"], item["task"], item["what"], item["order"] if item["cache"] is None else item["cache"],
         item["count"], item["bytes"], item["alive"])
        for item in leaks.leaks(m)["items"]
    ]  # fmt: skip


def test_what_is_given_back_is_no_leak() -> None:
    m = machine("p = alloc_pages(GFP_KERNEL, 2)\no = kmalloc(100, GFP_KERNEL)\n__free_pages(p, 2)\nkfree(o)")
    assert leaks.leaks(m) == {"items": [], "tasks": [], "total": 0, "bytes": 0, "next": None}
    assert leaks.held_pages(m) == ("", None)


def test_what_is_left_is_told_by_row_and_task() -> None:
    m = machine(
        """
a: p = alloc_pages(GFP_KERNEL, 2)
a: o = kmalloc(100, GFP_KERNEL) * 3
b: v = vmalloc(10000)
b: q = alloc_page(GFP_KERNEL) * 2
c: f = alloc_page(GFP_KERNEL)
c: __free_page(f)
a: kfree(o[0:1])
kill_task(b)
"""
    )
    assert shown(m) == [
        (1, "a", "pages", 2, 1, 4 << 12, True),
        (2, "a", "objects", "kmalloc-128", 2, 256, True),
        (3, "b", "area", None, 1, 3 << 12, False),
        (4, "b", "pages", 0, 2, 2 << 12, False),
    ]
    found = leaks.leaks(m, 1, 2)
    assert [item["seq"] for item in found["items"]] == [2, 3]
    assert (found["total"], found["next"]) == (4, 3)
    assert [(one["task"], one["count"], one["bytes"]) for one in found["tasks"]] == [
        ("b", 3, 5 << 12),
        ("a", 3, (4 << 12) + 256),
    ]
    assert found["bytes"] == (9 << 12) + 256


def test_processes_and_the_kernel_leak_nothing() -> None:
    m = machine("a: execve()\na: fork(b)\nx: execve(/bin/x)\nkill_task(x)", lecture=False)
    assert shown(m) == []


def test_a_cache_that_is_there_is_no_leak_but_its_objects_are() -> None:
    m = machine('kmem_cache_create("t", 100, 0, 0)\na: kmem_cache_alloc("t", GFP_KERNEL)')
    assert shown(m) == [(2, "a", "objects", "t", 1, m.caches["t"].size, True)]


def test_a_long_text_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    m = machine("p = alloc_page(GFP_KERNEL) * 5")
    monkeypatch.setattr(leaks, "MAX_RECORDS", 3)
    text, last = leaks.held_pages(m)
    rest, end = leaks.held_pages(m, last)
    assert (text.count("\nPFN "), rest.count("\nPFN "), end) == (3, 2, None)
    monkeypatch.undo()
    assert text + rest == leaks.held_pages(m)[0]


def test_pages_are_told_as_page_owner_has_them() -> None:
    m = machine("a: p = alloc_pages(GFP_KERNEL|__GFP_COMP, 1)\nq = alloc_page(GFP_HIGHUSER_MOVABLE)")
    first, second = leaks.held_pages(m)[0].split("\n\n")[:2]
    order = sorted((first, second), key=lambda text: "seq_2" in text)
    assert re.fullmatch(
        r"Page allocated via order 1, mask 0x40cc0\(GFP_KERNEL\|__GFP_COMP\), pid \d+, tgid \d+ \(a\), "
        r"ts 1000 ns, free_ts 0 ns\nPFN \d+ type Unmovable Block \d+ type Unmovable "
        r"Flags 0x[0-9a-f]+\(head\|node=0\|zone=\d\|lastcpupid=0x[0-9a-f]+\)\n seq_1\+0x0/0x0",
        order[0],
    )
    assert "type Movable" in order[1]


def test_sums_are_those_of_the_rows_whatever_is_called() -> None:
    m = boot.boot({"profile": "tiny-16m", "cpus": 2})
    for seq, _ in enumerate(RandomCalls(m, 3).outcomes(1_500), 1):
        if not seq % 300:
            found = leaks.leaks(m, 0, 10_000)
            assert found["bytes"] == sum(item["bytes"] for item in found["items"])
            counts = [sum(one["count"] for one in found[part]) for part in ("tasks", "items")]
            assert counts[0] == counts[1]
            assert all(0 < item["seq"] <= seq for item in found["items"])
            assert leaks.held_pages(m)[0].count("\nPFN ") == sum(
                item["count"] for item in found["items"] if item["what"] == "pages"
            )
