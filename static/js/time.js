// History: the slider shows a moment while it is moved, and [ ] L u do what the buttons beside it do.

import { all, maybe, one } from "./dom.js";
import { onKey } from "./keys.js";

const CALM = 120; // ms without another move until a moment is asked for

/** @param {import("./view.js").View} view */
export function time(view) {
  let timer = 0;
  document.addEventListener("input", (event) => {
    const slider = event.target;
    if (!(slider instanceof HTMLInputElement) || slider.id !== "time-at") return;
    one(document, ".timeline output", HTMLElement).textContent = `#${Number(slider.value).toLocaleString("en")}`;
    clearTimeout(timer);
    timer = setTimeout(() => view.show(view.address({ at: slider.value === slider.max ? null : slider.value, outcome: null }), { push: false }), CALM);
  });
  for (const [key, selector] of [["[", "#time-before"], ["]", "#time-after"], ["L", "#to-live"], ["l", "#to-live"], ["u", "#undo"]]) {
    onKey(key, () => maybe(document, selector, HTMLElement)?.click());
  }
}

/** Of forms that change history while a request is on its way. @param {boolean} disabled */
export function busy(disabled) {
  for (const button of all(document, "[data-history] button", HTMLButtonElement)) button.disabled = disabled;
}
