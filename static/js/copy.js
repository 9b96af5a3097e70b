// A button at every line that a terminal would accept.

import { one } from "./dom.js";
import { _ } from "./text.js";

/** @param {ParentNode} root */
export function copyButtons(root) {
  if (!navigator.clipboard) return;
  for (const box of root.querySelectorAll(".copyable:not(:has(> .copy))")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = _("Copy");
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(one(box, "pre", HTMLElement).textContent.trim());
      button.textContent = _("Copied");
      setTimeout(() => (button.textContent = _("Copy")), 1500);
    });
    box.prepend(button);
  }
}
