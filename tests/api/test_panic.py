"""A machine that has stopped, over HTTP: it can be read, copied and brought back, and nothing else."""

from starlette.testclient import TestClient

from tests.support.served import BASE, problem

pytest_plugins = ("tests.support.clients",)

MACHINE = {"profile": "tiny-16m", "reclaim": True}
ALL = {"gfp": "GFP_KERNEL", "until": "null"}


def test_a_machine_that_has_stopped_says_in_which_row_until_that_is_undone(client: TestClient) -> None:
    made = client.post(f"{BASE}/sessions", json={"name": "p", "machine": MACHINE}).json()
    assert made["machine"]["reclaim"] is True
    base = f"{BASE}/sessions/{made['id']}"
    outcome = client.post(f"{base}/alloc_page", json=ALL).json()
    assert (outcome["verdict"], outcome.get("killed"), outcome["seq"]) == ("panic", None, 1)
    for path, body in (
        ("alloc_page", {"gfp": "GFP_ATOMIC", "task": "other"}),
        ("drain_all_pages", {}),
        ("calls", {"calls": [{"call": "drain_all_pages"}]}),
    ):
        answer = client.post(f"{base}/{path}", json=body)
        assert problem(answer, 409)["detail"].startswith("the kernel panicked in row #1:")
    # Reading and copying go on; the copy has stopped as well.
    assert client.get(f"{base}/zones").status_code == 200
    assert "Kernel panic" in client.get(f"{base}/log").text
    copy = client.post(f"{base}/fork", json={}).json()
    assert client.post(f"{BASE}/sessions/{copy['id']}/drain_all_pages", json={}).status_code == 409
    page = client.get(f"/sessions/{made['id']}").text
    assert "The machine has stopped." in page
    assert 'class="verdict verdict-panic"' in page
    line = {"line": "alloc_page(GFP_KERNEL)"}
    shown = client.post(f"/sessions/{made['id']}/line", data=line, follow_redirects=False)
    assert shown.status_code == 409
    assert "The machine has stopped" in shown.text
    assert client.post(f"{base}/undo").status_code == 201
    assert client.post(f"{base}/drain_all_pages", json={}).status_code == 201
    # Over the undone row, too, the journal replays.
    assert client.get(f"{base}/events/1").json()["verdict"] == "panic"


def test_who_was_killed_is_said_on_the_page(client: TestClient) -> None:
    made = client.post(f"{BASE}/sessions", json={"name": "p", "machine": MACHINE}).json()
    base = f"{BASE}/sessions/{made['id']}"
    lines = "hog: execve()\nhog: a = mmap(NULL, 4M, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)\n"
    text = {"content-type": "text/plain"}
    client.post(f"{base}/calls", content=f"{lines}hog: store(a, 1, 1024)", headers=text)
    outcome = client.post(f"{base}/alloc_page", json={"gfp": "GFP_KERNEL", "repeat": 2_500}).json()
    assert (outcome["verdict"], outcome["killed"]) == ("ok", ["hog"])
    page = client.get(f"/sessions/{made['id']}?outcome=4").text
    assert "The OOM killer has ended hog." in page
    said = client.get(f"{base}/events/4/explain").json()
    assert said["steps"]
    # By a process: it gets the page that it has asked for, and dies of the next.
    client.post(f"{base}/undo")
    by_itself = {"gfp": "GFP_KERNEL", "repeat": 2_500, "task": "hog"}
    outcome = client.post(f"{base}/alloc_page", json=by_itself).json()
    assert (outcome["verdict"], outcome["killed"]) == ("ok", ["hog"])
    assert "The caller was taken itself" in client.get(f"/sessions/{made['id']}?outcome=6").text


def test_a_batch_says_which_of_its_calls_comes_after_the_panic(client: TestClient) -> None:
    made = client.post(f"{BASE}/sessions", json={"name": "p", "machine": MACHINE}).json()
    base = f"{BASE}/sessions/{made['id']}"
    calls = [{"call": "alloc_page", **ALL}, {"call": "drain_all_pages"}]
    found = problem(client.post(f"{base}/calls", json={"calls": calls}), 409)
    assert found["errors"][0]["loc"] == ["calls", 1]
    assert "nothing was done" in found["detail"]
    assert client.get(base).json()["seq"] == 0
    # The panic may be its last call.
    assert client.post(f"{base}/calls", json={"calls": calls[:1]}).status_code == 201
