"""Proxies in front: the socket that they ask through, and the address that a trusted one tells."""

import re
import socket
import stat
from pathlib import Path

import httpx2
import pytest
from pydantic import ValidationError

from app.proxies import MOST_HOPS, TrustedProxies
from app.settings import Settings
from tests.support.patience import PATIENCE
from tests.support.served_process import kmemlab, on_socket

INSIDE = TrustedProxies(["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        # Nobody may say who they are, but trusted proxies may say who asked them.
        ("192.0.2.1", [b"198.51.100.7"], "192.0.2.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [b"198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", [b"6.6.6.6, 198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", [b"6.6.6.6, 198.51.100.7, 10.1.2.3"], "198.51.100.7"),
        ("127.0.0.1", [b"6.6.6.6", b"198.51.100.7", b"10.1.2.3"], "198.51.100.7"),
        ("127.0.0.1", [b"10.9.9.9, 10.1.2.3"], "10.9.9.9"),
        ("127.0.0.1", [b"198.51.100.7:4711"], "198.51.100.7"),
        ("127.0.0.1", [b"[2001:db9::1]:4711"], "2001:db9::1"),
        ("2001:db8::5", [b"2001:db9::1"], "2001:db9::1"),
        # A server that listens on `::` sees IPv4 in IPv6.
        ("::ffff:127.0.0.1", [b"::ffff:198.51.100.7, ::ffff:10.1.2.3"], "198.51.100.7"),
        ("127.0.0.1", [b"fe80::1%" + b"x" * 1_000], "fe80::1"),
        # What is no address ends the way there.
        ("127.0.0.1", [b"6.6.6.6, unknown, 10.1.2.3"], "10.1.2.3"),
        ("127.0.0.1", [b"", b",,,"], "127.0.0.1"),
        ("127.0.0.1", [b"\xff\xfe"], "127.0.0.1"),
        ("127.0.0.1", [b"10.0.0.1," * 100_000 + b"10.0.0.2"], "10.0.0.1"),
        ("no address", [b"6.6.6.6"], "no address"),
        (None, [b"6.6.6.6"], None),
    ],
)
def test_the_clients_address(peer: str | None, forwarded: list[bytes], client: str | None) -> None:
    assert INSIDE.client(peer, forwarded) == client


def test_a_socket_is_a_proxys_where_that_is_said() -> None:
    assert TrustedProxies(["unix"]).client(None, [b"198.51.100.7"]) == "198.51.100.7"
    assert TrustedProxies(["unix"]).client("127.0.0.1", [b"198.51.100.7"]) == "127.0.0.1"
    assert not TrustedProxies([])
    assert MOST_HOPS < 100


@pytest.mark.parametrize("given", ["localhost", "10.0.0.1/8", "10.0.0.0/33", "unix;127.0.0.1"])
def test_what_names_no_proxy(given: str) -> None:
    with pytest.raises(ValidationError, match="addresses, networks"):
        Settings(trusted_proxies=given)


@pytest.mark.parametrize(
    "given", ["https://cs.example.org/kmemlab", "https://cs.example.org/?x", "cs.example.org"]
)
def test_a_public_address_is_a_host_of_its_own(given: str) -> None:
    with pytest.raises(ValidationError, match="example"):
        Settings(public_url=given)
    assert Settings(public_url="https://kmemlab.example.org/").public_url == "https://kmemlab.example.org/"


def through(folder: Path) -> httpx2.Client:
    transport = httpx2.HTTPTransport(uds=str(folder / "s"))
    return httpx2.Client(transport=transport, base_url="http://localhost", timeout=PATIENCE)


def test_serving_on_a_socket(tmp_path: Path) -> None:
    with on_socket(tmp_path), through(tmp_path) as client:
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o660
        made = client.post("/api/v1/sessions", json={"machine": {"profile": "tiny-16m"}})
        assert made.status_code == 201
        other = kmemlab(tmp_path, "serve", "--uds", str(tmp_path / "s"))
        assert (other.returncode, "another server listens there" in other.stderr) == (1, True)
    assert not (tmp_path / "s").exists()


def test_what_stands_where_the_socket_goes(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    refused = kmemlab(tmp_path, "serve", "--uds", "file")
    assert (refused.returncode, "no socket; nothing was changed" in refused.stderr) == (1, True)
    assert (tmp_path / "file").read_text() == "kept"
    refused = kmemlab(tmp_path, "serve", "--uds", "nowhere/s")
    assert (refused.returncode, "No such file" in refused.stderr) == (1, True)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "s"))
    with on_socket(tmp_path), through(tmp_path) as client:
        assert client.get("/healthz").status_code == 200


def test_strangers_behind_a_proxy_use_up_their_own_attempts(tmp_path: Path) -> None:
    """Ten at once for an address; the one that a stranger writes into the header is not looked at."""
    public = {"KMEMLAB_PUBLIC_URL": "https://kmemlab.example.org", "KMEMLAB_TRUSTED_PROXIES": "unix"}
    with on_socket(tmp_path, "--lab", **public) as process, through(tmp_path) as client:
        assert process.stdout is not None
        assert re.search(r"https://kmemlab\.example\.org/setup/", process.stdout.readline())

        def signed_in(number: int, *, address: str) -> int:
            forwarded = {"x-forwarded-for": f"203.0.113.{number}, {address}", "host": "kmemlab.example.org"}
            body = {"name": f"nobody {number}", "password": "wrong horse battery"}
            return client.post("/api/v1/signin", json=body, headers=forwarded).status_code

        first = [signed_in(number, address="198.51.100.7") for number in range(16)]
        assert (first[:10], 429 in first) == ([403] * 10, True)
        assert signed_in(20, address="198.51.100.8") == 403
