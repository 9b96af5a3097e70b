"""Where templates, static files and migrations are: beside app/ in the source tree, inside it in a wheel.

pyproject.toml maps the three directories to app/_resources/ when a wheel is built.
"""

from pathlib import Path
from typing import Final

_PACKAGE = Path(__file__).resolve().parent
_PACKAGED = _PACKAGE / "_resources"
_ROOT = _PACKAGED if _PACKAGED.is_dir() else _PACKAGE.parent

TEMPLATES: Final = _ROOT / "templates"
STATIC: Final = _ROOT / "static"
MIGRATIONS: Final = _ROOT / "migrations"

# Part of the package in both.
DEMOS: Final = _PACKAGE / "demos"
EXERCISES: Final = _PACKAGE / "exercises"
