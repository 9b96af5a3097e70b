"""The inspector of an address: what is there, whose it is, and which calls make sense on it."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.web import address, address_inspector
from app.web.address import Address
from app.web.contexts.inspector import AddressView
from tests.machine.test_show_address import machine
from tests.support.served import BASE, build, client_of

HERE = Address("S")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(build(tmp_path_factory.mktemp("inspector"))) as client:
        yield client


def session(client: TestClient, *lines: str, profile: str = "x86_64-1g") -> tuple[str, list[Any]]:
    """A session on which these lines have been called; its path, and what each returned."""
    made = client.post(f"{BASE}/sessions", json={"machine": {"profile": profile}}).json()
    path = f"/sessions/{made['id']}"
    answers = [
        client.post(f"{BASE}{path}/calls", content=line, headers={"Content-Type": "text/plain"}).json()
        for line in lines
    ]
    return path, [answer["outcomes"][0]["ret"] for answer in answers]


def inspector(client: TestClient, path: str, obj: str, more: str = "") -> str:
    """The inspector's markup."""
    page = client.get(f"{path}?obj={obj}{more}")
    assert page.status_code == 200
    found = re.search(r'<section class="inspector open".*?</section>', page.text, re.DOTALL)
    assert found
    return unescape(found[0])


def thing(m: Any, text: str) -> AddressView:
    doc = address_inspector.read(m, HERE.to(obj=text))
    assert doc is not None
    return address_inspector.address_inspector(doc, HERE.to(obj=text))


def test_an_object_with_its_cache_its_slab_and_its_owner() -> None:
    m, (addr,) = machine("alice: kmalloc(100, GFP_KERNEL)")
    found = thing(m, addr)
    assert (found.kind, found.address, found.state) == ("Object", addr, "slab")
    assert found.owner is not None
    assert (found.owner.name, found.owner.value) == ("allocated by alice at", "#1")
    facts = {fact.name: fact for fact in (*found.facts, *found.slab)}
    assert facts["object_size"].value == "128 bytes"
    assert "slabs=kmalloc-128" in str(facts["cache"].href)
    pfn = m.model.virt_to_pfn(int(addr, 16))
    assert facts["first frame"].href == HERE.at(pfn)
    assert [action.call for action in found.actions] == ["kfree", "ksize"]
    assert found.actions[0].fields == (("addr", addr),)
    assert found.forms[0].href == HERE.to(obj=addr, call="krealloc", addr=addr).href + "#call"
    assert [cell.index == found.index for cell in found.beside].count(True) == 1


def test_an_object_of_a_cache_of_ones_own_goes_back_to_it() -> None:
    m, (_, addr) = machine('kmem_cache_create("mine", 200)', "kmem_cache_alloc(mine, GFP_KERNEL)")
    assert thing(m, addr).actions[0].fields == (("cache", "mine"), ("addr", addr))


def test_a_free_object_says_when_it_goes_and_offers_the_mistake() -> None:
    m, (addr, _) = machine("a = kmalloc(100, GFP_KERNEL)", "kfree(a)")
    found = thing(m, addr)
    assert "free, the next to be given out" in found.summary
    assert [action.label for action in found.actions] == ["kfree again"]
    assert found.owner is None


def test_the_grid_opens_where_the_slab_is() -> None:
    m, _ = machine("a = kmalloc(4096, GFP_KERNEL) * 200")
    pfns = sorted(m.caches["kmalloc-4k"].slabs)
    last = m.caches["kmalloc-4k"].slabs[pfns[-1]]
    found = thing(m, f"{last.base:#x}")
    assert f"slab={(len(pfns) - 1) // 8 * 8}&" in str(found.facts[0].href)


def test_an_area_with_its_guard_its_frames_and_vfree() -> None:
    m, (addr,) = machine("alice: vmalloc(400K)")
    found = thing(m, addr)
    facts = {fact.name: fact.value for fact in found.facts}
    assert (found.kind, facts["pages"], facts["size"]) == ("vmap area", "100", "404 KiB")
    assert facts["guard page"] == f"{int(addr, 16) + 400 * 1024:#x}"
    assert (len(found.frames), found.more) == (64, 36)
    assert found.frames[0].href == HERE.to(obj=addr).at(int(found.frames[0].text, 16))
    assert [action.call for action in found.actions] == ["vfree"]
    assert "guard page, where every access faults" in thing(m, facts["guard page"]).summary
    kernels = next(iter(m.vmap.busy)).va_start
    assert thing(m, f"{kernels:#x}").address == f"{kernels:#x}"


def test_whole_pages_lead_to_their_frame() -> None:
    m, (large, pages) = machine("kmalloc(20000, GFP_KERNEL)", "__get_free_pages(GFP_KERNEL, 2)")
    found = thing(m, large)
    assert found.facts[0].href == HERE.to(obj=large).at(m.model.virt_to_pfn(int(large, 16)))
    assert [action.call for action in found.actions] == ["kfree", "ksize", "free_pages"]
    assert [action.call for action in thing(m, pages).actions] == ["free_pages"]
    inside = thing(m, f"{int(large, 16) + 4096:#x}")
    assert inside.actions == []
    assert [fact.name for fact in inside.facts] == ["frame", "size", "head"]


@pytest.mark.parametrize("text", ["", "kmalloc", "0x", "-1", str(1 << 64), "0", "16", "<b>"])
def test_what_is_no_address_is_said(client: TestClient, text: str) -> None:
    path, _ = session(client)
    if text:
        assert "Address" in inspector(client, path, text)
    else:
        assert client.get(f"{path}?obj=").status_code == 200


def test_the_page_shows_it_and_the_button_gives_it_back(client: TestClient) -> None:
    path, (addr, _) = session(client, "alice: kmalloc(100, GFP_KERNEL)", "bob: kmalloc(100, GFP_KERNEL)")
    shown = inspector(client, path, addr, "&panel=slab&slabs=kmalloc-128")
    assert "allocated by alice" in shown
    form = re.search(r'action="([^"]*/call/kfree)".*?</form>', shown, re.DOTALL)
    assert form
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))
    answer = client.post(form[1], data=fields)
    assert answer.status_code == 303
    assert f"obj={addr}" in answer.headers["location"]
    assert "free, the next" in inspector(client, path, addr)
    # The past still has it.
    past = inspector(client, path, addr, "&at=2")
    assert "allocated by alice" in past
    assert '<button class="mono" disabled>kfree' in past


def test_addresses_on_the_page_lead_to_it(client: TestClient) -> None:
    path, (addr, area, page) = session(
        client, "kmalloc(100, GFP_KERNEL)", "a = vmalloc(20K)", "alloc_pages(GFP_KERNEL, 0)"
    )
    journal = unescape(client.get(path).text)
    for found in (addr, area):
        assert re.search(rf'obj={found}[^"]*">{found}</a>', journal)
    assert f"obj={page}" not in journal
    for panel, found in (("slab&slabs=kmalloc-128", addr), ("vmalloc", area)):
        assert f"obj={found}" in unescape(client.get(f"{path}?panel={panel}").text)


def test_a_frame_and_an_address_are_not_inspected_at_once() -> None:
    here = HERE.to(obj="0x10")
    assert "obj" not in here.at(5)
    assert "pfn" not in HERE.to(pfn=5).inspect("0x10").href
    assert address.parse("S", "obj=0x10").obj == "0x10"


def test_the_switches_stand_below_the_zones_whatever_is_inspected(client: TestClient) -> None:
    made = client.post(
        f"{BASE}/sessions", json={"machine": {"profile": "tiny-16m", "lecture": True, "debug": True}}
    )
    path = f"/sessions/{made.json()['id']}"
    below = client.get(f"{path}?pfn=0x400").text.partition('id="zones"')[2]
    switches = re.findall(r'class="switch switch-\w+" title="[^"]+"><dt>([\w ]+)</dt> <dd>(\w+)</dd>', below)
    off = [("pcp", "off"), ("mobility", "off"), ("reclaim", "off")]
    assert switches == [("lecture view", "on"), *off, ("debug", "on")]


def test_a_frame_leads_to_its_slab_and_its_area(client: TestClient) -> None:
    path, (addr, _, area, *_) = session(
        client, "kmalloc(100, GFP_KERNEL)", "vmalloc(16K)", "vmalloc(8K)", "vmalloc(4K) * 3"
    )
    outcome = client.get(f"{BASE}{path}/events/1").json()
    frame = client.get(f"{path}?pfn={outcome['object']['slab_pfn']:#x}").text
    assert re.search(rf'href="[^"]*obj={addr[:-3]}000[^"]*"[^>]*>slab<', frame)
    areas = {entry["address"]: entry for entry in client.get(f"{BASE}{path}/vmap_areas").json()["areas"]}
    of_a_loop = next(address for address, entry in areas.items() if entry.get("seq") == 4)
    for address_ in (area, of_a_loop):
        frame = client.get(f"{path}?pfn={areas[address_]['pfns'][-1]:#x}").text
        assert re.search(rf'href="[^"]*obj={address_}[^"]*"[^>]*>area<', frame)
    assert ">area<" not in client.get(f"{path}?pfn=0x100").text
