// What was probably meant by a word that is not known: a button for each puts it in the word's place.

import { _ } from "./text.js";

/**
 * @param {{word: string, suggestions: string[]}} fault @param {HTMLInputElement | null} input
 * @returns {(string | HTMLElement)[]}
 */
export function instead({ word, suggestions }, input) {
  if (!input || !suggestions.length) return [];
  return [` ${_("Did you mean")} `, ...suggestions.flatMap((meant) => [button(word, meant, input), " "])];
}

/** @param {string} word @param {string} meant @param {HTMLInputElement} input */
function button(word, meant, input) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "mono";
  made.textContent = meant;
  made.addEventListener("click", () => {
    input.value = input.value.split(/(\w+)/).map((part) => (part === word ? meant : part)).join("");
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.focus();
  });
  return made;
}
