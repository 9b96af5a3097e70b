"""What the dashboard says, as a template for translators: `make text` writes it.

python -m tests.support.text
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import write_po

from app.web.languages import DIRECTORY, TEMPLATE

ROOT = Path(__file__).parents[2]
SOURCES = {
    "templates/**/*.*": "jinja2",
    "app/web/**/*.py": "python",
    "app/machine/mistakes.py": "python",
    "app/machine/fates.py": "python",
    "app/machine/replacement/conventions.py": "python",
    "static/js/*.js": "javascript",
}
OPTIONS = {
    "trimmed": "true",
    "newstyle_gettext": "true",
    "silent": "false",
    "trim_blocks": "true",
    "lstrip_blocks": "true",
}

# No date and no program's version: the same texts are the same file.
HEADER = r"""# What the pages of kmemlab say, as `make text` writes it; README.md is about translating.
msgid ""
msgstr ""
"Project-Id-Version: kmemlab pages\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"

"""


def sources() -> Iterator[tuple[Path, str]]:
    """Every file that says something, and who can read it."""
    for pattern, method in SOURCES.items():
        for path in sorted(ROOT.glob(pattern)):
            yield path, method


def extracted() -> Catalog:
    """Every text, with the files that it is in."""
    catalogue = Catalog()
    for path, method in sources():
        for line, message, comments, context in extract_from_file(
            method, path, options=OPTIONS if method == "jinja2" else {}
        ):
            place = str(path.relative_to(ROOT)), line
            catalogue.add(message, None, [place], auto_comments=comments, context=context)
    return catalogue


def template() -> bytes:
    """The file. Lines of sources are not named: they change with every edit."""
    written = BytesIO()
    write_po(written, extracted(), width=110, omit_header=True, include_lineno=False)
    return HEADER.encode() + written.getvalue().rstrip() + b"\n"


if __name__ == "__main__":
    (DIRECTORY / TEMPLATE).write_bytes(template())
