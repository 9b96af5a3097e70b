"""The JSON of an outcome that is written as text is, byte for byte, what the dict would have given."""

from typing import Any

import pytest
from pydantic_core import to_json

from app.machine import boot, calls, parsing
from app.machine.outcome import Outcome
from app.sessions.encoding import RARE, arguments, encode, short
from app.sessions.live import outcome_of
from app.sessions.replaying import in_older_form
from tests.support.random_calls import RandomCalls

TIME = "2026-01-02T03:04:05.678Z"


@pytest.mark.sampled(3)
@pytest.mark.parametrize("by", [None, "ann", 'Zoë "\\\n\x00\x7f😀'], ids=["open", "plain", "escaped"])
@pytest.mark.parametrize(
    "profile", [{"profile": "tiny-16m", "cpus": 2, "reclaim": False}, {"profile": "i386-1g"}], ids=str
)
def test_every_kind_of_call_is_encoded_as_its_dict_would_be(profile: dict[str, Any], by: str | None) -> None:
    m = boot.boot(profile)
    seen = set()
    for seq, made in enumerate(RandomCalls(m, 7).outcomes(3_000), 1):
        document = short(outcome_of(made, m, seq, TIME, by))
        args, body = encode(made, m.model, seq, TIME, by)
        assert body == to_json(document)
        assert args == to_json(document["args"])
        seen |= {*document, document["verdict"], len(document["changed"] or ()), type(document["ret"])}
        seen |= {"log lines"} if document["log"] else set()
    # Otherwise the loop would have shown little. Nobody is killed on a machine without reclaim.
    rare = {*RARE} - {"killed"}
    assert {"page", *rare, "log lines", "ok", "null", "warn", "bug", "blocked", 0, 1, 2, 3, str, int} <= seen
    assert type(None) in seen


def test_who_was_killed_is_encoded_as_in_the_dict() -> None:
    m = boot.boot({"profile": "tiny-16m", "reclaim": True})
    m.apply(parsing.parse("execve", {"task": "hog"}, m.model), 1)
    made = m.apply(parsing.parse("alloc_page", {"gfp": "GFP_KERNEL", "repeat": 3_050}, m.model), 2)
    document = short(outcome_of(made, m, 2, TIME, None))
    assert document["killed"] == ["hog"]
    assert encode(made, m.model, 2, TIME, None)[1] == to_json(document)


def test_names_that_arguments_were_given_by_are_kept_beside_the_values() -> None:
    m = boot.boot({"profile": "tiny-16m"})
    page = calls.Named("page", pfn=1024, order=2)
    m.apply(parsing.parse("alloc_pages", {"gfp": "GFP_KERNEL", "order": 2}, m.model), 1)
    for body, written in (({"page": "$p+1"}, {"page": "p+1"}), ({"pfn": 1025}, None)):
        call = parsing.parse("page_count", body, m.model, ("p",)).resolve({"p": page}, m.model)
        made = m.apply(call, 2)
        document = short(outcome_of(made, m, 2, TIME, None))
        args, encoded = encode(made, m.model, 2, TIME, None)
        assert (document["args"]["pfn"], document.get("written")) == (1025, written)
        assert (args, encoded) == (to_json(document["args"]), to_json(document))


def test_arguments_are_escaped_and_written_once() -> None:
    m = boot.boot({"profile": "tiny-16m"})
    call = parsing.parse("alloc_pages", {"gfp": "GFP_KERNEL\x1f|\u3000__GFP_COMP", "order": 1}, m.model)
    assert arguments(call, m.model).encode() == to_json(call.as_json(m.model))
    assert arguments(call, m.model) is call.text
    assert m.apply(call, 1).call is call


def test_a_list_that_is_cut_has_arguments_of_its_own() -> None:
    m = boot.boot({"profile": "tiny-16m"})
    whole = parsing.parse("__free_pages", {"page": [[1024, 8]], "order": 0}, m.model)
    whole.text = "of the whole list"
    whole.count = 3
    assert calls.select(whole, whole.args["page"], m.model).text is None


def test_what_reclaim_did_to_swap_is_encoded_as_in_the_dict() -> None:
    m = boot.boot({"profile": "tiny-16m", "reclaim": True, "swap": 2_000})

    def do(seq: int, name: str, **body: Any) -> Outcome:
        return m.apply(parsing.parse(name, body, m.model), seq)

    do(1, "execve", task="a")
    area = {"length": 1_600 << 12, "prot": "PROT_READ|PROT_WRITE", "flags": "MAP_PRIVATE|MAP_ANONYMOUS"}
    at = do(2, "mmap", task="a", addr=None, fd=-1, offset=0, **area).ret
    do(3, "store", task="a", addr=at, value=1, count=1_600, step=4096)
    taken = do(4, "alloc_page", gfp="GFP_KERNEL", repeat=2_600)
    document = short(outcome_of(taken, m, 4, TIME, None))
    assert document["swap"]
    assert document["pte"]
    assert encode(taken, m.model, 4, TIME, None)[1] == to_json(document)
    # Rows from before say nothing of it; what they say must be so.
    old = {name: value for name, value in document.items() if name not in ("pte", "swap")}
    assert in_older_form(document, old) == old
    other = {**old, "pte": [["b", "0x1000", 1, "present"]]}
    assert in_older_form(document, other) != other
