// The drawing of the last call's split or merge: to know it the call is made again, so it is asked for only when it is unfolded.

import { all, maybe } from "./dom.js";
import { _ } from "./text.js";
import { missing } from "./unreached.js";

const MOST = 4;

/** @param {HTMLDetailsElement} details */
async function draw(details) {
  const link = maybe(details, "a", HTMLAnchorElement);
  const box = maybe(details, ".drawings", HTMLElement);
  if (!link || !box || box.dataset.of === link.href) return;
  box.dataset.of = link.href;
  const answer = await fetch(link.href, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = all(page, "figure.blocks", HTMLElement).slice(0, MOST);
  box.replaceChildren(...found.map((figure) => document.adoptNode(figure)));
  if (!found.length) box.textContent = answer.ok ? _("It split no block and merged none.") : _("That call cannot be explained.");
}

/** @param {HTMLDetailsElement} details */
function fill(details) {
  draw(details).catch((error) => {
    const box = maybe(details, ".drawings", HTMLElement);
    delete box?.dataset.of;
    box?.replaceChildren(missing(error, () => fill(details)));
  });
}

export function drawings() {
  // `toggle` does not bubble; it also comes where a newer page's part is put in unfolded.
  document.addEventListener(
    "toggle",
    (event) => {
      const details = event.target;
      if (details instanceof HTMLDetailsElement && details.open && details.matches(".last-drawing")) {
        fill(details);
      }
    },
    true,
  );
}
