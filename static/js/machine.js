// The machine page in place: forms go to the public API, the parts that changed come back, nothing else moves.

import { Refused, call } from "./api.js";
import { builder } from "./builder.js";
import { clear, lineOf, recipes } from "./callform.js";
import { charts } from "./charts.js";
import { Console } from "./console.js";
import { runStep } from "./demo.js";
import { all, maybe, one } from "./dom.js";
import { drawings } from "./drawing.js";
import { exercise } from "./exercise.js";
import { journal } from "./journal.js";
import { onKey } from "./keys.js";
import { shown } from "./longwork.js";
import { refused } from "./refusal.js";
import { share } from "./share.js";
import { made } from "./sleeping.js";
import { stage } from "./stage.js";
import { _ } from "./text.js";
import { busy, time } from "./time.js";
import { View } from "./view.js";
import { walk } from "./walk.js";

const view = new View(one(document, "#machine", HTMLElement));
const line = one(document, "#line", HTMLInputElement);
const terminal = new Console(line);

/**
 * Make a call and show what it did.
 * @param {HTMLFormElement} form @param {string} text
 */
async function make(form, text) {
  form.ariaBusy = "true";
  terminal.answer.classList.remove("refused");
  try {
    const outcome = await view.first(() => shown(view.api, call(view.api, text)));
    // A call that worked, wherever it was made, leaves no old complaint standing, and its result's name is given.
    for (const other of new Set([form, ...all(document, "#call form[data-call]", HTMLFormElement)])) clear(other);
    maybe(document, "#call-refused", HTMLElement)?.replaceChildren();
    const named = maybe(form, "[name=as]", HTMLInputElement);
    if (named) {
      named.value = "";
      named.dispatchEvent(new Event("input", { bubbles: true }));
    }
    const to = { at: null, outcome: null, before: null, ...about(outcome) };
    await view.show(view.address(to), { push: false, keep: new Set(["call"]) });
    made(outcome);
    terminal.answer.textContent = `#${outcome.seq} ${outcome.ret ?? (outcome.verdict === "null" ? "NULL" : "")} ${outcome.verdict}`;
    // What kernel threads did at its end is said in the banner, in the reader's language.
    const beside = maybe(document, `#outcome[data-seq="${outcome.seq}"] .answer-beside`, HTMLElement);
    if (beside) terminal.answer.textContent += ` · ${[...beside.children].map((item) => item.textContent).join(" · ")}`;
    if (outcome.stopped) terminal.answer.textContent += ` ${_("stopped here")}`;
    return true;
  } catch (error) {
    if (error instanceof Refused && error.idle) {
      terminal.answer.textContent = _("nothing is called here");
      return true;
    }
    refused(error, form);
    return false;
  } finally {
    form.ariaBusy = null;
  }
}

/**
 * What is shown after a call: the process and the address that it was about; after a fork parent and child.
 * @param {{call: string, ret?: unknown, access?: unknown}} outcome @returns {Record<string, string | null>}
 */
function about(outcome) {
  const vm = maybe(document, "#vm", HTMLElement);
  if (!vm || !("access" in outcome)) return {};
  if (outcome.call === "fork") return { pid: vm.dataset.pid ?? null, va: vm.dataset.va ?? null, beside: String(outcome.ret) };
  return { pid: null, va: null };
}

/** A line that names no caller is the shown process's. @param {string} text */
function asProcess(text) {
  const task = maybe(document, "#runs-as input", HTMLInputElement)?.value;
  return task && !/^[A-Za-z0-9_-]*(@\d+)?(\/\w+)?:/.test(text) ? `${task}: ${text}` : text;
}

/** @param {HTMLFormElement} form */
async function run(form) {
  const text = line.value.trim();
  if (!text || text.startsWith("#") || text.startsWith("//")) return;
  terminal.remember(text);
  // What has been typed meanwhile is the next line.
  if ((await make(form, asProcess(text))) && line.value.trim() === text) line.value = "";
  // Who has gone elsewhere meanwhile stays there.
  if (document.activeElement === document.body || form.contains(document.activeElement)) line.focus();
}

/** Run a step of a demo; the page that says why it was refused is asked for as without script. @param {HTMLFormElement} form @param {HTMLElement | null} submitter */
async function demo(form, submitter) {
  const button = submitter instanceof HTMLButtonElement ? submitter : one(form, "button", HTMLButtonElement);
  const words = button.textContent;
  form.ariaBusy = "true";
  button.textContent = _("Running …");
  try {
    await view.first(async () => {
      const to = await shown(view.api, runStep(form, submitter));
      if (!to) {
        form.submit();
        return;
      }
      const held = form.contains(document.activeElement);
      terminal.works();
      await view.show(to);
      const next = maybe(document, "#demo .demo-foot :is([rel=next], .primary)", HTMLElement) ?? maybe(document, "#demo", HTMLElement);
      if (held) next?.focus({ preventScroll: true });
      maybe(document, "#demo-told", HTMLElement)?.scrollIntoView({ block: "nearest" });
    });
  } catch (error) {
    refused(error, form);
    form.ariaBusy = null;
    button.textContent = words;
  }
}

/** Undo, rewind, or lock. @param {HTMLFormElement} form @param {HTMLElement | null} submitter */
async function back(form, submitter) {
  const sent = view.send(form, submitter);
  busy(true);
  await sent.then(() => terminal.works(), (error) => refused(error, form)).finally(() => busy(false));
}

/** Answer, check, take a hint or be shown: what came of it is read out. @param {HTMLFormElement} form @param {HTMLElement | null} submitter */
async function worked(form, submitter) {
  form.ariaBusy = "true";
  await shown(view.api, view.send(form, submitter)).then(() => terminal.works(), (error) => refused(error, form));
  form.ariaBusy = null;
  const places = ["input[aria-invalid=true]:not(.box)", "#exercise-refusal", "#exercise-said"];
  const panel = maybe(document, "#exercise", HTMLElement) ?? maybe(document, "#demo", HTMLElement);
  const said = (panel && places.map((place) => maybe(panel, place, HTMLElement)).find(Boolean)) ?? panel;
  said?.focus({ preventScroll: true });
  // Where the panel scrolls by itself, the page stays where it is.
  if (panel && panel.scrollHeight > panel.clientHeight) panel.scrollTop = Math.max(0, (said?.offsetTop ?? 0) - panel.clientHeight / 3);
  else said?.scrollIntoView({ block: "nearest" });
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || event.submitter?.hasAttribute("formaction")) return;
  const does = [
    { kind: "[data-call]", act: () => make(form, lineOf(form)) },
    { kind: "[data-console]", act: () => run(form) },
    { kind: "[data-demo]", act: () => demo(form, event.submitter) },
    { kind: "[data-history], [data-place]", act: () => back(form, event.submitter) },
    { kind: "[data-answers], [data-exercise]", act: () => worked(form, event.submitter) },
    { kind: "[data-time]", act: async () => {} },
    { kind: "[data-find]", act: () => find() },
    { kind: "[data-walk]", act: () => view.show(view.address({ va: one(form, "#va", HTMLInputElement).value.trim() || null })) },
  ].find(({ kind }) => form.matches(kind));
  if (!does) return;
  event.preventDefault();
  // Its request is on its way. That its buttons are not disabled keeps the focus where it is.
  if (form.ariaBusy === "true") return;
  await does.act();
});

document.addEventListener("click", async (event) => {
  const link = event.target instanceof Element && event.target.closest("a[data-stay]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  const to = new URL(link.getAttribute("href") ?? "", location.href);
  await view.show(to.href, { part: link.closest("[data-region]") });
  if (to.hash && link.closest("#call")) firstField()?.focus();
  // Another page of the journal is read from its beginning.
  if (link.closest(".pages")) one(document, ".journal", HTMLElement).scrollIntoView({ block: "start" });
});

// Going to another part of the page is no other view; shown anew, the part would lose its mark.
addEventListener("popstate", () => {
  if (location.search !== view.query) view.show(location.href, { push: false });
});

/** Where a part of the page is gone to, it is not left under the outcome, which stays in sight. */
function clearance() {
  const height = one(document, "#outcome", HTMLElement).offsetHeight;
  document.documentElement.style.setProperty("--outcome", `${height}px`);
}

/** The form's first field, or its button. */
function firstField() {
  return maybe(document, "#call form input:not([type=hidden]), #call form select, #call form button", HTMLElement);
}

clearance();
// On a telephone the centre has no box of its own.
const sizes = new ResizeObserver(clearance);
for (const part of [".center", "#machine"]) sizes.observe(one(document, part, HTMLElement));
share();
recipes(view.api);
builder();
const find = journal(view);
drawings();
exercise();
charts(view);
walk();
time(view);
view.moved = stage({
  show: async (to) => {
    if (new URL(to, location.href).pathname !== view.page) return false;
    await view.show(to, { push: false });
    return true;
  },
  again: () => view.again(),
});
onKey("c", () => line.focus());
onKey("m", () => view.map?.focus());
onKey("e", () => maybe(document, "#outcome a.explain", HTMLElement)?.click());
onKey("f", () => firstField()?.focus());
onKey("Escape", () => {
  maybe(document, "#picker", HTMLElement)?.removeAttribute("open");
  const shown = new URLSearchParams(location.search);
  if (shown.has("pfn") || shown.has("obj")) view.show(view.address({ pfn: null, obj: null }));
});
// From here on the page answers to every key and form by itself.
view.ready.then(() => (document.documentElement.dataset.ready = ""));
