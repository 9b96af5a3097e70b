// History: the slider shows a moment while it is moved, and [ ] L u do what the buttons beside it do.

import { all, maybe, one } from "./dom.js";
import { onKey } from "./keys.js";
import { decimal } from "./text.js";

const CALM = 120; // ms without another move until a moment is asked for

/** @param {import("./view.js").View} view */
export function time(view) {
  let timer = 0;
  let steps = 0;
  /** @type {number | undefined} the moment that is on its way */
  let wanted;

  /** @param {number} at @param {boolean} push */
  async function to(at, push) {
    const { max } = slider();
    wanted = at;
    const mine = ++steps;
    const address = view.address({ at: at === Number(max) ? null : at, outcome: null });
    await view.show(address, { push }).catch(() => location.reload());
    if (mine === steps) wanted = undefined;
  }

  document.addEventListener("input", (event) => {
    if (event.target !== slider()) return;
    const { value } = slider();
    one(document, ".timeline output", HTMLElement).textContent = `#${decimal(Number(value))}`;
    clearTimeout(timer);
    timer = setTimeout(() => to(Number(value), false), CALM);
  });
  // Who still holds the slider must not have it exchanged; what stands beside it follows when it is let go.
  document.addEventListener("pointerdown", (event) => event.target === slider() && view.held.add("timeline"));
  for (const end of ["pointerup", "pointercancel"]) {
    document.addEventListener(end, () => {
      if (!view.held.delete("timeline")) return;
      clearTimeout(timer);
      to(Number(slider().value), false);
    });
  }
  /** A step goes from where one is going to: pressed twice at once, it is two. @param {number} by */
  function step(by) {
    const from = wanted ?? Number(one(document, "#timeline", HTMLElement).dataset.at);
    if (from + by >= Number(slider().min) && from + by <= Number(slider().max)) to(from + by, true);
  }

  document.addEventListener(
    "click",
    (event) => {
      const link = event.target instanceof Element ? event.target.closest("#time-before, #time-after") : null;
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      event.stopPropagation();
      step(link.id === "time-before" ? -1 : 1);
    },
    true,
  );
  onKey("[", () => step(-1));
  onKey("]", () => step(1));
  for (const [key, selector] of [["L", "#to-live"], ["l", "#to-live"], ["u", "#undo"]]) {
    onKey(key, () => maybe(document, selector, HTMLElement)?.click());
  }
}

function slider() {
  return one(document, "#time-at", HTMLInputElement);
}

/** Forms that change history take no second request while one is on its way. @param {boolean} on */
export function busy(on) {
  for (const form of all(document, "[data-history]", HTMLFormElement)) form.ariaBusy = on ? "true" : null;
}
