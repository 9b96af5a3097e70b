// The walk of an address by keyboard: ← and → go from level to level, Enter to the frame of a level's table.

import { all, maybe } from "./dom.js";

const STEPS = new Map([["ArrowLeft", -1], ["ArrowRight", 1], ["Home", -Infinity], ["End", Infinity]]);

/** One level is reached by Tab, the others from it. @param {HTMLElement} level @param {HTMLElement[]} levels */
function go(level, levels) {
  for (const other of levels) other.tabIndex = other === level ? 0 : -1;
  level.focus();
}

export function walk() {
  document.addEventListener("keydown", (event) => {
    const level = event.target;
    if (!(level instanceof HTMLElement) || !level.matches(".walk-level")) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const levels = all(document, ".walk-level", HTMLElement);
    const step = STEPS.get(event.key);
    if (step !== undefined) go(levels[Math.min(Math.max(levels.indexOf(level) + step, 0), levels.length - 1)], levels);
    else if (event.key === "Enter") maybe(level, "a", HTMLElement)?.click();
    else return;
    event.preventDefault();
  });
}
