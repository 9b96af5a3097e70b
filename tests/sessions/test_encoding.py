"""The JSON of an outcome that is written as text is, byte for byte, what the dict would have given."""

from typing import Any

import pytest
from pydantic_core import to_json

from app.machine import boot, calls, parsing
from app.sessions.encoding import RARE, arguments, encode, short
from app.sessions.live import outcome_of
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
