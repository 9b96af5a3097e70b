"""What deploy/ ships: checked by the tools that read it, and a class through a real proxy with TLS."""

import asyncio
import json
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from app.serving import server_of
from app.sessions.feed import TICK_SECONDS
from app.settings import Settings
from tests.bench.service import free_port
from tests.support.demo_lab import PASSWORD, Http
from tests.support.factories import settings_for
from tests.support.faults import eventually
from tests.support.patience import PATIENCE, SOON
from tests.support.served_process import environment, on_socket, served
from tests.support.tools import tool

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
HOST = "kmemlab.example.org"
UNITS = ("kmemlab.service", "kmemlab-backup.service", "kmemlab-backup.timer")


def text_of(name: str) -> str:
    return (DEPLOY / name).read_text("utf-8")


def test_only_settings_that_there_are() -> None:
    known = {f"KMEMLAB_{name.upper()}" for name in Settings.model_fields}
    of_compose = {"KMEMLAB_HOST", "KMEMLAB_SERVERS"}
    for file in DEPLOY.iterdir():
        named = set(re.findall(r"KMEMLAB_[A-Z_]+", file.read_text("utf-8")))
        assert named <= known | of_compose, file.name


def test_the_page_names_every_file() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    for file in DEPLOY.iterdir():
        assert file.name in page


@pytest.mark.slow
def test_the_units(tmp_path: Path) -> None:
    """systemd reads them; the program is one that is there."""
    analyze = tool("systemd-analyze", "systemd")
    for name in UNITS:
        there = text_of(name).replace("/opt/kmemlab/bin/kmemlab", shutil.which("true") or "/bin/true")
        (tmp_path / name).write_text(there)
    said = subprocess.run(
        [analyze, "verify", *(tmp_path / name for name in UNITS)], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (0, "")
    for name in UNITS[:2]:
        command = [analyze, "security", "--offline=yes", "--no-pager", str(tmp_path / name)]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        (exposed,) = re.findall(r"Overall exposure level for .*: ([\d.]+)", said.stdout)
        assert float(exposed) < 5, name  # of ten; a unit that says nothing has 9.6


@pytest.mark.slow
def test_the_caddyfile(tmp_path: Path) -> None:
    caddy = tool("caddy", "caddy")
    (tmp_path / "Caddyfile").write_text(text_of("Caddyfile"))
    command = [caddy, "validate", "--adapter", "caddyfile", "--config", tmp_path / "Caddyfile"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, env={"HOME": str(tmp_path)})
    assert said.returncode == 0, said.stderr
    command = [caddy, "fmt", "--diff", tmp_path / "Caddyfile"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not [line for line in said.stdout.splitlines() if line.startswith(("-", "+"))]
    command = [caddy, "adapt", "--adapter", "caddyfile", "--config", tmp_path / "Caddyfile"]
    adapted = subprocess.run(command, capture_output=True, text=True, check=True, env={"HOME": str(tmp_path)})
    (most,) = re.findall(r'"max_size":(\d+)', adapted.stdout)
    assert int(most) == Settings().import_limit
    (idle,) = re.findall(r'"idle_timeout":(\d+)', adapted.stdout)
    assert int(idle) / 1e9 < closes_after(tmp_path)


def closes_after(folder: Path) -> float:
    """Seconds after which the server closes a connection on which nothing comes."""
    server = server_of(settings_for(folder))
    return server.config.timeout_keep_alive


def test_nginx_lets_go_of_connections_before_the_server_does(tmp_path: Path) -> None:
    (idle,) = re.findall(r"^    keepalive_timeout (\d+)s;", text_of("nginx.conf"), re.MULTILINE)
    assert 0 < int(idle) < closes_after(tmp_path)


def test_compose() -> None:
    """What each service has, in either profile."""
    found = yaml.safe_load(text_of("compose.yaml"))
    services = found["services"]
    assert {name: one.get("profiles") for name, one in services.items()} == {
        "kmemlab": ["sqlite"],
        "kmemlab-1": ["postgresql"],
        "kmemlab-2": ["postgresql"],
        "postgresql": ["postgresql"],
        "caddy": None,
    }
    proxy = services["caddy"]["networks"]["front"]["ipv4_address"]
    for name in ("kmemlab", "kmemlab-1", "kmemlab-2"):
        one = services[name]
        assert one["environment"]["KMEMLAB_TRUSTED_PROXIES"] == proxy
        assert (ROOT / "deploy" / one["build"]["context"] / one["build"]["dockerfile"]).exists()
        assert (one["read_only"], one["cap_drop"]) == (True, ["ALL"])
    assert services["kmemlab"]["volumes"] == ["kmemlab:/var/lib/kmemlab"]
    assert "front" not in services["postgresql"]["networks"]


def test_the_image_takes_what_is_there() -> None:
    lines = text_of("Dockerfile").splitlines()
    for line in lines:
        words = line.split()
        if words[:1] == ["COPY"] and not words[1].startswith("--"):
            assert all((ROOT / name).exists() for name in words[1:-1]), line
    assert [line for line in lines if line.startswith("USER")] == ["USER kmemlab"]
    assert any("--require-hashes" in line for line in lines)


def test_the_dashboard_shows_numbers_that_there_are(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        httpx2.get(f"{server.address}/healthz")
        page = httpx2.get(f"{server.address}/metrics").text
    there = set(re.findall(r"^(\w+)(?:\{| )", page, re.MULTILINE))
    dashboard = json.loads(text_of("grafana.json"))
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\b((?:kmemlab|process)_\w+)", target["expr"])
    }
    assert asked <= there
    assert len(asked) >= 12


@pytest.mark.slow
@pytest.mark.sqlite
def test_a_night_of_the_backup(tmp_path: Path) -> None:
    """Its commands one after the other: a copy that a server can go on from, and fourteen kept."""
    data, copies = tmp_path / "kmemlab", tmp_path / "kmemlab-backup"
    data.mkdir()
    copies.mkdir()
    with served(data) as server:
        session = server.create()
        for night in range(1, 16):
            (copies / f"kmemlab-2026-01-{night:02}T033000.db").write_bytes(b"")
        for command in commands_of("kmemlab-backup.service", tmp_path):
            done = subprocess.run(
                command, cwd=data, env=environment(), capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (command, done.stderr)
    kept = sorted(file.name for file in copies.iterdir())
    assert len(kept) == 14
    assert kept[0] == "kmemlab-2026-01-03T033000.db"
    (tmp_path / "restored").mkdir()
    (copies / kept[-1]).rename(tmp_path / "restored" / "kmemlab.db")
    with served(tmp_path / "restored") as server:
        assert httpx2.get(f"{server.base}{session}").status_code == 200


def commands_of(unit: str, folder: Path) -> list[list[str]]:
    """What a unit runs, as systemd splits it, by this tree's program and in a folder of one's own."""
    text = text_of(unit).replace("/var/lib", str(folder)).replace("%%", "%")
    text = text.replace("/opt/kmemlab/bin/kmemlab", f"{sys.executable} -m app")
    return [shlex.split(line) for line in re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE)]


# -- a class through nginx, with TLS -------------------------------------------------------------------------


@contextmanager
def behind_nginx(folder: Path, kmemlab: Path) -> Iterator[int]:
    """nginx as deploy/nginx.conf has it, with a certificate of its own, for a server's socket. Its port."""
    nginx, openssl = tool("nginx", "nginx-light"), tool("openssl", "openssl")
    certificate, key = folder / "kmemlab.pem", folder / "kmemlab.key"
    subject = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    made = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    site = text_of("nginx.conf")
    port = free_port()
    for before, after in (
        ("/run/kmemlab/http", str(kmemlab)),
        ("/etc/ssl/certs/kmemlab.pem", str(certificate)),
        ("/etc/ssl/private/kmemlab.key", str(key)),
        ("listen 80;\n    listen [::]:80;", f"listen 127.0.0.1:{free_port()};"),
        ("listen 443 ssl http2;\n    listen [::]:443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"),
    ):
        assert before in site, before
        site = site.replace(before, after)
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "\n".join(f"{name}_temp_path {folder}/{name};" for name in names)
    user = "user root;" if Path("/proc/self").stat().st_uid == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}\nworker_processes 1;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n"
        f"events {{ worker_connections 1024; }}\nhttp {{\n{paths}\naccess_log off;\n{site}\n}}\n"
    )
    command = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    process = subprocess.Popen([*command, "-g", "daemon off;"])
    try:
        eventually(lambda: listens(port))
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Person(Http):
    """As `Http`, through the proxy, at the host's name."""

    def __init__(self, port: int, trusted: ssl.SSLContext, token: str = "", entered: Any = None) -> None:
        self.entered = entered or {}
        headers = {"host": HOST, **({"authorization": f"Bearer {token}"} if token else {})}
        # The name is nobody's here: the connection goes to this computer, and TLS is for the name.
        self.client = httpx2.AsyncClient(
            base_url=f"https://127.0.0.1:{port}/api/v1", headers=headers, timeout=PATIENCE, verify=trusted
        )


def trusting(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "kmemlab.pem"))
    context.check_hostname = False  # the address is asked, and the certificate is for the name
    return context


async def lesson(port: int, trusted: ssl.SSLContext, link: str, students: int) -> dict[str, float]:
    """An instructor comes in, a class joins and calls, and somebody follows."""
    boss = await come_in(port, trusted, link)
    lab = await boss("POST", "/labs", title="Behind a proxy")
    shared = await boss("POST", "/sessions", name="shared", machine={"profile": "tiny-16m"})
    await boss("POST", f"/labs/{lab['id']}/machines", session=shared["id"], kind="operate")
    begun = time.monotonic()
    people = await asyncio.gather(
        *(joined(port, trusted, lab["code"], f"student {number}") for number in range(students))
    )
    took = {"joining": time.monotonic() - begun}
    path = f"/sessions/{shared['id']}"
    lags: list[float] = []
    async with people[0].client.stream("GET", f"{path}/events/stream") as stream:
        lines = stream.aiter_lines()
        for _ in range(5):
            await asyncio.sleep(2 * TICK_SECONDS)  # what comes within a tick of another is shown with it
            sent = time.monotonic()
            row = await people[1]("POST", f"{path}/alloc_page", gfp="GFP_KERNEL")
            async with asyncio.timeout(PATIENCE):
                async for line in lines:
                    if line.startswith("data:") and json.loads(line[5:])["seq"] == row["seq"]:
                        break
            lags.append(time.monotonic() - sent)
    took["an event"] = sorted(lags)[2]
    begun = time.monotonic()
    rows = await asyncio.gather(
        *(one("POST", f"{path}/alloc_page", gfp="GFP_KERNEL") for one in people for _ in range(3))
    )
    took["calls"] = (time.monotonic() - begun) / len(rows)
    assert sorted(row["seq"] for row in rows) == list(range(6, 6 + 3 * students))
    exported = await boss.client.get(f"{path}/export")
    imported = await boss.client.post(
        "/sessions", content=exported.content, headers={"content-type": "application/x-ndjson"}
    )
    assert imported.status_code == 201, imported.text
    for one in [boss, *people]:
        await one.client.aclose()
    return took


async def come_in(port: int, trusted: ssl.SSLContext, link: str) -> Person:
    """By the link that the server has printed for its public address; the cookie is for TLS alone."""
    stranger = Person(port, trusted)
    address = link.replace(f"https://{HOST}", f"https://127.0.0.1:{port}")
    body = {"name": "Prof. Kim", "password": PASSWORD}
    made = await stranger.client.post(address, data=body)
    assert made.status_code == 303, made.text
    assert "__Host-kmemlab=" in made.headers["set-cookie"]
    assert "Secure" in made.headers["set-cookie"]
    answer = await stranger("POST", "/signin", **body)
    await stranger.client.aclose()
    return Person(port, trusted, answer["token"], answer)


async def joined(port: int, trusted: ssl.SSLContext, code: str, nickname: str) -> Person:
    stranger = Person(port, trusted)
    answer = await stranger("POST", "/join", code=code, nickname=nickname)
    await stranger.client.aclose()
    return Person(port, trusted, answer["token"], answer)


def class_behind_nginx(folder: Path, students: int) -> dict[str, float]:
    public = {
        "KMEMLAB_PUBLIC_URL": f"https://{HOST}",
        "KMEMLAB_TRUSTED_PROXIES": "unix",
        "KMEMLAB_LOG": "json",
    }
    with on_socket(folder, "--lab", **public) as process, behind_nginx(folder, folder / "s") as port:
        assert process.stdout is not None
        found = re.search(r"https://\S+/setup/\S+", process.stdout.readline())
        assert found is not None
        trusted = trusting(folder)
        took = asyncio.run(lesson(port, trusted, found[0], students))
    print(", ".join(f"{what} {seconds:.3f} s" for what, seconds in took.items()))
    return took


@pytest.mark.slow
def test_a_class_through_nginx_with_tls(tmp_path: Path) -> None:
    took = class_behind_nginx(tmp_path, 10)
    assert took["an event"] < SOON  # nothing collects events on their way


@pytest.mark.soak
def test_sixty_students_through_nginx_with_tls(tmp_path: Path) -> None:
    class_behind_nginx(tmp_path, 60)
