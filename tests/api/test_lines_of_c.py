"""`POST /sessions/{id}/calls` with lines of C: what names stand for, what is refused, what was meant."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.api import models
from tests.support.served import BASE, problem

pytest_plugins = ("tests.support.clients",)

At = Callable[[str], str]


def post(client: TestClient, at: At, text: str) -> Any:
    return client.post(
        at("/calls"), content=text.encode(), headers={"content-type": "text/plain; charset=utf-8"}
    )


def run(client: TestClient, at: At, text: str) -> list[dict[str, Any]]:
    answer = post(client, at, text)
    assert answer.status_code == 201, answer.text
    outcomes: list[dict[str, Any]] = answer.json()["outcomes"]
    return outcomes


SCULLC = """\
/* declare one cache pointer: use it for all devices */
kmem_cache_t *scullc_cache;
int scullc_quantum = 4000;   // ldd3 scullc/main.c

scullc_cache = kmem_cache_create("scullc", scullc_quantum,
\t\t\t0, SLAB_HWCACHE_ALIGN, NULL, NULL); /* no ctor/dtor */
data = kmem_cache_alloc(scullc_cache, GFP_KERNEL);
kmem_cache_free(scullc_cache, data);
kmem_cache_destroy(scullc_cache);
"""


def test_a_driver_line_by_line(client: TestClient, at: At) -> None:
    outcomes = run(client, at, SCULLC)
    assert [outcome["verdict"] for outcome in outcomes] == ["ok"] * 4
    assert [outcome["args"].get("cache") for outcome in outcomes] == [None, "scullc", "scullc", "scullc"]
    assert outcomes[1]["object"]["cache"] == "scullc"


def test_a_cache_is_known_by_name_and_by_pointer(client: TestClient, at: At) -> None:
    (made,) = run(client, at, 'c = kmem_cache_create("t", 100)')
    for cache in ("t", made["ret"], "$c"):
        answer = client.post(
            at("/calls"), json={"calls": [{"call": "kmem_cache_alloc", "cache": cache, "flags": 0}]}
        )
        (outcome,) = answer.json()["outcomes"]
        assert (outcome["args"]["cache"], outcome["object"]["cache"]) == ("t", "t")
    for cache in ("c", "t", '"t"'):
        (outcome,) = run(client, at, f"kmem_cache_alloc({cache}, GFP_KERNEL)")
        assert outcome["args"]["cache"] == "t"
    (outcome,) = run(client, at, 'kmem_cache_alloc("c", GFP_KERNEL)')
    assert outcome["verdict"] == "bug"  # no cache was given that name


def test_a_word_is_a_cache_until_it_is_a_name(client: TestClient, at: At) -> None:
    outcomes = run(
        client,
        at,
        'kmem_cache_create("c", 64)\nkmem_cache_shrink(c)\n'
        'c = kmem_cache_create("other", 64);\nkmem_cache_shrink(c)\n'
        "c = alloc_page(GFP_KERNEL)\nkmem_cache_shrink(c)",
    )
    assert [outcomes[index]["args"]["cache"] for index in (1, 3, 5)] == ["c", "other", "c"]


def test_the_name_of_a_page_is_no_cache(client: TestClient, at: At) -> None:
    run(client, at, "p = alloc_page(GFP_KERNEL)")
    body = {"calls": [{"call": "kmem_cache_shrink", "cache": "$p"}]}
    problem(client.post(at("/calls"), json=body), 422, "calls", 0, "cache")


def test_what_a_call_returned_is_what_its_name_stands_for(client: TestClient, at: At) -> None:
    outcomes = run(
        client,
        at,
        "unsigned long a = __get_free_pages(GFP_KERNEL, 3);\n"
        "struct page *p = virt_to_page(a);\nget_page(p);\n"
        "void *v = page_address(p);\nfree_pages((unsigned long)v, 3);\nk = kmap(p);\nput_page(p);",
    )
    assert {outcome["verdict"] for outcome in outcomes} == {"ok"}
    assert outcomes[4]["args"]["addr"] == outcomes[0]["ret"]


def test_every_line_at_fault_is_named(client: TestClient, at: At) -> None:
    document = problem(
        post(
            client,
            at,
            "p = alloc_page(GFP_KERNEL);\nif (!p)\n\treturn -ENOMEM;\n/*\n*/ aloc_page(1);\nkfree(\n",
        ),
        400,
        "line",
        2,
    )
    assert [error["loc"] for error in document["errors"]] == [
        ["line", 2],
        ["line", 3],
        ["line", 5],
        ["line", 6],
    ]
    models.Problem.model_validate(document)
    assert client.get(at("")).json()["seq"] == 0


@pytest.mark.parametrize(
    ("text", "word", "suggestions"),
    [
        ("alloc_page(GFP_KERNAL)", "GFP_KERNAL", ["GFP_KERNEL"]),
        ("aloc_pages(GFP_KERNEL, 0)", "aloc_pages", ["alloc_pages", "alloc_page"]),
        ("malloc(30)", "malloc", ["kmalloc", "vmalloc", "kvmalloc"]),
        ('kmem_cache_create("x", 8, 0, SLAB_HWCACHE_ALGIN)', "SLAB_HWCACHE_ALGIN", ["SLAB_HWCACHE_ALIGN"]),
        ("bufer = kmalloc(8, GFP_KERNEL)\nkfree(buffer)", "buffer", ["bufer"]),
        ("sysctl(min_free_kbyte, 1)", "min_free_kbyte", ["min_free_kbytes"]),
    ],
)
def test_what_was_meant(client: TestClient, at: At, text: str, word: str, suggestions: list[str]) -> None:
    document = problem(post(client, at, text), 422)
    (error,) = document["errors"]
    assert (error["word"], error["suggestions"]) == (word, suggestions)


def test_what_is_like_nothing_has_no_suggestions(client: TestClient, at: At) -> None:
    (error,) = problem(post(client, at, "frobnicate(1)"), 422)["errors"]
    assert set(error) == {"loc", "msg"}


def test_a_declaration_alone_is_no_batch(client: TestClient, at: At) -> None:
    document = problem(post(client, at, "void *buf;"), 422, "calls")
    assert "nothing is called here" in document["detail"]


def test_a_size_is_the_machines(client: TestClient, at: At) -> None:
    (outcome,) = run(client, at, "kmalloc(3 * sizeof(struct page), GFP_KERNEL)")
    assert outcome["args"]["size"] == 192


@pytest.mark.parametrize(
    ("query", "kernels"),
    [
        ("mask=0xd0", ["6.1", "2.6.31–4.3"]),
        ("mask=0x20", ["6.1", "2.6.31–4.3"]),
        ("mask=mode:0x2040d0", ["6.1", "2.6.31–4.3"]),
        ("mask=0xd0&kernel=3.10.0-1062.el7", ["3.10", "6.1"]),
        ("mask=0x40cc0(GFP_KERNEL|__GFP_COMP)", ["6.1"]),
    ],
)
def test_a_mask_has_the_readings_of_its_kernels(client: TestClient, query: str, kernels: list[str]) -> None:
    document = client.get(f"{BASE}/gfp?{query}").json()
    models.DecodedMask.model_validate(document)
    assert [reading["kernel"] for reading in document["readings"]] == kernels


def test_a_printed_mask_means_its_names(client: TestClient) -> None:
    document = client.get(f"{BASE}/gfp", params={"mask": "0x24000c0(GFP_KERNEL)"}).json()
    assert (document["value"], document["names"]) == (0xCC0, "GFP_KERNEL")
    assert document["readings"][1]["kernel"] == "4.4–4.9"


@pytest.mark.parametrize("kernel", ["", "2.6.18", "vmlinuz", "9" * 101])
def test_no_kernel(client: TestClient, kernel: str) -> None:
    problem(client.get(f"{BASE}/gfp?mask=1&kernel={kernel}"), 422, "query", "kernel")
