"""Drivers and lab sheets of the well-known books and courses, entered line by line as their authors write C.

Only lines that call the allocators are calls; loops, conditions and contents (`!`) are refused by line. A
declaration alone (`+`) changes nothing, and comes with the line behind it.
"""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.support.served import BASE, build, client_of

# A memory driver whose quanta are objects of a cache of its own.
QUANTA_OF_A_CACHE = """\
+ struct kmem_cache *quantum_cache;
quantum_cache = kmem_cache_create("quanta", 4000, 0, SLAB_HWCACHE_ALIGN, NULL); /* no ctor */
void **slots = kmalloc(1000 * sizeof(void *), GFP_KERNEL);
void *quantum = kmem_cache_alloc(quantum_cache, GFP_KERNEL);
! if (!quantum) goto nomem;
! memset(quantum, 0, 4000);
! for (i = 0; i < qset; i++)
kmem_cache_free(quantum_cache, quantum);
kfree(slots);
! if (quantum_cache)
kmem_cache_destroy(quantum_cache);
"""
# The same with whole pages, and a fault handler that counts its users.
QUANTA_OF_PAGES = """\
+ int order = 2;
unsigned long quantum = __get_free_pages(GFP_KERNEL, order);
! memset((void *)quantum, 0, PAGE_SIZE << order);
struct page *page = virt_to_page((void *)quantum);
get_page(page);
put_page(page);
! return 0;
+ int order = 2;
free_pages((unsigned long)quantum, order);
"""
# The page allocator and kmalloc, one after the other.
ALLOCATORS = """\
void *gptr1 = (void *)__get_free_page(GFP_KERNEL);
void *gptr2 = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, 3);
! pr_info("at %p\\n", gptr2);
struct page *pg = alloc_page(GFP_KERNEL);
void *gptr3 = page_address(pg);
void *exact = alloc_pages_exact(160 * 1024, GFP_KERNEL);
unsigned long zeroed = get_zeroed_page(GFP_KERNEL);
char *text = kzalloc(1024, GFP_KERNEL);
ksize(text);
void *area = vmalloc(10000);
void *either = kvmalloc(5 * 1024, GFP_KERNEL);
kvfree(either);
vfree(area);
kfree_sensitive(text);
free_page(zeroed);
free_pages_exact(exact, 160 * 1024);
__free_page(pg);
free_pages((unsigned long)gptr2, 3);
free_page((unsigned long)gptr1);
"""
# A first kernel module that allocates, and lists of structures.
FIRST_MODULE = """\
! mem = kmalloc(4096 * sizeof(*mem), GFP_KERNEL);
+ char *mem;
mem = kmalloc(4096 * sizeof(char), GFP_KERNEL);
! if (mem == NULL) return -ENOMEM;
kfree(mem);
struct list_head *ti1 = kmalloc(sizeof(struct list_head), GFP_KERNEL);
struct list_head *ti2 = kmalloc(2 * sizeof(void *), GFP_KERNEL);
! list_add(&ti1->list, &head);
kfree(ti1);
kfree(ti2);
"""
# Zones, references and locks of pages in a first course.
PAGES = """\
struct page *p = alloc_pages(GFP_KERNEL, 2);
page_count(p);
get_page(p);
put_page(p);
lock_page(p);
unlock_page(p);
SetPageReserved(p);
ClearPageReserved(p);
unsigned long pfn = page_to_pfn(p);
struct page *same = pfn_to_page(pfn);
__free_pages(same, get_order(4 * PAGE_SIZE));
struct page *d = alloc_page(GFP_KERNEL | __GFP_DMA);
! while (count--)
__free_page(d);
"""
SHEETS = {
    "quanta of a cache": QUANTA_OF_A_CACHE,
    "quanta of pages": QUANTA_OF_PAGES,
    "allocators": ALLOCATORS,
    "first module": FIRST_MODULE,
    "pages": PAGES,
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(build(tmp_path_factory.mktemp("sheets"))) as client:
        yield client


def free_frames(client: TestClient, path: str) -> int:
    text: str = client.get(f"{path}/proc/vmstat").text
    return int(next(line for line in text.splitlines() if line.startswith("nr_free_pages ")).split()[1])


@pytest.mark.parametrize("sheet", SHEETS)
def test_a_sheet_is_entered_line_by_line_and_leaks_nothing(client: TestClient, sheet: str) -> None:
    made = client.post(f"{BASE}/sessions", json={"machine": {"profile": "x86_64-1g", "pcp": False}})
    path = made.headers["location"]
    before = free_frames(client, path)
    declared = ""
    for line in SHEETS[sheet].splitlines():
        if line.startswith("+ "):
            declared = line.removeprefix("+ ") + "\n"
            continue
        text, declared = declared + line.removeprefix("! "), ""
        answer = client.post(f"{path}/calls", content=text, headers={"content-type": "text/plain"})
        if line.startswith("! "):
            assert answer.status_code in (400, 422), line
            assert "line" in answer.text, line
            continue
        assert answer.status_code == 201, (line, answer.text)
        assert [one["verdict"] for one in answer.json()["outcomes"]] == ["ok"], line
    assert before - free_frames(client, path) <= SLABS_KEPT


# Empty slabs stay with their cache: at most one of each size that a sheet asks for.
SLABS_KEPT = 40


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("vfree(dptr->data[i]);", "a member or an element of something is not taken"),
        ("char *p = kmalloc(GFP_KERNEL, 64);", "GFP_KERNEL is a mask, which stands behind the size"),
        ("void *d = kmap_atomic(page);", "kmap maps it for all"),
        ("kunmap_local(d);", "page_address"),
    ],
)
def test_what_such_code_has_beside_is_refused_in_words(client: TestClient, line: str, words: str) -> None:
    made = client.post(f"{BASE}/sessions", json={"machine": {"profile": "tiny-16m"}})
    answer = client.post(
        f"{made.headers['location']}/calls", content=line, headers={"content-type": "text/plain"}
    )
    assert answer.status_code in (400, 422)
    assert words in answer.text
