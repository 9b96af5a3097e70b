"""The guard: checks every request before the application sees it, and adds headers to every answer.

kmemlab's open mode has no login: any program that reaches the port is its user. So the guard makes sure that
only this computer's own user reaches it. A page of another site can make a browser send requests to 127.0.0.1
(refused by Origin), can point a name of its own at 127.0.0.1 (refused by Host), and a proxy in front would
let the world in (refused by its headers). Bodies are bounded, and counted where no length was announced.

In lab mode every request is authenticated by a cookie or a bearer token; without one it reaches only the
pages to join and to sign in. What a proxy says of a request is not believed, and not needed: people are told
apart by their tokens, and the public address is a setting.

Pure ASGI and outermost: errors of everything inside carry the headers too.
"""

from __future__ import annotations

import asyncio
import codecs
import itertools
import re
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from math import ceil
from typing import Final, Protocol
from urllib.parse import quote, urlsplit

from python_multipart.multipart import parse_options_header
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import Problem
from app.compression import Compression, accepts_gzip
from app.connections import Connection
from app.connections.table import group_of
from app.cookies import cookie_in, cookie_name
from app.labs import LOCAL_PERSON, Person
from app.labs.person import NOT_ADMITTED
from app.rates import Rates
from app.receiving import SHORT_BODY, BodyMemory, BodyReceiver, TooLarge
from app.running_requests import RunningRequests
from app.sending import SENT_AT_ONCE, UnreadAnswers, pieces_of
from app.sessions import hangup
from app.sessions.access import LOCAL
from app.settings import Settings
from app.upload_timeout import upload_timeout_of

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

LOOPBACK: Final = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?")

# No name can be made to point elsewhere where there is no name.
ADDRESS: Final = re.compile(r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")

# An exported session is not read into memory at once, so it may be longer than what makes one otherwise.
IMPORTED_AT: Final = {"/api/v1/sessions": b"application/x-ndjson", "/sessions": b"multipart/form-data"}

# Other charsets hold what is no text, such as halves of characters, and some are escapes.
FORM_TYPES: Final = frozenset({b"multipart/form-data", b"application/x-www-form-urlencoded"})
CHARSETS: Final = frozenset({"utf-8", "ascii"})

# Characters of a path and its query. A view of a machine's page has a few hundred.
ADDRESS_LENGTH: Final = 8192

# What costs nothing, and is asked by browsers and watchers by themselves.
UNCOUNTED_PREFIXES: Final = ("/static/", "/healthz", "/readyz", "/metrics")

PROXY_HEADERS: Final = (b"x-forwarded-", b"forwarded", b"via", b"x-real-ip")

# What a browser says of a request made by one of our own pages, and of an address that was typed.
OWN_FETCHES: Final = frozenset({b"same-origin", b"none"})

CSP: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    b"connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

SECURITY_HEADERS: Final = (
    (b"content-security-policy", CSP),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)

# Addresses that hold a secret. What is asked for from such a page, and where one goes from there, is not told
# its path. `no-referrer` would also hide the origin, by which our own forms are known.
SECRET_PATHS: Final = ("/enter/", "/setup/")
SECRET_HEADERS: Final = tuple(
    (name, b"strict-origin" if name == b"referrer-policy" else value) for name, value in SECURITY_HEADERS
)

# Requests a second of one person, where nothing else is set: more than a page and a script together ask for.
LAB_RATE: Final = 50.0

# A session may lie in no cache; an answer that is public says so itself.
PRIVATE: Final = (b"cache-control", b"no-store")

# Where anybody may look in lab mode, by the beginning of the path or as a whole.
PUBLIC_PREFIXES: Final = (
    "/static/",
    "/texts/",
    "/setup/",
    "/enter/",
    "/join/",
)
PUBLIC_PATHS: Final = frozenset(
    {
        "/join",
        "/signin",
        "/preferences",
        "/gfp",
        "/calls",
        "/healthz",
        "/readyz",
        "/metrics",
        "/favicon.ico",
        "/api/v1/openapi.json",
        "/api/v1/profiles",
        "/api/v1/calls",
        "/api/v1/calls.http",
        "/api/v1/gfp",
        "/api/v1/join",
        "/api/v1/signin",
    }
)

# Of a request without a body.
EMPTY_LENGTHS: Final = frozenset({None, b"0"})

# Paths for a person who waits to be admitted to a lab, beside the page on which they wait.
PATHS_WHILE_WAITING: Final = frozenset({"/api/v1/me", "/api/v1/signout", "/signout"})

OPEN_MODE: Final = "in open mode it serves one person on this computer, without a login, at http://127.0.0.1"


class Closed(Protocol):
    """What answers a request to an address that is closed to its member for now."""

    async def __call__(self, scope: Scope, *, script: bool) -> Response | None: ...


class Guard:
    """Stands around the whole application.

    settings: limits of bodies, the mode, and the public address. identify: who holds a token. closed: the
    answer to a request of a member's to whom an address is closed for now. answered: counts them by status.
    Puts `request_id`, `principal`, `person` and `token` into the scope's state.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        identify: Callable[[str], Awaitable[Person | None]],
        closed: Closed | None = None,
        answered: Counter[int] | None = None,
    ) -> None:
        self.app = app
        self.answered = Counter() if answered is None else answered
        self.closed = closed
        self.lab = settings.lab
        self.identify = identify
        self.cookie = cookie_name(settings)
        # Asking the system for chance lets go of the interpreter, and the writer takes it: once is enough.
        self.started, self.requests = secrets.token_hex(4), itertools.count()
        self.packing = Compression(app)
        rate = settings.rate_per_second
        if rate is None and settings.lab:
            rate = LAB_RATE
        self.rates = None if rate is None else Rates(rate, settings.rate_burst)
        public = urlsplit(settings.public_url) if settings.public_url else None
        self.public_host = None if public is None else public.netloc.lower()
        self.public_scheme = None if public is None else public.scheme.lower()
        self.proxies = settings.proxies
        self.settings = settings
        self.running = RunningRequests(settings)
        self.bodies = BodyMemory(settings)
        self.answers = UnreadAnswers(settings.answers_memory)
        self.body_limit = settings.body_limit
        self.stranger_limit = min(settings.body_limit, settings.stranger_body_limit)
        self.limits = (
            (re.compile(r"(?:/api/v1)?/sessions/?"), settings.dump_limit),
            (re.compile(r"/api/v1/sessions/[^/]+/calls"), settings.batch_body_limit),
            (re.compile(r"(?:/api/v1)?/replacement"), settings.replacement_body_limit),
        )
        self.import_limit = settings.import_limit
        self.is_own_host = lru_cache(maxsize=256)(self._is_own_host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Anything but HTTP, such as the server's start and stop, passes."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = f"{self.started}{next(self.requests):08x}"
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        state["person"], state["principal"], state["token"] = LOCAL_PERSON, LOCAL, None
        secret = scope["path"].startswith(SECRET_PATHS)
        protection = SECRET_HEADERS if secret else SECURITY_HEADERS
        answering = ProtectedAnswer(
            send, request_id, protection, self.answers, state.get("connection"), self.answered
        )
        headers = dict(scope["headers"])
        if self.proxies:
            scope["client"] = self.client_of(scope)
        problem: Problem | Response | None = too_long_address(scope) or self.foreign(scope, headers)
        known = True
        if problem is None and self.lab:
            known = await self.authenticate(scope, headers)
            if not known and not is_public(scope["path"]):
                problem = self.unauthenticated(scope, tried=bearer_of(headers) is not None)
        if problem is None and known and self.lab and state["person"].waiting:
            problem = not_admitted(scope["path"], state["person"])
        limit = self.limit_of(scope, headers) if known else self.stranger_limit
        if problem is None:
            safe = scope["method"] in SAFE_METHODS
            problem = (
                (None if safe else self.from_elsewhere(headers))
                or announced_too_long(headers, limit)
                or (None if safe else in_other_charset(scope["headers"]))
            )
        who = state["principal"].id if known else group_of(scope["client"][0] if scope["client"] else "")
        answering.who = who
        counted = known and not scope["path"].startswith(UNCOUNTED_PREFIXES)
        if problem is None and counted and self.rates is not None:
            problem = too_often(self.rates.take(who))
        if problem is None and counted and self.lab and self.closed is not None:
            problem = await self.closed(scope, script=bearer_of(headers) is not None)
        if problem is not None:
            answer = problem if isinstance(problem, Response) else problem.response()
            await answer(scope, receive, answering)
            return
        counted = counted and not is_stream(scope)
        waits = b"wait=" in scope["query_string"]
        if counted and not self.running.begin(who, waits=waits):
            await too_many_at_once(waits=waits).response()(scope, receive, answering)
            return
        receiving = self.receiving(scope, headers, receive, limit, who)
        hangup.listen(receiving or receive)
        try:
            inside = self.packing if scope["method"] == "GET" and accepts_gzip(headers) else self.app
            await inside(scope, receiving or receive, answering)
        except asyncio.CancelledError:
            # Only the end of the server cancels a request, and then closes its connection.
            return
        finally:
            if counted:
                self.running.end(who, waits=waits)
            if receiving is not None:
                receiving.close()

    def client_of(self, scope: Scope) -> tuple[str, int] | None:
        """The client of a request that may have come through a trusted proxy."""
        peer = scope["client"]
        forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        address = self.proxies.client(None if peer is None else peer[0], forwarded)
        return peer if address is None or (peer is not None and address == peer[0]) else (address, 0)

    def receiving(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, limit: int, who: str
    ) -> BodyReceiver | None:
        """The way in for a body that is long, or has not come yet; else None."""
        length = headers.get(b"content-length")
        if scope["method"] in SAFE_METHODS or (
            length in EMPTY_LENGTHS and b"transfer-encoding" not in headers
        ):
            return None
        connection = scope["state"].get("connection")
        charge = None if self.rates is None or scope["state"]["principal"] is None else self.rates.read
        if (
            connection is not None
            and not connection.in_body
            and length is not None
            and int(length) <= SHORT_BODY
        ):
            if charge is not None:
                charge(who, int(length))
            return None
        timeout = upload_timeout_of(self.settings, limit, asyncio.get_running_loop().time())
        if connection is not None:
            connection.timeout = timeout
        bodies = None if limit == self.import_limit and self.is_file(scope, headers) else self.bodies
        return BodyReceiver(receive, limit, timeout, who, bodies, charge)

    def foreign(self, scope: Scope, headers: dict[bytes, bytes]) -> Problem | None:
        """Why the request cannot be one of this computer's user, if so."""
        if not self.lab:
            for name in headers:
                if name.startswith(PROXY_HEADERS):
                    return through_proxy(name)
        once = len(headers) == len(scope["headers"]) or [n for n, _ in scope["headers"]].count(b"host") == 1
        if once and self.is_own_host(headers.get(b"host", b"")):
            return None
        if self.lab:
            return Problem(
                400, "kmemlab does not answer to this Host: use an IP address or KMEMLAB_PUBLIC_URL"
            )
        return Problem(400, f"kmemlab does not answer to this Host: {OPEN_MODE}, or at KMEMLAB_PUBLIC_URL")

    def _is_own_host(self, host: bytes) -> bool:
        """Whether the name under which the request came is ours."""
        name = host.decode("latin-1").lower()
        if self.lab and ADDRESS.fullmatch(name) is not None:
            return True
        return LOOPBACK.fullmatch(name) is not None or name == self.public_host

    async def authenticate(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        """Find the person behind the request; whether there is one."""
        token = bearer_of(headers)
        if token is None:
            token = cookie_in(scope["headers"], self.cookie)
        person = None if token is None else await self.identify(token)
        state = scope["state"]
        if person is None:
            state["person"] = state["principal"] = None
            return False
        state["person"], state["principal"], state["token"] = person, person.principal, token
        connection = state.get("connection")
        if connection is not None:
            connection.identify(person.principal.id)
        return True

    def unauthenticated(self, scope: Scope, *, tried: bool) -> Problem | Response:
        """The answer without authentication: 401 for a program, a redirect to sign in for a person."""
        path = scope["path"]
        if path.startswith("/api/"):
            return Problem(
                401,
                "say who you are: `Authorization: Bearer TOKEN`, with the token from joining or signing in"
                + ("; the one that was sent opens nothing, or no more" if tried else ""),
                headers={"WWW-Authenticate": "Bearer"},
            )
        query = scope["query_string"].decode("latin-1")
        back = f"?back={quote(path + ('?' + query if query else ''), safe='/')}"
        return RedirectResponse(f"/join{back if scope['method'] == 'GET' and path != '/' else ''}", 303)

    def from_elsewhere(self, headers: dict[bytes, bytes]) -> Problem | None:
        """Why a request that may change something comes from a page of another site, if it does.

        Scripts send neither header; a browser sends both, an old one only `Origin`.
        """
        fetched_by, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
        own_fetch = fetched_by is None or fetched_by in OWN_FETCHES
        if own_fetch and (origin is None or self.is_own_origin(origin, headers[b"host"])):
            return None
        return Problem(403, "a page of another site sent this request")

    def is_own_origin(self, origin: bytes, host: bytes) -> bool:
        """Whether a page stands where the request goes to.

        Who is on the way can make a page of our name over plain HTTP, so at the public address the scheme
        counts; elsewhere it is not known here whether something before us speaks TLS.
        """
        scheme, _, name = origin.decode("latin-1").lower().partition("://")
        own = host.decode("latin-1").lower()
        schemes = (self.public_scheme,) if own == self.public_host else ("http", "https")
        return name == own and scheme in schemes

    def limit_of(self, scope: Scope, headers: dict[bytes, bytes]) -> int:
        """The largest body that may come to this path."""
        if scope["method"] == "POST":
            if self.is_file(scope, headers):
                return self.import_limit
            for path, limit in self.limits:
                if path.fullmatch(scope["path"]):
                    return limit
        return self.body_limit

    def is_file(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        """Whether a body is a file that is not read into memory as a whole."""
        kind = IMPORTED_AT.get(scope["path"])
        return kind is not None and headers.get(b"content-type", b"").startswith(kind)


def bearer_of(headers: dict[bytes, bytes]) -> str | None:
    """The token that a program has sent, which goes before a browser's."""
    given = headers.get(b"authorization", b"")
    return given[7:].strip().decode("latin-1") if given[:7].lower() == b"bearer " else None


def is_public(path: str) -> bool:
    """Whether a path needs no authentication."""
    return path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIXES)


def too_long_address(scope: Scope) -> Problem | None:
    """Why an address is not looked at, if it is longer than any of ours."""
    if len(scope["path"]) + len(scope.get("query_string", b"")) <= ADDRESS_LENGTH:
        return None
    return Problem(414, f"an address here has at most {ADDRESS_LENGTH} characters, its query included")


def not_admitted(path: str, person: Person) -> Problem | Response | None:
    """The answer before admission: 403 for a program, a redirect to the waiting page for a person."""
    if is_public(path) or path in PATHS_WHILE_WAITING or path == f"/labs/{person.lab}":
        return None
    if path.startswith("/api/"):
        return Problem(403, NOT_ADMITTED)
    return RedirectResponse(f"/labs/{person.lab}", 303)


def through_proxy(name: bytes) -> Problem:
    """A request that did not come straight from this computer."""
    header = name.decode("latin-1")
    return Problem(
        400, f"the header {header} says that a proxy sent this, but {OPEN_MODE}, and behind no proxy"
    )


def announced_too_long(headers: dict[bytes, bytes], limit: int) -> Problem | None:
    """Why a body need not even be read, if so. The server lets no body be longer than announced."""
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and len(length) < 18 and int(length) <= limit:
        return None
    return Problem(413, str(TooLarge(limit)))


def in_other_charset(headers: Sequence[tuple[bytes, bytes]]) -> Problem | None:
    """Why a form cannot be read, if it is one and says so. Where a type is given twice, each is looked at."""
    for name, value in headers:
        if name != b"content-type" or b"charset" not in value.lower():
            continue
        kind, options = parse_options_header(value)
        charset = options.get(b"charset", b"utf-8").decode("latin-1")
        if kind in FORM_TYPES and not is_text(charset):
            return Problem(415, "a form comes in UTF-8")
    return None


def is_text(charset: str) -> bool:
    """Whether a charset is one of those that forms may have, by any of its names."""
    try:
        return codecs.lookup(charset).name in CHARSETS
    except (LookupError, ValueError):
        return False


def too_often(seconds: float) -> Problem | None:
    """Why a request came too soon, if it did. seconds: in how many one would pass."""
    if seconds <= 0:
        return None
    wait = ceil(seconds)
    return Problem(
        429,
        f"you ask more often than this server lets one person: try again in {wait} s "
        "(many calls in one request of POST …/calls count as few)",
        headers={"Retry-After": str(wait)},
    )


def is_stream(scope: Scope) -> bool:
    """Whether a request follows something for as long as its reader stays."""
    path: str = scope["path"]
    return scope["method"] == "GET" and path.endswith("/events/stream")


def too_many_at_once(*, waits: bool) -> Problem:
    """A request that came while too many others of the same person were running."""
    what = "are waiting (?wait=)" if waits else "are running"
    return Problem(
        429,
        f"as many requests of yours {what} as one person may have at a time: wait for an answer of theirs",
        headers={"Retry-After": "1"},
    )


class ProtectedAnswer:
    """Adds the protecting headers to an answer."""

    def __init__(
        self,
        send: Send,
        request_id: str,
        protection: Sequence[tuple[bytes, bytes]],
        answers: UnreadAnswers,
        connection: Connection | None,
        answered: Counter[int],
    ) -> None:
        self.send = send
        self.answered = answered
        self.request_id = request_id
        self.protection = protection
        self.answers = answers
        self.connection = connection
        self.who = ""  # whose memory a long answer counts as

    async def __call__(self, message: Message) -> None:
        """Passes a message on."""
        if message["type"] == "http.response.start":
            self.answered[message["status"]] += 1
            given = message.get("headers", ())
            headers = [*given, *self.protection, (b"x-request-id", self.request_id.encode())]
            for name, _ in given:
                if name == b"cache-control":
                    break
            else:
                headers.append(PRIVATE)
            message["headers"] = headers
        elif len(message.get("body", b"")) > SENT_AT_ONCE and self.connection is not None:
            await self.send_long(message, self.connection)
            return
        await self.send(message)

    async def send_long(self, message: Message, connection: Connection) -> None:
        """Passes on what is longer than a piece."""
        size = len(message["body"])
        with self.answers.holding(self.who, size, connection.drop) as unread:
            for piece in pieces_of(message):
                await self(piece)
                self.answers.moved(unread)
