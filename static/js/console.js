// The console's line: what was typed before by ↑ and ↓, and Tab completes the names of calls, flags and results.

import { all, one } from "./dom.js";

const KEY = "console";
const MOST = 200; // lines

export class Console {
  /** @param {HTMLInputElement} line */
  constructor(line) {
    this.line = line;
    this.answer = one(document, "#console-answer", HTMLElement);
    /** @type {string[]} */
    this.past = kept();
    this.back = this.past.length;
    line.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      if (event.key === "ArrowUp") this.recall(event, -1);
      else if (event.key === "ArrowDown") this.recall(event, 1);
      else if (event.key === "Tab") this.complete(event);
    });
  }

  /** Something has worked meanwhile: an old complaint is not left standing. */
  works() {
    if (!this.answer.classList.contains("refused")) return;
    this.answer.classList.remove("refused");
    this.answer.replaceChildren();
  }

  /** @param {string} text */
  remember(text) {
    if (this.past.at(-1) !== text) this.past.push(text);
    this.back = this.past.length;
    keep(this.past);
  }

  /** @param {KeyboardEvent} event @param {number} step */
  recall(event, step) {
    if (!this.past.length) return;
    event.preventDefault();
    this.back = Math.min(this.past.length, Math.max(0, this.back + step));
    this.line.value = this.past[this.back] ?? "";
  }

  /** As in a shell: as far as all candidates agree; where that is nowhere on, they are shown. @param {KeyboardEvent} event */
  complete(event) {
    const at = this.line.selectionStart ?? 0;
    const word = /[A-Za-z_][\w.]*$/.exec(this.line.value.slice(0, at))?.[0];
    if (!word) return;
    const found = candidates().filter((name) => name.startsWith(word));
    if (!found.length || (found.length === 1 && found[0] === word)) return;
    event.preventDefault();
    const common = found.reduce((shared, name) => {
      while (!name.startsWith(shared)) shared = shared.slice(0, -1);
      return shared;
    });
    this.answer.classList.remove("refused");
    this.answer.textContent = found.length > 1 ? found.slice(0, 40).join(" ") : "";
    this.line.setRangeText(common.slice(word.length), at, at, "end");
  }
}

/** What was typed before another page was looked at. @returns {string[]} */
function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
  } catch {
    return []; // a browser may refuse to keep anything
  }
}

/** @param {string[]} lines */
function keep(lines) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(lines.slice(-MOST)));
  } catch {
    // then it lasts as long as the page
  }
}

/** Everything that a line may name. */
function candidates() {
  const calls = all(document, "#picker .picker-list a", HTMLElement).map((link) => link.textContent.trim());
  const flags = all(document, "#gfp-names option", HTMLOptionElement).map((option) => option.value);
  const names = all(document, "#names b", HTMLElement).map((name) => name.textContent.trim());
  return [...new Set([...names, ...calls, ...flags, "until NULL", "order=", "cpu="])].sort();
}
