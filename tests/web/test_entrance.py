"""Coming in through the pages: links, codes, passwords, and the cookie; all of it without script."""

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from httpx2 import Response
from starlette.testclient import TestClient

from app.guard import PUBLIC_PATHS
from app.labs import attempts
from app.labs.authentication import TRIES_A_SECOND, TRIES_AT_ONCE
from app.rates import Rates
from tests.support.browsers import PASSWORD, Class, at, class_of, run
from tests.support.factories import raw
from tests.support.served import BASE, build, client_of, protected


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    with class_of(tmp_path_factory.mktemp("entrance"), rate_burst=10_000) as room:
        yield room


@pytest.fixture(scope="module")
def lab(room: Class) -> str:
    return room.lab("Buddies & friends")


@pytest.fixture(autouse=True)
def tries_of_nobody_before(room: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another test has tried does not count, nor how long this one takes."""
    with raw(room.app.state.settings) as db:
        db.execute("DELETE FROM failures")
    monkeypatch.setattr(attempts, "utc", lambda: datetime(2026, 11, 30, tzinfo=UTC))
    rates = Rates(TRIES_A_SECOND, TRIES_AT_ONCE, lambda: 0.0)
    room.app.state.sessions.rates.share("sign in", rates)


def text_of(answer: Response) -> str:
    """What is to be read of a page's middle."""
    main = answer.text[answer.text.index("<main") : answer.text.index("</main>")]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main)))


def shown(answer: Response) -> str:
    """The secret that a page shows once."""
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    return html.unescape(re.findall(r"<pre[^>]*><code>([^<]+)</code>", answer.text)[0])


# -- the doors ---------------------------------------------------------------------------------------------


def test_a_stranger_is_led_to_the_entrance_and_told_where_they_wanted_to_go(room: Class) -> None:
    assert room.browser().get("/sessions/x?at=3").headers["location"] == "/join?back=/sessions/x%3Fat%3D3"
    page = room.browser().get("/join?back=/sessions/x%3Fat%3D3")
    assert page.status_code == 200
    protected(page)
    assert 'href="/signin?back=/sessions/x%3Fat%3D3"' in page.text
    assert "Sessions</a>" not in page.text


def test_nobody_is_led_to_another_host(room: Class) -> None:
    for back in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        assert "evil" not in room.browser().get("/join", params={"back": back}).text
        form = {"name": "Ada", "password": PASSWORD, "back": back}
        assert at(room.browser().post("/signin", data=form)) == "/labs"


def test_in_open_mode_there_is_no_entrance(tmp_path: Any) -> None:
    with client_of(build(tmp_path)) as client:
        for path in ("/join", "/signin", "/labs", "/me", "/audit"):
            assert client.get(path).status_code == 403, path
        assert client.get("/join/K7QM-2XHV").status_code == 403
        assert client.post("/join", data={"code": "x", "nickname": "Kim"}).status_code == 403
        home = client.get("/").text
        assert "Sign out" not in home
        assert "/labs" not in home


# -- students ----------------------------------------------------------------------------------------------


def test_a_link_fills_in_the_code_and_names_the_lab(room: Class, lab: str) -> None:
    code = room.code(lab)
    page = room.browser().get(f"/join/{code}")
    assert f'value="{code}"' in page.text
    assert "Buddies & friends" in text_of(page)
    protected(page)


def test_a_code_as_it_was_copied_from_a_blackboard(room: Class, lab: str) -> None:
    code = room.code(lab).lower().replace("0", "o").replace("1", "l").replace("-", " ")
    assert at(room.browser().post("/join", data={"code": code, "nickname": "Typo"})) == lab


def test_the_cookie(room: Class, lab: str) -> None:
    answer = room.browser().post("/join", data={"code": room.code(lab), "nickname": "Cookie"})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("kmemlab=kml_")
    for part in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=15552000"):
        assert part in cookie
    assert "Secure" not in cookie


def test_behind_tls_the_cookie_is_for_tls_alone(tmp_path: Any) -> None:
    with class_of(tmp_path, public_url="https://lab.example") as room:
        page = room.lab()
        answer = room.browser().post("/join", data={"code": room.code(page), "nickname": "Kim"})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-kmemlab=kml_")
        assert "Secure" in cookie
        assert "Domain" not in cookie
        assert f"https://lab.example/join/{room.code(page)}" in room.first.get(page).text


def test_joining_twice_makes_one_member(room: Class, lab: str) -> None:
    kim = room.student(lab, "Twice")
    for _ in range(2):
        assert at(kim.post("/join", data={"code": room.code(lab), "nickname": "Twice"})) == lab
    assert at(kim.get(f"/join/{room.code(lab)}")) == lab
    assert room.first.get(f"{lab}/members").text.count('<th scope="row">Twice') == 1


def test_two_of_one_name_are_told_apart(room: Class, lab: str) -> None:
    first, second = room.student(lab, "Sam"), room.student(lab, "ＳＡＭ")
    assert "You are <b>Sam</b>" in first.get(lab).text
    assert "You are <b>ＳＡＭ (2)</b>" in second.get(lab).text


@pytest.mark.parametrize(
    ("code", "nickname", "status", "words"),
    [
        ("0000-0000", "Kim", 404, "no lab has this code"),
        ("", "Kim", 404, "no lab has this code"),
        ("x" * 5000, "Kim", 404, "no lab has this code"),
        (None, "", 422, "1 to 40 characters"),
        (None, "k" * 41, 422, "1 to 40 characters"),
        (None, "K\x1b[31mim", 422, "no control characters"),
        (None, "\u202eKim", 422, "no control characters"),
        ("\x00", "Kim", 404, "no lab has this code"),
    ],
)
def test_who_is_not_let_in_is_told_why_and_keeps_what_was_typed(
    room: Class, lab: str, code: str | None, nickname: str, status: int, words: str
) -> None:
    typed = room.code(lab) if code is None else code
    answer = room.browser().post("/join", data={"code": typed, "nickname": nickname})
    assert answer.status_code == status
    assert words in text_of(answer)
    assert "set-cookie" not in answer.headers
    assert f'value="{html.escape(nickname)}"' in answer.text.replace("&#39;", "&#x27;")
    protected(answer)


def test_a_closed_lab_lets_nobody_in(room: Class) -> None:
    over = room.lab("Over")
    code = room.code(over)
    assert at(room.first.post(f"{over}/close")) == over
    assert room.browser().get(f"/join/{code}").status_code == 404
    assert room.browser().post("/join", data={"code": code, "nickname": "Kim"}).status_code == 404


def test_another_lab_takes_the_place_of_the_first(room: Class, lab: str) -> None:
    other = room.lab("Another")
    kim = room.student(lab, "Mover")
    before = kim.cookies["kmemlab"]
    assert "In this browser you are Mover" in text_of(kim.get("/join"))
    assert at(kim.post("/join", data={"code": room.code(other), "nickname": "Mover"})) == other
    assert kim.get(lab).status_code == 404
    token = {"authorization": f"Bearer {before}"}
    assert room.browser().get(f"{BASE}/sessions", headers=token).status_code == 401


def test_an_instructor_does_not_become_a_student_by_mistake(room: Class, lab: str) -> None:
    answer = room.first.post("/join", data={"code": room.code(lab), "nickname": "Ada"})
    assert answer.status_code == 409
    assert "private window" in text_of(answer)
    assert room.first.get(lab).status_code == 200


# -- instructors -------------------------------------------------------------------------------------------


def test_signing_in_and_out(room: Class) -> None:
    browser = room.browser()
    form = {"name": " ADA ", "password": PASSWORD, "back": "/audit"}
    assert at(browser.post("/signin", data=form)) == "/audit"
    assert browser.get("/audit").status_code == 200
    token = browser.cookies["kmemlab"]
    assert at(browser.post("/signout")) == "/"
    assert "kmemlab" not in browser.cookies
    stolen = {"cookie": f"kmemlab={token}"}
    assert room.browser().get("/audit", headers=stolen).headers["location"].startswith("/join")


def test_who_signs_out_with_two_cookies_is_who_was_let_in(room: Class) -> None:
    ada, browser = room.browser(), room.browser()
    ada.post("/signin", data={"name": "Ada", "password": PASSWORD})
    known = {"cookie": f"kmemlab={ada.cookies['kmemlab']}"}
    assert browser.get("/audit", headers=known).status_code == 200
    browser.post("/signout", headers={"cookie": f"{known['cookie']}; kmemlab=kml_other"})
    assert browser.get("/audit", headers=known).status_code == 303


def test_a_wrong_password_says_no_more_than_an_unknown_name(room: Class) -> None:
    known = room.browser().post("/signin", data={"name": "Ada", "password": "wrong"})
    unknown = room.browser().post("/signin", data={"name": "Eve", "password": "wrong"})
    assert known.status_code == unknown.status_code == 403
    assert known.text.replace("Ada", "Eve") == unknown.text
    assert 'value="Ada"' in known.text
    assert "wrong" not in re.sub(r"<[^>]+>", "", known.text)


def test_many_wrong_passwords_have_to_wait(room: Class) -> None:
    answers = [room.browser().post("/signin", data={"name": "Mallory", "password": str(i)}) for i in range(6)]
    assert [answer.status_code for answer in answers] == [403] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert "too many wrong attempts" in text_of(answers[-1])


def test_a_browser_in_which_one_has_signed_in_is_known(room: Class) -> None:
    bea = room.browser()
    link = shown(room.first.post("/me/invitation")).removeprefix("http://127.0.0.1:8000")
    answer = bea.post(link, data={"name": "Known", "password": PASSWORD})
    cookie = answer.headers.get_list("set-cookie")[-1]
    assert cookie.startswith("kmemlab-known=kml_")
    for part in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=31536000"):
        assert part in cookie
    bea.post("/signout")
    assert list(bea.cookies) == ["kmemlab-known"]
    assert bea.get("/audit").status_code == 303
    for number in range(6):
        room.browser().post("/signin", data={"name": "Known", "password": str(number)})
    right = {"name": "Known", "password": PASSWORD}
    assert room.browser().post("/signin", data=right).status_code == 429
    assert bea.post("/signin", data=right).status_code == 303
    assert room.browser().post("/join", data={"code": "", "nickname": "x"}).headers.get("set-cookie") is None


def test_an_invitation_makes_one_account_once(room: Class) -> None:
    link = shown(room.first.post("/me/invitation")).removeprefix("http://127.0.0.1:8000")
    assert link.startswith("/setup/kml_")
    bea = room.browser()
    assert bea.get(link).status_code == 200
    for form, words in (
        ({"name": "Bea", "password": "short"}, "10 to 200 characters"),
        ({"name": "ada", "password": PASSWORD}, "another instructor has this name"),
        ({"name": "", "password": PASSWORD}, "1 to 40 characters"),
    ):
        answer = bea.post(link, data=form)
        assert answer.status_code == 422
        assert words in text_of(answer)
    assert at(bea.post(link, data={"name": "Bea", "password": PASSWORD})) == "/labs"
    for answer in (
        room.browser().get(link),
        room.browser().post(link, data={"name": "C", "password": PASSWORD}),
    ):
        assert answer.status_code == 404
        assert "opens nothing any more" in text_of(answer)
    assert "No lab yet" in text_of(bea.get("/labs"))


# -- keys --------------------------------------------------------------------------------------------------


def test_a_token_for_scripts_is_shown_once_and_renewed(room: Class, lab: str) -> None:
    kim = room.student(lab, "Script")
    first = shown(kim.post("/me/token"))
    assert first not in kim.get("/me").text
    assert at(kim.get("/me/token")) == "/me"

    def works(token: str) -> bool:
        bearer = {"authorization": f"Bearer {token}"}
        return room.browser().get(f"{BASE}/sessions", headers=bearer).status_code == 200

    assert works(first)
    answer = kim.post("/me/token")
    second = shown(answer)
    assert f"-H &#39;Authorization: Bearer {second}&#39;" in answer.text
    assert works(second)
    assert not works(first)
    assert kim.get(lab).status_code == 200  # the browser stays


def test_a_personal_link_comes_in_on_another_device_and_looking_at_it_does_not(room: Class, lab: str) -> None:
    kim = room.student(lab, "Phone")
    answer = kim.post("/me/link")
    assert 'src="data:image/svg+xml' in answer.text
    link = shown(answer).removeprefix("http://127.0.0.1:8000")
    phone = room.browser()
    page = phone.get(link)
    assert "Come in as Phone" in text_of(page)
    assert "set-cookie" not in page.headers
    assert phone.get(lab).status_code == 303
    assert at(phone.post(link)) == lab
    assert "You are <b>Phone</b>" in phone.get(lab).text
    kim.post("/me/link")
    assert room.browser().get(link).status_code == 404
    assert room.browser().post(link).status_code == 404


def test_signing_out_everywhere(room: Class, lab: str) -> None:
    kim = room.student(lab, "Everywhere")
    token = shown(kim.post("/me/token"))
    assert "Nothing brings you back" in text_of(kim.get("/me/leave"))
    assert at(kim.post("/me/leave")) == "/"
    assert kim.get(lab).status_code == 303
    bearer = {"authorization": f"Bearer {token}"}
    assert room.browser().get(f"{BASE}/sessions", headers=bearer).status_code == 401


def test_a_member_is_told_what_signing_out_means(room: Class, lab: str) -> None:
    kim = room.student(lab, "Leaver")
    assert "personal link" in text_of(kim.get("/signout"))
    assert at(kim.post("/signout")) == "/"
    assert kim.get(lab).status_code == 303


def test_the_bar_says_who_one_is(room: Class, lab: str) -> None:
    kim: TestClient = room.student(lab, "Bar")
    for path in (lab, "/", "/gfp", "/calls", "/nowhere"):
        page = kim.get(path).text
        assert "You are <b>Bar</b>" in page
        assert f'href="{lab}"' in page
    assert "Instructor <b>Ada</b>" in room.first.get("/gfp").text
    assert "Your lab" in text_of(kim.get("/"))
    assert run(kim, at(kim.post("/sessions", data={"profile": "tiny-16m"}))[10:], "alloc_page(GFP_KERNEL)")


# -- a browser of the classroom's ---------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["/signout", "/me/leave"])
def test_a_browser_keeps_nothing_of_who_has_left(room: Class, lab: str, way: str) -> None:
    browser = room.student(lab)
    made = browser.post("/sessions", data={"profile": "tiny-16m"})
    picture = browser.get(f"{at(made)}/thumbnail.svg?seq=0")
    assert (picture.status_code, picture.headers["cache-control"]) == (200, "no-store")
    left = browser.post(way)
    assert (left.status_code, left.headers["clear-site-data"]) == (303, '"cache"')


# -- what forms are written in -------------------------------------------------------------------------------


@pytest.mark.parametrize("charset", ["unicode_escape", "raw_unicode_escape", "utf-16", "utf-7", "hex", "?"])
def test_no_form_is_read_in_another_charset_than_ours(room: Class, lab: str, charset: str) -> None:
    field = b'--B\r\nContent-Disposition: form-data; name="%s"\r\n\r\n\\ud800\r\n'
    names = (b"code", b"nickname", b"name", b"password", b"title", b"text", b"back", b"line", b"detail")
    body = b"".join(field % name for name in names) + b"--B--\r\n"
    kind = f"multipart/form-data; boundary=B; charset={charset}"
    paths = {
        re.sub(r"\{lab_id\}", lab.rpartition("/")[2], re.sub(r"\{number\}", "1", path))
        for path in posted_to(room)
    }
    assert {"/join", "/signin", "/labs", "/sessions", "/preferences"} <= paths
    for path in sorted(paths):
        for browser in (room.browser(), room.first):
            answer = browser.post(path, content=body, headers={"Content-Type": kind})
            assert answer.status_code == 415 or is_led_away(answer, path), (path, answer.status_code)
    for twice in ([kind, "text/plain"], ["text/plain", kind]):
        given = [(b"content-type", one.encode()) for one in twice]
        assert room.browser().post("/join", content=body, headers=given).status_code == 415


@pytest.mark.parametrize("charset", ["utf-8", "UTF8", "us-ascii"])
def test_a_form_in_our_charset_is_read(room: Class, lab: str, charset: str) -> None:
    body = b'--B\r\nContent-Disposition: form-data; name="title"\r\n\r\nread\r\n--B--\r\n'
    kind = f"multipart/form-data; boundary=B; charset={charset}"
    assert at(room.first.post("/labs", content=body, headers={"Content-Type": kind})).startswith("/labs/")


def posted_to(room: Class) -> set[str]:
    """The paths of all forms."""
    routes = iter_route_contexts(room.app.router.routes)
    posted = {str(route.path) for route in routes if "POST" in (route.methods or ())}
    return {path for path in posted if not path.startswith(BASE)}


def is_led_away(answer: Response, path: str) -> bool:
    """Whether somebody who has not said who they are was led to the entrance."""
    return answer.status_code == 303 and answer.headers["location"] == "/join" and path not in PUBLIC_PATHS
