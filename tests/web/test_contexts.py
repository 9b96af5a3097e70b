"""What templates are given: each field says what it means, each page's template and its context agree."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType

import pytest
from jinja2 import meta, nodes

from app import paths
from app.web import contexts, panels, views
from app.web.contexts.base import Page
from app.web.contexts.machine import MachinePage
from app.web.contexts.panels import PanelView
from app.web.contexts.views import CentreView
from app.web.render import ENVIRONMENT

WEB = Path(contexts.__file__).parent.parent
TEMPLATES = sorted(paths.TEMPLATES.rglob("*.html"))


def modules_of(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


CONTEXTS = [
    value
    for module in (*modules_of(contexts), *modules_of(panels), *modules_of(views))
    for value in vars(module).values()
    if is_dataclass(value) and isinstance(value, type) and value.__module__ == module.__name__
]
PAGES = sorted(
    (page for page in CONTEXTS if issubclass(page, Page) and "TEMPLATE" in vars(page)),
    key=lambda page: page.TEMPLATE,
)
CENTRES = [view for view in CONTEXTS if issubclass(view, CentreView) and view is not CentreView]
VIEWS = [view for view in CONTEXTS if issubclass(view, PanelView) and view is not PanelView]


def title(path: Path) -> str:
    return str(path.relative_to(WEB))


@pytest.mark.parametrize("path", sorted(WEB.rglob("*.py")), ids=title)
def test_every_field_says_what_it_means(path: Path) -> None:
    """The string below a field is its docstring; no class describes its fields in its own."""
    for made in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(made, ast.ClassDef):
            continue
        assert ast.get_docstring(made), made.name
        for place, field in enumerate(made.body):
            if not isinstance(field, ast.AnnAssign) or "ClassVar" in ast.unparse(field.annotation):
                continue
            below = made.body[place + 1] if place + 1 < len(made.body) else None
            help_text = getattr(getattr(below, "value", None), "value", None)
            assert isinstance(help_text, str), f"{made.name}.{ast.unparse(field.target)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.__name__)
def test_each_page_has_one_documented_context(page: type[Page]) -> None:
    source = (paths.TEMPLATES / page.TEMPLATE).read_text()
    module = page.__module__.removeprefix("app.web.")
    assert source.startswith(f"{{# {module}.{page.__name__} #}}")
    assert page.__doc__
    assert page.__doc__.startswith(page.TEMPLATE)
    ENVIRONMENT.get_template(page.TEMPLATE)


# The page of a question is as small as a page can be: it has nothing of the others around it.
ALONE = "vote.html"


def test_each_page_template_has_a_context() -> None:
    whole = {
        str(path.relative_to(paths.TEMPLATES))
        for path in TEMPLATES
        if '{% extends "base.html" %}' in path.read_text() or path.name == ALONE
    }
    assert whole == {page.TEMPLATE for page in PAGES}


def test_each_panel_has_a_template_that_names_its_context() -> None:
    assert len({view.TEMPLATE for view in VIEWS}) == len(VIEWS) == len(panels.PANELS)
    assert len({view.TEMPLATE for view in CENTRES}) == len(CENTRES) == len(views.VIEWS)
    for view in (*VIEWS, *CENTRES):
        source = (paths.TEMPLATES / view.TEMPLATE).read_text()
        assert source.startswith(f"{{# {view.__module__.removeprefix('app.web.')}.{view.__name__}:")


def parts_of(template: str) -> Iterator[nodes.Template]:
    """A template, and those that it extends or includes."""
    tree = ENVIRONMENT.parse((paths.TEMPLATES / template).read_text())
    yield tree
    for name in meta.find_referenced_templates(tree):
        if name is not None:
            yield from parts_of(name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.__name__)
def test_a_template_uses_what_its_context_has_and_all_of_it(page: type[Page]) -> None:
    used: set[str] = set()
    templates = [page.TEMPLATE, *(view.TEMPLATE for view in (*VIEWS, *CENTRES) if page is MachinePage)]
    for tree in [tree for template in templates for tree in parts_of(template)]:
        used |= meta.find_undeclared_variables(tree) - set(ENVIRONMENT.globals)
        used |= {found.name for found in tree.find_all(nodes.Name) if found.ctx == "load"}
    assert {field.name for field in fields(page)} - used == set()


@pytest.mark.parametrize("view", [*VIEWS, *CENTRES], ids=lambda view: view.__name__)
def test_a_part_s_template_uses_what_its_context_has_and_all_of_it(
    view: type[PanelView] | type[CentreView],
) -> None:
    name = "panel" if issubclass(view, PanelView) else "centre"
    used = {
        found.attr
        for tree in parts_of(view.TEMPLATE)
        for found in tree.find_all(nodes.Getattr)
        if isinstance(found.node, nodes.Name) and found.node.name == name
    }
    assert used == {field.name for field in fields(view)}
