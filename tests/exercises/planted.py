"""A file of an exercise with everything that there is, and mistakes to plant in it."""

LEAST = """\
title = "A small one"
teaser = "For this test."
[machine]
profile = "tiny-16m"
[[task]]
kind = "ask"
ask = "How many frames are there?"
answer = "frames"
form = "number"
"""

# Every field that there is.
WHOLE = '''\
title = "All of it"
teaser = "Whatever a file can say."
topics = ["buddy", "free lists"]
minutes = 8
points = 7
count = "last"
attempts = [100, 50]

[machine]
profile = "x86_64-1g"
lecture = true
memory = "{mib}M"
cpus = "{smp}"

[vary]
mib = { from = [512, 768] }
smp = { between = [1, 3], step = 2 }
order = { between = [0, 4], not = [2] }
who = { shuffle = ["alice", "bob"] }
need = { is = "managed.DMA32 / 100 * order" }

[prelude]
shown = false
calls = """
# what is there
x = alloc_pages(GFP_KERNEL, {order})   # a block
{who.1}: lock_page(x)
"""

[[task]]
kind = "goal"
ask = "Hold {need:,} frames."
allow = ["alloc_page", "__free_page"]
calls_at_most = 4
weight = 2
hints = [{ text = "One by one, {who.2}.", costs = 20 }, { text = "Or not." }]
check = [
  { is = "live frames >= {order}", points = 3, else = "There are fewer than {order}." },
  { any = ["no verdict bug", "rows = 1"], bonus = true },
]
solution = """
f = alloc_page(GFP_KERNEL) * 10
"""
after = "That was {{all}}."

[[task]]
kind = "predict"
ask = "And now?"
keep = false
live = false
choices = 3
attempts = [100]
fixed = "there is only one answer"
calls = """
p = alloc_pages(GFP_KERNEL, {order})
{who.2}: unlock_page(x)
"""
answer = "1 verdict"
form = "verdict"
wrong = [{ is = "null", because = "contiguous" }, { is = "oom", because = "mine", say = "No, {who.1}." }]

[[task]]
kind = "predict"
ask = "Two things."
calls = "q = alloc_page(GFP_KERNEL)"

[[task.field]]
label = "free"
answer = "free DMA32"
form = "number"
within = "2 %"
near = { within = 9, share = 50 }
weight = 3
wrong = [{ is = "right + need", because = "memory full" }, { is = 0, because = "memory full", say = "No." }]

[[task.field]]
label = "which"
answer = "1 zone"
form = "choice"
options = ["DMA", "DMA32", "of {who.1}"]

[[task]]
kind = "explain"
ask = "Why?"
calls = "alloc_page(GFP_KERNEL)"
answer = "deciding"

[[task]]
kind = "debug"
ask = "Which?"
calls = """
a = kmalloc(64, GFP_KERNEL)

kfree(a)
"""
answer = "verdict bug"
wrong = [{ is = "1", because = "mine", say = "No." }]
'''


# What of the whole file is replaced by what, the place of the mistake, and a part of what is said.
MISTAKES: dict[str, tuple[str, str, str, str]] = {
    # the file
    "no TOML": ('title = "All of it"', "title = All", "", "is not TOML: "),
    "no title": ('title = "All of it"\n', "", "title", "a text is needed"),
    "empty teaser": ('"Whatever a file can say."', '" "', "teaser", "a text is needed"),
    "unknown field": ("minutes = 8", "minuets = 8", "minuets", "no such field; there are attempts, count"),
    "minutes as a text": ("minutes = 8", 'minutes = "8"', "minutes", "a whole number from 1 to 600"),
    "no points": ("points = 7", "points = 0", "points", "a whole number from 1 to 1,000"),
    "half a point": ("points = 7", "points = 1.5", "points", "a whole number from 1 to 1,000"),
    "a topic of signs": ('"free lists"', '"free/lists"', "topics", "'free/lists': a topic has a-z"),
    "one topic": ('["buddy", "free lists"]', '"buddy"', "topics", "a list of texts is needed"),
    "which counts": ('count = "last"', 'count = "newest"', "count", "one of best, first, last"),
    "rising attempts": ("attempts = [100, 50]", "attempts = [50, 100]", "attempts", "never rising"),
    # the machine
    "no machine": (
        '[machine]\nprofile = "x86_64-1g"\nlecture = true\nmemory = "{mib}M"\ncpus = "{smp}"\n',
        "",
        "machine",
        "a table is needed here",
    ),
    "no such profile": ('"x86_64-1g"', '"x86_64-2t"', "machine.profile", "one of x86_64-8g"),
    "a dump": ("lecture = true", "dump = {}", "machine: dump", "a profile is needed"),
    "several nodes": ("lecture = true", "nodes = 2", "machine: nodes", "know a zone by its name alone"),
    "a value in another field": ("lecture = true", 'profile = "{mib}"\n', "", "is not TOML"),
    "a value where none can be": (
        'profile = "x86_64-1g"',
        'profile = "x86_{mib}"',
        "machine: profile",
        "memory and cpus only",
    ),
    "memory of an unknown value": ('"{mib}M"', '"{mb}M"', "machine", "'mb' is no value; there are mib, smp"),
    "memory that one choice makes too small": ("[512, 768]", "[512, 1]", "machine.memory", "(with mib = 1"),
    "processors that the end has too many of": (
        "smp = { between = [1, 3], step = 2 }",
        "smp = { between = [1, 999] }",
        "machine.cpus",
        "(with mib = 768; smp = 999; order = 4",
    ),
    # vary
    "a value in capitals": ("mib = {", "MiB = {", "vary: MiB", "a value is named with a-z"),
    "a value that is a fact": ("need = {", "frames = {", "vary: frames", "formulas know something else"),
    "two ways to draw": (
        "{ from = [512, 768] }",
        "{ from = [512, 768], is = '1' }",
        "vary: mib",
        "exactly one of from, between, shuffle, is",
    ),
    "no way to draw": ("{ from = [512, 768] }", "{}", "vary: mib", "exactly one of"),
    "an unknown way": (
        "step = 2",
        "stop = 2",
        "vary: smp: stop",
        "no such field; there are between, not, step",
    ),
    "one choice": ("[512, 768]", "[512]", "vary: mib: from", "a list of 2 to 64"),
    "numbers and texts": ("[512, 768]", '[512, "768"]', "vary: mib: from", "numbers only or texts only"),
    "half a number": ("[512, 768]", "[512, 768.5]", "vary: mib: from", "numbers only or texts only"),
    "ends in the wrong order": (
        "[0, 4]",
        "[4, 0]",
        "vary: order: between",
        "the first number is below the second",
    ),
    "three ends": ("[0, 4]", "[0, 4, 5]", "vary: order: between", "two whole numbers are needed"),
    "nothing left": (
        "[0, 4], not = [2]",
        "[0, 1], not = [0, 1]",
        "vary: order: not",
        "nothing is left to draw",
    ),
    "step zero": ("step = 2", "step = 0", "vary: smp: step", "a whole number from 1 to 2"),
    "twice in a list": (
        '["alice", "bob"]',
        '["bob", "bob"]',
        "vary: who: shuffle",
        "'bob' stands in it twice",
    ),
    "a formula that ends early": ('* order"', '* "', "vary: need: is", "column 22: a number, a name or '('"),
    "a formula of Python": ('* order"', '** 2"', "vary: need: is", "column 22: "),
    "an unknown fact": (
        "managed.DMA32 /",
        "managed.HighMem /",
        "vary: need: is",
        "'managed.HighMem' is not known here; there are mib, smp, order, cpus",
    ),
    "a value that comes later": (
        'need = { is = "managed',
        'n = { is = "order + next" }\nnext = { from = [1, 2] }\nneed = { is = "managed',
        "vary: n: is",
        "column 9: 'next' is not known here",
    ),
    "a text in a formula": ('* order"', '* who"', "vary: need: is", "'who' is not known here"),
    "a division by a choice": (
        "/ 100 *",
        "/ (mib - 768) *",
        "vary: need: is",
        "column 15: a division by 0 (with mib = 768",
    ),
    # calls
    "a call that is none": (
        "x = alloc_pages(",
        "x = aloc_pages(",
        "prelude: calls, line 2",
        "call: 'aloc_pages' is no call",
    ),
    "a bracket too few": (
        "{order})   # a block",
        "{order}   # a block",
        "prelude: calls, line 2",
        "the closing parenthesis",
    ),
    "an argument too many": (
        'lock_page(x)\n"""\n\n[[task]]\nkind = "goal"',
        'lock_page(x, 1)\n"""\n\n[[task]]\nkind = "goal"',
        "prelude: calls, line 3",
        "",
    ),
    "a name for nothing": (
        "unlock_page(x)",
        "unlock_page(y)",
        "task 2: calls, line 2",
        "page: nothing is named 'y' here",
    ),
    "a name of a task that begins anew": (
        "unlock_page(x)",
        "unlock_page(f)",
        "task 2: calls, line 2",
        "nothing is named 'f' here",
    ),
    "an order that one end makes too large": (
        "between = [0, 4]",
        "between = [0, 5000000000]",
        "prelude: calls, line 2",
        "order: unsigned int: an integer from 0 to 4294967295 (with mib = 768; smp = 3; order = 5000000000",
    ),
    "a single brace": (
        "kfree(a)\n",
        "if (a) { kfree(a); }\n",
        "task 5: calls, line 3",
        "column 8: a value stands as {name}, and a brace itself as {{",
    ),
    "two calls on a line": (
        "kfree(a)\n",
        "kfree(a); kfree(NULL);\n",
        "task 5: calls, line 3",
        "one call stands on a line",
    ),
    "no call on a line": ("kfree(a)\n", "/* nothing */\n", "task 5: calls, line 3", "no call stands here"),
    "no calls at all": (
        'calls = "alloc_page(GFP_KERNEL)"\n',
        "",
        "task 4: calls",
        "a task of kind explain needs calls",
    ),
    "a hundred and one calls": ("kfree(a)\n", "kfree(a)\n" * 100, "task 5: calls", "at most 100 calls"),
    "a prelude of nothing": (
        'calls = """\n# what is there',
        'calls = """\n# what is there\n"""\nmore = """',
        "prelude: more",
        "no such field",
    ),
    # tasks
    "a kind that is none": (
        'kind = "debug"',
        'kind = "find"',
        "task 5: kind",
        "one of goal, predict, explain, debug, ask",
    ),
    "no question": ('ask = "Why?"\n', "", "task 4: ask", "a text is needed"),
    "an unknown value in a text": (
        "Hold {need:,} frames.",
        "Hold {needs} frames.",
        "task 1: ask",
        "column 6: 'needs' is no value; there are mib, smp, order, who, who.1, who.2, need",
    ),
    "the third of two": ('{who.2}."', '{who.3}."', "task 1: hints 1: text", "'who.3' is no value"),
    "a field of another kind": (
        'ask = "Which?"',
        'ask = "Which?"\nallow = ["kfree"]',
        "task 5: allow",
        "no such field",
    ),
    "weight nothing": ("weight = 2", "weight = 0", "task 1: weight", "a whole number from 1 to 100"),
    "keep as a text": ("keep = false", 'keep = "no"', "task 2: keep", "true or false"),
    "too many choices": ("choices = 3", "choices = 9", "task 2: choices", "a whole number from 1 to 5"),
    "dear hints": ('"Or not."', '"Or not.", costs = 90', "task 1: hints", "more than 100 per cent"),
    # goals
    "an unknown call is allowed": (
        '["alloc_page", "__free_page"]',
        '["alloc_page", "free_page2"]',
        "task 1: allow",
        "'free_page2' is no call",
    ),
    "a solution that is not allowed": (
        '["alloc_page", "__free_page"]',
        '["__free_page"]',
        "task 1: solution, line 1",
        "alloc_page is not in allow",
    ),
    "no solution": (
        'solution = """\nf = alloc_page(GFP_KERNEL) * 10\n"""\n',
        "",
        "task 1: solution",
        "a task of kind goal needs solution",
    ),
    "a solution with too many calls": (
        "calls_at_most = 4",
        "calls_at_most = 0",
        "task 1: calls_at_most",
        "a whole number from 1 to 1,000",
    ),
    "a check that is none": (
        "live frames >=",
        "lively frames >=",
        "task 1: check 1: is",
        "column 1: 'lively' is not a word that begins a check",
    ),
    "a check that ends early": (
        '"live frames >= {order}"',
        '"live frames >="',
        "task 1: check 1: is",
        "column ",
    ),
    "a check of any": ('"rows = 1"', '"rows = one"', "task 1: check 2: any, entry 2", "column "),
    "both ways to check": (
        "bonus = true",
        'bonus = true, is = "rows = 1"',
        "task 1: check 2: is",
        "either is = ",
    ),
    "nothing but bonus": (
        "points = 3,",
        "points = 3, bonus = true,",
        "task 1: check",
        "at least one check must be no bonus",
    ),
    # answers
    "no answer": ('answer = "deciding"\n', "", "task 4: answer", "a text is needed"),
    "an answer of no call": (
        'answer = "1 verdict"',
        'answer = "3 verdict"',
        "task 2: answer",
        "'3 verdict': the task has only 2 calls",
    ),
    "an answer that reads nothing": (
        'answer = "1 verdict"',
        'answer = "its verdict"',
        "task 2: answer",
        "begins with neither a call's number",
    ),
    "an answer of steps": ('answer = "deciding"', 'answer = "the first of all"', "task 4: answer", "column "),
    "an answer of lines": ('answer = "verdict bug"', 'answer = "verdict bad"', "task 5: answer", "column "),
    "no such form": ('form = "verdict"', 'form = "verdicts"', "task 2: form", "one of number, bytes"),
    "no form": ('form = "verdict"\n', "", "task 2: form", "a text is needed"),
    "a verdict that is near": (
        'form = "verdict"',
        'form = "verdict"\nwithin = 3',
        "task 2: within",
        "no within, no near",
    ),
    "choice of nothing": (
        'options = ["DMA", "DMA32", "of {who.1}"]\n',
        "",
        "task 3: field 2: options",
        "needs options",
    ),
    "how near": (
        'within = "2 %"',
        'within = "two"',
        "task 3: field 1: within",
        'within = 9 or within = "2 %"',
    ),
    "more than all": (
        'within = "2 %"',
        'within = "200 %"',
        "task 3: field 1: within",
        "a number or per cent",
    ),
    "near without a distance": (
        "near = { within = 9, share",
        "near = { share",
        "task 3: field 1: near: within",
        "how far off is near",
    ),
    "no label": ('label = "free"\n', "", "task 3: field 1: label", "a text is needed"),
    "a field and an answer": (
        'ask = "Two things."',
        'ask = "Two things."\nanswer = "1 pfn"',
        "task 3: answer",
        "stands in each [[task.field]]",
    ),
    "a wrong answer that is none": ('is = "null"', 'is = "nil"', "task 2: wrong 1: is", "nil"),
    "a wrong formula": ('"right + need"', '"right +* need"', "task 3: field 1: wrong 1: is", "column 8: "),
    "a wrong formula of an unknown name": (
        '"right + need"',
        '"right + needed"',
        "task 3: field 1: wrong 1: is",
        "'needed' is not known here; there are mib",
    ),
    "the right answer of a field too many": (
        '"right + need"',
        '"right.3 + need"',
        "task 3: field 1: wrong 1: is",
        "the task has only 2 fields",
    ),
    "both ways to be wrong": (
        'is = "null"',
        'is = "null", like = "first_fit"',
        "task 2: wrong 1: is",
        "one of is = ",
    ),
    "both ways to be read wrong": (
        '{ is = "1", because = "mine"',
        '{ is = "1", reads = "held", because = "mine"',
        "task 5: wrong 1: is",
        "one of is = ",
    ),
    "wrong lines that are no check": (
        '{ is = "1", because = "mine"',
        '{ reads = "verdict bad", because = "mine"',
        "task 5: wrong 1: reads",
        "column ",
    ),
    "a wrong reading that is a formula": (
        '{ is = "right + need", because',
        '{ reads = "= need", because',
        "task 3: field 1: wrong 1: reads",
        "is nothing to read",
    ),
    "a wrong reading of a call that is none": (
        '{ is = "right + need", because',
        '{ reads = "9 ret", because',
        "task 3: field 1: wrong 1: reads",
        "calls",
    ),
    "an unknown way to be wrong": ('is = "null"', 'like = "last_fit"', "task 2: wrong 1: like", "one of"),
    "wrong without a reason": (
        '"null", because = "contiguous"',
        '"null"',
        "task 2: wrong 1: because",
        "a text is needed",
    ),
    "a reason in capitals": (
        'because = "contiguous"',
        'because = "It is full!"',
        "task 2: wrong 1: because",
        "a key of a-z",
    ),
    "an own reason without a sentence": ('say = "No, {who.1}."', "", "", "is not TOML"),
    "an own reason that says nothing": (
        ', say = "No, {who.1}."',
        "",
        "task 2: wrong 2: say",
        "a text is needed",
    ),
    "eleven wrong answers": (
        'wrong = [{ is = "1", because',
        "wrong = [" + '{ is = "1", because = "x", say = "No." },' * 10 + '{ is = "1", because',
        "task 5: wrong",
        "at most 10 tables",
    ),
}
