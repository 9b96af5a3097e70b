"""Lines of C as statements: comments taken out, a statement of several lines put together, at `;` cut apart.

What a simulated machine cannot take (loops, `if`, the body of a function, macros) is refused with a sentence
that says what would be accepted: see `refuse`. Nothing here knows a call; `calltext` reads one.

Every pattern is linear, and a text is looked at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from app.errors import BadArgument, Fault
from app.machine.ctypes_of import DECLARED

# A statement that goes on over several lines.
LINES_JOINED: Final = 40
LENGTH_JOINED: Final = 8_000

CODE: Final = re.compile(r'(?:[^"#]++|"[^"]*+"?)*+')
COMMENTS: Final = re.compile(r'"[^"]*+"?|//|/\*|#')
BRACKETS: Final = re.compile(r'"[^"]*+"?|[();]')
# What makes a line more than one statement, or less.
SPECIAL: Final = re.compile(r'[#/;"]')
GOES_ON: Final = tuple(",(|+*&=<")
DIRECTIVE: Final = re.compile(r"\s*+#(?:define|undef|if|ifdef|ifndef|elif|else|endif)\b")

KEYWORD: Final = re.compile(
    r"\s*+(?:(?P<brace>[{}])|(?P<word>if|else|switch|case|default|for|while|do|list_for_each_entry(?:_safe)?|return"
    r"|goto|break|continue|typedef)\b(?!\s*+=[^=]))"
)
TYPE_BODY: Final = re.compile(r"\s*+(?:static\s++)?(?:struct|union|enum)\s++\w*+\s*+\{")
LABEL: Final = re.compile(r"\s*+[A-Za-z_]\w*+\s*+:\s*+", re.ASCII)
DECLARATORS: Final = re.compile(r"[\w\s,*\[\]]*+", re.ASCII)
MEMBER: Final = re.compile(r"\s*+[*&(]*+\s*+[A-Za-z_]\w*+\s*+(?:->|\.|\[|\)\s*+(?:->|\.))", re.ASCII)

IF: Final = (
    "{word} is not taken: every call is made, whatever the one before it returned. Leave the line out; the "
    "name of a NULL passes NULL on"
)
LOOP: Final = (
    "{word} is not taken: what is repeated is said behind the call, as in fill = alloc_page(GFP_KERNEL) * 9, "
    "or until NULL; and a list is freed in one call, __free_pages(fill, 0)"
)
JUMP: Final = "{word} is not taken: nothing is skipped, and nothing returns. Leave the line out"
BODY: Final = (
    "the body of a function is not taken, but each call in it is: leave out head and braces. Who calls, and "
    "from where, stands before a call, as in init@0/softirq: p = alloc_page(GFP_ATOMIC)"
)
MACRO: Final = (
    "a macro is not taken: write the value where it is used, or before it in the same text int NAME = 4096;"
)
TYPE: Final = "the declaration of a type is not taken: write its bytes where sizeof would stand"
PLACE: Final = (
    "a member or an element of something is not taken: what a call returns is given a name of letters, "
    "digits and _, as in p = alloc_pages(GFP_KERNEL, 3)"
)
CALL: Final = "a call is written name(arguments), as in p = alloc_pages(GFP_KERNEL, 3)"
UNCLOSED: Final = "a comment that begins with /* is never closed by */"

SENTENCES: Final = {
    **dict.fromkeys(("if", "else", "switch", "case", "default"), IF),
    **dict.fromkeys(("for", "while", "do", "list_for_each_entry", "list_for_each_entry_safe"), LOOP),
    **dict.fromkeys(("return", "goto", "break", "continue"), JUMP),
    "typedef": TYPE,
}


class Malformed(BadArgument):
    """A line that cannot be read at all, as against one that says something unacceptable."""

    def __init__(self, msg: str) -> None:
        super().__init__(Fault((), msg))


class Statement(NamedTuple):
    """What stands between two semicolons, without comments. line: on which it begins."""

    line: int
    text: str


class Source:
    """A text, line by line. within: a comment goes on. open: the beginning of a statement that goes on."""

    def __init__(self) -> None:
        self.within = 0
        self.open: list[str] = []
        self.begun = 0

    def feed(self, number: int, line: str) -> Iterator[Statement]:
        """The statements that end on a line. Raises Malformed."""
        if not self.open:
            self.begun = number
            if not self.within and SPECIAL.search(line) is None and not line.rstrip().endswith(GOES_ON):
                if line and not line.isspace():
                    yield Statement(number, line)
                return
        code = self.uncommented(number, line)
        if self.goes_on(code):
            self.open.append(code)
            if len(self.open) > LINES_JOINED or sum(map(len, self.open)) > LENGTH_JOINED:
                self.open = []
                raise Malformed(
                    f"a statement has at most {LINES_JOINED} lines and {LENGTH_JOINED} characters"
                )
            return
        code, self.open = " ".join((*self.open, code)), []
        for text in parts(code):
            yield Statement(self.begun, text)

    def finish(self) -> Iterator[Statement]:
        """What has begun and not ended. Raises Malformed."""
        if self.within:
            self.begun, self.within = self.within, 0
            raise Malformed(UNCLOSED)
        code, self.open = " ".join(self.open), []
        if code.strip():
            yield Statement(self.begun, code)

    def goes_on(self, code: str) -> bool:
        """Whether a statement goes on on the next line: within a bracket, or behind `=`."""
        end = code.rstrip()
        if len(end) > LENGTH_JOINED:
            return False
        if not end.endswith(GOES_ON):
            return bool(self.open) and not end and len(self.open) < LINES_JOINED
        if end.endswith("="):
            return True
        marks = BRACKETS.findall(" ".join((*self.open, code)))
        return marks.count("(") > marks.count(")")

    def uncommented(self, number: int, line: str) -> str:
        """A line without what is comment."""
        if not self.within:
            if DIRECTIVE.match(line):
                raise Malformed(MACRO)
            if "/" not in line:
                return "".join(CODE.findall(line)[:1])
        kept: list[str] = []
        place = 0
        while True:
            if self.within:
                end = line.find("*/", place)
                if end < 0:
                    return "".join(kept)
                self.within, place = 0, end + 2
            for mark in COMMENTS.finditer(line, place):
                if mark[0][0] == '"':
                    continue
                kept.append(line[place : mark.start()])
                if mark[0] != "/*":
                    return "".join(kept)
                self.within, place = number, mark.end()
                kept.append(" ")
                break
            else:
                kept.append(line[place:])
                return "".join(kept)


def parts(code: str) -> Iterator[str]:
    """The statements of one line. Who calls is said once for all of them."""
    if ";" not in code:
        if code.strip():
            yield code
        return
    begin = depth = 0
    for mark in BRACKETS.finditer(code):
        if mark[0] == "(":
            depth += 1
        elif mark[0] == ")":
            depth = max(0, depth - 1)
        elif mark[0] == ";" and not depth:
            if (part := code[begin : mark.start()]).strip():
                yield part
            begin = mark.end()
    if (part := code[begin:]).strip():
        yield part


def refuse(code: str, place: int = 0) -> None:
    """Raise Malformed where a statement is one of those that are not taken, with what would be."""
    if TYPE_BODY.match(code, place):
        raise Malformed(TYPE)
    found = KEYWORD.match(code, place)
    if found is None:
        return
    if found["brace"]:
        rest = KEYWORD.match(code, found.end())
        if rest is None or rest["word"] is None:
            raise Malformed(BODY)
        found = rest
    raise Malformed(SENTENCES[found["word"]].format(word=found["word"]))


def declared(code: str, place: int) -> int | None:
    """Where the name stands that a declaration declares; None where there is no declaration."""
    found = DECLARED.match(code, place)
    return None if found is None else found.end()


def only_declares(code: str, place: int) -> bool:
    """Whether nothing but names follow: `struct page *p, *q[4]`."""
    return DECLARATORS.fullmatch(code, place) is not None


def no_declaration(code: str, place: int) -> Malformed:
    """Why a declaration is none of those that are taken."""
    if "(" in code[place:]:
        return Malformed(BODY)
    return Malformed(
        "a declaration is taken of one name with a value, or of names without: struct page *p, *q"
    )


def no_call(code: str, place: int) -> Malformed:
    """Why a statement is no call, as precisely as can be told."""
    if MEMBER.match(code, place):
        return Malformed(PLACE)
    if place and LABEL.fullmatch(code):
        return Malformed(JUMP.format(word="a label"))
    return Malformed(CALL)
