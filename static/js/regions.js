// The page is its own fragment: what changed is taken from the same page, rendered anew by the server, part by part. So a
// machine looks the same with and without script, and nothing that did not change moves.

import { copyButtons } from "./copy.js";

/**
 * The page at an address, parsed. Problem pages are returned too: they say what is wrong.
 * @param {string} address
 */
export async function load(address) {
  const response = await fetch(address, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!page.getElementById("machine")) throw new Error(page.querySelector("h1")?.textContent ?? response.statusText);
  return page;
}

/**
 * Replace regions by those of a newer page. keep: ids that stay as they are.
 * @param {Document} page @param {Set<string>} keep
 */
export function swap(page, keep = new Set()) {
  for (const fresh of page.querySelectorAll("[data-region]")) {
    const stale = document.getElementById(fresh.id);
    if (!stale || keep.has(fresh.id) || stale.isEqualNode(fresh)) continue;
    const focused = stale.contains(document.activeElement) ? document.activeElement : null;
    const open = [...stale.querySelectorAll("details")].map((details) => details.open);
    const scroll = stale.scrollTop;
    const node = document.adoptNode(fresh);
    if (stale.id !== "call") {
      [...node.querySelectorAll("details")].forEach((details, index) => (details.open ||= open[index] ?? false));
    }
    stale.replaceWith(node);
    node.scrollTop = scroll;
    if (focused) refocus(node, focused);
    copyButtons(node);
  }
  document.title = page.title;
  for (const field of document.querySelectorAll("input[name=view]")) {
    const fresh = page.querySelector("input[name=view]");
    if (fresh) field.value = fresh.value;
  }
}

/**
 * Put the focus where it was: on the same id, else on the same link, else on the region.
 * @param {Element} region @param {Element} was
 */
function refocus(region, was) {
  const same =
    (was.id && document.getElementById(was.id)) ||
    [...region.querySelectorAll("a, button, input, summary")].find((node) => node.textContent === was.textContent);
  (same ?? region).focus?.({ preventScroll: true });
}
