// The calculator in place: a tick changes the mask, its words and its meaning at once. Without this a button does it.

import { maybe, one } from "./dom.js";
import { after, taken, tick, wordsOf } from "./mask.js";

const table = one(document, "[data-mask]", HTMLFormElement);
const text = one(document, "#mask", HTMLInputElement);

table.addEventListener("change", async (event) => {
  if (!(event.target instanceof HTMLInputElement)) return;
  const page = await taken(`0x${after(table, event.target).toString(16)}`);
  const words = wordsOf(page) ?? "0";
  text.value = words;
  tick(table, page);
  const meaning = maybe(document, "#mask-meaning", HTMLElement);
  const fresh = maybe(page, "#mask-meaning", HTMLElement);
  if (meaning && fresh) meaning.replaceChildren(...fresh.childNodes);
  history.replaceState(null, "", `/gfp?${new URLSearchParams({ mask: words })}`);
});
