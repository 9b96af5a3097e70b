"""What was probably meant, as buttons: on the machine page and on the page of masks."""

from html import unescape

import pytest
from starlette.testclient import TestClient

from app.web.refusals import replaced

pytest_plugins = ("tests.support.clients",)


@pytest.fixture
def machine(client: TestClient) -> str:
    answer = client.post("/api/v1/sessions", json={"machine": {"profile": "tiny-16m"}})
    return f"/sessions/{answer.json()['id']}"


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("p = alloc_page(GFP_KERNAL)", "p = alloc_page(GFP_KERNEL)"),
        ('x = aloc_page("GFP_KERNEL");', 'x = alloc_page("GFP_KERNEL");'),
        ("malloc(30)", "vmalloc(30)"),
    ],
)
def test_a_line_of_the_console_can_be_mended_by_a_button(
    client: TestClient, machine: str, line: str, instead: str
) -> None:
    refused = client.post(f"{machine}/line", data={"line": line, "view": "panel=log"})
    assert refused.status_code == 422
    assert f'<button name="line" value="{instead}"' in unescape(refused.text)
    made = client.post(f"{machine}/line", data={"line": instead, "view": "panel=log"}, follow_redirects=False)
    assert made.status_code == 303


def test_a_form_can_be_mended_by_a_button(client: TestClient, machine: str) -> None:
    refused = client.post(f"{machine}/call/alloc_pages", data={"gfp": "GFP_KERNAL", "order": "1 << 1"})
    assert refused.status_code == 422
    assert '<button name="line" value="alloc_pages(GFP_KERNEL, 1 << 1)"' in unescape(refused.text)


def test_a_form_takes_what_a_line_takes(client: TestClient, machine: str) -> None:
    fields = {"size": "2 * sizeof(struct page)", "flags": "0xcc0(GFP_KERNEL)"}
    made = client.post(f"{machine}/call/kmalloc", data=fields, follow_redirects=False)
    assert made.status_code == 303
    row = client.get(f"/api/v1{machine}/events/1").json()
    assert row["args"]["size"] in (80, 128)
    assert row["args"]["flags"] == "GFP_KERNEL"


def test_several_statements_of_a_line_are_several_calls(client: TestClient, machine: str) -> None:
    line = "p = alloc_page(GFP_KERNEL); put_page(p);"
    made = client.post(f"{machine}/line", data={"line": line}, follow_redirects=False)
    assert made.status_code == 303
    assert client.get(f"/api/v1{machine}").json()["seq"] == 2


def test_a_mask_that_is_mistyped_leads_to_what_was_meant(client: TestClient) -> None:
    refused = client.get("/gfp?mask=GFP_KERNAL|__GFP_ZERO")
    assert refused.status_code == 422
    assert 'href="/gfp?mask=GFP_KERNEL%7C__GFP_ZERO"' in unescape(refused.text)


def test_a_mask_of_another_kernel_is_read_as_that_kernels(client: TestClient) -> None:
    page = client.get("/gfp?mask=mode:0xd0").text
    assert "2.6.31–4.3" in page
    assert "0xcc0 = GFP_KERNEL" in page
    assert "0xd0 = " in client.get("/gfp?mask=0xd0&kernel=6.1").text
    page = client.get("/gfp?mask=0xd0&kernel=3.10").text
    assert '<th scope="row">3.10</th>' in page
    assert 'class="readings"' not in client.get("/gfp?mask=0xcc0").text
    assert client.get("/gfp?mask=0xd0&kernel=x").status_code == 422


def test_a_word_is_replaced_as_a_word() -> None:
    assert replaced("aa a aab(a)", "a", r"\1") == r"aa \1 aab(\1)"
