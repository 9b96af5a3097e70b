"""`kmemlab shell`: lines of C at a prompt and from a file, what is refused where, and completion."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner, Result

from app import shell as shell_module
from app.__main__ import cli
from app.machine.entry import CALLS
from app.serverclient import NoServerError, Source
from app.shell import Shell, printable
from tests.support.patience import PATIENCE
from tests.support.served import BASE, build, listening
from tests.support.served_process import environment


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(build(tmp_path_factory.mktemp("shell"))) as address:
        yield address


@pytest.fixture
def sid(address: str) -> str:
    made = httpx2.post(f"{address}{BASE}/sessions", json={"name": "mine", "machine": {"profile": "tiny-16m"}})
    return str(made.json()["id"])


def piped(address: str, sid: str, text: str) -> Result:
    return CliRunner().invoke(cli, ["shell", sid, "--server", address], text, catch_exceptions=False)


def test_lines_of_a_file_are_made(address: str, sid: str) -> None:
    done = piped(address, sid, "p = alloc_pages(GFP_KERNEL, 1)\n\n// free it\n__free_pages(p, 1)")
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        "#1 alloc_pages = 0xffffea0000010000 (ok, page frame 0x400)",
        "#2 __free_pages (ok, page frame 0x400)",
    ]


def test_a_mistake_is_shown_with_the_kernels_log(address: str, sid: str) -> None:
    done = piped(
        address, sid, "p = alloc_page(GFP_KERNEL); put_page(p); put_page(p)\nalloc_pages(GFP_KERNEL, 11)"
    )
    assert "#3 put_page (bug, page frame 0x400)\nNobody holds page frame 0x400" in done.output
    assert "kernel BUG at include/linux/mm.h" in done.output
    assert "#4 alloc_pages = NULL (null)\nOrder 11 is more than 10" in done.output


def test_a_statement_goes_on_over_lines(address: str, sid: str) -> None:
    text = (
        'c = kmem_cache_create("scullc", 4000, 0,\n  SLAB_HWCACHE_ALIGN, NULL);\n/* a\n b */ vmalloc(\n4096)'
    )
    assert [line.split(" ")[1] for line in piped(address, sid, text).output.splitlines()] == [
        "kmem_cache_create",
        "vmalloc",
    ]


def test_a_refusal_names_its_place_and_ends_a_file(address: str, sid: str) -> None:
    done = piped(address, sid, "kmalloc(10,\n\tGFP_KERNAL)\nkfree(NULL)\n")
    assert done.exit_code == 1
    assert done.output.splitlines()[:2] == ["          GFP_KERNAL)", "          ^^^^^^^^^^"]
    assert done.output.splitlines()[-1] == "did you mean GFP_KERNEL?"
    done = piped(address, sid, "for (;;) kfree(NULL)")
    assert done.output.startswith("  for (;;) kfree(NULL)\nfor is not taken")
    assert httpx2.get(f"{address}{BASE}/sessions/{sid}").json()["seq"] == 0


@pytest.mark.parametrize("line", ["vmalloc(", "/* never closed"])
def test_what_never_ends_is_not_made(line: str, address: str, sid: str) -> None:
    piped(address, sid, f"{line}\n")
    assert httpx2.get(f"{address}{BASE}/sessions/{sid}").json()["seq"] == 0


def test_help(address: str, sid: str) -> None:
    said = piped(address, sid, "?\n?kmalloc\n? kmalloc(\n?malloc\n").output
    assert "slab: kmalloc, kzalloc" in said
    assert said.count("void *kmalloc(size_t size, gfp_t flags)\n") == 2
    assert "malloc: no call; ? lists them" in said


def test_nobody_is_there(address: str, sid: str, tmp_path: Path) -> None:
    for session, server, why in (
        ("none", address, "there is no session 'none'"),
        ("a b\r\n", address, "nothing is here"),
        (sid, "http://127.0.0.1:1", "refused"),
        (sid, "nowhere", "begins with http://"),
        (sid, f"{address}/static", "Not Found"),
    ):
        done = piped(server, session, "kfree(NULL)")
        assert done.exit_code == 1
        assert why in done.output or "the server answers 404" in done.output
    with httpx2.Client(base_url=f"{address}{BASE}") as client:
        client.delete(f"/sessions/{sid}")
    assert "there is no session" in piped(address, sid, "kfree(NULL)").output


def test_words_are_completed_from_what_the_server_has(address: str, sid: str) -> None:
    shell = Shell(Source(address, sid), input, print)
    words = [shell.complete("kmem_cache_alloc", place) for place in range(3)]
    assert words == ["kmem_cache_alloc(", "kmem_cache_alloc_bulk(", None]
    assert shell.complete("GFP_KERNEL_", 0) == "GFP_KERNEL_ACCOUNT"
    for begun in ("SLAB_HW", "swappi", "softi", *CALLS):
        assert shell.complete(begun, 0) is not None


def test_another_server_is_none_of_ours(address: str, sid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell_module, "get", lambda *_: {"calls": None})
    with pytest.raises(NoServerError):
        Shell(Source(address, sid), input, print)


def test_ctrl_c_drops_what_was_begun_and_ends_a_file(address: str, sid: str) -> None:
    typed = iter(["vmalloc(", KeyboardInterrupt(), "drain_all_pages()", "vmaloc(1)", KeyboardInterrupt()])

    def read(_: str) -> str:
        line = next(typed, EOFError())
        if isinstance(line, BaseException):
            raise line
        return line

    said: list[str] = []
    shell = Shell(Source(address, sid), read, said.append)
    shell.run(interactive=True)
    assert said[1:4] == ["", "#1 drain_all_pages (ok)", "  vmaloc(1)"]
    typed = iter(["vmalloc(", KeyboardInterrupt(), "drain_all_pages()"])
    with pytest.raises(KeyboardInterrupt):
        shell.run(interactive=False)
    assert next(typed) == "drain_all_pages()"


def test_nothing_moves_the_cursor() -> None:
    assert printable("a\x1b[2J\r\x9b0mé\u202e") == "a�[2J��0mé�"


def test_at_a_terminal_words_are_completed_and_entries_kept(address: str, sid: str, tmp_path: Path) -> None:
    mine, theirs = pty.openpty()
    command = [sys.executable, "-m", "app", "shell", sid, "--server", address]
    environ = environment(XDG_STATE_HOME=str(tmp_path), TERM="dumb")
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ) as process:
        os.close(theirs)
        try:
            read(mine, "mine, at row 0.", "kmemlab> ")
            os.write(mine, b"drain_al\t)\n")
            read(mine, "#1 drain_all_pages (ok)", "kmemlab> ")
            os.write(mine, b"vmalloc(\n")
            read(mine, "...> ")
            os.write(mine, b"4096)\n")
            read(mine, "#2 vmalloc = 0x", "kmemlab> ")
            os.write(mine, b"vmaloc(1)\n")
            read(mine, "did you mean vmalloc or kvmalloc?", "kmemlab> ")
            os.write(mine, b"\x04")
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            os.close(mine)
    kept = tmp_path / "kmemlab" / "history"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_text().splitlines() == ["drain_all_pages()", "vmalloc(", "4096)", "vmaloc(1)"]


def read(terminal: int, *awaited: str) -> None:
    """Reads until all that is awaited has come, one after the other."""
    said, until = "", time.monotonic() + PATIENCE
    for words in awaited:
        while words not in said:
            ready, _, _ = select.select([terminal], [], [], max(0, until - time.monotonic()))
            assert ready, said
            said += os.read(terminal, 4096).decode()
        said = said.partition(words)[2]
