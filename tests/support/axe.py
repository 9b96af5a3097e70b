"""What axe finds on a page."""

from typing import Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# In another theme a page has other colours, at another width another layout in the same colours: what has
# been looked at once need not be again. Contrast is nine tenths of what axe takes.
COLOURS: Final = ["color-contrast", "link-in-text-block"]
ONLY_COLOURS: Final = {"runOnly": {"type": "rule", "values": COLOURS}}
BUT_COLOURS: Final = {"rules": {rule: {"enabled": False} for rule in COLOURS}}

SERIOUS: Final = ("serious", "critical")


Finding = tuple[str, str, str, str]


def violations(page: Page, *, part: str = "html", dark: bool = False, narrow: bool = False) -> list[Finding]:
    """Impact, page, rule and the first place of each finding.

    part: where the rest of the page is as on another that is looked at. dark: the same page is looked at in
    light, too; narrow: and wide. axe has to be injected: the context's `bypass_csp`.
    """
    assert not (dark and narrow)
    options = {"resultTypes": ["violations"]} | (ONLY_COLOURS if dark else BUT_COLOURS if narrow else {})
    found = Axe().run(page, part, options).response["violations"]
    return [(v["impact"], page.url, v["id"], v["nodes"][0]["html"]) for v in found]


def serious(page: Page, *, part: str = "html", dark: bool = False, narrow: bool = False) -> list[Finding]:
    """Those that somebody could not live with."""
    return [found for found in violations(page, part=part, dark=dark, narrow=narrow) if found[0] in SERIOUS]
