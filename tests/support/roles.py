"""Who may do what: every route of the application, declared once.

A route that is not in this table fails in tests/api/test_roles.py, and so does one that is there no more.
`RULES` say what each role is answered, `TABLE` says which rule a route has, and how it is asked so that
a role that may do it has done it. `tests/api/test_roles.py` sends each of them as everybody.

To declare a route: `("POST", "/labs/{lab_id}/machines"): Asked(TAUGHT, form={"session": "{prepared}"})`.
Placeholders in paths are filled with what is there (`tests/support/two_labs.py`), those in bodies likewise.
"""

from dataclasses import dataclass
from typing import Any, Final

from app.api.openapi import example
from app.machine.entry import CALLS
from app.sessions.own_tasks import OF_INSTRUCTORS
from tests.support.served import BASE
from tests.support.two_labs import PASSWORD, ROLES

# What a role is answered: it is done; or a status; or `WHO`, which asks an API's caller for a token (401) and
# leads a person to the entrance (303); or `WAIT`, which refuses an API's caller who is not admitted yet (403)
# and leads a person to the page where they wait (303).
YES: Final = "yes"
WHO: Final = "who are you"
WAIT: Final = "you wait"
OUTCOMES: Final = (YES, WHO, WAIT, 403, 404, 409)


def rule(name: str, *outcomes: Any) -> tuple[str, dict[str, Any]]:
    assert len(outcomes) == len(ROLES)
    assert set(outcomes) <= set(OUTCOMES), name
    return name, dict(zip(ROLES, outcomes, strict=True))


# Watcher and operator are members too, and try it at a machine that is shared with them; the owner tries it
# at their own copy, and everybody else at that of the owner.
#                           anonymous foreign waiting member watcher operator owner instructor other
OPEN = rule("anybody", YES, YES, YES, YES, YES, YES, YES, YES, YES)
PRESENT = rule("everybody who has joined", WHO, YES, YES, YES, YES, YES, YES, YES, YES)
KNOWN = rule("everybody known", WHO, YES, WAIT, YES, YES, YES, YES, YES, YES)
READ = rule("read a session", WHO, 404, WAIT, 404, YES, YES, YES, YES, 404)
CALL = rule("call a session", WHO, 404, WAIT, 404, 403, YES, YES, YES, 404)
OWN = rule("manage a session", WHO, 404, WAIT, 404, 403, 403, YES, YES, 404)
SEEN = rule("be in a lab", WHO, 404, WAIT, YES, YES, YES, YES, YES, 404)
FACED = rule("be in a lab, or wait for it", WHO, 404, YES, YES, YES, YES, YES, YES, 404)
TAUGHT = rule("teach a lab", WHO, 404, WAIT, 403, 403, 403, 403, YES, 404)
PUT = rule("put one's own machine into a lab", WHO, 403, WAIT, 403, 403, 403, 403, YES, 404)
SELF = rule("see a member", WHO, 404, WAIT, 404, 404, 404, YES, YES, 404)
MINE = rule("move one's own copy on", WHO, 404, WAIT, 404, 404, 404, YES, 404, 404)
REACH = rule("be a member of a lab", WHO, 404, WAIT, YES, YES, YES, YES, 409, 404)
TEACHER = rule("be an instructor", WHO, 403, WAIT, 403, 403, 403, 403, YES, YES)
NOWHERE = rule("nothing is there", 404, 404, 404, 404, 404, 404, 404, 404, 404)
NEW = rule("become a member", YES, YES, YES, YES, YES, YES, YES, 409, 409)
ANSWERED = rule("work on one's own variant", WHO, 404, WAIT, 404, 404, 404, YES, 409, 404)
RESET = rule("give a member another variant", WHO, 404, WAIT, 404, 404, 404, 403, YES, 404)
STUDENT = rule("be a member", WHO, YES, WAIT, YES, YES, YES, YES, 403, 403)

# No session of the table was made for an exercise: who may read it is told so.
TRIED = rule("practise on a session", WHO, 404, WAIT, 404, 409, 409, 409, 409, 404)
SHOWN = rule("be shown on a session", WHO, 404, WAIT, 404, 403, 409, 409, 409, 404)

OF_A_SESSION: Final = (READ, CALL, OWN)


@dataclass(frozen=True)
class Asked:
    """A route's rule, and a request that does what the route is for."""

    rule: tuple[str, dict[str, Any]]
    # json, form: the body.
    json: Any = None
    form: dict[str, Any] | None = None
    # Instead of filling the route's own.
    path: str | None = None
    # The world is another one then.
    spoils: bool = False
    # The answer is a stream.
    endless: bool = False
    # The cookie is taken back.
    out: bool = False


ONE: Final = f"{BASE}/sessions/{{id}}"
LAB: Final = f"{BASE}/labs/{{id}}"
SHEET: Final = f"{LAB}/sheets/{{sheet}}"
VARIANT: Final = f"{BASE}/variants/{{variant}}"

# Calls after which a task may sleep.
SLEEPY: Final = ("lock_page", "trylock_page", "wait_on_page_locked")


def call(name: str) -> Asked:
    """On a shared machine one is a task of one's own, can end no other's waiting, and sets nothing."""
    body = example(CALLS[name])
    if "task" in body:
        body = {**body, "task": "{task}"}
    return Asked(OWN if name in OF_INSTRUCTORS else CALL, body, spoils=name in (*SLEEPY, "fork"))


EXERCISE: Final = "what-a-split-leaves"
VIEW: Final = {"view": f"exercise={EXERCISE}&variant=7&task=1"}


def practised(of: tuple[str, dict[str, Any]], **more: Any) -> Asked:
    return Asked(of, {"exercise": EXERCISE, "variant": 7, "task": 1, **more})


API: Final[dict[tuple[str, str], Asked]] = {
    ("POST", f"{BASE}/sessions"): Asked(KNOWN, {"machine": {"profile": "tiny-16m"}}),
    ("GET", f"{BASE}/sessions"): Asked(KNOWN),
    ("GET", ONE): Asked(READ),
    ("PATCH", ONE): Asked(OWN, {"name": "another"}),
    ("DELETE", ONE): Asked(OWN, spoils=True),
    ("GET", f"{ONE}/export"): Asked(READ),
    ("POST", f"{ONE}/calls"): Asked(CALL, {"calls": [{"call": "drain_all_pages"}]}),
    ("GET", f"{ONE}/work"): Asked(READ),
    ("DELETE", f"{ONE}/work"): Asked(READ),
    ("POST", f"{ONE}/rewind"): Asked(OWN, {"to": 2}),
    ("POST", f"{ONE}/undo"): Asked(OWN, spoils=True),
    ("GET", f"{ONE}/events"): Asked(READ),
    ("GET", f"{ONE}/events/stream"): Asked(READ, endless=True),
    ("GET", f"{ONE}/events/{{seq}}"): Asked(READ),
    ("GET", f"{ONE}/events/{{seq}}/explain"): Asked(READ),
    ("GET", f"{ONE}/events/{{seq}}/{{list}}"): Asked(READ, path=f"{ONE}/events/{{seq}}/changed"),
    ("GET", f"{ONE}/proc/{{file}}"): Asked(READ),
    ("GET", f"{ONE}/zones"): Asked(READ),
    ("GET", f"{ONE}/zonemap"): Asked(READ),
    ("GET", f"{ONE}/series"): Asked(READ),
    ("GET", f"{ONE}/pages/{{pfn}}"): Asked(READ),
    ("GET", f"{ONE}/caches"): Asked(READ),
    ("GET", f"{ONE}/caches/{{name}}"): Asked(READ),
    ("GET", f"{ONE}/vmap_areas"): Asked(READ),
    ("GET", f"{ONE}/tasks"): Asked(READ),
    ("GET", f"{ONE}/tasks/{{task}}"): Asked(READ, path=f"{ONE}/tasks/init"),
    ("GET", f"{ONE}/tasks/{{task}}/maps"): Asked(READ, path=f"{ONE}/tasks/init/maps"),
    ("GET", f"{ONE}/tasks/{{task}}/walk"): Asked(READ, path=f"{ONE}/tasks/init/walk?addr=0x1000"),
    ("GET", f"{ONE}/tasks/{{task}}/pagetables"): Asked(READ, path=f"{ONE}/tasks/init/pagetables"),
    ("GET", f"{ONE}/tasks/{{task}}/proc/{{file}}"): Asked(READ, path=f"{ONE}/tasks/init/proc/status"),
    ("GET", f"{ONE}/tasks/{{task}}/proc/pagemap"): Asked(READ, path=f"{ONE}/tasks/init/proc/pagemap"),
    ("GET", f"{ONE}/proc/kpageflags"): Asked(READ),
    ("GET", f"{ONE}/proc/kpagecount"): Asked(READ),
    ("GET", f"{ONE}/anon_vma/{{pfn}}"): Asked(READ),
    ("GET", f"{ONE}/lru"): Asked(READ),
    ("GET", f"{ONE}/files"): Asked(READ),
    ("GET", f"{ONE}/files/{{path}}"): Asked(READ, path=f"{ONE}/files/data/a"),
    ("GET", f"{ONE}/swaps"): Asked(READ),
    ("GET", f"{ONE}/names"): Asked(READ),
    ("GET", f"{ONE}/leaks"): Asked(READ),
    ("GET", f"{ONE}/trace"): Asked(READ),
    ("GET", f"{ONE}/tree.tar"): Asked(READ),
    ("GET", f"{ONE}/log"): Asked(READ),
    ("GET", f"{ONE}/dump"): Asked(READ),
    ("GET", f"{ONE}/life"): Asked(READ, path=f"{ONE}/life?pfn=256"),
    ("GET", f"{ONE}/reference_string"): Asked(READ, path=f"{ONE}/reference_string?task=init"),
    ("GET", f"{BASE}/exercises"): Asked(KNOWN),
    ("GET", f"{BASE}/exercises/{{name}}"): Asked(KNOWN, path=f"{BASE}/exercises/{EXERCISE}"),
    ("POST", f"{BASE}/exercises/check"): Asked(TEACHER, {"toml": "no exercise"}),
    ("POST", f"{BASE}/exercises/{{name}}/practice"): Asked(
        KNOWN, {"variant": 7}, path=f"{BASE}/exercises/{EXERCISE}/practice"
    ),
    ("POST", f"{ONE}/exercise/answers"): practised(TRIED, given=["0x400", "0"]),
    ("POST", f"{ONE}/exercise/check"): practised(TRIED),
    ("POST", f"{ONE}/exercise/hints"): practised(TRIED, hint=1),
    ("POST", f"{ONE}/exercise/reveal"): practised(SHOWN),
    ("POST", f"{BASE}/replacement"): Asked(KNOWN, {"string": [1, 2], "frames": [1]}),
    ("GET", f"{BASE}/profiles"): Asked(OPEN),
    ("GET", f"{BASE}/calls"): Asked(OPEN),
    ("GET", f"{BASE}/calls.http"): Asked(OPEN),
    ("GET", f"{BASE}/gfp"): Asked(OPEN),
    ("GET", f"{BASE}/openapi.json"): Asked(OPEN),
    ("GET", "/healthz"): Asked(OPEN),
    ("GET", "/readyz"): Asked(OPEN),
    ("GET", "/metrics"): Asked(NOWHERE),  # until KMEMLAB_METRICS_TOKEN is set
    **{("POST", f"{ONE}/{name}"): call(name) for name in CALLS},
}

# Served in open mode too, where they say that labs are for lab mode.
LABS: Final[dict[tuple[str, str], Asked]] = {
    ("POST", f"{BASE}/join"): Asked(OPEN, {"code": "{code}", "nickname": "Kim"}),
    ("POST", f"{BASE}/signin"): Asked(OPEN, {"name": "Ada", "password": PASSWORD}),
    ("POST", f"{BASE}/signout"): Asked(PRESENT, spoils=True),
    ("GET", f"{BASE}/me"): Asked(PRESENT),
    ("POST", f"{BASE}/me/token"): Asked(KNOWN, spoils=True),
    ("POST", f"{BASE}/me/entry"): Asked(STUDENT, spoils=True),
    ("POST", f"{BASE}/invitations"): Asked(TEACHER),
    ("GET", f"{BASE}/audit"): Asked(TEACHER),
    ("GET", f"{BASE}/labs"): Asked(KNOWN),
    ("POST", f"{BASE}/labs"): Asked(TEACHER, {"title": "Slabs"}),
    ("GET", LAB): Asked(SEEN),
    ("PATCH", LAB): Asked(TAUGHT, {"title": "Slabs", "closed": True}, spoils=True),
    ("DELETE", LAB): Asked(TAUGHT, spoils=True),
    ("POST", f"{LAB}/code"): Asked(TAUGHT, {"days": 1}, spoils=True),
    ("DELETE", f"{LAB}/code"): Asked(TAUGHT, spoils=True),
    ("GET", f"{LAB}/members"): Asked(TAUGHT),
    ("POST", f"{LAB}/members/remove_idle"): Asked(TAUGHT, spoils=True),
    ("GET", f"{LAB}/waiting"): Asked(TAUGHT),
    ("POST", f"{LAB}/waiting/admit"): Asked(TAUGHT, {"numbers": [5]}, spoils=True),
    ("DELETE", f"{LAB}/waiting"): Asked(TAUGHT, spoils=True),
    ("DELETE", f"{LAB}/waiting/{{number}}"): Asked(TAUGHT, path=f"{LAB}/waiting/5", spoils=True),
    ("GET", f"{LAB}/members/{{number}}"): Asked(SELF),
    ("DELETE", f"{LAB}/members/{{number}}"): Asked(TAUGHT, spoils=True),
    ("GET", f"{LAB}/members/{{number}}/export"): Asked(SELF),
    ("GET", f"{LAB}/export"): Asked(TAUGHT),
    ("GET", f"{LAB}/machines"): Asked(SEEN),
    ("POST", f"{LAB}/machines"): Asked(TAUGHT, {"session": "{prepared}", "kind": "prepared"}),
    ("POST", f"{LAB}/demos"): Asked(TAUGHT, {"demo": "split-and-merge"}, spoils=True),
    ("PATCH", f"{LAB}/machines/{{machine}}"): Asked(TAUGHT, {"title": "Small"}),
    ("DELETE", f"{LAB}/machines/{{machine}}"): Asked(TAUGHT, spoils=True),
    ("POST", f"{LAB}/machines/{{machine}}/copy"): Asked(SEEN),
    ("POST", f"{LAB}/machines/{{machine}}/checkpoints"): Asked(TAUGHT, {"seq": 4, "title": "x"}, spoils=True),
    ("DELETE", f"{LAB}/checkpoints/{{checkpoint}}"): Asked(TAUGHT, spoils=True),
    ("POST", f"{LAB}/checkpoints/{{checkpoint}}/done"): Asked(REACH),
    ("POST", f"{LAB}/catch_up"): Asked(MINE, {"session": "{session}", "checkpoint": "{checkpoint}"}),
    ("POST", f"{LAB}/sessions/{{session}}/lock"): Asked(TAUGHT, spoils=True),
    ("POST", f"{LAB}/sessions/{{session}}/unlock"): Asked(TAUGHT),
    ("POST", f"{LAB}/sessions/{{session}}/reset"): Asked(TAUGHT),
    ("GET", f"{LAB}/activity"): Asked(TAUGHT),
    ("GET", f"{LAB}/activity.csv"): Asked(TAUGHT),
    ("GET", f"{LAB}/sheets"): Asked(SEEN),
    ("POST", f"{LAB}/sheets"): Asked(
        TAUGHT, {"title": "Sheet", "items": [{"exercise": "what-a-split-leaves"}]}
    ),
    ("GET", SHEET): Asked(SEEN),
    ("PATCH", SHEET): Asked(TAUGHT, {"title": "Another"}),
    ("DELETE", SHEET): Asked(TAUGHT, spoils=True),
    ("PUT", f"{SHEET}/extensions/{{number}}"): Asked(
        TAUGHT, {"due": "2100-01-01T00:00:00+09:00", "reason": "ill"}
    ),
    ("DELETE", f"{SHEET}/extensions/{{number}}"): Asked(TAUGHT),
    ("POST", f"{SHEET}/items/{{item}}/variants"): Asked(REACH),
    ("GET", f"{SHEET}/results"): Asked(SEEN),
    ("GET", f"{SHEET}/results.csv"): Asked(TAUGHT),
    ("GET", f"{SHEET}/results.zip"): Asked(TAUGHT),
    ("GET", f"{SHEET}/members/{{number}}/results.json"): Asked(SELF),
    ("POST", f"{SHEET}/regrade"): Asked(TAUGHT, {"apply": True}),
    ("GET", f"{LAB}/misconceptions"): Asked(TAUGHT),
    ("GET", VARIANT): Asked(SELF),
    ("POST", f"{VARIANT}/answers"): Asked(
        ANSWERED, {"task": 1, "given": ["1", "0;0;0;0;0;0;0;0;0;0;0"]}, spoils=True
    ),
    ("POST", f"{VARIANT}/check"): Asked(ANSWERED, {"task": 1}, path=f"{BASE}/variants/{{goal}}/check"),
    ("POST", f"{VARIANT}/hints/{{hint}}"): Asked(ANSWERED, {"task": 1}, path=f"{VARIANT}/hints/1"),
    ("POST", f"{VARIANT}/reveal"): Asked(ANSWERED, {"task": 1, "give_up": True}, spoils=True),
    ("POST", f"{VARIANT}/reset"): Asked(RESET, spoils=True),
    ("GET", f"{LAB}/wall"): Asked(TAUGHT),
    ("GET", f"{LAB}/presenting"): Asked(SEEN),
    ("PUT", f"{LAB}/presenting"): Asked(TAUGHT, {"view": "{view}"}),
    ("DELETE", f"{LAB}/presenting"): Asked(TAUGHT),
    ("GET", f"{LAB}/events/stream"): Asked(SEEN, endless=True),
    ("GET", f"{LAB}/polls"): Asked(SEEN),
    ("POST", f"{LAB}/polls"): Asked(
        TAUGHT, {"session": "{prepared}", "line": "alloc_page(GFP_KERNEL)", "predict": "verdict"}
    ),
    ("GET", f"{LAB}/polls/{{poll}}"): Asked(SEEN),
    ("DELETE", f"{LAB}/polls/{{poll}}"): Asked(TAUGHT, spoils=True),
    ("PUT", f"{LAB}/polls/{{poll}}/state"): Asked(TAUGHT, {"state": "reveal"}, spoils=True),
    ("PUT", f"{LAB}/polls/{{poll}}/vote"): Asked(REACH, {"choice": "A", "confidence": "sure"}),
    ("POST", f"{LAB}/polls/{{poll}}/fork"): Asked(TAUGHT, spoils=True),
    ("GET", f"{LAB}/participation"): Asked(TAUGHT),
    ("GET", f"{LAB}/participation.csv"): Asked(TAUGHT),
}

HERE: Final = "/sessions/{session_id}"

WALLS: Final[dict[tuple[str, str], Asked]] = {
    ("GET", "/labs/{lab_id}/wall"): Asked(TAUGHT),
    ("POST", "/labs/{lab_id}/wall/freeze"): Asked(TAUGHT, form={"frozen": "off"}),
    ("POST", "/labs/{lab_id}/presenting"): Asked(TAUGHT, form={"present": "on", "here": "{view}"}),
}

PAGES: Final[dict[tuple[str, str], Asked]] = {
    ("GET", "/"): Asked(KNOWN),
    ("POST", "/sessions"): Asked(KNOWN, form={"profile": "tiny-16m"}),
    ("GET", HERE): Asked(READ),
    ("GET", f"{HERE}/thumbnail.svg"): Asked(READ),
    ("GET", f"{HERE}/explain/{{seq}}"): Asked(READ),
    ("GET", f"{HERE}/life"): Asked(READ, path=f"{HERE}/life?pfn=256"),
    ("POST", f"{HERE}/call/{{name}}"): Asked(
        CALL, form={"gfp": "GFP_KERNEL"}, path=f"{HERE}/call/alloc_page"
    ),
    ("GET", f"{HERE}/call/{{name}}"): Asked(KNOWN, path=f"{HERE}/call/alloc_page"),
    ("POST", f"{HERE}/line"): Asked(CALL, form={"line": "alloc_page(GFP_KERNEL)"}),
    ("POST", f"{HERE}/demo"): Asked(CALL, form={"view": "demo=split-and-merge&step=1"}),
    ("GET", f"{HERE}/demo"): Asked(KNOWN),
    ("POST", f"{HERE}/demo/ask"): Asked(KNOWN, form={"ask": "on"}),
    ("GET", f"{HERE}/demo/ask"): Asked(KNOWN),
    ("POST", f"{HERE}/undo"): Asked(OWN, form={"view": ""}, spoils=True),
    ("POST", f"{HERE}/rewind"): Asked(OWN, form={"to": "2"}),
    ("POST", f"{HERE}/fork"): Asked(READ, form={"at": "2"}),
    ("POST", f"{HERE}/rename"): Asked(OWN, form={"name": "another"}),
    ("GET", f"{HERE}/delete"): Asked(OWN),
    ("POST", f"{HERE}/delete"): Asked(OWN, spoils=True),
    ("POST", "/exercises/{name}"): Asked(KNOWN, path=f"/exercises/{EXERCISE}"),
    ("GET", "/exercises/{name}"): Asked(KNOWN, path=f"/exercises/{EXERCISE}"),
    ("POST", f"{HERE}/exercise/answers"): Asked(TRIED, form=VIEW),
    ("POST", f"{HERE}/exercise/check"): Asked(TRIED, form=VIEW),
    ("POST", f"{HERE}/exercise/hints"): Asked(TRIED, form=VIEW),
    ("POST", f"{HERE}/exercise/reveal"): Asked(TRIED, form=VIEW),
    ("POST", f"{HERE}/exercise/begin"): Asked(TRIED, form=VIEW),
    ("GET", f"{HERE}/exercise/{{what}}"): Asked(KNOWN, path=f"{HERE}/exercise/answers"),
    ("POST", "/demos/{name}"): Asked(KNOWN, path="/demos/split-and-merge"),
    ("GET", "/demos/{name}"): Asked(KNOWN, path="/demos/split-and-merge"),
    ("POST", "/preferences"): Asked(OPEN, form={"theme": "dark"}),
    ("GET", "/gfp"): Asked(OPEN),
    ("GET", "/calls"): Asked(OPEN),
    ("GET", "/replacement"): Asked(KNOWN),
    ("POST", "/replacement"): Asked(KNOWN, form={"of": "list", "string": "7 0 1"}),
    ("GET", "/texts/{name}"): Asked(NOWHERE, path="/texts/none"),  # no language but English has any
    ("GET", "/static/{file}"): Asked(OPEN, path="{asset}"),
}

HOUSE: Final = "/labs/{lab_id}"
KEPT: Final = f"{HOUSE}/machines/{{machine_id}}"
MARK: Final = f"{HOUSE}/checkpoints/{{checkpoint_id}}"
THEIRS: Final = f"{HOUSE}/sessions/{{session_id}}"
QUESTION: Final = f"{HOUSE}/polls/{{poll_id}}"
RESULTS: Final = f"{HOUSE}/sheets/{{sheet_id}}/results"
PAPER: Final = f"{HOUSE}/sheets/{{sheet_id}}"
MY_VARIANT: Final = "/variants/{variant_id}"
GUESS: Final = {"view": "task=1", "f1": "0x400", **{f"f2.{order}": "0" for order in range(11)}}

ROOMS: Final[dict[tuple[str, str], Asked]] = {
    ("GET", "/labs"): Asked(KNOWN),
    ("POST", "/labs"): Asked(TEACHER, form={"title": "Slabs"}),
    ("GET", HOUSE): Asked(FACED),
    ("GET", f"{HOUSE}/board"): Asked(TAUGHT),
    ("GET", f"{HOUSE}/join.svg"): Asked(TAUGHT),
    ("POST", f"{HOUSE}/describe"): Asked(TAUGHT, form={"title": "Slabs", "text": ""}),
    ("POST", f"{HOUSE}/expected"): Asked(TAUGHT, form={"expected": "60"}, spoils=True),
    ("POST", f"{HOUSE}/waiting/admit"): Asked(TAUGHT, form={"number": "5"}, spoils=True),
    ("POST", f"{HOUSE}/waiting/turn-away"): Asked(TAUGHT, form={"all": "on"}, spoils=True),
    ("GET", f"{HOUSE}/members/remove-idle"): Asked(TAUGHT),
    ("POST", f"{HOUSE}/members/remove-idle"): Asked(TAUGHT, spoils=True),
    ("POST", f"{HOUSE}/code"): Asked(TAUGHT, spoils=True),
    ("POST", f"{HOUSE}/code/close"): Asked(TAUGHT, spoils=True),
    ("POST", f"{HOUSE}/open"): Asked(TAUGHT),
    ("POST", f"{HOUSE}/freeze"): Asked(TAUGHT, form={"frozen": "off"}),
    ("GET", f"{HOUSE}/close"): Asked(TAUGHT),
    ("POST", f"{HOUSE}/close"): Asked(TAUGHT, spoils=True),
    ("GET", f"{HOUSE}/delete"): Asked(TAUGHT),
    ("POST", f"{HOUSE}/delete"): Asked(TAUGHT, spoils=True),
    ("GET", "/sessions/{session_id}/lab"): Asked(PUT, path="/sessions/{prepared}/lab"),
    ("POST", "/sessions/{session_id}/lab"): Asked(
        PUT, form={"lab": "{lab}", "kind": "prepared"}, path="/sessions/{prepared}/lab", spoils=True
    ),
    ("POST", f"{HOUSE}/machines"): Asked(TAUGHT, form={"session": "{prepared}", "kind": "prepared"}),
    ("POST", f"{HOUSE}/demos"): Asked(TAUGHT, form={"demo": "split-and-merge"}, spoils=True),
    ("POST", KEPT): Asked(TAUGHT, form={"title": "Small"}),
    ("POST", f"{KEPT}/copy"): Asked(SEEN),
    ("POST", f"{KEPT}/checkpoints"): Asked(TAUGHT, form={"seq": "4", "title": "x"}, spoils=True),
    ("POST", f"{KEPT}/remove"): Asked(TAUGHT, spoils=True),
    ("POST", f"{MARK}/done"): Asked(REACH),
    ("POST", f"{MARK}/remove"): Asked(TAUGHT, spoils=True),
    ("POST", f"{THEIRS}/catch-up"): Asked(MINE, spoils=True),
    ("POST", f"{THEIRS}/lock"): Asked(TAUGHT, form={"locked": "off"}),
    ("GET", RESULTS): Asked(SEEN),
    ("GET", f"{RESULTS}/tasks/{{label}}"): Asked(TAUGHT, path=f"{RESULTS}/tasks/1.1"),
    ("GET", f"{RESULTS}/members/{{member}}/{{label}}"): Asked(
        TAUGHT, path=f"{RESULTS}/members/{{number}}/1.1"
    ),
    ("GET", f"{HOUSE}/sheets/{{sheet_id}}/regrade"): Asked(TAUGHT),
    ("POST", f"{HOUSE}/sheets/{{sheet_id}}/regrade"): Asked(TAUGHT, form={"apply": "on"}),
    ("GET", f"{HOUSE}/misconceptions"): Asked(TAUGHT),
    ("GET", f"{HOUSE}/sheets"): Asked(SEEN),
    ("POST", f"{HOUSE}/sheets"): Asked(
        TAUGHT, form={"title": "Sheet", "items": "on", "item.what-a-split-leaves": "on"}
    ),
    ("GET", PAPER): Asked(SEEN),
    ("POST", PAPER): Asked(TAUGHT, form={"title": "Another", "due": "2099-01-01T00:00"}),
    ("POST", f"{PAPER}/released"): Asked(TAUGHT, form={"released": "off"}),
    ("POST", f"{PAPER}/extensions"): Asked(
        TAUGHT, form={"number": "1", "due": "2100-01-01T00:00", "reason": "ill"}
    ),
    ("POST", f"{PAPER}/extensions/{{number}}/remove"): Asked(TAUGHT),
    ("GET", f"{PAPER}/delete"): Asked(TAUGHT),
    ("POST", f"{PAPER}/delete"): Asked(TAUGHT, spoils=True),
    ("POST", f"{PAPER}/items/{{item_id}}"): Asked(REACH),
    ("GET", MY_VARIANT): Asked(SELF),
    ("POST", f"{MY_VARIANT}/answers"): Asked(ANSWERED, form=GUESS, spoils=True),
    ("POST", f"{MY_VARIANT}/check"): Asked(ANSWERED, form={"view": "task=1"}, path="/variants/{goal}/check"),
    ("POST", f"{MY_VARIANT}/hints"): Asked(ANSWERED, form={"view": "task=1"}, spoils=True),
    ("POST", f"{MY_VARIANT}/reveal"): Asked(ANSWERED, form={"view": "task=1", "give_up": "on"}, spoils=True),
    ("POST", f"{MY_VARIANT}/reset"): Asked(RESET, spoils=True),
    ("GET", f"{THEIRS}/reset"): Asked(TAUGHT),
    ("POST", f"{THEIRS}/reset"): Asked(TAUGHT),
    ("GET", f"{HOUSE}/members"): Asked(TAUGHT),
    ("GET", f"{HOUSE}/members/{{number}}/delete"): Asked(TAUGHT),
    ("POST", f"{HOUSE}/members/{{number}}/delete"): Asked(TAUGHT, spoils=True),
    ("GET", f"{HOUSE}/activity"): Asked(TAUGHT),
    ("GET", f"{HOUSE}/activity.csv"): Asked(TAUGHT),
    ("GET", "/audit"): Asked(TEACHER),
    ("GET", f"{HOUSE}/polls"): Asked(SEEN),
    ("POST", f"{HOUSE}/polls"): Asked(TAUGHT, form={"task": "{task_for_class}"}),
    ("GET", f"{HOUSE}/polls.svg"): Asked(TAUGHT),
    ("GET", QUESTION): Asked(SEEN),
    ("POST", f"{QUESTION}/vote"): Asked(REACH, form={"choice": "A", "confidence": "sure", "round": "1"}),
    ("GET", f"{QUESTION}/projector"): Asked(TAUGHT),
    ("GET", f"{QUESTION}/desk"): Asked(TAUGHT),
    ("POST", f"{QUESTION}/state"): Asked(TAUGHT, form={"state": "reveal"}, spoils=True),
    ("POST", f"{QUESTION}/fork"): Asked(TAUGHT, spoils=True),
    ("POST", f"{QUESTION}/delete"): Asked(TAUGHT, spoils=True),
    ("GET", f"{HOUSE}/participation"): Asked(TAUGHT),
    ("GET", f"{HOUSE}/participation.csv"): Asked(TAUGHT),
    ("GET", "/sessions/{session_id}/ask"): Asked(PUT, path="/sessions/{prepared}/ask"),
    ("POST", "/sessions/{session_id}/ask"): Asked(
        PUT,
        form={"lab": "{lab}", "line": "alloc_page(GFP_KERNEL)", "predict": "verdict"},
        path="/sessions/{prepared}/ask",
    ),
}

ENTRANCE: Final[dict[tuple[str, str], Asked]] = {
    ("GET", "/join"): Asked(OPEN),
    ("GET", "/join/{code}"): Asked(OPEN),
    ("POST", "/join"): Asked(NEW, form={"code": "{code}", "nickname": "Kim"}, spoils=True),
    ("GET", "/signin"): Asked(OPEN),
    ("POST", "/signin"): Asked(OPEN, form={"name": "Ada", "password": PASSWORD}),
    ("GET", "/setup/{secret}"): Asked(OPEN, path="/setup/{invitation}"),
    ("POST", "/setup/{secret}"): Asked(
        OPEN, form={"name": "Cleo", "password": PASSWORD}, path="/setup/{invitation}", spoils=True
    ),
    ("GET", "/enter/{secret}"): Asked(OPEN, path="/enter/{entry}"),
    ("POST", "/enter/{secret}"): Asked(OPEN, path="/enter/{entry}"),
    ("GET", "/signout"): Asked(PRESENT),
    ("POST", "/signout"): Asked(PRESENT, spoils=True, out=True),
    ("GET", "/me"): Asked(KNOWN),
    ("GET", "/me/token"): Asked(KNOWN),
    ("POST", "/me/token"): Asked(KNOWN, spoils=True),
    ("GET", "/me/link"): Asked(KNOWN),
    ("POST", "/me/link"): Asked(STUDENT, spoils=True),
    ("GET", "/me/invitation"): Asked(KNOWN),
    ("POST", "/me/invitation"): Asked(TEACHER),
    ("GET", "/me/leave"): Asked(KNOWN),
    ("POST", "/me/leave"): Asked(KNOWN, spoils=True, out=True),
}

TABLE: Final = {**ENTRANCE, **ROOMS, **API, **LABS, **WALLS, **PAGES}
