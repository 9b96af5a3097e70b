// A call or several that take more than half a second: how far they are, and a button that stops them. What was made then counts.

import { maybe } from "./dom.js";
import { _, decimal } from "./text.js";

const LONG = 500; // ms until it is shown, and between two looks

/** @typedef {{call: string | null, done: number, of: number, stopping: boolean}} Work */

/**
 * Show how far the session's work is while something is awaited.
 * @template T
 * @param {string} api @param {Promise<T>} awaited
 * @returns {Promise<T>}
 */
export async function shown(api, awaited) {
  const box = maybe(document, "#long-work", HTMLElement);
  if (!box) return awaited;
  const address = `${api}/work`;
  let over = false;
  const look = async (method = "GET") => {
    const answer = await fetch(address, { method });
    const { work } = answer.ok ? await answer.json() : { work: null };
    // What comes when all is over is of no interest any more.
    if (!over) show(box, work, () => look("DELETE").catch(() => {}));
  };
  const timer = setInterval(() => look().catch(() => {}), LONG);
  try {
    return await awaited;
  } finally {
    over = true;
    clearInterval(timer);
    box.hidden = true;
    box.replaceChildren();
  }
}

/** @param {HTMLElement} box @param {Work | null} work @param {() => void} stop */
function show(box, work, stop) {
  box.hidden = !work;
  if (!work) return;
  if (!box.childElementCount) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: _("Stop") });
    button.title = _("What has been made until then stays");
    button.addEventListener("click", () => {
      button.disabled = true;
      stop();
    });
    const bar = document.createElement("progress");
    bar.setAttribute("aria-label", _("How far the work is"));
    box.append(bar, document.createElement("span"), button);
  }
  const [bar, words, button] = box.children;
  if (!(bar instanceof HTMLProgressElement && words && button instanceof HTMLButtonElement)) return;
  if (work.of) Object.assign(bar, { max: work.of, value: work.done });
  else bar.removeAttribute("value");
  const numbers = work.of ? _("%(done)s of %(all)s", { done: decimal(work.done), all: decimal(work.of) }) : "";
  words.textContent = `${work.call ?? _("calls")} ${work.stopping ? _("stopping …") : numbers}`;
  button.disabled ||= work.stopping;
}
