// Results while a class works: what stands in the page's live regions is read again every few seconds.

import { all, maybe, one } from "./dom.js";
import { _ } from "./text.js";

const CALM = 10_000; // ms between two looks

const box = one(document, "#live", HTMLElement);

/** Read the page again, and take what has changed. */
async function look() {
  if (document.hidden) return;
  const answer = await fetch(location.href).catch(() => null);
  said(answer?.ok ?? false);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const region of all(document, "[data-live]", HTMLElement)) {
    const fresh = maybe(page, `#${region.id}`, HTMLElement);
    if (!fresh || fresh.outerHTML === region.outerHTML) continue;
    const focused = region.contains(document.activeElement) ? document.activeElement?.getAttribute("href") : null;
    region.replaceWith(fresh);
    if (focused) all(fresh, "a", HTMLAnchorElement).find((link) => link.getAttribute("href") === focused)?.focus({ preventScroll: true });
  }
}

/** Whether what is seen is what is. @param {boolean} live */
function said(live) {
  box.dataset.state = live ? "live" : "stale";
  box.textContent = live ? _("live") : _("stale");
}

said(true);
setInterval(look, CALM);
document.addEventListener("visibilitychange", look);
document.documentElement.dataset.ready = "";
