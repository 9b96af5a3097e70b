// A form of a call as a line of text, which is what the API is sent: the same spelling as in the console.

import { all, maybe, one } from "./dom.js";

const CALLER = { task: "init", cpu: "0", context: "process" };

// In lab mode the lines bring the token of whoever sends them.
const SHELL = ' -H "Authorization: Bearer $KMEMLAB_TOKEN"';
const PYTHON = ', "Authorization": f"Bearer {token}"';

/** @param {HTMLFormElement} form */
function given(form) {
  /** @type {Record<string, string>} */
  const values = {};
  for (const [name, value] of new FormData(form)) {
    if (name !== "view" && String(value).trim()) values[name] = String(value).trim();
  }
  return values;
}

/**
 * By position up to the first argument left out, by keyword behind it.
 * @param {HTMLFormElement} form
 */
export function lineOf(form) {
  const values = given(form);
  const own = (form.dataset.order ?? "").split(" ").filter(Boolean);
  const words = [];
  let inPlace = true;
  for (const name of own) {
    if (!(name in values)) inPlace = false;
    else words.push(inPlace ? values[name] : `${name}=${values[name]}`);
  }
  for (const name of ["start", "step", "count"]) if (values[name]) words.push(`${name}=${values[name]}`);
  const named = values.as ? `${values.as} = ` : "";
  return `${who(values, own)}${named}${form.dataset.call}(${words.join(", ")})${tail(values)}`;
}

/** @param {Record<string, string>} values @param {string[]} own */
function who(values, own) {
  const task = own.includes("task") || !values.task || values.task === CALLER.task ? "" : values.task;
  const cpu = !values.cpu || values.cpu === CALLER.cpu ? "" : `@${values.cpu}`;
  const context = !values.context || values.context === CALLER.context ? "" : `/${values.context}`;
  return task || cpu || context ? `${task}${cpu}${context}: ` : "";
}

/** @param {Record<string, string>} values */
function tail(values) {
  const repeat = values.repeat ? ` * ${values.repeat}` : "";
  if (!values.until) return repeat;
  if (/^null$/i.test(values.until)) return `${repeat} until NULL`;
  return `${repeat} until free < ${values.until.replace(/^free/, "").replace(/^[ <]+/, "")}`;
}

/**
 * Keep the recipe beside the form in step with what is typed.
 * @param {string} api
 */
export function recipes(api) {
  document.addEventListener("input", (event) => {
    const form = event.target instanceof Element && event.target.closest("#call form[data-call]");
    if (!(form instanceof HTMLFormElement)) return;
    const line = lineOf(form);
    one(document, "#call [data-line]", HTMLElement).textContent = line;
    const calls = `${new URL(api, location.href)}/calls`;
    const quoted = line.replaceAll("'", "'\\''");
    const token = maybe(document, "#call [data-token]", HTMLElement) !== null;
    one(document, "#call [data-curl]", HTMLElement).textContent =
      `curl -s ${calls}${token ? SHELL : ""} -H 'Content-Type: text/plain' --data-binary '${quoted}'`;
    one(document, "#call [data-python]", HTMLElement).textContent =
      `httpx.post("${calls}", content=${JSON.stringify(line)}, headers={"Content-Type": "text/plain"${token ? PYTHON : ""}}).json()`;
  });
}

/**
 * Show which fields were refused and why; what was typed stays.
 * @param {HTMLFormElement} form @param {{field: string, words: string}[]} faults
 */
export function mark(form, faults) {
  clear(form);
  for (const { field: name, words } of faults) {
    const box =
      form.querySelector(`[data-field="${CSS.escape(name)}"]`) ??
      (["pfn", "page", "addr"].includes(name) ? form.querySelector(".field-page, .field-page_or_addr, .field-addr") : null);
    if (!box) continue;
    box.closest("details")?.setAttribute("open", "");
    box.classList.add("faulty");
    one(box, "input, select", HTMLElement).setAttribute("aria-invalid", "true");
    const hint = one(box, ".hint", HTMLElement);
    hint.dataset.was ??= hint.textContent;
    const fault = document.createElement("strong");
    fault.className = "fault";
    fault.append(...linked(words));
    hint.replaceChildren(fault);
  }
  maybe(form, "[aria-invalid]", HTMLElement)?.focus();
}

/**
 * Text in which `the page /gfp` leads there.
 * @param {string} words
 */
export function linked(words) {
  return words.split(/(?<=the page )(\/(?:gfp|calls))\b/).map((part, index) => {
    if (index % 2 === 0) return part;
    const link = document.createElement("a");
    link.href = link.textContent = part;
    return link;
  });
}

/** @param {HTMLFormElement} form */
export function clear(form) {
  for (const box of all(form, ".faulty", HTMLElement)) {
    box.classList.remove("faulty");
    box.querySelector("[aria-invalid]")?.removeAttribute("aria-invalid");
    const hint = one(box, ".hint", HTMLElement);
    if (hint.dataset.was !== undefined) hint.textContent = hint.dataset.was;
  }
}
