// A task of an exercise in place: its forms go where they would go without script, and what is pointed at on the machine fills
// the answer.

import { all, maybe } from "./dom.js";

const hex = (/** @type {number} */ pfn) => `0x${pfn.toString(16)}`;

/** The fields of the open task that are filled by pointing at something. @param {string} what */
function fields(what) {
  return all(document, `:is(#exercise, #demo) [data-answers] [data-points="${what}"]`, HTMLElement);
}

/** The field that is being answered: the one with the focus, else the first one. @param {HTMLElement[]} found */
function current(found) {
  return found.find((field) => field.contains(document.activeElement)) ?? found.find((field) => field.dataset.last !== undefined) ?? found[0];
}

/** @param {HTMLInputElement} input @param {string} text */
function put(input, text) {
  input.value = text;
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

/** A frame of the map was pressed: whether that was an answer. @param {number} pfn */
export function framePointed(pfn) {
  const field = current(fields("frame"));
  const input = field && maybe(field, "input", HTMLInputElement);
  if (!input) return false;
  put(input, field.dataset.form === "pfn" ? hex(pfn) : toggled(input.value, pfn));
  return true;
}

/**
 * A set of frames as it is typed, with a frame more or less.
 * @param {string} text @param {number} pfn
 */
export function toggled(text, pfn) {
  const known = frames(text);
  if (known.has(pfn)) known.delete(pfn);
  else known.add(pfn);
  const found = [...known].sort((one, other) => one - other);
  const parts = [];
  for (let at = 0; at < found.length; ) {
    let end = at;
    while (found[end + 1] === found[end] + 1) end++;
    parts.push(end > at ? `${hex(found[at])}-${hex(found[end])}` : hex(found[at]));
    at = end + 1;
  }
  return parts.join(", ");
}

/** @param {string} text @returns {Set<number>} */
function frames(text) {
  const found = new Set();
  for (const part of text.split(/[\s,;]+/)) {
    const [first, last] = part.split("-").map(Number);
    if (part && Number.isInteger(first)) for (let pfn = first; pfn <= (last ?? first) && found.size < 100_000; pfn++) found.add(pfn);
  }
  return found;
}

/** Answer by pressing a list, a zone, or a level of the walk. @param {Element} target */
function pointed(target) {
  const column = target.closest(".orders :is(td, th)");
  if (column instanceof HTMLTableCellElement && column.cellIndex > 0) {
    const box = maybe(document, `:is(#exercise, #demo) [data-points="list"] input[name$=".${column.cellIndex - 1}"]`, HTMLInputElement);
    box?.focus();
    box?.select();
  }
  const zone = target.closest("#zones .zone")?.querySelector("h3 a")?.textContent?.trim();
  if (zone) choose("zone", zone);
  const level = target.closest(".walk-level")?.querySelector(".walk-index b")?.textContent?.trim();
  if (level) choose("level", level);
}

/** @param {string} what @param {string} value */
function choose(what, value) {
  const field = current(fields(what));
  const option = field && all(field, "input", HTMLInputElement).find((each) => each.value === value);
  if (!option) return;
  option.checked = option.type === "radio" || !option.checked;
  option.dispatchEvent(new Event("change", { bubbles: true }));
}

/** Nothing is named where it is said that there is none, and the other way round. @param {Element} target */
function none(target) {
  const field = target.closest(":is(#exercise, #demo) fieldset");
  const box = field && maybe(field, 'input[name$=".none"]', HTMLInputElement);
  if (!field || !box) return;
  if (target === box && box.checked) {
    for (const other of all(field, "input:checked", HTMLInputElement)) if (other !== box) other.checked = false;
    for (const select of all(field, "select", HTMLSelectElement)) select.value = "";
  } else if (target !== box) {
    box.checked = false;
  }
}

export function exercise() {
  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && maybe(document, "#exercise, #demo [data-answers]", HTMLElement)) pointed(event.target);
  });
  document.addEventListener("change", (event) => {
    if (event.target instanceof Element) none(event.target);
  });
  document.addEventListener("focusin", (event) => {
    const field = event.target instanceof Element ? event.target.closest(":is(#exercise, #demo) [data-points]") : null;
    if (!(field instanceof HTMLElement)) return;
    for (const other of all(document, ":is(#exercise, #demo) [data-last]", HTMLElement)) delete other.dataset.last;
    field.dataset.last = "";
  });
}
