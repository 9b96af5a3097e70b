"""Parts of the pages of polls: questions, answers, votes in words, and what the machine has answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request

from app.errors import Refusal
from app.labs import Poll, PollView, VoteRow
from app.labs.poll import CHOICE, LAST_ROUND, ROUNDS
from app.labs.tally import OTHER
from app.web import wording
from app.web.contexts.poll import ChoiceView, Counted, OwnVote, QuestionView, RevealView, TallyRow
from app.web.journal import call_text, headlines, ret_text
from app.web.language import N_, _, ngettext
from app.web.requester import sessions_for

QUESTIONS: Final[Mapping[str, str]] = {
    "verdict": N_("What comes of this call?"),
    "zone": N_("From which zone does it come?"),
    "pfn": N_("Which page frame is given?"),
    "orders": N_("How many blocks are on the free lists then, from order 0 on?"),
    "woken": N_("Who wakes up, and in which order?"),
    "frames": N_("Which page frames become free?"),
    "size": N_("How many bytes does it really get?"),
    "fault": N_("What does the last access meet?"),
}
HEADINGS: Final[Mapping[str, str]] = {
    "draft": N_("Draft"),
    "vote1": N_("First vote"),
    "closed1": N_("The vote is closed"),
    "discuss": N_("Discuss"),
    "vote2": N_("Second vote"),
    "closed2": N_("The vote is closed"),
    "reveal": N_("The answer"),
    "done": N_("Over"),
}
VERDICTS: Final[Mapping[str, str]] = {
    "ok": N_("it is done"),
    "null": N_("NULL: it is not given"),
    "oom": N_("out of memory"),
    "bug": N_("the kernel reports a bug"),
    "warn": N_("the kernel warns and goes on"),
    "blocked": N_("the task sleeps"),
    "hang": N_("it never returns"),
    "panic": N_("the machine stops"),
}
CONFIDENCE: Final[Mapping[str, str]] = {
    "sure": N_("sure"),
    "rather": N_("rather sure"),
    "guess": N_("a guess"),
}
LONG: Final = 80  # characters of a question that stands in smaller letters
NAMED: Final = N_("The instructor sees your name with your answer.")
DRIFT: Final = N_("When this was asked, %(answer)s was held for right. The machine’s answer counts.")
ANONYMOUS: Final = N_("Your name is not shown with your answer.")


def question_view(poll: Poll, chosen: str = "", *, told: bool) -> QuestionView:
    """A question. chosen: the letter of one's own vote. told: whether what is right may be said."""
    return QuestionView(
        id=poll.id,
        state=poll.state,
        heading=_(HEADINGS[poll.state]),
        text=question_text(poll),
        long=len(question_text(poll)) > LONG,
        calls=poll.lines,
        numbered=poll.asked == "lines",
        choices=[
            ChoiceView(
                letter=letter,
                text=text,
                gloss=gloss(poll, text),
                chosen=letter == chosen,
                right=told and letter == poll.right,
                why=why(poll, letter) if told else "",
            )
            for letter, text in zip(poll.letters, poll.choices, strict=True)
        ],
        hint=str(poll.shape.get("hint", "")),
        names=_(NAMED if poll.named else ANONYMOUS),
    )


def question_text(poll: Poll) -> str:
    """What is asked."""
    return poll.question or _(QUESTIONS.get(poll.asked, ""))


def gloss(poll: Poll, text: str) -> str:
    """What an answer means where its word does not say it."""
    return _(VERDICTS.get(text, "")) if poll.asked == "verdict" else ""


def why(poll: Poll, answer: str) -> str:
    """Why an answer is wrong."""
    found = poll.wrong.get(answer)
    return "" if found is None else found.say


def answer_words(poll: Poll, answer: str) -> str:
    """An answer with its letter."""
    return f"{answer}: {poll.text(answer)}" if poll.form == CHOICE else answer


def vote_words(poll: Poll, vote: VoteRow) -> str:
    """An answer, and how sure somebody was of it."""
    return _(
        "%(answer)s (%(confidence)s)",
        answer=answer_words(poll, vote.choice),
        confidence=_(CONFIDENCE[vote.confidence]),
    )


def own_votes(view: PollView) -> list[OwnVote]:
    """A member's answers in both rounds."""
    poll = view.poll
    return [
        OwnVote(number, vote_words(poll, vote), vote.choice == poll.right)
        for number, vote in sorted(view.mine.items())
    ]


def whys(view: PollView) -> list[str]:
    """Why a member's answers were wrong, the last one first, and what else there is to say."""
    poll = view.poll
    answers = dict.fromkeys(view.mine[number].choice for number in reversed(ROUNDS) if number in view.mine)
    found = (drift(poll), *(why(poll, answer) for answer in answers), poll.after)
    return [words for words in found if words]


def counted(view: PollView) -> Counted:
    """How many have voted in the round that is open or was the last."""
    votes = view.voted.get(LAST_ROUND.get(view.poll.state, 1), 0)
    return Counted(
        ngettext(
            "%(votes)s of %(num)s has voted",
            "%(votes)s of %(num)s have voted",
            view.members,
            votes=wording.count(votes),
        ),
        1000 * votes // view.members if view.members else 0,
    )


def tally_rows(view: PollView, *, told: bool) -> list[TallyRow]:
    """All answers in figures. told: whether what is right may be said."""
    poll, tally = view.poll, view.tally
    assert tally is not None
    bars = [{bar.choice: bar for bar in one.bars} for one in tally.rounds]
    last = bars[1] if tally.rounds[1].voted else bars[0]
    rows = []
    for answer in dict.fromkeys([*bars[0], *bars[1]]):
        confidence = last[answer].confidence if answer in last else {}
        found = poll.wrong.get(answer)
        rows.append(
            TallyRow(
                name=_("other answers") if answer == OTHER else answer_words(poll, answer),
                right=told and answer == poll.right,
                misconception=found.say or found.because if told and found is not None else "",
                first=wording.count(bars[0][answer].votes if answer in bars[0] else 0),
                second=wording.count(bars[1][answer].votes if answer in bars[1] else 0),
                sure=" · ".join(wording.count(confidence.get(name, 0)) for name in CONFIDENCE),
            )
        )
    return rows


async def reveal_view(request: Request, poll: Poll) -> RevealView | None:
    """How the machine has answered; None before, and where it was deleted."""
    if not poll.revealed or poll.seq is None:
        return None
    if not poll.lines:
        return without_call(poll)
    if poll.session_id is None:
        return None
    sessions, who = sessions_for(request)
    try:
        outcome = (await sessions.event(who, poll.session_id, poll.seq)).outcome
        explained: Mapping[str, Any] = await sessions.explain(who, poll.session_id, poll.seq)
    except Refusal:
        return None
    headline, _reason = headlines(outcome)
    at = f"/sessions/{poll.session_id}"
    return RevealView(
        call=call_text(outcome),
        seq=poll.seq,
        href=f"{at}?outcome={poll.seq}&layout=stage",
        explain=f"{at}/explain/{poll.seq}",
        verdict=outcome["verdict"],
        returned=ret_text(outcome),
        headline=headline,
        conclusion=str(explained["conclusion"]),
        step=step_words(explained) if poll.asked == "step" else "",
        right=answer_words(poll, poll.right),
        after=poll.after,
        drift=drift(poll),
        picture=f"{at}/thumbnail.svg?seq={poll.seq}",
    )


def without_call(poll: Poll) -> RevealView:
    """The answer to a question that needs no call."""
    return RevealView(
        call="",
        seq=poll.at,
        href="",
        explain="",
        verdict="",
        returned="",
        headline="",
        conclusion="",
        step="",
        right=answer_words(poll, poll.right),
        after=poll.after,
        drift=drift(poll),
        picture="",
    )


def step_words(explained: Mapping[str, Any]) -> str:
    """The step that has decided, with its figures."""
    step = explained.get("deciding")
    if not step:
        return ""
    zone = f" ({step['zone']})" if step["zone"] else ""
    return f"{step['fn']}{zone}: {step['what']}"


def drift(poll: Poll) -> str:
    """Say that the machine has answered otherwise than was expected; empty as a rule."""
    if not poll.drift:
        return ""
    return _(DRIFT, answer=poll.drift)


def picture(poll: Poll) -> str | None:
    """The address of a picture of the machine as it is asked about."""
    return None if poll.session_id is None else f"/sessions/{poll.session_id}/thumbnail.svg?seq={poll.at}"


def script_words() -> dict[str, Any]:
    """What a phone's script calls states, questions, answers and confidence."""
    return {
        "headings": {state: _(words) for state, words in HEADINGS.items()},
        "questions": {asked: _(words) for asked, words in QUESTIONS.items()},
        "verdicts": {verdict: _(words) for verdict, words in VERDICTS.items()},
        "confidence": {name: _(words) for name, words in CONFIDENCE.items()},
        "named": _(NAMED),
        "anonymous": _(ANONYMOUS),
    }
