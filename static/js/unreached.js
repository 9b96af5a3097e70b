// What could not be fetched is said where it would stand, with a button to try again; the page stays. It is also tried again by
// itself, until the server answers.

import { Refused } from "./api.js";
import { _ } from "./text.js";

const PAUSES = [2000, 4000, 8000, 15_000]; // ms between two tries, the last one for ever

/** Whether another try may succeed: what is refused for good is shown as the page that says so. @param {unknown} error */
export function passing(error) {
  return !(error instanceof Refused) || error.unable || error.failed;
}

/**
 * A line that says that something is missing.
 * @param {unknown} error @param {() => void} again
 */
export function missing(error, again) {
  const line = document.createElement("p");
  line.className = "unreached";
  line.setAttribute("role", "alert");
  const why = error instanceof Refused ? error.message : _("the server does not answer");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = _("Try again");
  button.addEventListener("click", again);
  line.append(_("This could not be loaded: %(why)s.", { why: why.replace(/\.$/, "") }), " ", button);
  return line;
}

export class Unreached {
  /** @param {() => void} again fetches what is missing; it says so if that fails */
  constructor(again) {
    this.again = again;
    this.tries = 0;
    /** @type {HTMLElement | undefined} */
    this.line = undefined;
    /** @type {number | undefined} */
    this.timer = undefined;
    addEventListener("online", () => this.retry());
  }

  /** Something is missing in a part of the page. @param {Element} part @param {unknown} error */
  say(part, error) {
    clearTimeout(this.timer);
    if (!this.line?.isConnected || this.line.parentElement !== part) {
      this.line?.remove();
      this.line = missing(error, () => this.retry());
      const tabs = part.querySelector(":scope > .tabs");
      if (tabs) tabs.after(this.line);
      else part.prepend(this.line);
    }
    part.classList.add("lacking");
    this.timer = setTimeout(() => this.retry(), PAUSES[Math.min(this.tries++, PAUSES.length - 1)]);
  }

  retry() {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.line) this.again();
  }

  /** Everything has come. */
  over() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.tries = 0;
    this.line?.parentElement?.classList.remove("lacking");
    this.line?.remove();
    this.line = undefined;
  }
}
