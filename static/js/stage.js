// A machine's page in its lab: the instructor presents what they look at, members follow until they look elsewhere, and all
// hear when calls are stopped and let go on, and of new checkpoints. What a page does outlives it, in its own tab.

import { maybe, one } from "./dom.js";
import { LabSource } from "./lab-source.js";
import { _ } from "./text.js";

const CALM = 150; // ms without another move until a view is published
const AGAIN = 3000; // ms until a view that did not reach the server is sent again
const KEY = "kmemlab-stage";

/**
 * A page that can be looked at elsewhere without being left. show: false where the address is another page's.
 * @typedef {{show: (to: string) => Promise<boolean>, again: () => Promise<unknown>}} Place
 */

/** @typedef {{lab: string, does: "presents" | "follows", at: string}} Kept */

/** @param {string} address */
const path = (address) => {
  const to = new URL(address, location.href);
  return to.pathname + to.search;
};

const here = () => location.pathname + location.search;

/** The same view in the layout for a room that looks on; an explanation has no other. */
function large() {
  const to = new URL(location.href);
  if (!to.pathname.includes("/explain/")) to.searchParams.set("layout", "stage");
  return to.pathname + to.search;
}

/** The session that the page shows. */
const session = () => location.pathname.split("/")[2];

/** What this tab does on the stage. @returns {Kept | null} */
function kept() {
  return JSON.parse(sessionStorage.getItem(KEY) ?? "null");
}

class Stage {
  /** @param {HTMLElement} box @param {Place} place */
  constructor(box, place) {
    this.place = place;
    this.api = box.dataset.api ?? "";
    this.said = one(box, "#stage-said", HTMLElement);
    this.present = maybe(box, "#present button", HTMLButtonElement);
    this.follow = maybe(box, "#follow", HTMLButtonElement);
    /** What the presenter shows. @type {string | null} */
    this.view = box.dataset.view || null;
    /** How the lab is, as it has been said. @type {Record<string, string>} */
    this.known = { frozen: box.dataset.frozen ?? "false", closed: box.dataset.closed ?? "false" };
    /** Addresses that have been sent from here. @type {string[]} */
    this.sent = [];
    /** Whether it is said that the last one did not reach the server. */
    this.late = false;
    /** @type {number | undefined} */
    this.timer = undefined;
    this.sending = Promise.resolve();

    const was = kept();
    if (was?.lab === this.api && was.does === "presents" && this.present) this.publish();
    if (was?.lab === this.api && was.does === "follows") {
      if (path(was.at) !== here()) this.end(_("You look around by yourself now"));
    }
    this.present?.form?.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.presents) this.stop();
      else this.begin();
    });
    this.follow?.addEventListener("click", () => (this.follows ? this.end(_("You look around by yourself now")) : this.join()));
    const link = maybe(box, "#to-presenter", HTMLElement);
    if (link) link.hidden = true; // the button does more
    this.show();
  }

  get presents() {
    const now = kept();
    return now?.lab === this.api && now.does === "presents" && this.present !== null;
  }

  get follows() {
    const now = kept();
    return now?.lab === this.api && now.does === "follows";
  }

  /** @param {"presents" | "follows"} does @param {string} at */
  keep(does, at) {
    sessionStorage.setItem(KEY, JSON.stringify({ lab: this.api, does, at }));
  }

  /** @param {string} words @param {boolean} shown false where the strip beside it shows it, too */
  say(words, shown = true) {
    this.said.textContent = words;
    this.said.classList.toggle("unseen", !shown);
  }

  show() {
    this.present?.setAttribute("aria-pressed", String(this.presents));
    if (this.present) this.present.value = this.presents ? "off" : "on";
    if (!this.follow) return;
    this.follow.hidden = this.view === null && !this.follows;
    this.follow.setAttribute("aria-pressed", String(this.follows));
    this.follow.textContent = this.follows ? _("Following the presenter") : _("Follow the presenter");
    document.documentElement.toggleAttribute("data-led", this.follows);
  }

  // -- presenting -------------------------------------------------------------------------------------------------------

  begin() {
    this.keep("presents", here());
    this.sent = [];
    if (large() === here()) this.publish();
    else this.place.show(large()).catch(() => this.publish());
    this.say(_("You present what you look at"));
    this.show();
  }

  /** Show everybody where this page is. Of quick steps the last one counts. */
  publish(wait = CALM) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const view = here();
      if (this.sent.at(-1) === view) return;
      this.sent = [...this.sent.slice(-50), view];
      this.send({ method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ view }) }, {
        reached: () => {
          if (this.late) this.say(_("You present what you look at"));
          this.late = false;
        },
        // A page that is loaded again breaks off what it has sent: that is no refusal, and it goes on then.
        unreached: () => {
          this.sent = this.sent.filter((each) => each !== view);
          this.late = true;
          this.say(_("The server could not be reached; it is tried again"));
          if (this.presents) this.publish(AGAIN);
        },
      });
    }, wait);
  }

  stop() {
    clearTimeout(this.timer);
    sessionStorage.removeItem(KEY);
    this.send({ method: "DELETE" }, {
      reached: () => this.say(_("You present no more")),
      unreached: () => {
        this.keep("presents", here());
        this.say(_("The server could not be reached: you still present"));
      },
    });
    this.show();
  }

  /**
   * One after the other, so that the last one stays.
   * @param {RequestInit} how @param {{reached: () => void, unreached: () => void}} then
   */
  send(how, then) {
    this.sending = this.sending.then(async () => {
      const answer = await fetch(`${this.api}/presenting`, { keepalive: true, ...how }).catch(() => null);
      if (answer && !answer.ok) {
        const problem = await answer.json().catch(() => null);
        this.end(problem?.detail ?? _("What you look at could not be shown"));
        return;
      }
      if (answer) then.reached();
      else then.unreached();
      this.show();
    });
  }

  /** Something else is shown than what this page has sent: it may be from before, so the server is asked. */
  async check() {
    let before, answer;
    do {
      before = this.sending;
      await before;
      answer = await fetch(`${this.api}/presenting`);
    } while (before !== this.sending);
    if (!answer.ok) return;
    const { view } = await answer.json();
    if (!this.presents || this.sent.includes(view)) return;
    this.end(view === null ? _("You present no more") : _("Another page presents now"));
  }

  // -- following --------------------------------------------------------------------------------------------------------

  join() {
    this.keep("follows", this.view ?? here());
    this.say(_("You see what the presenter sees, until you look elsewhere"));
    this.show();
    this.go();
  }

  /** To where the presenter is. */
  async go() {
    const to = this.view;
    if (to === null || !this.follows) return;
    this.keep("follows", to);
    if (path(to) === here()) return;
    if (!(await this.place.show(to).catch(() => false))) location.assign(to);
  }

  /** @param {string} words */
  end(words) {
    clearTimeout(this.timer);
    sessionStorage.removeItem(KEY);
    this.say(words);
    this.show();
  }

  /** The page shows another address than before. */
  moved() {
    if (this.presents) {
      this.publish();
      return;
    }
    const now = kept();
    if (this.follows && now && path(now.at) !== here()) this.end(_("You look around by yourself now"));
  }

  // -- what is heard ----------------------------------------------------------------------------------------------------

  /** @param {import("./lab-source.js").LabNews} news */
  hear({ kind, data }) {
    if (kind === "view") {
      this.heardView(data.view);
      return;
    }
    if (kind === "poll") {
      this.heardPoll(data.poll);
      return;
    }
    const now = kind === "closed" ? String(data.closed !== null) : kind === "frozen" ? String(data.frozen) : JSON.stringify(data);
    const was = this.known[kind];
    this.known[kind] = now;
    if (was === undefined || was === now) return;
    if (kind === "locked") {
      const locked = data.sessions.includes(session());
      // Of what is locked elsewhere nothing is seen here: a class does not read its pages again for one.
      if (JSON.parse(was).sessions.includes(session()) === locked) return;
      this.say(locked ? _("The instructor has locked this machine for now") : _("The instructor has unlocked this machine"), !locked);
    }
    if (kind === "frozen") this.say(data.frozen ? _("The lab is frozen: calls are stopped for now") : _("Calls go on"), !data.frozen);
    if (kind === "closed") this.say(_("The lab is closed: its machines can be read, but not called any more"), false);
    if (kind === "checkpoint") {
      const before = new Set(JSON.parse(was).checkpoints.map((/** @type {{id: string}} */ mark) => mark.id));
      const mark = data.checkpoints.findLast((/** @type {{id: string}} */ { id }) => !before.has(id));
      if (mark) this.say(_("New checkpoint: %(title)s", { title: mark.title }));
    }
    this.place.again().catch(() => {});
  }

  /** A question before the class: a link leads there, and the page stays. @param {{id: string, state: string, round: number | null} | null} poll */
  heardPoll(poll) {
    const link = maybe(document, "#to-poll", HTMLAnchorElement);
    if (!link) return;
    link.hidden = poll === null;
    if (!poll) return;
    link.href = `${link.dataset.polls}/${poll.id}`;
    const now = `${poll.id} ${poll.round ?? ""}`;
    if (poll.round !== null && this.known.poll !== now) this.say(_("The class is asked"));
    this.known.poll = now;
  }

  /** @param {string | null} view */
  heardView(view) {
    this.view = view;
    if (this.presents) {
      if (this.sent.length && (view === null || !this.sent.includes(view))) this.check().catch(() => {});
    } else if (this.follows) {
      if (view === null) this.end(_("The presenter has stopped; you stay where you are"));
      else this.go();
    }
    this.show();
  }
}

/**
 * Take part, where the page is in a lab. Returns what to call when the page shows another address.
 * @param {Place} place
 */
export function stage(place) {
  const box = maybe(document, "#stage", HTMLElement);
  if (!box) return () => {};
  const own = new Stage(box, place);
  const link = connect(own.api, (news) => own.hear(news));
  document.addEventListener("visibilitychange", () => (document.hidden ? link.leave() : link.join()));
  addEventListener("pagehide", () => link.leave());
  addEventListener("pageshow", (event) => event.persisted && link.join());
  addEventListener("focus", () => link.join());
  if (!document.hidden) link.join();
  return () => own.moved();
}

/**
 * The way to the lab's stream: through the worker that all pages share, else a stream of one's own.
 * @param {string} api @param {(news: import("./lab-source.js").LabNews) => void} tell
 */
function connect(api, tell) {
  /** @param {import("./lab-source.js").Message} message */
  const hear = (message) => "lab" in message && tell(message.lab);
  let joined = false;
  if (typeof SharedWorker === "undefined") {
    /** @type {LabSource | undefined} */
    let own;
    return {
      join() {
        if (joined) return;
        joined = true;
        own = new LabSource(api, hear);
      },
      leave() {
        joined = false;
        own?.close();
      },
    };
  }
  const { port } = new SharedWorker(new URL("./live-worker.js", import.meta.url), { type: "module", name: "kmemlab" });
  port.onmessage = ({ data }) => {
    if (data.state === "stale") joined = false;
    hear(data);
  };
  return {
    join() {
      if (!joined) port.postMessage({ lab: api });
      joined = true;
    },
    leave() {
      joined = false;
      port.postMessage({});
    },
  };
}
