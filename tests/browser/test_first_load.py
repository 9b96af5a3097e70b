"""The machine page's first load in Chromium. Its size is kept small; how soon it is seen is put on record."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.test_live import call, create
from tests.support.first_load import first_load
from tests.support.served import build, listening

MOST = 200_000

# What fills the page: a map of many states, a long journal, names, the lists.
BUSY = (
    """
p = alloc_pages(GFP_KERNEL, 3)
movable = alloc_pages(GFP_HIGHUSER_MOVABLE, 2) * 40
fill = alloc_page(GFP_KERNEL) * 300
object = kmalloc(200, GFP_KERNEL)
area = vmalloc(200K)
__free_pages(fill[::2], 0)
"""
    + "alloc_page(GFP_KERNEL)\n" * 60
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(build(tmp_path_factory.mktemp("first"))) as address:
        yield address


@pytest.mark.parametrize(("profile", "calls"), [("x86_64-8g", ""), ("tiny-16m", BUSY)])
def test_the_first_load_is_small(
    browser: Browser,
    address: str,
    profile: str,
    calls: str,
    record_property: Callable[[str, object], None],
) -> None:
    machine = create(address, profile=profile, lecture=False)
    if calls:
        call(address, machine, calls)
    found = first_load(browser, address, machine)
    words = f"{found.size:,} bytes over the wire, first paint after {found.paint:.0f} ms"
    record_property("first_load", words)
    print(words)
    assert 50_000 < found.size <= MOST
