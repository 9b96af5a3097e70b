// The theme changes at once; the server is told, so that the next page is right from its first paint.

import { all, maybe, one } from "./dom.js";

/** @param {ParentNode} root */
export function preferences(root) {
  const form = one(root, "[data-preferences]", HTMLFormElement);
  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!(button instanceof HTMLButtonElement) || button.name !== "theme") {
      one(form, "[name=back]", HTMLInputElement).value = location.pathname + location.search;
      return;
    }
    event.preventDefault();
    show(button.value);
    for (const other of all(form, "[name=theme]", HTMLButtonElement)) other.ariaPressed = String(other === button);
    fetch(form.action, { method: "POST", body: new URLSearchParams({ theme: button.value, back: "/" }), redirect: "manual" });
  });
  menus();
}

/** @param {string} theme */
function show(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  document.dispatchEvent(new CustomEvent("theme"));
}

/** A menu closes when something else is pressed, and by Escape, which gives the focus back to it. */
function menus() {
  document.addEventListener("click", (event) => {
    for (const menu of all(document, "details.menu[open]", HTMLDetailsElement)) {
      const inside = event.target instanceof Element && menu.contains(event.target);
      if (!inside || (event.target instanceof Element && event.target.closest("a"))) menu.open = false;
    }
  });
  document.addEventListener(
    "keydown",
    (event) => {
      const menu = event.key === "Escape" ? maybe(document, "details.menu[open]", HTMLDetailsElement) : null;
      if (!menu) return;
      event.stopPropagation();
      menu.open = false;
      one(menu, "summary", HTMLElement).focus();
    },
    true,
  );
}
