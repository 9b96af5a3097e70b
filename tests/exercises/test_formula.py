"""Formulas: against an evaluation by Python's own parser, and texts that are none."""

import ast
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.exercises.formula import DEEPEST, FUNCTIONS, LEAST, LONGEST, MOST, BadFormula, UnknownName, parse

NAMES = {
    "share": 45,
    "n": 7,
    "zero": 0,
    "below": -12,
    "managed.DMA": 3072,
    "reserve.DMA.DMA32": 945,
    "who.1": 3,
}


class NoValueError(Exception):
    """There is no value."""


# -- an independent evaluation: Python reads the text, exact fractions compute it ---------------------------


def checked(value: int) -> int:
    if not LEAST <= value <= MOST:
        raise NoValueError
    return value


def dotted(node: ast.expr) -> str:
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else node.id  # type: ignore[attr-defined]


def bits(count: int) -> int:
    if count not in range(64):
        raise NoValueError
    return int(2**count)


def towards_zero(left: int, right: int) -> int:
    if right == 0:
        raise NoValueError
    return int(Fraction(left, right))


def evaluated(node: ast.expr) -> int:
    match node:
        case ast.Constant():
            return checked(node.value)  # type: ignore[arg-type]
        case ast.Name() | ast.Attribute():
            return NAMES[dotted(node)]
        case ast.UnaryOp():
            return checked(0 - evaluated(node.operand))
        case ast.BinOp():
            return checked(joined(node.op, evaluated(node.left), evaluated(node.right)))
        case ast.Call():
            return checked(called(node.func.id, [evaluated(each) for each in node.args]))  # type: ignore[attr-defined]
    raise AssertionError(node)


def joined(operator: ast.operator, left: int, right: int) -> int:
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return towards_zero(left, right)
        case ast.Mod():
            return left - right * towards_zero(left, right)
        case ast.LShift():
            return left * bits(right)
        case ast.RShift():
            return Fraction(left, bits(right)).__floor__()
        case ast.BitAnd():
            return left & right
        case ast.BitXor():
            return left ^ right
        case ast.BitOr():
            return left | right
    raise AssertionError(operator)


def called(name: str, args: list[int]) -> int:
    match name:
        case "min":
            return next(one for one in args if all(one <= other for other in args))
        case "max":
            return next(one for one in args if all(one >= other for other in args))
        case "up":
            if args[1] == 0:
                raise NoValueError
            return Fraction(args[0], args[1]).__ceil__()
        case "bit":
            return Fraction(args[0], bits(args[1])).__floor__() % bits(args[2])
    if args[0] < 1:
        raise NoValueError
    powers = [2**power for power in range(66)]
    if name == "pow2":
        return next(power for power in powers if power >= args[0])
    return len([power for power in powers if power <= args[0]]) - 1


# -- formulas by chance: the text here, and the same for Python ---------------------------------------------

Pair = tuple[str, str]
NUMBERS = st.integers(0, 130) | st.integers(0, MOST)
blanks = st.sampled_from(["", "", " ", "  "])


def number(value: int, unit: str, *, hexadecimal: bool) -> Pair:
    written = f"{value:#x}" if hexadecimal else str(value)
    factor = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}[unit]
    return written + unit, str(value * factor)


leaves = st.builds(
    number, NUMBERS, st.sampled_from(["", "", "", "K", "M", "G"]), hexadecimal=st.booleans()
) | st.sampled_from([(name, name) for name in NAMES if name != "who.1"])  # which is none of Python's
OPERATORS = st.sampled_from(["+", "-", "*", "/", "%", "<<", ">>", "&", "^", "|"])


def both(form: str, *parts: Pair) -> Pair:
    """Something around parts, in both spellings."""
    return form.format(*(part[0] for part in parts)), form.format(*(part[1] for part in parts))


def called_with(name: str, args: list[Pair], blank: str) -> Pair:
    args = args[: FUNCTIONS[name][0]]
    return both(f"{name}{blank}({','.join('{}' for _ in args)}{blank})", *args)


def grown(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    return (
        st.builds(
            lambda a, sign, b, blank: both(f"{{}}{blank}{sign}{blank}{{}}", a, b),
            inner,
            OPERATORS,
            inner,
            blanks,
        )
        | st.builds(lambda pair: both("({})", pair), inner)
        | st.builds(lambda pair: both("-{}", pair), inner)
        | st.builds(
            called_with, st.sampled_from(sorted(FUNCTIONS)), st.lists(inner, min_size=3, max_size=3), blanks
        )
    )


def value_or_fault(text: str) -> int | BadFormula:
    try:
        return parse(text).value(NAMES.__getitem__)
    except BadFormula as error:
        return error


@settings(deadline=None)
@given(st.recursive(leaves, grown, max_leaves=12).filter(lambda pair: len(pair[0]) <= LONGEST))
def test_a_formula_has_the_value_that_another_evaluation_finds(pair: Pair) -> None:
    text, same = pair
    found = value_or_fault(text)
    try:
        wanted = evaluated(ast.parse(same, mode="eval").body)
    except NoValueError:
        assert isinstance(found, BadFormula)
        assert 1 <= found.column <= len(text)
    else:
        assert found == wanted


@settings(deadline=None)
@given(st.text(alphabet="0129xKMG abshare.DMA+-*/%<>&^|(),=!~\u0663\n", max_size=60) | st.text(max_size=20))
def test_any_text_has_a_value_or_is_refused_with_its_column(text: str) -> None:
    found = value_or_fault(text)
    if isinstance(found, BadFormula):
        assert 1 <= found.column <= len(text) + 1
        assert str(found) == f"column {found.column}: {found.msg}"


# -- what is written --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("share * managed.DMA / 100", 1382),
        ("up(20000, 4K)", 5),
        ("bit(0x7f1234567abc, 39, 9)", 254),
        ("bit(0x7f1234567abc, 0, 12)", 0xABC),
        ("0xffff888000000000 + (4095 << 12)", 0xFFFF888000FFF000),
        ("1 << 3 | 1", 9),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("up(-7, 2)", -3),
        ("pow2(65)", 128),
        ("pow2(64)", 64),
        ("log2(1)", 0),
        ("log2(4097)", 12),
        ("min(3, 1, 2)", 1),
        ("2G", 1 << 31),
        ("0X10K", 16384),
        ("min.DMA + min(1, 2)", 111),
    ],
)
def test_formulas_of_exercises(text: str, value: int) -> None:
    assert parse(text).value(({"min.DMA": 110} | NAMES).__getitem__) == value


def test_a_formula_names_what_it_needs() -> None:
    assert parse("share * managed.DMA / up(share, n)").names == ("share", "managed.DMA", "n")


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", 1, "a number, a name or '(' is needed here"),
        ("1 +", 4, "a number, a name or '(' is needed here"),
        ("1 2", 3, "'2' cannot stand here"),
        ("(1", 3, "')' is needed here"),
        ("1)", 2, "')' cannot stand here"),
        ("a = b", 3, "'=' begins no number, name or operator"),
        ("2 ** 3", 4, "is needed here, not '*'"),
        ("1 < 2", 3, "'<' begins no number"),
        ("12foo", 1, "'1' begins no number"),
        ("0x", 1, "'0' begins no number"),
        ("1.5K", 1, "'1' begins no number"),
        ("__import__(1)", 1, "'__import__' is no function; there are up, pow2"),
        ("__import__('os')", 12, "begins no number, name or operator"),
        ("a.b()", 1, "'a.b' is no function"),
        ("up(1)", 1, "up takes 2 arguments, not 1"),
        ("min(1)", 1, "min takes 2 to 8 arguments, not 1"),
        ("up(1, 2, 3)", 1, "up takes 2 arguments, not 3"),
        ("\u0661 + 1", 1, "begins no number"),
        ("18446744073709551616", 1, "a value beyond 64 bits"),
        ("17179869184G", 1, "a value beyond 64 bits"),
        ("1" + " " * LONGEST, LONGEST + 1, f"at most {LONGEST} characters"),
        ("(" * 21 + "1" + ")" * 21, 21, f"at most {DEEPEST} deep"),
        ("-" * 21 + "1", 21, f"at most {DEEPEST} deep"),
        ("log2(" * 21 + "1" + ")" * 21, 101, f"at most {DEEPEST} deep"),
    ],
)
def test_a_text_that_is_no_formula(text: str, column: int, said: str) -> None:
    with pytest.raises(BadFormula) as refused:
        parse(text)
    assert refused.value.column == column
    assert said in refused.value.msg


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("1 / (n - 7)", 3, "a division by 0"),
        ("1 % zero", 3, "a division by 0"),
        ("up(1, zero)", 1, "a division by 0"),
        ("1 << 64", 3, "a shift by 64; 0 to 63 bits can be"),
        ("1 >> below", 3, "a shift by -12"),
        ("bit(1, 0, 64)", 1, "a shift by 64"),
        ("2G * 2G * 2G", 9, "a value beyond 64 bits"),
        ("-9223372036854775809", 1, "a value beyond 64 bits"),
        ("log2(zero)", 1, "log2 of 0: a number from 1 on is needed"),
        ("pow2(below)", 1, "pow2 of -12"),
        ("n + nothing", 5, "'nothing' is not known here"),
        ("n + word", 5, "'word' is no number"),
    ],
)
def test_a_formula_without_a_value(text: str, column: int, said: str) -> None:
    names: dict[str, Any] = {**NAMES, "word": "alice"}
    with pytest.raises(BadFormula) as refused:
        parse(text).value(names.__getitem__)
    assert refused.value.column == column
    assert said in refused.value.msg
    assert isinstance(refused.value, UnknownName) is ("not known" in said)


def test_the_deepest_and_the_longest_formulas_are_computed() -> None:
    assert parse("(" * 20 + "1" + ")" * 20).value(NAMES.__getitem__) == 1
    assert parse("-" * 20 + "1").value(NAMES.__getitem__) == 1
    assert parse("+".join("1" * 100)).value(NAMES.__getitem__) == 100
