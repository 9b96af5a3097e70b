"""Links as QR codes."""

from __future__ import annotations

from io import BytesIO
from typing import Final

import segno

QUIET: Final = 4  # modules of white around it, without which many phones see nothing


def svg(link: str) -> bytes:
    """A file of its own. Dark on white in both themes: phones read no other."""
    out = BytesIO()
    made = segno.make(link, error="m", micro=False)
    made.save(out, kind="svg", border=QUIET, light="#fff", omitsize=True, nl=False)
    return out.getvalue()


def data(link: str) -> str:
    """The same in an address, for a link that is shown once and never fetched again."""
    made = segno.make(link, error="m", micro=False)
    return made.svg_data_uri(border=QUIET, light="#fff", omitsize=True, nl=False)
