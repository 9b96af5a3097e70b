// The journal's filter: rows that do not hold every word typed are hidden. It stays when the journal grows.

import { onKey } from "./keys.js";

const input = /** @type {HTMLInputElement} */ (document.getElementById("journal-filter"));

function filter() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of document.querySelectorAll("#journal .row")) {
    const text = row.dataset.text.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
}

export function journal() {
  input.addEventListener("input", filter);
  new MutationObserver(filter).observe(document.querySelector(".journal"), { childList: true });
  onKey("/", () => input.focus());
}
