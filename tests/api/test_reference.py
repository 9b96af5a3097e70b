"""`/profiles`, `/calls`, `/gfp`, health: the same for everyone."""

import pytest
from pydantic import TypeAdapter
from starlette.testclient import TestClient

from app.api import models
from app.machine import gfp_text
from app.machine.entry import CALLS
from app.mm import gfp
from tests.support.served import BASE, problem

pytest_plugins = ("tests.support.clients",)


def test_profiles(client: TestClient) -> None:
    document = client.get(f"{BASE}/profiles").json()
    models.Profiles.model_validate(document)
    names = {profile["profile"] for profile in document["profiles"]}
    wanted = {
        "x86_64-8g",
        "x86_64-1g",
        "x86_64-64g",
        "x86_64-1t",
        "i386-1g",
        "i386-4g",
        "tiny-16m",
        "tiny-32m",
    }
    assert wanted <= names


def test_calls(client: TestClient) -> None:
    document = client.get(f"{BASE}/calls").json()
    models.Calls.model_validate(document)
    described = {call["name"]: call for call in document["calls"]}
    assert list(described) == list(CALLS)
    one = described["alloc_pages"]
    assert one["prototype"] == "struct page *alloc_pages(gfp_t gfp, unsigned int order)"
    assert one["source"] == "mm/page_alloc.c __alloc_pages"
    assert one["lecture"] == "__alloc_pages_nodemask"
    assert one["path"] == f"{BASE}/sessions/{{id}}/alloc_pages"
    assert [arg["name"] for arg in one["args"]] == ["gfp", "order"]


def test_every_flag_has_a_name(client: TestClient) -> None:
    document = client.get(f"{BASE}/gfp").json()
    models.FlagNames.model_validate(document)
    assert [flag["name"] for flag in document["flags"]] == [flag.name for flag in gfp.NAMES]
    assert document["lecture"] == {"__GFP_WAIT": "0xc00", "__GFP_REPEAT": "0x4000", "__GFP_COLD": "0x0"}


@pytest.mark.parametrize(
    ("mask", "value", "names", "lecture"),
    [
        ("GFP_KERNEL", 0xCC0, "GFP_KERNEL", "GFP_KERNEL"),
        ("0xcc0", 0xCC0, "GFP_KERNEL", "GFP_KERNEL"),
        ("3264", 0xCC0, "GFP_KERNEL", "GFP_KERNEL"),
        ("__GFP_WAIT|__GFP_IO|__GFP_FS", 0xCC0, "GFP_KERNEL", "GFP_KERNEL"),
        ("__GFP_WAIT", 0xC00, "GFP_NOIO", "GFP_NOIO"),
        ("GFP_KERNEL | __GFP_REPEAT", 0x4CC0, "GFP_KERNEL|__GFP_RETRY_MAYFAIL", "GFP_KERNEL|__GFP_REPEAT"),
        (
            "__GFP_HIGH|__GFP_DIRECT_RECLAIM",
            0x420,
            "__GFP_HIGH|__GFP_DIRECT_RECLAIM",
            "__GFP_HIGH|__GFP_DIRECT_RECLAIM",
        ),
        ("0", 0, "0x0", "0x0"),
        ("0xffffffff", 0xFFFFFFFF, None, None),
    ],
)
def test_a_mask_decoded(
    client: TestClient, mask: str, value: int, names: str | None, lecture: str | None
) -> None:
    document = client.get(f"{BASE}/gfp", params={"mask": mask}).json()
    models.DecodedMask.model_validate(document)
    assert (document["value"], document["mask"]) == (value, f"{value:#x}")
    if names is not None:
        assert (document["names"], document["lecture"]) == (names, lecture)
    for spelling in (document["names"], document["lecture"]):
        assert gfp_text.parse(spelling) == value
    assert {flag["name"] for flag in document["flags"]} == {
        n.name for n in gfp.NAMES if n.value & value == n.value
    }


def test_unknown_bits_are_shown(client: TestClient) -> None:
    assert client.get(f"{BASE}/gfp?mask=0x80000001").json()["unknown"] == "0x80000000"


@pytest.mark.parametrize(
    "mask", ["", "GFP_NOPE", "GFP_KERNEL|", "-1", "0x100000000", "1_0", "%00", "a" * 2001, "1e3"]
)
def test_no_mask(client: TestClient, mask: str) -> None:
    problem(client.get(f"{BASE}/gfp?mask={mask}"), 422, "query", "mask")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    TypeAdapter(models.Health).validate_python(answer.json())
