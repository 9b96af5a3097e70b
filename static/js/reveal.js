// A password that is typed once can be looked at before it is sent.

import { all, one } from "./dom.js";
import { _ } from "./text.js";

/** @param {ParentNode} root */
export function reveal(root) {
  for (const button of all(root, "[data-reveal]", HTMLButtonElement)) {
    const field = one(document, `#${button.dataset.reveal}`, HTMLInputElement);
    button.addEventListener("click", () => {
      const shown = field.type === "password";
      field.type = shown ? "text" : "password";
      button.setAttribute("aria-pressed", String(shown));
      button.textContent = shown ? _("Hide") : _("Show");
    });
  }
}
