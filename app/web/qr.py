"""Links as QR codes."""

from __future__ import annotations

from io import BytesIO
from typing import Final

import segno

QUIET: Final = 4  # modules of white around it, without which many phones see nothing


def svg(link: str) -> bytes:
    """Draw a QR code as a file. Dark on white in both themes: phones read no other."""
    out = BytesIO()
    made = segno.make(link, error="m", micro=False)
    made.save(out, kind="svg", border=QUIET, light="#fff", omitsize=True, nl=False)
    return out.getvalue()


def data(link: str) -> str:
    """The same as a data address, for a link that is shown once."""
    made = segno.make(link, error="m", micro=False)
    return made.svg_data_uri(border=QUIET, light="#fff", omitsize=True, nl=False)
