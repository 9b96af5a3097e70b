"""Authentication: links and passwords of instructors, join codes of students, and the tokens of both."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import partial
from math import ceil
from typing import Final, NamedTuple

from app.clock import before_now, now
from app.errors import BadArgument
from app.labs import attempts, auditing, secret, wording
from app.labs.passwords import Passwords
from app.labs.person import Person, require_instructor
from app.rates import Rates
from app.sessions import LOCAL, Conflict, Forbidden, NotFound, Preconditions, Sessions, TooMany
from app.sessions.identifiers import new_id
from app.settings import Settings
from app.store import Connection, failures, labs, people, waiting
from app.store import sessions as session_rows
from app.store.failures import FailuresRow
from app.store.labs import LabRow
from app.store.people import AccountRow, MemberRow, TokenRow

# Days that a token is good for.
DAYS_VALID: Final = {"cookie": 180.0, "script": 365.0, "entry": 365.0, "invite": 7.0, "known": 365.0}
DAYS_SIGNED_IN: Final = 14.0

CACHE_SECONDS: Final = 10.0  # seconds for which another process's taking back of a token may be missed
TOKENS_CACHED: Final = 20_000
EVICTED_AT_ONCE: Final = 50  # places that one who joins may free
TOKENS: Final = 20  # of one person for one use: browsers and devices, scripts that sign in each time
JOINS_A_SECOND: Final = 20.0  # by one code
JOINS_AT_ONCE: Final = 400
MOST_WAITING: Final = 200  # who may always wait for a lab to admit them; or twice as many as it expects
EVICTED_AFTER: Final = timedelta(
    seconds=60
)  # who has not asked for so long makes room for others who would wait
TRIES_A_SECOND: Final = 1.0  # of passwords, by strangers from one address
TRIES_AT_ONCE: Final = 10


class SignedIn(NamedTuple):
    """A person who has signed in, and the new token."""

    person: Person
    secret: str


class Joined(NamedTuple):
    """A member who has joined by a script."""

    member: MemberRow
    lab: LabRow
    # The token for scripts.
    token: str
    # The secret of a personal link, which signs in a browser.
    entry: str


class Authentication:
    """Signs people in and out. All methods raise Busy or StorageFull where nothing could be written."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self._settings = settings
        self._sessions = sessions
        self._passwords = Passwords()
        self._tries = Rates(TRIES_A_SECOND, TRIES_AT_ONCE)
        self._joins = Rates(JOINS_A_SECOND, JOINS_AT_ONCE)
        sessions.rates.share("sign in", self._tries)
        sessions.rates.share("join", self._joins)
        # By the token's hash: who holds it, and until when that is believed without looking.
        self._known: OrderedDict[str, tuple[Person, float]] = OrderedDict()
        self._taken_back = 0  # how often some were

    def open(self) -> None:
        """Prepare what signing in needs."""
        self._passwords.prepare()

    def close(self) -> None:
        """End the thread that hashes."""
        self._passwords.close()

    # -- who is it -------------------------------------------------------------------------------------------

    async def identify(self, token: str) -> Person | None:
        """The person of a browser's or script's token; None for a token that is unknown or expired."""
        sha256 = secret.digest(token)
        found = self._known.get(sha256)
        if found is not None and found[1] > time.monotonic():
            return found[0]
        taken_back = self._taken_back
        person = await self._sessions.query(_holder, sha256, ("cookie", "script"))
        if person is None or taken_back != self._taken_back:  # perhaps this one, while it was looked for
            self._known.pop(sha256, None)
            return person
        self._known[sha256] = person, time.monotonic() + CACHE_SECONDS
        self._known.move_to_end(sha256)
        if len(self._known) > TOKENS_CACHED:
            self._known.popitem(last=False)
        return person

    def forget(self, *person_ids: str) -> None:
        """Forget the cached tokens of some people: some of them are not valid any more."""
        self.look_again(person_ids)
        for person_id in person_ids:
            self._sessions.disconnect(person_id)

    def look_again(self, person_ids: Iterable[str]) -> None:
        """Forget the cached data of some people: their rights have changed."""
        self._taken_back += 1
        those = set(person_ids)
        for sha256 in [known for known, (person, _) in self._known.items() if person.id in those]:
            del self._known[sha256]

    # -- instructors -----------------------------------------------------------------------------------------

    async def first_invitation(self) -> str | None:
        """The secret of a link with which the first instructor comes in; None where there is one already."""
        invitation = secret.new_secret()

        def write(db: Connection) -> bool:
            if people.last_account(db):
                return False
            people.forget(db, None)
            people.add_token(db, _token(invitation, "invite", None))
            return True

        return invitation if await self._sessions.execute(write) else None

    async def invite(self, person: Person) -> str:
        """The secret of a link with which one more instructor comes in. Raises Forbidden."""
        require_instructor(person)
        invitation = secret.new_secret()

        def write(db: Connection) -> None:
            people.add_token(db, _token(invitation, "invite", None))
            auditing.note(db, person, "invite an instructor")

        await self._sessions.execute(write)
        return invitation

    async def invited(self, invitation: str) -> bool:
        """Whether a link still makes an account."""
        return await self._sessions.query(_good, secret.digest(invitation), "invite") is not None

    async def set_up(self, invitation: str, name: str, password: str) -> SignedIn:
        """Make an account with a link, which is used up by that. The first one gets what `local` owned.

        Raises NotFound for a link that is no good, BadArgument at `name` and `password`, and TooMany.
        """
        if not await self.invited(invitation):
            raise NotFound("invitation", "that you have followed")
        name = wording.line("name", name, wording.NAME_LENGTH)
        kept = await self._passwords.hash(password)
        cookie = secret.new_secret()

        def write(db: Connection) -> AccountRow:
            if _good(db, secret.digest(invitation), "invite") is None:
                raise NotFound("invitation", "that you have followed")
            key = wording.key_of(name)
            if people.account_by_key(db, key) is not None:
                raise BadArgument.at("name", "another instructor has this name: choose another")
            last = people.last_account(db)
            row = AccountRow(f"i_{new_id()}", last + 1, name, key, kept, now())
            people.add_account(db, row)
            people.remove_token(db, secret.digest(invitation))
            person = Person.of_account(row)
            auditing.note(db, person, "set up an account")
            if not last:
                adopted = session_rows.give_all(db, LOCAL.id, row.id)
                auditing.note(
                    db, person, "took over sessions made without a login", detail=f"{adopted} sessions"
                )
            _issue(db, _token(cookie, "cookie", row.id, DAYS_SIGNED_IN))
            return row

        return SignedIn(Person.of_account(await self._sessions.execute(write)), cookie)

    async def sign_in(
        self, name: str, password: str, use: str = "cookie", *, address: str = "", mark: str | None = None
    ) -> SignedIn:
        """An instructor, by name and password. use: `cookie`, or `script` for a token.

        address: from where a stranger tries; behind a proxy all come from one. mark: what `mark` has given
        the browser. Where it is the account's, strangers who try its name, or very many names, hold nobody
        up. Raises Forbidden for what does not fit, whether or not there is such a name, and TooMany after
        some failures.
        """
        key = wording.key_of(name)
        row, known, tried, before = await self._sessions.query(_account_at, key, mark)
        attempts.check(before)
        if known is None:
            wait = ceil(await self._sessions.rates.take("sign in", address))
            if wait > 0:
                raise TooMany(f"many are signing in from where you are: try again in {wait} s", wait)
        kept = None if row is None else row.password
        if not await self._passwords.fits(kept, password, known=known is not None):
            await self._sessions.execute(partial(attempts.failed, key=tried))
            raise Forbidden("there is no instructor with this name and password")
        assert row is not None
        person = Person.of_account(row)
        token = secret.new_secret()

        def write(db: Connection) -> None:
            attempts.succeeded(db, tried)
            _issue(db, _token(token, use, row.id, DAYS_SIGNED_IN if use == "cookie" else None))
            auditing.note(db, person, "sign in", detail=use)

        await self._sessions.execute(write)
        return SignedIn(person, token)

    async def mark(self, person: Person, mark: str | None) -> str | None:
        """A mark for the browser where an instructor has signed in; None where the one it has is theirs."""

        def query(db: Connection) -> bool:
            return mark is not None and _marks(db, mark, person.id) is not None

        if await self._sessions.query(query):
            return None
        fresh = secret.new_secret()
        await self._sessions.execute(partial(_issue, row=_token(fresh, "known", person.id)))
        return fresh

    # -- students --------------------------------------------------------------------------------------------

    async def lab_of_code(self, code: str) -> LabRow:
        """The lab that a code opens. Raises NotFound where it opens none, or does not any more.

        Raises Conflict for a lab that is closed, or not open yet.
        """
        return await self._sessions.query(_open_lab, secret.parse_code(code))

    async def join(self, code: str, nickname: str) -> tuple[SignedIn, LabRow]:
        """A new member of the lab that a code opens. Of two with one nickname the later is `Kim (2)`.

        The instructor's name is taken before anybody comes. Where the lab has as many members as it expects,
        the new one waits to be admitted. Raises NotFound, BadArgument at `nickname`, and TooMany where very
        many come by one code at once, or wait already.
        """
        cookie = secret.new_secret()
        member, lab = await self._join(code, nickname, {"cookie": cookie})
        return SignedIn(Person.of_member(member), cookie), lab

    async def join_by_script(
        self, code: str, nickname: str, preconditions: Preconditions | None = None
    ) -> Joined:
        """The same with a token and a personal link.

        preconditions: what is kept for a request that comes again is made of the member's row, so that no
        secret is in it: `rejoin` answers it.
        """
        secrets = _new_secrets()
        return Joined(
            *await self._join(code, nickname, secrets, preconditions), secrets["script"], secrets["entry"]
        )

    async def _join(
        self, code: str, nickname: str, secrets: Mapping[str, str], preconditions: Preconditions | None = None
    ) -> tuple[MemberRow, LabRow]:
        """Write a new member with their tokens, at once. secrets: by what they are for."""
        code = secret.parse_code(code)
        wait = self._joins.take(code)
        if wait > 0:
            raise TooMany("very many are joining at this moment: try again in a second", 1)
        await self._sessions.not_done(preconditions)
        nickname = wording.line("nickname", nickname, wording.NAME_LENGTH)
        lab = await self._sessions.query(_open_lab, code)
        gone: list[str] = []

        def write(db: Connection) -> MemberRow:
            lab = _open_lab(db, code)
            number, time = people.next_number(db, lab.id), now()
            full = people.member_count(db, lab.id) >= min(lab.expected, self._settings.members_per_lab)
            gone[:] = _make_room(db, lab) if full else []
            row = MemberRow(
                f"m_{new_id()}",
                lab.id,
                number,
                *_unique_nickname(db, lab, nickname),
                time,
                time if full else None,
            )
            people.add_member(db, row)
            for use, token in secrets.items():
                people.add_token(db, _token(token, use, row.id))
            return row

        member = await self._sessions.execute(write, preconditions=preconditions)
        self.look_again(gone)
        return member, lab

    async def rejoin(self, member_id: str) -> Joined:
        """Give a member who has joined by a script another token and link; the older ones end.

        Raises NotFound for a member who has been deleted since.
        """
        secrets = _new_secrets()

        def write(db: Connection) -> tuple[MemberRow, LabRow]:
            member = people.member(db, member_id)
            lab = None if member is None else labs.get(db, member.lab_id)
            if member is None or lab is None:
                raise NotFound("member", member_id)
            for use, token in secrets.items():
                people.forget(db, member_id, use)
                people.add_token(db, _token(token, use, member_id))
            return member, lab

        member, lab = await self._sessions.execute(write)
        self.forget(member_id)
        return Joined(member, lab, secrets["script"], secrets["entry"])

    async def enters(self, entry: str) -> Person | None:
        """The person of a personal link; None for one that is not valid."""
        return await self._sessions.query(_holder, secret.digest(entry), ("entry",))

    async def enter(self, entry: str) -> SignedIn:
        """Sign in on another device, by a personal link. Raises NotFound."""
        cookie = secret.new_secret()

        def write(db: Connection) -> Person:
            person = _holder(db, secret.digest(entry), ("entry",))
            if person is None:
                raise NotFound("entry", "that you have followed")
            _issue(db, _token(cookie, "cookie", person.id))
            return person

        return SignedIn(await self._sessions.execute(write), cookie)

    # -- both ------------------------------------------------------------------------------------------------

    async def renew(self, person: Person, use: str) -> str:
        """A new token for scripts (`script`), or personal link (`entry`), shown this once; the old one ends.

        Raises Forbidden in open mode, where there are none, and for an instructor's link: they have a
        password.
        """
        if person.kind == "local" or (person.kind == "instructor" and use == "entry"):
            raise Forbidden("there is nothing of this kind to be had here")
        fresh = secret.new_secret()

        def write(db: Connection) -> None:
            people.forget(db, person.id, use)
            _issue(db, _token(fresh, use, person.id))
            if person.kind == "instructor":
                auditing.note(db, person, "renew a token", detail=use)

        await self._sessions.execute(write)
        self.forget(person.id)
        return fresh

    async def leave(self, token: str) -> None:
        """Sign out: delete this token. A person on the waiting list leaves it.

        All streams of the person end; those of other browsers connect again.
        """
        sha256 = secret.digest(token)

        def write(db: Connection) -> tuple[str | None, bool]:
            row = people.token(db, sha256)
            people.remove_token(db, sha256)
            if row is None or row.holder is None:
                return None, False
            member = people.member(db, row.holder)
            waits = member is not None and member.waiting is not None
            if waits:
                people.remove(db, [row.holder])
            return row.holder, waits

        holder, waited = await self._sessions.execute(write)
        self._taken_back += 1
        self._known.pop(sha256, None)
        if holder is None:
            return
        if waited:
            self.look_again([holder])
        self._sessions.disconnect(holder)

    async def leave_everywhere(self, person: Person) -> None:
        """Sign out of every browser and script."""
        await self._sessions.execute(partial(people.forget, holder=person.id))
        self.forget(person.id)


def _new_secrets() -> dict[str, str]:
    """New secrets for a member who joins by a script, by use."""
    return {"script": secret.new_secret(), "entry": secret.new_secret()}


def _make_room(db: Connection, lab: LabRow) -> list[str]:
    """Make room on the waiting list of a lab. Returns the ids of those who were removed for that.

    Raises TooMany where all on the list have asked just before.
    """
    over = waiting.count(db, lab.id) + 1 - max(MOST_WAITING, 2 * lab.expected)
    if over <= 0:
        return []
    gone = waiting.unseen(db, lab.id, before_now(EVICTED_AFTER), min(over, EVICTED_AT_ONCE))
    if not gone:
        raise TooMany(
            "the lab is full, and very many wait to be admitted: ask its instructor to admit or turn away "
            "those who wait, and try again in a minute",
            int(EVICTED_AFTER.total_seconds()),
        )
    people.remove(db, gone)
    return gone


def _token(token: str, use: str, holder: str | None, days: float | None = None) -> TokenRow:
    return TokenRow(secret.digest(token), use, holder, now(), secret.days_from_now(days or DAYS_VALID[use]))


def _issue(db: Connection, row: TokenRow) -> None:
    """Store a token. Of very many for the same use only the newest stay valid."""
    assert row.holder is not None
    if people.account(db, row.holder) is None and people.member(db, row.holder) is None:
        raise NotFound("member", "that you were")
    people.add_token(db, row)
    people.keep_newest(db, row, TOKENS)


def _good(db: Connection, sha256: str, *uses: str) -> TokenRow | None:
    """A token that has not expired."""
    row = people.token(db, sha256)
    if row is None or row.use not in uses or row.expires < now():
        return None
    return row


def _marks(db: Connection, mark: str, holder: str) -> str | None:
    """The hash of a mark of this person; None where it is not theirs."""
    row = _good(db, secret.digest(mark), "known")
    return None if row is None or row.holder != holder else row.sha256


class _Tried(NamedTuple):
    """What is known when somebody signs in."""

    # The account of the name.
    row: AccountRow | None
    # The hash of the mark of a browser that has signed in before, where it is this account's.
    known: str | None
    # What failures are counted under, and those that there were.
    key: str
    before: FailuresRow | None


def _account_at(db: Connection, key: str, mark: str | None) -> _Tried:
    """The account of a name, and how often it was tried: by this known browser, else by anybody."""
    row = people.account_by_key(db, key)
    known = None if row is None or mark is None else _marks(db, mark, row.id)
    tried = attempts.key_of("name", key) if known is None else attempts.key_of("mark", known)
    return _Tried(row, known, tried, failures.get(db, tried))


def _holder(db: Connection, sha256: str, uses: tuple[str, ...]) -> Person | None:
    row = _good(db, sha256, *uses)
    if row is None or row.holder is None:
        return None
    account = people.account(db, row.holder)
    if account is not None:
        return Person.of_account(account)
    member = people.member(db, row.holder)
    return None if member is None else Person.of_member(member)


def _open_lab(db: Connection, code: str) -> LabRow:
    lab = labs.by_code(db, code)
    if lab is None or lab.code_expires is None or lab.code_expires < now():
        raise NotFound("lab with the code", secret.format_code(code))
    if lab.closed is not None:
        raise Conflict("this lab is closed")
    if lab.draft:
        raise Conflict("this lab is not open yet: join when its instructor has opened it")
    return lab


def _unique_nickname(db: Connection, lab: LabRow, nickname: str) -> tuple[str, str]:
    """A nickname that is free in the lab (`Kim (2)`), and its form for comparing."""
    key = wording.key_of(nickname)
    taken = people.keys_like(db, lab.id, key)
    teacher = people.account(db, lab.owner)
    if teacher is not None:
        taken.add(wording.key_of(teacher.name))
    number, shown = 1, nickname
    while wording.key_of(shown) in taken:
        number += 1
        shown = f"{nickname} ({number})"
    return shown, wording.key_of(shown)
