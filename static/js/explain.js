// [ and ] lead through the calls of a session, Esc back to its machine. ← and →, or , and . step through the decisions of one
// call: the machine beside them is taken from the same page at that step, nothing else moves.

import { all, maybe, one } from "./dom.js";
import { onKey } from "./keys.js";
import { swap } from "./regions.js";
import { stage } from "./stage.js";
import { Unreached } from "./unreached.js";

/** @param {string} selector */
const follow = (selector) => () => maybe(document, selector, HTMLElement)?.click();

onKey("[", follow("a[rel=prev]"));
onKey("]", follow("a[rel=next]"));
onKey("Escape", follow("a[data-back]"));
onKey(",", follow("#moment-earlier"));
onKey(".", follow("#moment-later"));

// What scrolls sideways needs the arrows itself.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (event.target instanceof Element && event.target.closest("pre, .scroll, input, select, textarea, dialog")) return;
  const way = event.key === "ArrowLeft" ? "earlier" : event.key === "ArrowRight" ? "later" : undefined;
  if (!way) return;
  event.preventDefault();
  follow(`#moment-${way}`)();
});

let asked = 0;
/** The step that is shown or on its way. */
let wanted = location.href;
const unreached = new Unreached(() => show(wanted, false));

const moved = stage({
  show: async (to) => {
    const address = new URL(to, location.href);
    if (address.pathname !== location.pathname) return false;
    history.replaceState(null, "", address);
    await show(address.href, false);
    return true;
  },
  again: async () => {},
});

/**
 * Show the machine at another step, or through another window.
 * @param {string} address @param {boolean} push
 */
async function show(address, push) {
  const turn = ++asked;
  const part = new URL(address);
  part.searchParams.set("only", "1");
  const text = await fetch(part, { headers: { Accept: "text/html" } }).then((answer) => answer.text(), () => undefined);
  if (turn !== asked) return;
  wanted = address;
  if (text === undefined) {
    if (push) history.pushState(null, "", address);
    unreached.say(one(document, "#moment", HTMLElement), undefined);
    return;
  }
  unreached.over();
  const page = new DOMParser().parseFromString(text, "text/html");
  const moment = page.getElementById("moment");
  const step = moment?.dataset.step;
  const row = document.getElementById(`step-${step}`);
  const fresh = page.getElementById(`step-${step}`);
  // Of a long call another part is listed there.
  if (!moment || (step !== "0" && !(row && fresh))) {
    location.assign(address);
    return;
  }
  if (push) history.pushState(null, "", address);
  moved();
  mark(row, fresh);
  swap(page);
}

/** @param {HTMLElement | null} row @param {HTMLElement | null} fresh the same step with its drawing */
function mark(row, fresh) {
  for (const old of all(document, ".decision[aria-current]", HTMLElement)) old.removeAttribute("aria-current");
  if (!row || !fresh) return;
  const focused = row.contains(document.activeElement);
  const open = row.querySelector("details")?.open;
  const now = document.adoptNode(fresh);
  if (open) now.querySelector("details")?.setAttribute("open", "");
  row.replaceWith(now);
  const fold = now.closest("details");
  if (fold) fold.open = true;
  if (focused) maybe(now, "a[data-step]", HTMLElement)?.focus({ preventScroll: true });
  // Where the map stands above the list it is what has to stay in view.
  if (matchMedia("(min-width: 1200px)").matches) now.scrollIntoView({ block: "nearest" });
}

document.addEventListener("click", async (event) => {
  const link = event.target instanceof Element && event.target.closest("a[data-step]");
  if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  await show(link.href, true);
});

addEventListener("popstate", () => show(location.href, false));
