// The journal's filter: rows that do not hold every word typed are hidden. It stays when the journal grows.

import { all, one } from "./dom.js";
import { onKey } from "./keys.js";

const input = one(document, "#journal-filter", HTMLInputElement);

function filter() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of all(document, "#journal .row", HTMLElement)) {
    const text = (row.dataset.text ?? "").toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
}

export function journal() {
  input.addEventListener("input", filter);
  new MutationObserver(filter).observe(one(document, ".journal", HTMLElement), { childList: true });
  onKey("/", () => input.focus());
}
