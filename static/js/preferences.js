// The theme changes at once; the server is told, so that the next page is right from its first paint.

import { one } from "./dom.js";
import { _ } from "./text.js";

const THEMES = ["auto", "light", "dark"];

/** @type {Record<string, string>} */
const WORDS = { auto: _("auto"), light: _("light"), dark: _("dark") };

/** @param {ParentNode} root */
export function preferences(root) {
  const form = one(root, "[data-preferences]", HTMLFormElement);
  const button = one(form, "[data-theme-button]", HTMLButtonElement);
  form.addEventListener("submit", (event) => {
    if (event.submitter !== button) {
      one(form, "[name=back]", HTMLInputElement).value = location.pathname + location.search;
      return;
    }
    event.preventDefault();
    const theme = button.value;
    show(theme);
    one(button, "b", HTMLElement).textContent = WORDS[theme];
    button.value = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    fetch(form.action, { method: "POST", body: new URLSearchParams({ theme, back: "/" }), redirect: "manual" });
  });
}

/** @param {string} theme */
function show(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  document.dispatchEvent(new CustomEvent("theme"));
}
