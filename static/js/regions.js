// The page is its own fragment: what changed is taken from the same page, rendered anew by the server, part by part. So a
// machine looks the same with and without script, and nothing that did not change moves.

import { Refused } from "./api.js";
import { copyButtons } from "./copy.js";
import { all, maybe } from "./dom.js";

/**
 * The page at an address, parsed. Problem pages are returned too: they say what is wrong.
 * @param {string} address
 */
export async function load(address) {
  return parse(await fetch(address, { headers: { Accept: "text/html" } }));
}

/** @param {Response} response */
export async function parse(response) {
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!page.getElementById("machine")) {
    const detail = page.querySelector("h1")?.textContent ?? response.statusText;
    // A page that is well, and none of a machine, is the entrance: who asked is signed out.
    throw new Refused({ status: response.ok ? 401 : response.status, detail });
  }
  return page;
}

/**
 * Replace regions by those of a newer page. keep: ids that stay as they are.
 * @param {Document} page @param {Set<string>} keep
 */
export function swap(page, keep = new Set()) {
  for (const fresh of page.querySelectorAll("[data-region]")) {
    const stale = document.getElementById(fresh.id);
    if (!stale || keep.has(fresh.id) || bare(stale).isEqualNode(fresh)) continue;
    const focused = stale.contains(document.activeElement) ? document.activeElement : null;
    const scroll = stale.scrollTop;
    const node = document.adoptNode(fresh);
    if (stale.id !== "call") keepOpen(stale, node);
    stale.replaceWith(node);
    // Another step of a demo is read from its beginning.
    node.scrollTop = node.getAttribute("data-at") === stale.getAttribute("data-at") ? scroll : 0;
    if (stale.id === "call") keepTyped(stale, node);
    if (stale.id === "exercise" || stale.id === "demo") keepAnswers(stale, node);
    if (focused) refocus(node, focused);
    copyButtons(node);
  }
  document.title = page.title;
  for (const field of all(document, "form[method=post] input[name=view]", HTMLInputElement)) {
    const fresh = page.querySelector("form[method=post] input[name=view]");
    if (fresh) field.value = fresh.getAttribute("value") ?? "";
  }
}

/** As the server sent it: what has only been put on top makes no difference. @param {Element} region */
function bare(region) {
  const copy = /** @type {Element} */ (region.cloneNode(true));
  for (const button of copy.querySelectorAll(".copy")) button.remove();
  return copy;
}

/**
 * What was unfolded stays so: the part of the same name, for not every outcome has the same parts.
 * @param {Element} stale @param {Element} fresh
 */
function keepOpen(stale, fresh) {
  const name = (/** @type {Element} */ details) => details.className || details.querySelector("summary")?.textContent;
  const open = new Set([...stale.querySelectorAll("details[open]")].map(name));
  for (const details of fresh.querySelectorAll("details")) details.open ||= open.has(name(details));
}

/**
 * A call half filled in outlives a look elsewhere; what a link fills in goes before what was typed.
 * @param {Element} stale @param {Element} fresh
 */
function keepTyped(stale, fresh) {
  const [was, form] = [stale, fresh].map((region) => maybe(region, "form[data-call]", HTMLFormElement));
  if (!was || !form || was.dataset.call !== form.dataset.call) return;
  const fields = (/** @type {Element} */ of) => [
    ...all(of, "input:not([type=hidden])", HTMLInputElement),
    ...all(of, "select", HTMLSelectElement),
  ];
  for (const field of fields(was)) {
    const now = fields(form).find((other) => other.name === field.name);
    if (now && given(now) === given(field)) now.value = field.value;
  }
  keepOpen(stale, fresh);
  fresh.querySelector("#picker")?.removeAttribute("open");
  form.dispatchEvent(new Event("input", { bubbles: true }));
}

/**
 * An answer half given outlives a look elsewhere and calls of others, until it is sent.
 * @param {Element} stale @param {Element} fresh
 */
function keepAnswers(stale, fresh) {
  if (stale.getAttribute("data-at") !== fresh.getAttribute("data-at")) return;
  const inputs = (/** @type {Element} */ of) => all(of, "[data-answers] input:not([type=hidden])", HTMLInputElement);
  const known = inputs(stale);
  for (const now of inputs(fresh)) {
    const was = known.find((other) => other.name === now.name && (now.type === "text" || other.value === now.value));
    if (was && was.defaultValue === now.defaultValue && was.defaultChecked === now.defaultChecked) {
      if (now.type === "text") now.value = was.value;
      else now.checked = was.checked;
    }
  }
  const selects = all(stale, "[data-answers] select", HTMLSelectElement);
  for (const now of all(fresh, "[data-answers] select", HTMLSelectElement)) {
    const was = selects.find((other) => other.name === now.name);
    if (was && given(was) === given(now)) now.value = was.value;
  }
  for (const field of all(stale, "[data-last]", HTMLElement)) {
    const same = all(fresh, "[data-points]", HTMLElement)[all(stale, "[data-points]", HTMLElement).indexOf(field)];
    if (same) same.dataset.last = "";
  }
}

/** What the server filled in. @param {HTMLInputElement | HTMLSelectElement} field */
function given(field) {
  if (field instanceof HTMLInputElement) return field.defaultValue;
  return [...field.options].find((option) => option.defaultSelected)?.value;
}

/**
 * Put the focus where it was: on the same id, else on the same link, else on the region.
 * @param {Element} region @param {Element} was
 */
function refocus(region, was) {
  const same =
    document.getElementById(was.id) ??
    all(region, "a, button, input, summary", HTMLElement).find((node) => node.textContent === was.textContent);
  if (same instanceof HTMLElement && !same.matches(":disabled, [hidden]")) {
    same.focus({ preventScroll: true });
    if (document.activeElement === same) return;
  }
  if (!(region instanceof HTMLElement)) return;
  if (!region.hasAttribute("tabindex")) {
    region.tabIndex = -1;
    region.addEventListener("blur", () => region.removeAttribute("tabindex"), { once: true });
  }
  region.focus({ preventScroll: true });
}
