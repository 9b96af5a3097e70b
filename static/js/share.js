// The address holds the whole view: to share it is to copy the address.

import { one } from "./dom.js";
import { _ } from "./text.js";

export function share() {
  const button = one(document, "#share", HTMLButtonElement);
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(location.href);
    button.textContent = _("Copied");
    setTimeout(() => (button.textContent = _("Share")), 1500);
  });
}
