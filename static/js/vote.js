// A question on a telephone: it comes and goes with the class, and a vote is sent until it is counted. Nothing is fetched for
// that: everything stands in the lab's stream, which three hundred hear at the same moment.

import { all, maybe, one } from "./dom.js";
import { follow } from "./poll-stream.js";
import { _, decimal, ngettext } from "./text.js";

const AGAIN = 1500; // ms until a vote that did not reach the server is sent again
const LETTERS = "ABCDEFG";
const QUIET = ["closed1", "discuss", "closed2"];

/**
 * @typedef {import("./poll-stream.js").Poll} Poll
 * @typedef {{choice: string, confidence: string}} Vote
 */

const root = one(document, "#vote", HTMLElement);
const { api = "", polls = "" } = root.dataset;
/** @type {{headings: Record<string, string>, questions: Record<string, string>, verdicts: Record<string, string>, confidence: Record<string, string>, named: string, anonymous: string}} */
const words = JSON.parse(root.dataset.words ?? "{}");
/** @type {Poll | null} */
let poll = JSON.parse(root.dataset.poll ?? "null");
/** The member's votes by round. @type {Record<string, Vote>} */
let mine = JSON.parse(root.dataset.mine ?? "{}");
let over = false;
/** What is being sent. @type {object | null} */
let sending = null;

const ballot = one(document, "#ballot", HTMLFormElement);
const said = one(document, "#said", HTMLElement);

// -- what is shown ----------------------------------------------------------------------------------------------------

/** @param {string} id @param {string} words */
function text(id, words) {
  const node = one(document, `#${id}`, HTMLElement);
  if (node.textContent !== words) node.textContent = words;
}

/** @param {string} id @param {boolean} shown */
function shown(id, shown) {
  one(document, `#${id}`, HTMLElement).hidden = !shown;
}

/** An answer with its letter. @param {Poll} of @param {string} choice */
function answer(of, choice) {
  return of.choices.length ? `${choice}: ${of.choices[LETTERS.indexOf(choice)]}` : choice;
}

/** @param {Poll} of @param {Vote} vote */
function spoken(of, vote) {
  return _("%(answer)s (%(confidence)s)", { answer: answer(of, vote.choice), confidence: words.confidence[vote.confidence] });
}

function show() {
  shown("waiting", poll === null);
  shown("calls", Boolean(poll?.calls.length));
  if (poll === null) return;
  const { state, round } = poll;
  text("heading", words.headings[state]);
  text("question", poll.question || words.questions[poll.asked]);
  text("calls", poll.calls.map((call, place) => (poll?.asked === "lines" ? `${place + 1}. ${call}` : call)).join("\n"));
  text("names", poll.named ? words.named : words.anonymous);
  ballot.hidden = round === null || over;
  one(ballot, "[name=round]", HTMLInputElement).value = String(round ?? "");
  const now = mine[String(round)];
  const last = mine[2] ?? mine[1];
  for (const button of all(ballot, ".confidence button", HTMLButtonElement)) {
    button.setAttribute("aria-pressed", String(now?.confidence === button.value));
  }
  if (!sending) tell(now ? _("You chose %(answer)s. Change it until the vote is closed.", { answer: spoken(poll, now) }) : "");
  shown("own", QUIET.includes(state));
  shown("neighbour", state === "discuss");
  text("own-letter", last && poll.choices.length ? last.choice : "");
  text("own-text", last ? (poll.choices.length ? poll.choices[LETTERS.indexOf(last.choice)] : last.choice) : _("You have not voted."));
  shown("result", poll.right !== undefined);
  if (poll.right !== undefined) result(poll, poll.right);
}

/** @param {Poll} of @param {string} right */
function result(of, right) {
  text("right", answer(of, right));
  const votes = ["1", "2"].filter((round) => mine[round]);
  one(document, "#votes", HTMLElement).replaceChildren(
    ...votes.map((round) => {
      const item = document.createElement("li");
      const was = mine[round].choice === right;
      item.className = was ? "was-right" : "was-wrong";
      item.textContent = `${_("Your vote %(round)s: %(words)s", { round, words: spoken(of, mine[round]) })} ${was ? _("right") : _("not right")}`;
      return item;
    }),
  );
  const drift = of.drift ? _("When this was asked, %(answer)s was held for right. The machine’s answer counts.", { answer: of.drift }) : "";
  const why = new Set([drift, ...votes.reverse().map((round) => of.wrong?.[mine[round].choice]?.say), of.after].filter(Boolean));
  one(document, "#why", HTMLElement).replaceChildren(
    ...[...why].map((words) => Object.assign(document.createElement("p"), { textContent: words })),
  );
}

/** Another question than the page had: its answers. @param {Poll} of */
function build(of) {
  const blank = one(one(document, "#choice", HTMLTemplateElement).content, "label", HTMLElement);
  const choices = one(document, "#choices", HTMLElement);
  choices.hidden = !of.choices.length;
  for (const old of all(choices, "label", HTMLElement)) old.remove();
  choices.append(
    ...of.choices.map((text, place) => {
      const choice = /** @type {HTMLElement} */ (blank.cloneNode(true));
      one(choice, "input", HTMLInputElement).value = LETTERS[place];
      one(choice, "b", HTMLElement).textContent = LETTERS[place];
      one(choice, ".answer", HTMLElement).textContent = text;
      one(choice, "small", HTMLElement).textContent = of.asked === "verdict" ? (words.verdicts[text] ?? "") : "";
      return choice;
    }),
  );
  maybe(document, "#typed", HTMLElement)?.remove();
  if (!of.choices.length) typed(of);
  ballot.action = `${polls}/${of.id}/vote`;
  history.replaceState(null, "", `${polls}/${of.id}`);
}

/** A field for an answer that is typed. @param {Poll} of */
function typed(of) {
  const field = document.createElement("p");
  field.id = "typed";
  const label = Object.assign(document.createElement("label"), { htmlFor: "answer", textContent: _("Your answer") });
  const input = Object.assign(document.createElement("input"), { id: "answer", name: "choice", autocomplete: "off", spellcheck: false });
  const hint = Object.assign(document.createElement("small"), { id: "hint", textContent: of.shape.hint ?? "" });
  input.setAttribute("aria-describedby", "hint");
  field.append(label, " ", input, " ", hint);
  one(document, "#choices", HTMLElement).after(field);
}

/** Beside the buttons. @param {string} words */
function tell(words, faulty = false) {
  if (said.textContent !== words) said.textContent = words;
  said.classList.toggle("faulty", faulty);
}

// -- what is heard ----------------------------------------------------------------------------------------------------

follow(api, {
  poll(now) {
    if (now === null) {
      if (poll) poll = { ...poll, state: "done", round: null };
    } else {
      if (now.id !== poll?.id) {
        mine = {};
        sending = null;
        build(now);
      }
      if (now.round !== poll?.round) {
        sending = null;
        text("counted", "");
      }
      poll = now;
    }
    show();
  },
  voted(now) {
    const words = now.poll === poll?.id && now.round === poll.round;
    text("counted", words ? ngettext("%(votes)s of %(num)s has voted", "%(votes)s of %(num)s have voted", now.members, { votes: decimal(now.voted) }) : "");
  },
  closed(closed) {
    over = closed;
    show();
  },
  live: (live) => text("live", live ? "" : _("not connected; trying again")),
});

// -- voting -----------------------------------------------------------------------------------------------------------

ballot.addEventListener("submit", (event) => {
  event.preventDefault();
  const chosen = new FormData(ballot).get("choice");
  if (typeof chosen !== "string" || !chosen.trim()) {
    tell(_("Choose an answer first."), true);
    return;
  }
  const confidence = event.submitter instanceof HTMLButtonElement ? event.submitter.value : "rather";
  if (poll?.round) send(poll, poll.round, { choice: chosen, confidence });
});

/** Until it is counted, refused, or another one is sent. @param {Poll} of @param {number} round @param {Vote} vote */
async function send(of, round, vote) {
  const mark = (sending = {});
  tell(_("Sending …"));
  const request = { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ...vote, round }) };
  while (sending === mark) {
    const answered = await fetch(`${api}/polls/${of.id}/vote`, request).catch(() => null);
    if (sending !== mark) return;
    const body = await answered?.json().catch(() => null);
    if (answered?.ok && body) {
      sending = null;
      mine = body.mine;
      show();
      return;
    }
    if (answered && answered.status < 500 && answered.status !== 429) {
      sending = null;
      tell(answered.status === 409 ? _("This vote is closed: nothing was counted.") : (body?.errors?.[0]?.msg ?? body?.detail ?? ""), true);
      return;
    }
    tell(_("The server does not answer: your vote is not counted yet, and is sent again."), true);
    await new Promise((then) => setTimeout(then, AGAIN * (0.5 + Math.random())));
  }
}

document.documentElement.dataset.ready = "";
