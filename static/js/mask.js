// Ticks and text of one GFP mask, kept in step. What a mask means is the page /gfp's to say; it is shown from there.

import { all, one } from "./dom.js";

/** The page that takes a mask of 6.1 apart, parsed. @param {string} mask */
export async function taken(mask) {
  const response = await fetch(`/gfp?${new URLSearchParams({ mask, kernel: "6.1" })}`, { headers: { Accept: "text/html" } });
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

/** The words of a mask, as the kernel prints it; `null` for one that is none. @param {Document} page */
export function wordsOf(page) {
  return page.querySelector("#meaning")?.textContent?.split(" = ")[1] ?? null;
}

/** @param {HTMLInputElement} box */
const bits = (box) => Number(box.dataset.bits);

/**
 * The mask after one tick more or less: its own bits change, and types are only names for what is there.
 * @param {ParentNode} table @param {HTMLInputElement} changed
 */
export function after(table, changed) {
  let mask = 0;
  for (const box of all(table, "input[data-bits]", HTMLInputElement)) {
    const was = box === changed ? !box.checked : box.checked;
    if (was) mask |= bits(box);
  }
  return (changed.checked ? mask | bits(changed) : mask & ~bits(changed)) >>> 0;
}

/** Tick what another table has ticked. @param {ParentNode} table @param {ParentNode} fresh */
export function tick(table, fresh) {
  for (const box of all(table, "input[data-bits]", HTMLInputElement)) {
    box.checked = one(fresh, `input[data-bits][value="${CSS.escape(box.value)}"]`, HTMLInputElement).checked;
    box.closest("tr")?.classList.toggle("on", box.checked);
  }
}
