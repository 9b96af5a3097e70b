// The machine page in place: forms go to the public API, the parts that changed come back, nothing else moves.

import { call, changed, Refused } from "./api.js";
import { builder } from "./builder.js";
import { clear, lineOf, linked, mark, recipes } from "./callform.js";
import { runStep } from "./demo.js";
import { journal } from "./journal.js";
import { onKey } from "./keys.js";
import { Live } from "./live.js";
import { FrameMap } from "./map.js";
import { load, swap } from "./regions.js";

const machine = document.getElementById("machine");
const { api, page } = machine.dataset;
const map = new FrameMap(document.getElementById("map-picture"), api);
const answer = document.getElementById("console-answer");
const line = /** @type {HTMLInputElement} */ (document.getElementById("line"));

/** The view that the address holds, with some parts changed; null takes a part out. */
function address(changes) {
  const view = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) view.delete(name);
    else view.set(name, String(value));
  }
  return `${page}${view.size ? `?${view}` : ""}`;
}

/** The row of the journal whose changes the map outlines. */
let outlined;

/** The row that a page's banner shows. @param {Document} shown */
const bannerSeq = (shown) => shown.getElementById("outcome").dataset.seq;

/** What changed, where another row is to be outlined than before. @param {string | undefined} seq */
async function runs(seq) {
  if (seq === outlined) return undefined;
  return seq === undefined ? [] : changed(api, seq);
}

/** How many times a person has asked for something, and how much of that is on its way. */
let asked = 0;
let going = 0;

/**
 * Do what a person asks for: it goes before what others have done meanwhile.
 * @template T
 * @param {() => Promise<T>} act
 */
async function first(act) {
  asked++;
  going++;
  try {
    return await act();
  } finally {
    going--;
  }
}

/**
 * Show an address of this machine without leaving the page.
 * @param {string} to @param {{push?: boolean, keep?: Set<string>}} how
 */
function show(to, { push = true, keep } = {}) {
  return first(async () => {
    await bring(to, keep);
    if (push) history.pushState(null, "", to);
    else history.replaceState(null, "", to);
  });
}

/**
 * Fetch a page and put its parts in place. Nothing happens where, when it has come, it is not wanted any longer.
 * @param {string} to @param {Set<string>} [keep] @param {(fresh: Document) => boolean} wanted
 */
async function bring(to, keep, wanted = () => true) {
  const fresh = await load(to);
  const picture = fresh.getElementById("map-picture");
  const seq = bannerSeq(fresh);
  const [cells, frames] = await Promise.all([map.fetch(picture), runs(seq)]);
  if (!wanted(fresh)) return false;
  outlined = seq;
  swap(fresh, keep);
  map.show(picture, cells, frames);
  live.shows(headSeq());
  return true;
}

/** The last row that the page shows. */
function headSeq() {
  return Number(document.getElementById("head-seq").dataset.seq);
}

/** Others have called: the same view, as it is now. Their outcomes are not read out one by one. */
async function refresh() {
  if (going) return false;
  const before = asked;
  return bring(location.href, new Set(["call"]), (fresh) => {
    fresh.querySelector("#outcome .answer")?.setAttribute("aria-live", "off");
    return asked === before && !going;
  });
}

/** What was at fault, field by field where that is known. @param {Error} error */
function faults(error) {
  if (!(error instanceof Refused)) return [{ field: "", words: `The server cannot be reached: ${error.message}` }];
  return error.faults.length ? error.faults : [{ field: "", words: error.message }];
}

/** Refused requests happened nowhere: say so where it was asked. */
function refused(error, form) {
  const known = faults(error);
  const title = error instanceof Refused && error.asleep ? "The task sleeps: nothing happened" : "Not a kernel call: nothing happened";
  const words = known.map((fault) => (fault.field ? `${fault.field}: ${fault.words}` : fault.words)).join("; ");
  answer.classList.add("refused");
  answer.replaceChildren(`${title}. `, ...(form.closest("#call") ? [] : linked(words)));
  const box = document.getElementById("call-refused");
  if (!form.closest("#call") || !box) return;
  const alert = document.createElement("div");
  alert.className = "refusal";
  alert.setAttribute("role", "alert");
  const heading = document.createElement("h2");
  heading.textContent = title;
  const list = document.createElement("ul");
  for (const fault of known) {
    const item = document.createElement("li");
    item.append(...(fault.field ? [`${fault.field}: `] : []), ...linked(fault.words));
    list.append(item);
  }
  alert.append(heading, list);
  box.replaceChildren(alert);
  mark(form, known);
}

/**
 * Make a call and show what it did.
 * @param {HTMLFormElement} form @param {string} text
 */
async function make(form, text) {
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  answer.classList.remove("refused");
  try {
    const outcome = await first(() => call(api, text));
    // A call that worked, wherever it was made, leaves no old complaint standing, and its result's name is given.
    for (const other of new Set([form, ...document.querySelectorAll("#call form[data-call]")])) clear(other);
    document.getElementById("call-refused")?.replaceChildren();
    const named = form.elements.namedItem("as");
    if (named) {
      named.value = "";
      named.dispatchEvent(new Event("input", { bubbles: true }));
    }
    await show(address({ outcome: null, before: null }), { push: false, keep: new Set(["call"]) });
    answer.textContent = `#${outcome.seq} ${outcome.ret ?? (outcome.verdict === "null" ? "NULL" : "")} ${outcome.verdict}`;
    return true;
  } catch (error) {
    refused(error, form);
    return false;
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

document.addEventListener("submit", async (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (form.matches("[data-call]")) {
    event.preventDefault();
    await make(form, lineOf(form));
  } else if (form.matches("[data-console]")) {
    event.preventDefault();
    const text = line.value.trim();
    if (!text || text.startsWith("#")) return;
    past.push(text);
    back = past.length;
    if (await make(form, text)) line.value = "";
    // Who has gone elsewhere meanwhile stays there.
    if (document.activeElement === document.body || form.contains(document.activeElement)) line.focus();
  } else if (form.matches("[data-demo]")) {
    event.preventDefault();
    await demo(form);
  }
});

/** Run a step of a demo; the page that says why it was refused is asked for as without script. @param {HTMLFormElement} form */
async function demo(form) {
  const button = form.querySelector("button");
  button.disabled = true;
  button.textContent = "Running …";
  try {
    await first(async () => {
      const to = await runStep(form);
      if (to) await show(to);
      else form.submit();
    });
  } catch (error) {
    refused(error, form);
    button.disabled = false;
    button.textContent = "Run this step";
  }
}

/** What was typed in the console, by ↑ and ↓. */
const past = [];
let back = 0;
line.addEventListener("keydown", (event) => {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step || !past.length) return;
  event.preventDefault();
  back = Math.min(past.length, Math.max(0, back + step));
  line.value = past[back] ?? "";
});

document.addEventListener("click", async (event) => {
  const link = event.target instanceof Element && event.target.closest("a[data-stay]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  try {
    await show(link.href);
  } catch {
    location.assign(link.href);
    return;
  }
  if (link.hash && link.closest("#call")) document.querySelector("#call form input, #call form button")?.focus();
});

addEventListener("popstate", () => show(location.href, { push: false }).catch(() => location.reload()));

map.onInspect = (pfn) => show(address({ pfn: `0x${pfn.toString(16)}` }));
map.onWindow = (window) => show(address(window), { push: false });

const live = new Live(api, headSeq(), (runs) => map.apply(runs), refresh);

recipes(api);
builder();
journal();
onKey("c", () => line.focus());
onKey("m", () => map.focus());
onKey("e", () => document.querySelector("#outcome a.explain")?.click());
onKey("f", () => document.querySelector("#call form input, #call form button")?.focus());
onKey("Escape", () => {
  document.getElementById("picker")?.removeAttribute("open");
  if (new URLSearchParams(location.search).has("pfn")) show(address({ pfn: null }));
});
map.open(runs(bannerSeq(document)));
outlined = bannerSeq(document);
