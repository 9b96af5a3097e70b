// The journal's filter: rows that do not hold every word typed are hidden. It stays when the journal grows.

import { all, one } from "./dom.js";
import { onKey } from "./keys.js";

const input = one(document, "#journal-filter", HTMLInputElement);

function filter() {
  const rows = all(document, "#journal .row", HTMLElement);
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of rows) {
    const text = (row.dataset.text ?? "").toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
  one(document, "#journal-none", HTMLElement).hidden = !rows.length || rows.some((row) => !row.hidden);
}

export function journal() {
  input.addEventListener("input", filter);
  new MutationObserver(filter).observe(one(document, ".journal", HTMLElement), { childList: true });
  onKey("/", () => input.focus());
}
