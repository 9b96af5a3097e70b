"""The panel of a session's history: the API's numbers as pictures and tables, and moments compared."""

import re
from html import unescape

import pytest
from starlette.testclient import TestClient

from app.web.charts import HEIGHT, WIDTH, Scale, band, steps
from tests.support.served import BASE

pytest_plugins = ("tests.support.clients",)

LINES = """\
p = alloc_pages(GFP_KERNEL, 4)
k = kmalloc(3000, GFP_KERNEL)
v = vmalloc(20000)
fill = alloc_pages(GFP_KERNEL, 0) * 3000
__free_pages(fill[::2], 0)
__free_pages(p, 4)
"""


@pytest.fixture
def machine(client: TestClient) -> str:
    made = client.post(f"{BASE}/sessions", json={"machine": {"profile": "tiny-16m", "reclaim": False}})
    path = f"/sessions/{made.json()['id']}"
    answer = client.post(f"{BASE}{path}/calls", content=LINES, headers={"content-type": "text/plain"})
    assert answer.status_code == 201, answer.text
    return path


def shown(client: TestClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return unescape(answer.text).partition('id="panels"')[2].partition('id="inspector"')[0]


def text_of(html: str) -> str:
    return re.sub(r"<[^>]*>", "", html).strip()


def table(html: str, caption: str) -> list[list[str]]:
    """The cells of a table, row by row."""
    body = html.partition(f"<caption>{caption}</caption>")[2].partition("</table>")[0].partition("<tbody>")[2]
    return [
        [text_of(cell) for cell in re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL)]
        for row in body.split("</tr>")[:-1]
    ]


def test_each_table_has_what_the_api_answers(client: TestClient, machine: str) -> None:
    html = shown(client, f"{machine}?panel=history")
    names = [f"node0.DMA.{name}" for name in ("free", "min", "low", "high")]
    answer = client.get(f"{BASE}{machine}/series?names={','.join(names)}").json()
    rows = table(html, "Free frames of DMA")
    values = zip(*(one["last"] for one in answer["series"]), strict=True)
    assert rows == [[f"#{seq}", *(f"{value:,}" for value in each)] for seq, each in enumerate(values)]
    assert rows[0][1] != rows[4][1]
    orders = client.get(f"{BASE}{machine}/series?names=node0.DMA.order0,node0.DMA.unusable3").json()["series"]
    found = table(html, "Free blocks of DMA by order")
    assert [int(row[1].replace(",", "")) for row in found] == orders[0]["last"]
    unusable = [round(float(row[1]) * 1000) for row in table(html, "Unusable free space of DMA")]
    assert unusable == orders[1]["last"]
    assert max(unusable) > 500
    assert html.count("data-series=") == len(set(re.findall(r'data-series="(.*?)"', html)))


def test_a_range_of_rows_is_shown_and_the_way_back(client: TestClient, machine: str) -> None:
    html = shown(client, f"{machine}?panel=history&since=2&until=4&at=3")
    assert [row[0] for row in table(html, "Free frames of DMA")] == ["#2", "#3", "#4"]
    assert 'data-from="2" data-to="4" data-at="3"' in html
    assert f'd="M{WIDTH / 3:g}.0 0V{HEIGHT}"' in html
    (whole,) = re.findall(r'href="([^"]*)#panels" data-stay>All rows', html)
    assert "since" not in whole
    assert "at=3" in whole
    assert [
        row[0]
        for row in table(shown(client, f"{machine}?panel=history&since=5&until=99"), "Free frames of DMA")
    ] == [
        "#5",
        "#6",
    ]


def test_many_rows_are_few_points(client: TestClient, machine: str) -> None:
    lines = "\n".join("alloc_pages(GFP_KERNEL, 0)\nkmalloc(64, GFP_KERNEL)" for _ in range(150))
    client.post(f"{BASE}{machine}/calls", content=lines, headers={"content-type": "text/plain"})
    answer = client.get(f"{machine}?panel=history")
    assert len(answer.content) < 300_000
    html = shown(client, f"{machine}?panel=history")
    assert "In the tables each line is 8 rows" in html
    rows = table(html, "Free blocks of DMA by order")
    assert len(rows) == 306 // 8 + 1
    assert any(re.fullmatch(r"[\d,]+ \([\d,]+–[\d,]+\)", cell) for row in rows for cell in row)


def test_two_moments_are_compared(client: TestClient, machine: str) -> None:
    html = shown(client, f"{machine}?panel=history&at=1&against=0")
    assert "#1 compared with #0" in html
    zones = {row[1]: row[2:] for row in table(html, "Zones, where they differ")}
    before, after = (client.get(f"{BASE}{machine}/zones?at={at}").json()["zones"][0] for at in (0, 1))
    assert zones["free"] == [f"{before['free']:,}", f"{after['free']:,}", "−16"]
    for order, (was, now) in enumerate(zip(before["nr_free"], after["nr_free"], strict=True)):
        assert (f"order {order}" in zones) == (was != now)
    assert ["4", "Unmovable", "0", "1", "+1"] in table(html, "Free lists of DMA, where they differ")
    pfn = client.get(f"{BASE}{machine}/events/1").json()["page"]["pfn"]
    places = {row[0]: row[1:] for row in table(html, "Map of DMA, where it differs")}
    assert places[f"{pfn:#07x}"][0] == "16"
    assert places[f"{pfn:#07x}"][1].startswith("free")
    assert places[f"{pfn:#07x}"][2].startswith("unmovable")


def test_a_moment_compared_with_itself_is_the_same(client: TestClient, machine: str) -> None:
    html = shown(client, f"{machine}?panel=history&against=6")
    for words in ("In the zones no number differs", "no count differs", "On the map of DMA nothing differs"):
        assert words in html
    # Going back makes the states the same, whatever was between.
    client.post(f"{BASE}{machine}/rewind", json={"to": 2})
    html = shown(client, f"{machine}?panel=history&against=2")
    assert "#7 compared with #2" in html
    assert "On the map of DMA nothing differs" in html
    assert "compared with" not in shown(client, f"{machine}?panel=history&against=99")


def test_lines_are_steps_and_bands_what_lies_between() -> None:
    scale = Scale(0, 10, 0, 9, curved=False)
    assert (scale.y(0), scale.y(10), scale.x(0), scale.x(5)) == (HEIGHT, 0, 0, WIDTH / 2)
    assert Scale(7, 7, 0, 9, curved=False).y(7) == HEIGHT / 2
    curved = Scale(0, 1000, 0, 9, curved=True)
    assert HEIGHT - curved.y(1) > HEIGHT / 10
    assert steps([0, 100, 200], [5, 5, 9]) == "M0 5H200V9H600"
    assert band([0, 300], [(5, 5), (2, 8)]) == "M300 8H600V2H300Z"
