// Following the session: the page hears of every row, draws what it did to frames at once, and has itself brought up to date
// as often as the server bears it. Whether it is live can be seen; a page that nobody looks at does not follow.

import { all, one } from "./dom.js";
import { signedOut } from "./entrance.js";
import { Source } from "./source.js";
import { _, decimal } from "./text.js";

const PAUSE = 400; // ms between two refreshes, at least,
const SHARE = 10; // and so many times as long as one takes: a class that watches a busy machine slows down, not the server
const RETRY = 500; // ms after a refresh that did not succeed, or had to wait
const STALE = 10_000; // ms of reconnecting until what is shown counts as old
const SAY = 10_000; // ms between two announcements

const STATES = { live: _("live"), reconnecting: _("reconnecting"), stale: _("stale"), out: "", gone: "" };

/** @typedef {import("./source.js").Message} Message */

export class Live {
  /**
   * @param {string} api @param {number} seq the last row that the page shows
   * @param {(changed: [number, number, string][]) => void} draw
   * @param {() => Promise<boolean>} refresh false where something else goes before
   */
  constructor(api, seq, draw, refresh) {
    this.api = api;
    this.shown = seq;
    this.heard = seq;
    this.draw = draw;
    this.refresh = refresh;
    this.box = one(document, "#live", HTMLElement);
    this.said = one(document, "#live-said", HTMLElement);
    this.reload = one(this.box, "a", HTMLAnchorElement);
    this.next = 0;
    this.quiet = 0;
    /** @type {import("./source.js").State | undefined} */
    this.state = undefined;
    /** @type {number | undefined} */
    this.timer = undefined;
    /** @type {number | undefined} */
    this.saying = undefined;
    this.link = connect((message) => this.hear(message));
    document.addEventListener("visibilitychange", () => (document.hidden ? this.link.leave() : this.follow()));
    addEventListener("pagehide", () => this.link.leave());
    addEventListener("pageshow", (event) => event.persisted && this.follow());
    addEventListener("focus", () => this.state === "stale" && this.follow());
    this.is("reconnecting");
    if (!document.hidden) this.follow();
  }

  follow() {
    this.link.follow(this.api, Math.max(this.heard, this.shown));
  }

  /** The page has been brought to a row, by whatever. @param {number} seq */
  shows(seq) {
    this.shown = seq;
  }

  /** @param {Message} message */
  hear(message) {
    if ("state" in message) {
      this.is(message.state);
      return;
    }
    const { from, to, changed } = message.news;
    this.heard = to;
    if (to <= this.shown) return;
    // Rows that the map has in it already must not be drawn over later ones.
    if (changed !== null && from > this.shown) this.draw(changed);
    this.say();
    this.update();
  }

  /** Bring the page up to date: at once if it is quiet, else at the next turn. */
  async update() {
    if (this.busy || this.timer !== undefined || this.heard <= this.shown) return;
    const wait = this.next - performance.now();
    if (wait > 0) {
      this.timer = setTimeout(() => {
        this.timer = undefined;
        this.update();
      }, wait);
      return;
    }
    this.busy = true;
    const begun = performance.now();
    const done = await this.refresh().catch(() => false);
    const now = performance.now();
    this.next = now + (done ? Math.max(PAUSE, (now - begun) * SHARE) * (1 + Math.random() / 5) : RETRY);
    this.busy = false;
    this.update();
  }

  // -- what is seen and said of it ------------------------------------------------------------------------------------

  /** @param {import("./source.js").State} state */
  is(state) {
    if (state === this.state) return;
    this.state = state;
    clearTimeout(this.old);
    if (state === "reconnecting") this.old = setTimeout(() => this.is("stale"), STALE);
    this.box.dataset.state = state;
    const time = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    this.box.title = state === "live" ? _("Calls of others are shown as they are made") : _("Not followed since %(time)s", { time });
    if (state === "out") this.box.replaceChildren(...signedOut());
    else if (state === "gone") this.end();
    else this.box.replaceChildren(STATES[state], ...(state === "stale" ? [" ", this.reload] : []));
  }

  /** The machine was deleted, or is shared no more: what would be refused is not offered any longer. */
  end() {
    const link = document.createElement("a");
    link.href = "/";
    link.textContent = _("To your sessions");
    this.box.replaceChildren(_("gone"), " ", link);
    this.box.title = this.said.textContent = _("This machine is not there any more.");
    for (const button of all(document, "main form[method=post] button", HTMLButtonElement)) button.disabled = true;
  }

  /** One sentence for many rows: a reader is told that the machine moves, not each move. */
  say() {
    this.saying ??= setTimeout(() => {
      this.saying = undefined;
      this.quiet = performance.now() + SAY;
      this.said.textContent = _("Calls up to #%(seq)s have been made", { seq: decimal(this.heard) });
    }, Math.max(0, this.quiet - performance.now()));
  }
}

/**
 * The way to the stream: through the worker that all pages share, else a stream of one's own.
 * @param {(message: Message) => void} tell
 */
function connect(tell) {
  /** @type {Source | undefined} */
  let own;
  const alone = {
    /** @param {string} api @param {number} after */
    follow(api, after) {
      own?.close();
      own = new Source(api, after, tell);
    },
    leave() {
      own?.close();
    },
  };
  if (typeof SharedWorker === "undefined") return alone;
  const { port } = new SharedWorker(new URL("./live-worker.js", import.meta.url), { type: "module", name: "kmemlab" });
  port.onmessage = ({ data }) => tell(data);
  return {
    /** @param {string} api @param {number} after */
    follow: (api, after) => port.postMessage({ api, after }),
    leave: () => port.postMessage({}),
  };
}
