"""JSON in slices: for every document, valid or not, what the plain reader finds or refuses it with."""

import json
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from app import slicedjson
from app.slicedjson import NotJson, loads

SCALARS = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(),
    some.floats(allow_nan=False, allow_infinity=False),
    some.text(max_size=12),
    some.sampled_from(["", "\\", '"', "],", "},", "[", "\n", "é", "😀", "\ud800", "\udc00\ud800", "a" * 200]),
)
DOCUMENTS = some.recursive(
    SCALARS,
    lambda inner: some.one_of(
        some.lists(inner, max_size=12),
        some.dictionaries(some.text(max_size=6), inner, max_size=8),
        some.lists(some.lists(some.integers(0, 99), min_size=3, max_size=3), max_size=30),
        some.lists(some.integers(), max_size=200),
    ),
    max_leaves=30,
)
DIGITS = "9" * 5_000
BROKEN = [
    "",
    " ",
    "[1,]",
    "[1 2]",
    '{"a":1,}',
    '{"a" 1}',
    '{"a":}',
    "{1:2}",
    '{"a":1 "b":2}',
    '{"a":1,"a":2}',
    '[{"b":1,"a":1,"a":2},]',
    "[NaN]",
    "[1,-Infinity,]",
    '["\\ud800"]',
    '["\\ud800",]',
    '{"\\udc00":1}',
    '["\\ud83d\\ude00"]',
    "[" + DIGITS + "]",
    "[" + DIGITS + ".5]",
    DIGITS,
    "[tru]",
    '["a',
    '["a\n"]',
    '["\\x"]',
    "[1]]",
    "\ufeff[1]",
    "[[[[[[[[1],2],3],4],5],6],7],8]",
    '{"a":{"b":{"c":[1,2,3,{"d":[]}]}},"e":{}}',
]


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slicedjson, "READ_WHOLE", -1)
    monkeypatch.setattr(slicedjson, "SLICE_LENGTH", 40)
    monkeypatch.setattr(slicedjson, "EACH", 3)


def plainly(body: bytes) -> Any:
    """As a short document is read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slicedjson, "READ_WHOLE", 1 << 40)
        return result(body)


def result(body: bytes) -> Any:
    """What is found, exactly, or why nothing is."""
    try:
        return "found", repr(loads(body))
    except NotJson as error:
        return "refused", str(error), error.line


def same(body: bytes) -> None:
    for careful in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            if careful:  # as where the scanner has looked at too much in vain
                patch.setattr(slicedjson._Walk, "short", lambda *_: None)
                patch.setattr(slicedjson._Walk, "several", lambda _self, start, *_: (None, start))
            assert result(body) == plainly(body)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DOCUMENTS, some.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")]), some.booleans())
def test_documents(document: Any, separators: tuple[str, str], ascii_only: bool) -> None:
    text = json.dumps(document, separators=separators, ensure_ascii=ascii_only)
    same(text.encode("utf-8", "surrogatepass"))


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DOCUMENTS, some.data())
def test_documents_with_a_mistake(document: Any, data: some.DataObject) -> None:
    text = json.dumps(document)
    at = data.draw(some.integers(0, len(text)))
    cut = data.draw(some.integers(0, 3))
    put = data.draw(
        some.sampled_from(["", ",", "]", "[", "}", "{", '"', ":", "NaN", "\\", " ", "1", '"a":1,', "x"])
    )
    same((text[:at] + put + text[at + cut :]).encode())


@example("[1,,2]")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.text(alphabet='[]{},:"1 -.eE\\untrfals', max_size=80))
def test_any_text(text: str) -> None:
    same(text.encode())


@pytest.mark.parametrize("text", BROKEN)
def test_mistakes(text: str) -> None:
    same(text.encode())
    for around in ("[%s]", '{"x":[1,2,3],"y":%s}', '[["a,b","c"],%s,4]', "[" + "1," * 50 + "%s]"):
        same((around % text).encode())


def test_what_is_no_text() -> None:
    same(b'["\xff"]')
    same("[1]".encode("utf-16"))


def test_a_name_stands_twice_far_apart() -> None:
    members = ",".join(f'"m{number}":{number}' for number in range(1_000))
    same(f"{{{members}}}".encode())
    same(f'{{{members},"m3":1}}'.encode())
    assert result(f'{{{members},"m3":1}}'.encode())[1] == "a name stands twice in one object"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000])
def test_what_is_nested_too_deeply(text: str) -> None:
    assert result(text.encode()) == plainly(text.encode()) == ("refused", "nested too deeply", None)


def test_long_elements_in_one_another_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slicedjson, "SLICE_LENGTH", 1 << 10)
    text = "0" + ",1" * 20_000
    for _ in range(slicedjson.DEPTH):
        text = f"[{text}]"
    assert result(text.encode())[0] == "found"
    walk = slicedjson._Walk(text)
    walk.document()
    assert walk.wasted < 5 * len(text)
    assert result(f"[{text}]".encode()) == ("refused", "nested too deeply", None)


def test_no_slice_is_longer_than_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds the interpreter's lock is one call of the scanner."""
    monkeypatch.setattr(slicedjson, "SLICE_LENGTH", 1 << 12)
    scan = slicedjson._SCAN
    longest = 0

    def measured(text: str, start: int) -> tuple[Any, int]:
        nonlocal longest
        value, end = scan(text, start)
        longest = max(longest, end - start)
        return value, end

    monkeypatch.setattr(slicedjson, "_SCAN", measured)
    document = {
        "pages": [[number, 0, 1, "0x400", "GFP_KERNEL", "alloc", "init", 5, 0] for number in range(5_000)],
        "zones": [{"free_list": {"0U": list(range(50_000)), "10M": []}, "name": "DMA"}],
        "names": {f"name{number}": {"kind": "page"} for number in range(2_000)},
    }
    assert loads(json.dumps(document).encode()) == document
    assert longest <= (1 << 12) + 2


@pytest.mark.slow
def test_others_go_on_meanwhile() -> None:
    """Another thread counts while a long document is read; were it one call into C, it could not."""
    slicedjson.SLICE_LENGTH = 1 << 16
    body = json.dumps([[number, "x", None] for number in range(400_000)]).encode()
    counted, over = 0, threading.Event()

    def count() -> None:
        nonlocal counted
        while not over.wait(0):
            counted += 1
            over.wait(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    before = counted
    loads(body)
    seen = counted - before
    over.set()
    thread.join()
    assert seen >= 3


def test_a_document_is_freed() -> None:
    pages = [[number, "x"] for number in range(25_000)]
    zone, kernel = {"list": list(range(25_000))}, {"reserved": [[1, 2]]}
    document = {"pages": pages, "zones": [zone], "kernel": kernel}
    slicedjson.release(document)
    assert (document, pages, zone, kernel) == ({}, [], {}, {"reserved": [[1, 2]]})
    for nothing in (None, 1, "text", [], {}):
        slicedjson.release(nothing if isinstance(nothing, list | dict) else [nothing])


def test_what_was_found_before_a_mistake_is_freed() -> None:
    walk = slicedjson._Walk('{"a":[' + "[1,2]," * 1_000 + '"x"],"b":nul')
    with pytest.raises(ValueError, match="Expecting value"):
        walk.document()
    assert walk.walked == []
