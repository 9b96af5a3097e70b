"""Guided demos without script: the list, the panel, each step as a form."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.demos import Library, Step
from app.web.render import prose
from tests.support.rings import slow
from tests.support.served import BASE, build, client_of, protected

DEMOS = Library().demos()
BROKEN = """\
title = "Mine"
teaser = "A <b>test</b>."
[machine]
profile = "tiny-16m"
[[step]]
title = "Read"
happens = "Nothing yet."
[[step]]
title = "A name that nobody gave"
happens = "It cannot."
calls = '''
p = alloc_page(GFP_KERNEL)
__free_pages(q, 0)
'''
[[step]]
title = "bob sleeps"
happens = "He cannot call."
calls = '''
p = alloc_page(GFP_KERNEL)
alice: lock_page(p)
bob: lock_page(p)
'''
[[step]]
title = "bob calls"
happens = "He sleeps."
calls = "bob: page_count(p)"
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "11-mine.toml").write_text(BROKEN)
    (folder / "12-wrong.toml").write_text('title = "x"\nteaser = "<i>"\n[machine]\nprofile = "<u>"\n')
    return folder


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, own: Path) -> Iterator[TestClient]:
    with client_of(build(tmp_path_factory.mktemp("demos"), demos=own)) as client:
        yield client


def text_of(html: str) -> str:
    """What a person reads."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html)))


def panel(client: TestClient, path: str, status: int = 200) -> str:
    """The HTML of the panel of a page."""
    return panel_of(client.get(path), status)


def panel_of(answer: Response, status: int = 200) -> str:
    assert answer.status_code == status, answer.text
    protected(answer)
    found = re.search(r'<aside class="demo".*?</aside>', answer.text, re.DOTALL)
    assert found is not None
    return found[0]


def start(client: TestClient, name: str, **form: str) -> str:
    answer = client.post(f"/demos/{name}", data=form)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def attribute(html: str, pattern: str) -> str:
    found = re.search(pattern, html)
    assert found is not None, html
    return unescape(found[1])


def run(client: TestClient, html: str) -> Response:
    """Press the button of a panel."""
    action = attribute(html, r'action="(/sessions/[^"]*/demo)"')
    return client.post(action, data={"view": attribute(html, r'name="view" value="([^"]*)"')})


def following(html: str) -> str:
    return attribute(html, r'<a class="[^"]*" href="([^"]*)" data-stay rel="next"')


def rows(client: TestClient, path: str) -> list[dict[str, Any]]:
    session = path.partition("?")[0]
    items: list[dict[str, Any]] = client.get(f"{BASE}{session}/events").json()["items"]
    return items


def test_the_list(client: TestClient) -> None:
    page = client.get("/").text
    text = text_of(page)
    for demo in DEMOS.values():
        assert f"{demo.title} {demo.teaser}" in text
        assert f'action="/demos/{demo.name}"' in page
    assert "x86_64-8g, then i386-1g · 9 steps" in text
    assert "tiny-16m, lecture view · 6 steps" in text


def test_a_teachers_own_and_what_is_wrong_with_another(client: TestClient) -> None:
    text = text_of(client.get("/").text)
    assert "Mine A <b>test</b>." in text
    assert "12-wrong.toml: machine.profile: " in text


def test_a_folder_that_is_not_there_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with client_of(build(tmp_path, demos=tmp_path / "nowhere")) as client:
        assert "KMEMLAB_DEMOS: " in text_of(client.get("/").text)
        assert start(client, "split-and-merge")
    assert "KMEMLAB_DEMOS: " in caplog.text


def test_it_opens_as_a_fresh_session(client: TestClient) -> None:
    first, second = start(client, "split-and-merge"), start(client, "split-and-merge")
    assert first != second
    assert re.fullmatch(r"/sessions/[a-z0-9]+\?.*demo=split-and-merge&step=0", first)
    session = client.get(BASE + first.partition("?")[0]).json()
    assert (session["name"], session["seq"]) == ("Split and merge", 0)
    assert (session["machine"]["profile"], session["machine"]["lecture"]) == ("tiny-16m", True)


@pytest.mark.parametrize("name", [next(iter(DEMOS)), *slow(*list(DEMOS)[1:])])
def test_played_to_the_end(name: str, client: TestClient) -> None:
    demo = DEMOS[name]
    path = start(client, name)
    calls = 0
    for number, step in enumerate(demo.steps, 1):
        html = panel(client, path)
        text = text_of(html)
        assert f"{number} of {len(demo.steps)} {step.title}" in text
        assert text.count("Why") >= 1
        if step.calls:
            assert attribute(html, r'(?s)calls of this step"><code>(.*?)</code>') == "\n".join(step.calls)
            answer = run(client, html)
            assert answer.status_code == 303
            path = answer.headers["location"]
            calls += len(step.calls)
            assert len(rows(client, path)) == calls
            html = panel(client, path)
            assert html.count('<span class="demo-answer">') == len(step.calls)
            assert "Run this step" not in html
        if number == len(demo.steps):
            break
        if demo.steps[number].part != step.part:
            part = attribute(html, r'name="part" value="(\d)">\s*<button class="primary"')
            path, calls = start(client, name, part=part), 0
        else:
            path = following(html)


def test_what_was_run_is_remembered_in_the_address(client: TestClient) -> None:
    path = following(panel(client, start(client, "split-and-merge")))
    html = panel(client, run(client, panel(client, path)).headers["location"])
    assert "p = alloc_page(GFP_KERNEL)" in text_of(html)
    assert 'class="dot done"' in html
    after = following(html)
    assert "ran=.1" in after
    # Somebody else's call in between moves nothing.
    client.post(f"{BASE}{path.partition('?')[0]}/alloc_page", json={"gfp": "GFP_KERNEL"})
    again = panel(client, run(client, panel(client, after)).headers["location"])
    assert "ran=.1.3" in following(again)
    assert text_of(again).count("→") >= 1


def test_a_step_waits_for_those_before_it(client: TestClient) -> None:
    path = start(client, "split-and-merge").replace("step=0", "step=3")
    html = panel(client, path)
    assert "Run this step" not in html
    assert "first run Step 2: Take one page frame" in text_of(html)


def test_another_part_is_opened_on_its_own_machine(client: TestClient) -> None:
    html = panel(client, start(client, "zone-modifiers").replace("step=0", "step=6"))
    assert "Run this step" not in html
    assert "This step needs another machine: i386-1g" in text_of(html)
    path = start(client, "zone-modifiers", part="2")
    session = client.get(BASE + path.partition("?")[0]).json()
    assert (session["name"], session["machine"]["profile"]) == ("Where: zone modifiers, part 2", "i386-1g")
    assert "5 of 9" in text_of(panel(client, path))
    assert "This step needs another machine: x86_64-8g" in text_of(
        panel(client, path.replace("step=4", "step=0"))
    )


def test_each_step_has_its_curl_line_and_what_to_look_at(client: TestClient) -> None:
    path = start(client, "zone-modifiers", part="2")
    html = panel(client, path)
    session = path.partition("?")[0]
    curl = attribute(html, r'(?s)as a curl line"><code>(.*?)</code>')
    assert curl.startswith(f"curl -s http://127.0.0.1:8000{BASE}{session}/calls ")
    assert curl.endswith("'n = alloc_page(GFP_KERNEL)\npage_address(n)'")
    assert 'href="#zones">Look at: zones' in html
    lists = panel(client, start(client, "split-and-merge").replace("panel=lists", "panel=slab"))
    assert re.search(r'href="[^"]*panel=lists[^"]*#panels">Look at: free lists', lists)


def test_a_step_that_is_refused_says_why_and_nothing_happens(client: TestClient) -> None:
    path = following(panel(client, start(client, "mine")))
    answer = run(client, panel(client, path))
    text = text_of(panel_of(answer, 422))
    assert "Not sent to the kernel" in text
    assert "call 2, page : " in text
    assert rows(client, path) == []
    assert "p = alloc_page(GFP_KERNEL)" in text


def test_a_sleeping_task_refuses_a_step(client: TestClient) -> None:
    path = start(client, "mine").replace("step=0", "step=2&ran=.1")
    html = panel(client, run(client, panel(client, path)).headers["location"])
    answer = run(client, panel(client, following(html)))
    assert "The task sleeps: nothing happened" in text_of(panel_of(answer, 409))
    assert len(rows(client, path)) == 3


def test_explanations_lead_back_to_the_step(client: TestClient) -> None:
    path = following(panel(client, start(client, "split-and-merge")))
    html = panel(client, run(client, panel(client, path)).headers["location"])
    explain = attribute(html, r'<a href="([^"]*/explain/1[^"]*)"')
    page = client.get(explain)
    assert page.status_code == 200
    back = attribute(page.text, r'<a href="([^"]*)" data-back>')
    assert "2 of 6" in text_of(panel(client, back))


@pytest.mark.parametrize(
    "query",
    [
        "demo=nothing&step=1",
        "demo=split-and-merge&step=99",
        "demo=split-and-merge&step=-1",
        "demo=split-and-merge&step=1&ran=a.b.0x5.999999",
        "demo=split-and-merge&step=0&ran=" + "9" * 900,
        "demo=split-and-merge&part=77&step=2",
        "demo=zone-modifiers&part=0&step=8&ran=........2",
        "demo=<script>&step=0",
    ],
)
def test_no_address_is_an_error(query: str, client: TestClient) -> None:
    session = start(client, "split-and-merge").partition("?")[0]
    answer = client.get(f"{session}?{query}")
    assert answer.status_code == 200
    assert "<script>&" not in answer.text
    answer = client.post(f"{session}/demo", data={"view": query})
    assert answer.status_code in (303, 404)
    assert client.get(f"{session}/demo").status_code == 303


@pytest.mark.parametrize(("name", "part"), [("nothing", "1"), ("split-and-merge", "2"), ("mine", "x")])
def test_what_is_no_demo(name: str, part: str, client: TestClient) -> None:
    assert client.post(f"/demos/{name}", data={"part": part}).status_code == 404


def test_an_address_to_a_demo_leads_to_the_list(client: TestClient) -> None:
    assert client.get("/demos/references").headers["location"] == "/#demo-references"
    assert client.get("/demos/nothing").status_code == 404


def test_other_sites_start_nothing(client: TestClient) -> None:
    before = len(client.get(f"{BASE}/sessions?limit=1000").json()["items"])
    answer = client.post("/demos/references", headers={"Origin": "http://elsewhere.example"})
    assert answer.status_code == 403
    assert len(client.get(f"{BASE}/sessions?limit=1000").json()["items"]) == before


@pytest.mark.parametrize(
    ("words", "html"),
    [
        ("one\ntwo\n\n\n three", "<p>one\ntwo</p><p>three</p>"),
        (
            "`struct page *` and *this*, `*`",
            "<p><code>struct page *</code> and <em>this</em>, <code>*</code></p>",
        ),
        ("<b>&`<i>`", "<p>&lt;b&gt;&amp;<code>&lt;i&gt;</code></p>"),
        ("2 * 3 and a ` alone", "<p>2 * 3 and a ` alone</p>"),
        ("", ""),
    ],
)
def test_prose(words: str, html: str) -> None:
    assert str(prose(words)) == html


# -- call by call ------------------------------------------------------------------------------------------


def next_call(client: TestClient, html: str) -> str:
    """Press the button that makes one call; the page that it leads to."""
    action = attribute(html, r'action="(/sessions/[^"]*/demo)"')
    answer = client.post(
        action, data={"view": attribute(html, r'name="view" value="([^"]*)"'), "calls": "next"}
    )
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def test_a_step_is_run_call_by_call_and_shows_its_worst_verdict(client: TestClient) -> None:
    path = start(client, "the-locks-queue")
    demo = DEMOS["the-locks-queue"]
    number = next(n for n, step in enumerate(demo.steps) if len(step.calls) > 2)
    for _ in range(number):
        html = panel(client, path)
        path = run(client, html).headers["location"] if "Run this step" in html else path
        path = following(panel(client, path))
    lines = demo.steps[number].calls
    session = path.partition("?")[0]
    before = len(rows(client, path))
    for done in range(len(lines)):
        html = panel(client, path)
        text = text_of(html)
        assert ("Run next call" in text) == (len(lines) - done > 1)
        assert ("Run the rest" in text) == (done > 0)
        assert 'rel="next"' not in html  # until the step is run, there is nothing to go on to
        path = next_call(client, html)
        # A call of somebody else in between is none of the step's.
        client.post(f"{BASE}{session}/alloc_page", json={"gfp": "GFP_KERNEL", "task": f"other{done}"})
    assert len(rows(client, path)) == before + 2 * len(lines)
    html = panel(client, path)
    assert html.count('<span class="demo-answer">') == len(lines)
    assert "Run" not in re.sub(r"(?s)<p.*?</p>", "", html.partition("demo-calls")[2].partition("</form>")[0])
    assert attribute(html, r'rel="(next)"')
    verdicts = {row["verdict"] for row in rows(client, path)[-2 * len(lines) :]}
    if verdicts != {"ok"}:
        assert "Worst of these calls:" in text_of(html)


def test_a_step_that_ends_well_shows_the_call_that_did_not(client: TestClient) -> None:
    """The page shows the bug, not the call after it."""
    path = start(client, "the-locks-queue")
    seen = []
    for step in DEMOS["the-locks-queue"].steps:
        html = panel(client, path)
        if step.calls:
            answer = run(client, html)
            path = str(answer.headers["location"])
            made = sorted(rows(client, path), key=lambda row: int(row["seq"]))[-len(step.calls) :]
            shown = int(attribute(path, r"outcome=(\d+)"))
            bad = [row["seq"] for row in made if row["verdict"] in ("blocked", "warn", "bug")]
            seen.append(bool(bad))
            assert shown in (bad or [max(row["seq"] for row in made)])
        if step is not DEMOS["the-locks-queue"].steps[-1]:
            path = following(panel(client, path))
    assert any(seen)


# -- asked first -------------------------------------------------------------------------------------------

# What is predicted where it is right, by form; of others the boxes stay empty.
GUESSES = {
    "verdict": "ok", "zone": "DMA", "fault": "minor", "choice": "yes", "pfn": "0x400", "frames": "none",
    "address": "NULL", "bytes": "1", "number": "1",
}  # fmt: skip


def predict(client: TestClient, html: str, **fields: str) -> Response:
    action = attribute(html, r'action="(/sessions/[^"]*/demo)"')
    view = attribute(html, r'name="view" value="([^"]*)"')
    return client.post(action, data={"view": view, "predicted": "on", **fields})


def guesses(step: Step) -> dict[str, str]:
    """Something for each question of a step."""
    found = {}
    for place, one in enumerate(step.predict, 1):
        if one.form == "tasks":
            found[f"f{place}.none"] = "none"
        elif one.form == "orders":
            found[f"f{place}.0"] = "1"
        else:
            found[f"f{place}"] = GUESSES[one.form]
    return found


def without_calls(html: str) -> str:
    """A panel without what it says of the calls themselves, and without the fields."""
    html = re.sub(r"(?s)<pre.*?</pre>|<details.*?</details>|<fieldset.*?</fieldset>", "", html)
    return re.sub(r'action="[^"]*"|/sessions/\w+', "", html)


@pytest.mark.parametrize("name", [next(iter(DEMOS)), *slow(*list(DEMOS)[1:])])
def test_what_is_asked_is_not_told_before_the_run(name: str, client: TestClient) -> None:
    """Of every step of every demo: neither its words nor the figures that are asked."""
    demo = DEMOS[name]
    path = start(client, name, ask="on")
    for number, step in enumerate(demo.steps, 1):
        html = panel(client, path)
        if step.predict:
            for words in (step.happens, step.why, step.notice, step.you, step.title):
                if words:
                    assert str(prose(words)) not in html
                    assert str(prose(words.partition(".")[0])).removesuffix("</p>") not in html
            assert "What to notice" not in html
            figures = re.findall(
                r"0x[0-9a-f]{3,}|[0-9]{3,}", " ".join(v for line in step.expect for v in line.values)
            )
            told = without_calls(html)
            for figure in set(figures) - set(re.findall(r"\w+", "\n".join(step.calls))):
                here = attribute(html, r'name="view" value="([^"]*)"')
                left = told.replace(here.replace("&", "&amp;"), "")
                # A row of the journal, a frame of the step before: what the address of the page says already.
                assert figure in here or not re.search(rf"\b{figure}\b", text_of(left)), (number, figure)
            assert html.count('class="asked">') >= len(step.predict)
            answer = predict(client, html, **guesses(step))
        elif step.calls:
            answer = run(client, html)
        else:
            path = following(html)
            continue
        assert answer.status_code == 303, panel_of(answer, 422)
        path = str(answer.headers["location"])
        html = panel(client, path)
        assert step.title in unescape(html)
        assert "What to notice" in html
        if step.predict:
            marks = re.findall(r'class="marked marked-(\w+)"', html)
            assert len(marks) == len(step.predict)
            right = sum(mark == "right" for mark in marks)
            assert f"{right} of {len(marks)} prediction" in text_of(html)
        if number < len(demo.steps) and demo.steps[number].part != step.part:
            path = start(client, name, part=str(demo.steps[number].part), ask="on")
        elif number < len(demo.steps):
            path = following(html)


def asked(client: TestClient, name: str, step: int) -> str:
    """The page of a step that asks first, with those before it run."""
    path = start(client, name, ask="on")
    for _ in range(step):
        html = panel(client, path)
        if "What to notice" not in html or "Run this step" in html:
            path = str(run(client, html).headers["location"])
        path = following(panel(client, path))
    return path


def test_predictions_beside_what_the_machine_did(client: TestClient) -> None:
    path = asked(client, "split-and-merge", 1)
    html = panel(client, path)
    assert "What will it do?" in html
    assert "Run without predicting" in html
    answer = predict(client, html, f1="0x401", f2="-1", **{f"f3.{order}": "1" for order in range(10)})
    html = panel(client, answer.headers["location"])
    text = text_of(html)
    assert "1 of 3 predictions right" in text
    assert "you: 0x401 the machine: 0x400" in text
    assert "Take one page frame" in text
    assert "What to notice" in text
    # What was left empty of the lists does not change: the list of order 10 has lost one.
    assert re.search(r'is-off">\s*<label for="f3.10">', html)
    assert "f3" not in attribute(html, r'rel="(next)"')


def test_nothing_is_predicted(client: TestClient) -> None:
    html = panel(client, asked(client, "split-and-merge", 1))
    text = text_of(panel_of(predict(client, html), 422))
    assert "Predict something here, or run the step without predicting." in text
    assert "What to notice" not in text
    assert rows(client, html_path := attribute(html, r'action="(/sessions/[^"]*)/demo"')) == []
    answer = predict(client, html, skip="on")
    html = panel(client, answer.headers["location"])
    assert "What to notice" in html
    assert "Predicted" not in html
    assert len(rows(client, html_path)) == 1


def test_what_cannot_be_read_costs_nothing(client: TestClient) -> None:
    html = panel(client, asked(client, "split-and-merge", 1))
    again = panel_of(predict(client, html, f1="page 7", f2="-1"), 422)
    assert "cannot be read as a number" in again
    assert 'name="f2" type="text" value="-1"' in again
    assert rows(client, attribute(html, r'action="(/sessions/[^"]*)/demo"')) == []


def test_some_of_it_is_predicted_and_run_call_by_call(client: TestClient) -> None:
    html = panel(client, asked(client, "split-and-merge", 5))
    html = panel(client, predict(client, html, f2="0", calls="next").headers["location"])
    assert "What to notice" not in html
    assert "Predict and run" not in html
    html = panel(client, run(client, html).headers["location"])
    assert "1 of 1 prediction right" in text_of(html)
    assert "The machine: 0x400" in text_of(html)


def test_the_switch_is_remembered(client: TestClient) -> None:
    path = start(client, "split-and-merge")
    html = panel(client, following(panel(client, path)))
    assert 'aria-pressed="false"' in html
    assert "What to notice" in html
    action, view = (
        attribute(html, r'action="(/sessions/[^"]*/demo/ask)"'),
        attribute(html, r'name="view" value="([^"]*)"'),
    )
    answer = client.post(action, data={"view": view, "ask": "on"})
    there = str(answer.headers["location"])
    assert "ask=on" in there
    assert "What to notice" not in panel(client, there)
    # The next demo asks, too, but not on a projector; the address goes before.
    client.cookies.set("ask", "on")
    path = following(panel(client, start(client, "split-and-merge")))
    assert "What to notice" not in panel(client, path)
    client.cookies.set("projector", "on")
    assert "What to notice" in panel(client, path)
    assert "What to notice" not in panel(client, there)
    client.cookies.clear()
    assert "What to notice" in panel(client, path)
    assert client.get(action).status_code == 303


def test_the_map_goes_to_the_frames_only_when_the_step_was_run(client: TestClient) -> None:
    path = asked(client, "first-steal", 3)
    assert "0x237000" not in path
    html = panel(client, path)
    assert "237" not in without_calls(html)
    assert "start=0x237000" in predict(client, html, f1="1").headers["location"]


@pytest.mark.parametrize(
    "query",
    [
        "ran=.9999&given=1",
        "ran=.1&given=1%0A2%0A3%0A4",
        "given=zz",
        "ran=.0&given=1",
        "ask=maybe",
        "given=%0A",
    ],
)
def test_no_prediction_in_an_address_is_an_error(query: str, client: TestClient) -> None:
    path = asked(client, "split-and-merge", 1)
    predict(client, panel(client, path), f1="1")
    path = f"{path.partition('?')[0]}?demo=split-and-merge&step=1&ask=on&{query}"
    assert client.get(path).status_code == 200
