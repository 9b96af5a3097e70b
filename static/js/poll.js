// A question on the projector and on the desk: read again where it has come into another state, and counted meanwhile.

import { all, maybe, one } from "./dom.js";
import { follow } from "./poll-stream.js";
import { _, decimal, ngettext } from "./text.js";

const CALM = 1000; // ms between two looks at how votes fall

const root = one(document, "#poll", HTMLElement);
const { api = "", poll = "" } = root.dataset;
let read = performance.now();
let connected = true;
/** @type {number | undefined} */
let timer;

/** Read the page again. whole: all of it, else only what stands in regions that are here, too. @param {boolean} whole */
async function look(whole) {
  const answer = await fetch(location.href).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = one(page, "#poll", HTMLElement);
  const focused = document.activeElement?.id;
  const open = all(root, "details", HTMLDetailsElement).map((each) => each.open);
  if (whole) {
    root.dataset.state = fresh.dataset.state;
    root.replaceChildren(...fresh.childNodes);
    all(root, "details", HTMLDetailsElement).forEach((each, place) => (each.open = open[place] ?? false));
    read = performance.now();
    said();
  } else {
    for (const region of all(root, "[data-live]", HTMLElement)) {
      const now = maybe(fresh, `#${region.id}`, HTMLElement);
      if (now && now.outerHTML !== region.outerHTML) region.replaceWith(now);
    }
  }
  if (focused) maybe(document, `#${focused}`, HTMLElement)?.focus({ preventScroll: true });
  clock();
}

follow(api, {
  poll(now) {
    const state = now?.id === poll ? now.state : root.dataset.state === "draft" ? "draft" : "done";
    if (state !== root.dataset.state) look(true);
  },
  voted(now) {
    const words = maybe(root, "#poll-voted", HTMLElement);
    if (now.poll !== poll || !words) return;
    words.textContent = ngettext("%(votes)s of %(num)s has voted", "%(votes)s of %(num)s have voted", now.members, { votes: decimal(now.voted) });
    one(root, "#poll-share", HTMLProgressElement).value = now.members ? (1000 * now.voted) / now.members : 0;
  },
  tally() {
    if (!maybe(root, "#desk-bars", HTMLElement)) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      look(false);
    }, CALM);
  },
  live(live) {
    connected = live;
    said();
  },
});

/** Whether what is seen is what is. */
function said() {
  const box = one(root, "#live", HTMLElement);
  box.dataset.state = connected ? "live" : "stale";
  box.textContent = connected ? _("live") : _("stale");
}

/** How long a state has lasted, or how long the round is still said to last. */
function clock() {
  const face = maybe(root, ".poll-clock", HTMLElement);
  if (!face) return;
  const passed = (performance.now() - read) / 1000;
  const left = face.dataset.left;
  const seconds = Math.max(0, Math.floor(left ? Number(left) - passed : Number(face.dataset.age) + passed));
  face.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  face.classList.toggle("poll-late", left !== "" && seconds === 0);
}

clock();
setInterval(clock, 1000);
document.documentElement.dataset.ready = "";
