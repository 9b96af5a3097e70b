// The GFP builder of a call's form: ticks for every flag, in step with the text; and what the mask means where it is used.

import { all, maybe, one } from "./dom.js";
import { after, taken, tick, wordsOf } from "./mask.js";
import { _ } from "./text.js";

const DIRECT_RECLAIM = 0x400;

export function builder() {
  for (const box of all(document, "details[data-builder][open]", HTMLDetailsElement)) follow(box);
  document.addEventListener(
    "toggle",
    (event) => {
      const box = event.target;
      if (box instanceof HTMLDetailsElement && box.dataset.builder && box.open) fill(box).catch(() => {});
    },
    true,
  );
  document.addEventListener("input", (event) => {
    if (!(event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement)) return;
    const field = event.target;
    for (const box of all(document, "details[data-builder][open]", HTMLDetailsElement)) {
      if (field.id === box.dataset.builder || field.name === "context") follow(box);
    }
  });
  document.addEventListener("change", async (event) => {
    const changed = event.target;
    const box = changed instanceof HTMLInputElement && changed.closest("details[data-builder]");
    if (!(box instanceof HTMLDetailsElement) || !(changed instanceof HTMLInputElement)) return;
    const page = await taken(`0x${after(box, changed).toString(16)}`);
    const text = textOf(box);
    text.value = wordsOf(page) ?? "0";
    text.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

/** The field that a builder writes. @param {HTMLDetailsElement} box */
function textOf(box) {
  return one(document, `#${CSS.escape(box.dataset.builder ?? "")}`, HTMLInputElement);
}

/** @type {WeakMap<HTMLDetailsElement, number>} */
const asked = new WeakMap();

/** What is typed shall be ticked, but not at every key. @param {HTMLDetailsElement} box */
function follow(box) {
  clearTimeout(asked.get(box));
  asked.set(box, setTimeout(() => fill(box).catch(() => {}), 150));
}

/** Tick what the text says, making the ticks first where there are none. @param {HTMLDetailsElement} box */
async function fill(box) {
  const page = await taken(textOf(box).value || "0");
  const place = one(box, "[data-flags]", HTMLElement);
  const table = maybe(page, "[data-mask]", HTMLFormElement);
  if (!table || !maybe(page, "#mask-meaning", HTMLElement)) return;
  if (!maybe(place, "input", HTMLInputElement)) place.replaceChildren(meaning(), ...sets(table));
  tick(place, table);
  one(place, ".builder-meaning", HTMLElement).replaceChildren(...sentences(page, box));
}

function meaning() {
  const list = document.createElement("ul");
  list.className = "builder-meaning";
  list.setAttribute("aria-live", "polite");
  return list;
}

/** The tables as sets of ticks, types first. @param {HTMLFormElement} table */
function sets(table) {
  return all(table, "section", HTMLElement)
    .reverse()
    .map((section) => {
      const set = document.createElement("fieldset");
      const legend = document.createElement("legend");
      legend.textContent = one(section, "h2", HTMLElement).textContent.split(":")[0];
      set.append(legend, ...all(section, "tbody tr", HTMLTableRowElement).map(label));
      return set;
    });
}

/** @param {HTMLTableRowElement} row */
function label(row) {
  const found = document.createElement("label");
  const box = document.createElement("input");
  const original = one(row, "input", HTMLInputElement);
  box.type = "checkbox";
  box.value = original.value;
  box.dataset.bits = original.dataset.bits;
  found.title = row.cells[row.cells.length > 5 ? 3 : 4].textContent.trim();
  found.append(box, ` ${original.value.replace("__GFP_", "").replace("GFP_", "")}`);
  return found;
}

/** What the mask means, and first whether it can be used where the call is made from. @param {Document} page @param {HTMLElement} box */
function sentences(page, box) {
  const context = box.closest("form")?.querySelector("[name=context]");
  const where = context instanceof HTMLSelectElement ? context.value : "process";
  const mask = Number.parseInt(page.querySelector("#meaning")?.textContent ?? "0", 16);
  const found = all(page, "#mask-meaning dl > div", HTMLElement).map((fact) => {
    const item = document.createElement("li");
    const question = document.createElement("span");
    question.className = "soft";
    question.textContent = `${fact.querySelector("dt")?.textContent} `;
    item.append(question, fact.querySelector("dd")?.textContent ?? "");
    return item;
  });
  if (mask & DIRECT_RECLAIM && where !== "process") {
    const item = document.createElement("li");
    item.className = "fault";
    item.textContent = _("This mask may sleep, and %(context)s may not: the kernel reports a bug.", { context: where });
    found.unshift(item);
  }
  return found;
}
