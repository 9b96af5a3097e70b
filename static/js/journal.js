// The journal's filter: what is typed is looked for in the whole journal, by the server, and stays when that grows.

import { one } from "./dom.js";
import { onKey } from "./keys.js";

const CALM = 150; // ms without another key until it is looked for

/** @param {import("./view.js").View} view */
export function journal(view) {
  const input = one(document, "#journal-filter", HTMLInputElement);
  let timer = 0;
  const find = () => {
    clearTimeout(timer);
    const address = view.address({ find: input.value.trim() || null, before: null });
    return view.show(address, { push: false, keep: new Set(["call"]) });
  };
  // Esc empties the field without a word of `input`, for it leaves it at the same time.
  for (const kind of ["input", "search", "change"]) {
    input.addEventListener(kind, () => {
      clearTimeout(timer);
      timer = setTimeout(() => find().catch(() => location.reload()), CALM);
    });
  }
  addEventListener("popstate", () => {
    input.value = new URLSearchParams(location.search).get("find") ?? "";
  });
  onKey("/", () => input.focus());
  return find;
}
