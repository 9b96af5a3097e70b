"""Polls: a class predicts what a call will do, discusses, predicts again, and the machine answers.

The right answer is known from a copy of the machine at a row. The reveal is the call itself, made there as a
row of the instructor's: if the machine has been changed since, a fork of it answers instead. A task
that makes no calls is answered without a row.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from app.clock import after_now, now
from app.errors import BadArgument
from app.exercises.library import Library
from app.labs import asking, auditing, class_tasks, drifting, wording
from app.labs.asking import ASKED, Drawn
from app.labs.class_tasks import ClassTask, asked_of_class
from app.labs.news import News
from app.labs.person import Person
from app.labs.poll import CHOICE, CONFIDENCES, DONE, DRAFT, REVEAL, RUNNING, Poll, sealed, stored
from app.labs.room import require_open, seen, taught
from app.labs.tally import Tally, tally
from app.machine import calltext
from app.sessions import (
    BatchItem,
    Conflict,
    LimitReached,
    NotFound,
    Preconditions,
    Sessions,
    Stale,
)
from app.sessions.identifiers import new_id
from app.settings import Settings
from app.store import Connection, bound_names, people, polls
from app.store import sessions as session_rows
from app.store.people import MemberRow
from app.store.polls import PollRow, VoteRow

QUESTION_LENGTH: Final = 400
LINES_LENGTH: Final = 4_000
MOST_POLLS: Final = 1_000  # of a lab
MOST_CALLS: Final = 100  # about which one poll asks

ACTS: Final[Mapping[str, str]] = {
    "vote1": "open a vote",
    "vote2": "open a vote again",
    "closed1": "close a vote",
    "closed2": "close a vote",
    "discuss": "let a class discuss",
    REVEAL: "reveal an answer",
    DONE: "end a poll",
}


@dataclass(frozen=True, slots=True)
class Voted:
    """A vote with whose it is, where that is told."""

    number: int
    nickname: str
    vote: VoteRow


@dataclass(frozen=True, slots=True)
class PollView:
    """A poll as a person may see it."""

    poll: Poll
    # How many have voted in each round, and how many members there are.
    voted: Mapping[int, int]
    members: int
    # The member's own votes, by round.
    mine: Mapping[int, VoteRow]
    # Only for the instructor: the votes counted, those of a named poll one by one, and the row at which the
    # machine is now; None where it was deleted.
    tally: Tally | None = None
    votes: Sequence[Voted] = ()
    head: int | None = None

    @property
    def moved(self) -> bool:
        """Whether the machine is in another state than the one about which was asked."""
        return bool(self.poll.lines) and not self.poll.revealed and self.head != self.poll.at


@dataclass(frozen=True, slots=True)
class Participation:
    """In how many polls of a lab a member has voted, and how often."""

    number: int
    nickname: str
    polls: int
    votes: int


class Polls:
    """The polls of labs. Raises as Rooms does."""

    def __init__(self, settings: Settings, sessions: Sessions, news: News, exercises: Library) -> None:
        self._settings = settings
        self._exercises = exercises
        self._sessions = sessions
        self._news = news

    # -- asking ----------------------------------------------------------------------------------------------

    async def create(
        self,
        person: Person,
        lab_id: str,
        session_id: str,
        line: str,
        asked: str,
        question: str = "",
        *,
        at: int | None = None,
        named: bool = False,
        preconditions: Preconditions | None = None,
    ) -> PollView:
        """Prepare a question about calls on one of the instructor's machines, as a draft.

        line: the calls as the console takes them; it is asked about the last one. asked: what is to be
        predicted. at: the row after which; the last by default. Raises BadArgument, LimitReached, and what
        making the calls would raise.
        """
        if asked not in ASKED:
            raise BadArgument.at("predict", f"one of {', '.join(ASKED)}", asked, ASKED)
        question = wording.line("question", question, QUESTION_LENGTH) if question.strip() else ""
        lines = lines_of(line)
        items = items_of(lines)
        await self._sessions.not_done(preconditions)
        head = await self._sessions.query(self._own, person, lab_id, session_id)
        at = head if at is None else at
        drawn: Drawn = await self._sessions.trial(
            person.principal,
            session_id,
            at,
            items,
            lambda before, tried, after: asking.draw(asked, before, tried[-1].outcome, after),
        )
        source = stored(lines, asked, shape=drawn.shape)
        return await self._write(
            person, lab_id, session_id, at, source, question, drawn, named, preconditions
        )

    async def create_from(
        self,
        person: Person,
        lab_id: str,
        exercise: str,
        task: int,
        question: str = "",
        *,
        field: int = 1,
        named: bool = False,
        preconditions: Preconditions | None = None,
    ) -> PollView:
        """Prepare a task of an exercise as a question: one variant for all, on a new machine of one's own.

        field: which of the task's answers, from 1. Raises BadArgument at `exercise`, `task` and `field`, and
        as `create` does.
        """
        found = self._exercises.exercises().get(exercise)
        if found is None:
            known = self._exercises.exercises()
            raise BadArgument.at("exercise", "one of GET /exercises", exercise[:40], known)
        question = wording.line("question", question, QUESTION_LENGTH) if question.strip() else ""
        await self._sessions.not_done(preconditions)
        await self._sessions.query(self._room, person, lab_id)
        chosen = await self._sessions.compute(
            person.principal, asked_of_class, found, task, field, secrets.token_bytes(8)
        )
        made = await self._sessions.create(person.principal, found.title[:100], chosen.variant.machine)
        at = made.seq
        if chosen.before:
            at = (await self._sessions.batch(person.principal, made.id, items_of(chosen.before))).seq
        drawn = await self._drawn(person, chosen, made.id, at)
        names = await self._sessions.query(bound_names.of_person, made.id, person.id)
        again = drifting.question_of(chosen) | {"names": names}
        source = stored(
            chosen.lines, chosen.asked, shape=drawn.shape, exercise=exercise, task=task, field=field
        )
        words = question or chosen.question
        return await self._write(
            person, lab_id, made.id, at, source, words, drawn, named, preconditions, again
        )

    async def _drawn(self, person: Person, chosen: ClassTask, session_id: str, at: int) -> Drawn:
        """A task's choices, with wrong ones computed on its machine where the file has few."""
        if chosen.computed is None:
            return class_tasks.drawn_of(chosen)
        what, lines = chosen.computed
        computed: Drawn | None = None
        with suppress(BadArgument):
            computed = await self._sessions.trial(
                person.principal,
                session_id,
                at,
                items_of(lines),
                lambda before, tried, after: asking.draw(what, before, tried[-1].outcome, after),
            )
        return class_tasks.drawn_of(chosen, computed)

    def _room(self, db: Connection, person: Person, lab_id: str) -> None:
        """See that the instructor may ask another question. Raises Forbidden, Conflict and LimitReached."""
        require_open(taught(db, person, lab_id))
        if polls.count(db, lab_id) >= MOST_POLLS:
            raise LimitReached((), f"a lab has at most {MOST_POLLS:,} polls; delete one first")

    def _own(self, db: Connection, person: Person, lab_id: str, session_id: str) -> int:
        """The last row of one of the instructor's sessions."""
        self._room(db, person, lab_id)
        session = session_rows.get(db, session_id)
        if session is None or session.owner != person.id:
            raise BadArgument.at("session", "one of your own sessions")
        return session.seq

    async def _write(
        self,
        person: Person,
        lab_id: str,
        session_id: str,
        at: int,
        source: str,
        question: str,
        drawn: Drawn,
        named: bool,
        preconditions: Preconditions | None,
        again: Mapping[str, Any] | None = None,
    ) -> PollView:
        time = now()
        row = PollRow(
            id=new_id(),
            lab_id=lab_id,
            session_id=session_id,
            at=at,
            source=source,
            question=question,
            form=drawn.form,
            choices=json.dumps(drawn.choices),
            sealed=sealed(drawn.right, drawn.wrong, drawn.after, **({"again": again} if again else {})),
            state=DRAFT,
            since=time,
            seq=None,
            named=named,
            advice=json.dumps([self._settings.explain_below, self._settings.go_on_above]),
            closes=None,
            created=time,
        )

        def write(db: Connection) -> PollView:
            self._own(db, person, lab_id, session_id)
            polls.create(db, row)
            auditing.note(db, person, "ask the class", lab_id, row.id)
            return view(db, person, Poll.of(row))

        return await self._sessions.execute(write, preconditions=preconditions)

    # -- seeing ----------------------------------------------------------------------------------------------

    async def listed(self, person: Person, lab_id: str) -> list[Poll]:
        """The polls of a lab, the newest first; for members without drafts."""

        def query(db: Connection) -> list[Poll]:
            teaches = seen(db, person, lab_id).owner == person.id
            found = [Poll.of(row) for row in polls.of_lab(db, lab_id)]
            return [poll for poll in found if teaches or poll.state != DRAFT]

        return await self._sessions.query(query)

    async def summaries(self, person: Person, lab_id: str) -> list[PollView]:
        """The polls of a lab with their votes counted, the newest first. For its instructor."""

        def query(db: Connection) -> list[PollView]:
            taught(db, person, lab_id)
            found = [Poll.of(row) for row in polls.of_lab(db, lab_id)]
            votes: dict[str, list[VoteRow]] = {}
            for vote in polls.votes_on(db, [poll.id for poll in found]):
                votes.setdefault(vote.poll_id, []).append(vote)
            members = people.member_count(db, lab_id)
            return [PollView(poll, {}, members, {}, tally(poll, votes.get(poll.id, ()))) for poll in found]

        return await self._sessions.query(query)

    async def get(self, person: Person, lab_id: str, poll_id: str) -> PollView:
        """One poll. Raises NotFound; a member learns of no draft."""

        def query(db: Connection) -> PollView:
            return view(db, person, found(db, person, lab_id, poll_id))

        return await self._sessions.query(query)

    async def require_taught(self, person: Person, lab_id: str, poll_id: str) -> PollView:
        """One poll as its instructor sees it. Raises Forbidden for members."""

        def query(db: Connection) -> PollView:
            taught(db, person, lab_id)
            return view(db, person, found(db, person, lab_id, poll_id))

        return await self._sessions.query(query)

    async def running(self, person: Person, lab_id: str) -> Poll | None:
        """The poll with which the class is busy now, if any."""

        def query(db: Connection) -> Poll | None:
            if seen(db, person, lab_id).closed is not None:
                return None
            rows = polls.in_states(db, [lab_id], RUNNING)
            return Poll.of(rows[-1]) if rows else None

        return await self._sessions.query(query)

    async def participation(self, person: Person, lab_id: str) -> list[Participation]:
        """Who has taken part how often, by number: no word of what they chose."""

        def query(db: Connection) -> list[Participation]:
            taught(db, person, lab_id)
            votes = polls.votes_on(db, [row.id for row in polls.of_lab(db, lab_id)])
            theirs: dict[str, list[str]] = {}
            for vote in votes:
                theirs.setdefault(vote.member_id, []).append(vote.poll_id)
            return [
                Participation(
                    member.number,
                    member.nickname,
                    len(set(theirs.get(member.id, ()))),
                    len(theirs.get(member.id, ())),
                )
                for member in people.lab_members(db, lab_id)
            ]

        return await self._sessions.query(query)

    # -- voting ----------------------------------------------------------------------------------------------

    async def vote(
        self,
        person: Person,
        lab_id: str,
        poll_id: str,
        choice: str,
        confidence: str,
        in_round: int | None = None,
    ) -> PollView:
        """Take a member's vote, in the place of the one they have given in this round, if any.

        in_round: the round for which it is meant; by default the one that is open. Raises BadArgument at
        `choice` and `confidence`, and Conflict where no vote, or another round, is open. Also a frozen lab
        votes: a vote is no call.
        """
        if confidence not in CONFIDENCES:
            raise BadArgument.at(
                "confidence", f"one of {', '.join(CONFIDENCES)}", confidence[:40], CONFIDENCES
            )

        def write(db: Connection) -> PollView:
            lab = seen(db, person, lab_id)
            require_open(lab)
            poll = found(db, person, lab_id, poll_id)
            if person.lab != lab_id:
                raise Conflict("only members of the lab vote")
            if poll.round is None or (in_round is not None and in_round != poll.round):
                raise Conflict("this round of votes is closed: nothing was counted")
            polls.vote(
                db,
                VoteRow(poll.id, poll.round, person.id, answer_of(poll, choice), confidence, now()),
            )
            return view(db, person, poll)

        return await self._sessions.execute(write)

    # -- leading ---------------------------------------------------------------------------------------------

    async def to(
        self, person: Person, lab_id: str, poll_id: str, state: str, seconds: float | None = None
    ) -> PollView:
        """Bring a poll into another state: on, back, or past some of them.

        seconds: how long a round is said to last; nothing ends by itself. Raises BadArgument at `state`, and
        Conflict where it cannot come to it, another poll is running, or the machine has been changed.
        """

        def check(db: Connection) -> Poll:
            require_open(taught(db, person, lab_id))
            poll = found(db, person, lab_id, poll_id)
            poll.require_next(state)
            others = [row for row in polls.in_states(db, [lab_id], RUNNING) if row.id != poll.id]
            if others and state in RUNNING:
                raise Conflict("another question is before the class: end it first")
            return poll

        answered: Mapping[str, Any] = {}
        if state == REVEAL:
            poll = await self._sessions.query(check)
            answered = {"seq": poll.seq} if poll.revealed else await self._answered(person, poll)
        closes = None if seconds is None else after_now(timedelta(seconds=seconds))

        def write(db: Connection) -> PollView:
            poll = check(db)
            if poll.state != state:
                polls.change(db, poll_id, {"state": state, "since": now(), "closes": closes, **answered})
                auditing.note(db, person, ACTS[state], lab_id, poll_id)
            return view(db, person, found(db, person, lab_id, poll_id))

        made = await self._sessions.execute(write)
        self._news.look()
        return made

    async def _answered(self, person: Person, poll: Poll) -> dict[str, Any]:
        """What a poll is changed to by the machine's answer; a question without calls needs none."""
        items = items_of(poll.lines) if poll.lines else []
        seq = await self._call(person, poll, items) if items else poll.at
        return await drifting.mended(self._sessions, person, poll, items) | {"seq": seq}

    async def _call(self, person: Person, poll: Poll, items: Sequence[BatchItem]) -> int:
        """Make the calls about which was asked, as rows of the instructor's; the last one's seq.

        Where they stand there already, because the answer to an earlier request was lost, those count.
        """
        if poll.session_id is None:
            raise Conflict("the machine about which was asked was deleted: end this question")
        try:
            made = await self._sessions.batch(
                person.principal, poll.session_id, items, preconditions=Preconditions(seq=poll.at)
            )
        except Stale as error:
            rows = await self._sessions.events(person.principal, poll.session_id, poll.at, len(items))
            wanted = await self._sessions.trial(
                person.principal,
                poll.session_id,
                poll.at,
                items,
                lambda _, tried, __: [one.row for one in tried],
            )
            alike = [(one["call"], one["args"], person.principal.by) for one in wanted]
            there = [(one["call"], one["args"], one["by"]) for one in (row.outcome for row in rows)]
            if there == alike:
                return rows[-1].seq
            raise Conflict(
                f"the machine is at #{error.seq} now, and was asked about at #{poll.at}: "
                "somebody has called it since. A fork of it as it was can answer instead"
            ) from None
        return made.seq

    async def fork(
        self, person: Person, lab_id: str, poll_id: str, *, preconditions: Preconditions | None = None
    ) -> PollView:
        """Have a fork answer that goes on from where the question was asked."""

        def check(db: Connection) -> Poll:
            require_open(taught(db, person, lab_id))
            poll = found(db, person, lab_id, poll_id)
            if poll.revealed:
                raise Conflict("the answer is out: it was made on another machine")
            if poll.session_id is None:
                raise Conflict("the machine about which was asked was deleted: end this question")
            return poll

        await self._sessions.not_done(preconditions)
        poll = await self._sessions.query(check)
        assert poll.session_id is not None
        fork = await self._sessions.fork(person.principal, poll.session_id, poll.at)

        def write(db: Connection) -> PollView:
            check(db)
            polls.change(db, poll_id, {"session_id": fork.id})
            auditing.note(db, person, "fork for a poll", lab_id, poll_id)
            return view(db, person, found(db, person, lab_id, poll_id))

        return await self._sessions.execute(write, preconditions=preconditions)

    async def delete(self, person: Person, lab_id: str, poll_id: str) -> None:
        """Delete a poll with its votes. Rows that it has made stay."""

        def write(db: Connection) -> None:
            taught(db, person, lab_id)
            found(db, person, lab_id, poll_id)
            polls.remove(db, poll_id)
            auditing.note(db, person, "delete a poll", lab_id, poll_id)

        await self._sessions.execute(write)
        self._news.look()


def found(db: Connection, person: Person, lab_id: str, poll_id: str) -> Poll:
    """A poll of a lab that the person is in or teaches. Raises NotFound, to members also for a draft."""
    lab = seen(db, person, lab_id)
    row = polls.get(db, poll_id)
    if row is None or row.lab_id != lab_id or (row.state == DRAFT and lab.owner != person.id):
        raise NotFound("poll", poll_id)
    return Poll.of(row)


def view(db: Connection, person: Person, poll: Poll) -> PollView:
    """A poll as the person may see it."""
    voted = {one.round: one.votes for one in polls.counts(db, [poll.id])}
    members = people.member_count(db, poll.lab_id)
    if person.lab is not None:
        return PollView(poll, voted, members, polls.votes_of(db, poll.id, person.id))
    votes = polls.votes_on(db, [poll.id])
    session = None if poll.session_id is None else session_rows.get(db, poll.session_id)
    return PollView(
        poll,
        voted,
        members,
        {},
        tally(poll, votes),
        by_member(votes, people.lab_members(db, poll.lab_id)) if poll.named else (),
        None if session is None else session.seq,
    )


def by_member(votes: Sequence[VoteRow], members: Sequence[MemberRow]) -> list[Voted]:
    """Votes with whose they are, by number and round."""
    theirs: dict[str, list[VoteRow]] = {}
    for vote in votes:
        theirs.setdefault(vote.member_id, []).append(vote)
    return [
        Voted(member.number, member.nickname, vote)
        for member in members
        for vote in theirs.get(member.id, ())
    ]


def answer_of(poll: Poll, choice: str) -> str:
    """A vote as it is counted: a letter, or the answer in its form's own words. Raises BadArgument."""
    typed = choice.strip()
    if not typed:
        raise BadArgument.at("choice", "an answer: an empty one is not counted")
    if poll.form == CHOICE:
        if typed not in tuple(poll.letters):
            raise BadArgument.at("choice", f"one of {', '.join(poll.letters)}", typed[:40])
        return typed
    return asking.read(poll.form, poll.shape, typed)


def lines_of(text: str) -> list[str]:
    """The calls of a question, one a line. Raises BadArgument at `line`."""
    if len(text) > LINES_LENGTH:
        raise BadArgument.at("line", f"at most {LINES_LENGTH:,} characters")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise BadArgument.at("line", "a call, as the console takes it")
    if len(lines) > MOST_CALLS:
        raise BadArgument.at("line", f"at most {MOST_CALLS} calls")
    return lines


def items_of(lines: Sequence[str]) -> list[BatchItem]:
    """The calls of lines as a batch. Raises BadArgument and Malformed."""
    read = calltext.parse_text("\n".join(lines))
    items = [BatchItem(line.name, line.body, line.as_name) for line in read if line.name is not None]
    if not items:
        raise BadArgument.at("line", "a call, as the console takes it")
    return items
