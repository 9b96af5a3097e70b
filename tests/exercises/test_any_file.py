"""Whatever a file holds: it is an exercise, or a mistake in it is named."""

import json
import tomllib
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.exercises.reading import BadExercise, parse
from tests.exercises.planted import WHOLE

Path = tuple[str | int, ...]

VALUES: dict[str, Any] = tomllib.loads(WHOLE)
texts = st.sampled_from(
    [
        *("", " ", "{", "{order}", "{who.1}", "{who}", "{x}", "}", "1", "-1", "1 / 0", "1 << 99", "(" * 30),
        *(
            "free DMA",
            "1 verdict",
            "9 pfn",
            "right",
            "right.9",
            "managed.",
            "x.y",
            "0x",
            "= 3",
            "mask GFP_NOFS",
        ),
        *("alloc_page(GFP_KERNEL)", "free_page(", "x = y", "/* */", "\u0000", "\ud7ff\u2028", "a" * 3000),
        *("number", "orders", "step", "lines", "tasks", "flags", "goal", "ask", "debug", "deciding", "none"),
        *("tiny-16m", "i386-1g", "zone", "2 %", "block 3", "first_fit", "{{}}", "{need:x}", "live frames in"),
    ]
) | st.text(max_size=20)
scalars = (
    texts
    | st.integers(-5, 70)
    | st.integers(-(1 << 70), 1 << 70)
    | st.booleans()
    | st.floats(allow_nan=False)
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["is", "from", "between", "because", "text", "a"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


def paths_of(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths_of(inner, (*path, key))


def changed(value: Any, path: Path, to: Any) -> Any:
    """The value with another one in a place of it; None takes the place away."""
    if not path:
        return to
    found = dict(value) if isinstance(value, dict) else list(value)
    inner = changed(found[path[0]], path[1:], to)
    if inner is None:
        del found[path[0]]
    else:
        found[path[0]] = inner
    return found


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{text(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return text(value) if isinstance(value, str) else json.dumps(value).replace("Infinity", "inf")


def text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def fault_of(written: str) -> str:
    """What is wrong with it; only where it stands if nothing is."""
    try:
        parse("any.toml", written)
    except BadExercise as error:
        return str(error)
    return "any.toml: "


PLACES = [path for path in paths_of(VALUES) if path]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.none() | anything), min_size=1, max_size=2))
def test_a_file_with_anything_anywhere_is_read_or_refused(changes: list[tuple[Path, Any]]) -> None:
    values = VALUES
    for path, to in changes:
        if path in list(paths_of(values)):
            values = changed(values, path, to)
    written = "".join(f"{text(key)} = {toml(value)}\n" for key, value in values.items())
    assert tomllib.loads(written) == values
    assert fault_of(written).startswith("any.toml: ")


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_refused(written: str) -> None:
    assert fault_of(written).startswith("any.toml: ")


def test_the_whole_file_is_written_as_it_is_read() -> None:
    written = "".join(f"{text(key)} = {toml(value)}\n" for key, value in VALUES.items())
    assert parse("all.toml", written).tasks == parse("all.toml", WHOLE).tasks
