"""Static files and templates: kept for good, nothing from elsewhere, nothing inline, legible colours."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app import paths, web
from app.web.assets import FOR_GOOD, Assets
from app.web.frame_states import LETTERS

TEMPLATES = sorted(paths.TEMPLATES.rglob("*.html"))
SCRIPTS = sorted(paths.STATIC.rglob("js/*.js"))
SHEETS = sorted(paths.STATIC.rglob("css/*.css"))
VENDOR = paths.STATIC / "vendor"


def name_of(path: Path) -> str:
    return path.name


def test_an_address_changes_with_any_file(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a")
    (tmp_path / "b.js").write_text("b")
    before = Assets(tmp_path)
    assert before.url("a.css") == Assets(tmp_path).url("a.css")
    (tmp_path / "b.js").write_text("c")
    assert Assets(tmp_path).url("a.css") != before.url("a.css")
    with pytest.raises(KeyError):
        before.url("c.js")


def test_a_page_names_every_module_that_it_will_load() -> None:
    assets = Assets(paths.STATIC)
    for script in SCRIPTS:
        named = {Path(address).name for address in assets.modules(f"js/{script.name}")}
        assert len(named) == len(assets.modules(f"js/{script.name}"))
        for name in (script.name, *named):
            text = (script.parent / name).read_text("utf-8")
            imported = re.findall(r'from "\./([^"]+)"', text)
            assert set(imported) - {script.name} <= named, (script.name, name)


def test_files_are_kept_for_good_and_others_are_not_there() -> None:
    app = FastAPI()
    web.mount(app)
    client = TestClient(app)
    for name in ("css/tokens.css", "js/site.js", "icon.svg"):
        answer = client.get(app.state.assets.url(name))
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == FOR_GOOD
    missing = client.get(app.state.assets.prefix + "/css/none.css")
    assert missing.status_code == 404
    assert missing.headers.get("cache-control") != FOR_GOOD
    assert client.get("/static/0000000000000000/css/tokens.css").status_code == 404


def test_vendored_files_are_what_the_manifest_says() -> None:
    manifest = json.loads((VENDOR / "manifest.json").read_text())
    assert {path.name for path in VENDOR.iterdir() if path.is_dir()} == {
        entry["folder"] for entry in manifest
    }
    for entry in manifest:
        folder = VENDOR / entry["folder"]
        assert entry["folder"].endswith(f"-{entry['version']}")
        assert entry["license"] in {"OFL-1.1", "MIT", "ISC"}
        assert entry["integrity"].startswith("sha512-")
        assert {path.name for path in folder.iterdir()} == set(entry["files"])
        assert "LICENSE" in entry["files"]
        for name, hashes in entry["files"].items():
            data = (folder / name).read_bytes()
            assert hashlib.sha256(data).hexdigest() == hashes["sha256"]
            assert "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode() == hashes["sha384"]


@pytest.mark.parametrize("path", [*TEMPLATES, *SCRIPTS, *SHEETS], ids=name_of)
def test_nothing_comes_from_elsewhere(path: Path) -> None:
    assert not re.search(r"(https?:)?//[a-z0-9-]+\.[a-z]", path.read_text())


class Inline(HTMLParser):
    """What a strict policy would block."""

    found: list[str]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(tag)
        self.found += [name for name in names if name == "style" or name.startswith("on")]


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_templates_hold_no_script_and_no_style(path: Path) -> None:
    parser = Inline()
    parser.found = []
    parser.feed(re.sub(r"{[{%#].*?[}%#]}", "", path.read_text(), flags=re.DOTALL))
    assert not parser.found


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_attributes_are_not_escaped_into_their_values(path: Path) -> None:
    assert not re.search(r"{{ '[^']*\"", path.read_text())


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_attributes_are_translated_as_text(path: Path) -> None:
    """What stands in a `trans` is not escaped: a quote in a translation would end the attribute."""
    assert not re.search(r"=\"[^\"]*{%-? trans", path.read_text())


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_templates_compute_nothing(path: Path) -> None:
    for expression in re.findall(r"{[{%](.*?)[}%]}", path.read_text(), flags=re.DOTALL):
        code = re.sub(r"\"[^\"]*\"|'[^']*'", "", expression)
        assert not re.search(r"[\w)\]] [-+*/] [\w(]|//|\*\*", code.strip("- ")), expression


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_modules_name_each_other_by_relative_paths(path: Path) -> None:
    named = re.findall(r'^(?:import|export) .*?from "(.*?)";', path.read_text(), flags=re.MULTILINE)
    assert all(name.startswith("./") and (path.parent / name).is_file() for name in named)


# -- colours ---------------------------------------------------------------------------------------------


def tokens() -> dict[str, tuple[str, str]]:
    """Each colour of the tokens in light and in dark."""
    text = (paths.STATIC / "css/tokens.css").read_text()
    both = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}, #\w{6})\);", text))
    alike = dict(re.findall(r"--([\w-]+): (#\w{6});", text))
    return {name: tuple(value.split(", ")) for name, value in both.items()} | {  # type: ignore[misc]
        name: (value, value) for name, value in alike.items()
    }


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("word", ["ink", "ink-2", "link", "good", "bad", "warn"])
@pytest.mark.parametrize("ground", ["paper", "paper-2", "bad-paper", "warn-paper"])
def test_words_are_legible(word: str, ground: str, theme: int) -> None:
    assert contrast(tokens()[word][theme], tokens()[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    "state", [state for state, letter in LETTERS.items() if letter and state != "locked"]
)
def test_letters_are_legible_on_their_states(state: str, theme: int) -> None:
    assert contrast(tokens()[f"on-{state}"][theme], tokens()[f"state-{state}"][theme]) >= 3


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("state", [state for state, letter in LETTERS.items() if letter])
def test_what_is_in_use_stands_out_from_what_is_free(state: str, theme: int) -> None:
    assert contrast(tokens()[f"state-{state}"][theme], tokens()["state-free"][theme]) >= 2
