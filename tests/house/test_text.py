"""Text that clients send: measured before anything costs more than one pass; numbers in ASCII digits only."""

import unicodedata
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app import text
from app.errors import FAULTS_SHOWN, BadArgument, Fault, Faults
from app.machine import boot, dump, gfp_text, loading
from app.machine.document import Document
from app.numerals import unsigned
from app.sessions import identifiers
from app.web import address, languages

MARKED = "a" + "\u0315\u0300" * 60_000


@pytest.fixture
def normalised(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How long each text was that was normalised, or of which a character was looked at."""
    lengths: list[int] = []

    def normalize(form: str, given: str) -> str:
        lengths.append(len(given))
        return unicodedata.normalize(form, given)  # type: ignore[arg-type]

    def category(character: str) -> str:
        lengths.append(1)
        return unicodedata.category(character)

    monkeypatch.setattr(text, "unicodedata", SimpleNamespace(normalize=normalize, category=category))
    return lengths


@pytest.mark.parametrize("given", [MARKED, "a" * 1_000_000, "\0" * 1_000_000, " " * 1_000_000])
def test_a_long_text_is_not_looked_at(normalised: list[int], given: str) -> None:
    with pytest.raises(BadArgument, match="1 to 40 characters"):
        text.line("nickname", given, 40)
    with pytest.raises(BadArgument, match="at most 20000 characters"):
        text.lines("text", given, 20_000)
    with pytest.raises(BadArgument, match="1 to 100 characters"):
        identifiers.checked_name(given)
    assert normalised == []
    text.comparable(given)
    assert normalised == [text.COMPARED]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("x" + "\u0323" * 5, "combining marks"),
        ("x" + "\u0323" * 3 + "\u200d" + "\u0323" * 3, "control"),
        ("\u1100" + "\u1161" + "\u11a8" * 6, "combining marks"),
        ("a\0b", "control"),
        ("a\nb", "control"),
        ("a\u202eb", "control"),
        ("\ud800", "control"),
        ("\u3164", "seen"),
        ("", "1 to 40"),
        ("   ", "1 to 40"),
    ],
)
def test_a_line_is_refused(given: str, words: str) -> None:
    with pytest.raises(BadArgument, match=words):
        text.line("name", given, 40)


@pytest.mark.parametrize(
    "given", ["Kim", "Zoë", "김민준", "ติ๊ก", "שָׁלוֹם", "محمّدٌ", "नमस्ते", "x\u0323\u0323\u0323\u0323"]
)
def test_names_of_people_are_lines(given: str) -> None:
    assert text.line("name", given, 40) == unicodedata.normalize("NFC", given)


def test_a_joiner_does_not_begin_a_new_letter() -> None:
    with pytest.raises(BadArgument, match="combining marks"):
        identifiers.checked_name("x" + "\u0323" * 3 + "\u200d" + "\u0323" * 3)
    assert identifiers.checked_name(" 👩\u200d🔬 ") == "👩\u200d🔬"
    with pytest.raises(BadArgument, match="combining marks"):
        text.lines("text", "# Title\n\nx" + "\u0323" * 5, 100)


@given(some.text(max_size=60))
def test_a_line_that_passes_passes_again(given: str) -> None:
    try:
        line = text.line("name", given, 40)
    except BadArgument:
        return
    assert text.line("name", line, 40) == line
    line.encode()


# -- numbers -------------------------------------------------------------------------------------------------

NO_NUMBERS = [
    "",
    "1_0",
    "0x_1_0",
    "٣",
    "²",
    "+1",
    "-1",
    " 1",
    "1 ",
    "1.0",
    "1e3",
    "0b1",
    "0o7",
    "007",
    "0x",
    "9" * 5_000,
    "0x" + "f" * 17,
]


@pytest.mark.parametrize("given", NO_NUMBERS)
def test_what_is_no_number(given: str) -> None:
    assert unsigned(given) is None
    assert address.number(given) is None
    assert address.memory_address(given) is None
    assert gfp_text.as_number(given) is None
    with pytest.raises(BadArgument):
        Document(given).int(0, 1 << 62)


@given(some.integers(0, (1 << 64) - 1))
def test_numbers(number: int) -> None:
    assert unsigned(str(number)) == unsigned(f"{number:#x}") == number


def test_the_weight_of_a_language() -> None:
    assert languages.wanted("ko;q=0.5, en;q=1_0, de;q=nan, fr;q=٣, en;q=0.8, it") == ["it", "en", "ko"]


@pytest.mark.parametrize(
    "key", ["٣U", "1_0U", "9" * 5_000 + "U", "11U", "U", "0", "0X", "²U", "-1U", "", "00000U"]
)
def test_the_name_of_a_free_list(key: str) -> None:
    document = dump.dump(boot.boot({"profile": "tiny-16m"}))
    document["zones"][0]["free_list"][key] = []
    with pytest.raises(BadArgument, match="like 0U") as refused:
        loading.load(document)
    assert len(str(refused.value)) < 1_000


@pytest.mark.parametrize("key", ["٣", "9" * 5_000, "99", "", "²", "1_", "-1"])
def test_the_index_of_a_list_of_a_cpu(key: str) -> None:
    document = dump.dump(boot.boot({"profile": "tiny-16m"}))
    document["zones"][0]["pcp"][0]["lists"][key] = []
    with pytest.raises(BadArgument, match="an index below"):
        loading.load(document)


# -- errors --------------------------------------------------------------------------------------------------


def test_an_error_is_short_however_long_the_names_are() -> None:
    fault = Fault(("x" * 1_000_000, 3, *["deep"] * 1_000), "é" * 1_000_000)
    assert fault.loc[:2] == ("x" * 39 + "…", 3)
    assert len(fault.loc) == 12
    assert len(fault.msg) == 400


def test_faults_beyond_the_first_are_counted() -> None:
    faults = Faults()
    for number in range(5_000):
        faults.add(f"field{number}", "no")
    with pytest.raises(BadArgument, match=r"field19: no; and 4,980 more$") as refused:
        faults.check()
    error = refused.value.under("calls", 3)
    assert len(error.faults) == FAULTS_SHOWN
    assert error.more == 4_980
    more = Faults()
    more.extend(error)
    more.extend(error)
    assert (len(more.first), more.more) == (20, 9_980)


def test_an_error_of_many_faults() -> None:
    error = BadArgument(*(Fault((), "x" * 10_000) for _ in range(5_000)))
    assert (len(error.faults), error.more) == (20, 4_980)
    assert len(str(error)) < 1_000
    assert str(error).endswith("; and 4,980 more")
