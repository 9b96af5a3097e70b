"""Sessions as files: a session of calls of every kind, and files that were changed on their way."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from httpx2 import Response
from starlette.testclient import TestClient

from tests.support.served import BASE

NDJSON = {"content-type": "application/x-ndjson"}

Lines = list[dict[str, Any]]

TEXT = """\
p = alloc_pages(GFP_KERNEL, 3)
alice@0/softirq: get_page(p+3)
__free_pages(p, 3)
a = kmalloc(100, GFP_KERNEL)
big = kmalloc(40K, GFP_KERNEL)
v = vmalloc(20000)
kmem_cache_create(inodes, 600, 8, SLAB_HWCACHE_ALIGN)
o = kmem_cache_alloc(inodes, GFP_KERNEL)
insmod(e1000, 9999)
fill = alloc_pages(GFP_KERNEL, 0) * 300
__free_pages(fill[::2], 0)
objects = kmalloc(64, GFP_ATOMIC) * 50
kfree(objects[3:9])
q = alloc_page(GFP_KERNEL)
lock_page(q)
bob: lock_page(q)
unlock_page(q)
alloc_pages(GFP_KERNEL|__GFP_ATOMIC, 12)
free_pages(NULL, 0)
sysctl(min_free_kbytes, 2000)
vfree(v)
kfree(a)
kfree(a)
kill_task(bob)
nothing = alloc_pages(GFP_NOWAIT, 10) until NULL
"""


def exported(client: TestClient, sid: str) -> bytes:
    answer = client.get(f"{BASE}/sessions/{sid}/export")
    assert answer.status_code == 200, answer.text
    return answer.content


def imported(client: TestClient, file: bytes) -> Response:
    return client.post(f"{BASE}/sessions", content=file, headers=NDJSON)


def lines_of(file: bytes) -> Lines:
    return [json.loads(line) for line in file.splitlines()]


def file_of(lines: Lines, *, signed: bool = True) -> bytes:
    """The lines as a file. signed: with the right hash, as by somebody who forges it knowingly."""
    texts = [json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" for line in lines]
    if signed and "sha256" in lines[-1]:
        last = {**lines[-1], "sha256": hashlib.sha256(b"".join(texts[:-1])).hexdigest()}
        texts[-1] = json.dumps(last, separators=(",", ":")).encode() + b"\n"
    return b"".join(texts)


def changed(file: bytes, change: Callable[[Lines], object]) -> bytes:
    """The file with something changed, and the hash made right again."""
    lines = lines_of(file)
    change(lines)
    return file_of(lines)


def filled(client: TestClient, machine: dict[str, Any] | None = None) -> str:
    """A session with calls of all kinds, names, and rewinds."""
    body = {"name": "fragmentation, Übung 3", "machine": machine or {"profile": "tiny-16m"}}
    made = client.post(f"{BASE}/sessions", json=body)
    assert made.status_code == 201, made.text
    sid = str(made.json()["id"])
    one = f"{BASE}/sessions/{sid}"
    done = client.post(f"{one}/calls", content=TEXT, headers={"content-type": "text/plain"})
    assert done.status_code == 201, done.text
    for path, rewind in (("undo", {}), ("undo", {}), ("rewind", {"to": 5}), ("undo", {})):
        assert client.post(f"{one}/{path}", json=rewind).status_code == 201
    for _ in range(3):
        assert client.post(f"{one}/alloc_page", json={"gfp": "GFP_KERNEL"}).status_code == 201
    head = client.get(one).json()["seq"]
    assert client.post(f"{one}/rewind", json={"to": head - 4}).status_code == 201
    assert client.post(f"{one}/rewind", json={"to": 0}).status_code == 201
    assert client.post(f"{one}/kmalloc", json={"size": 5000, "flags": "GFP_KERNEL"}).status_code == 201
    assert client.post(f"{one}/undo", json={}).status_code == 201
    assert client.post(f"{one}/rewind", json={"to": head}).status_code == 201
    return sid
