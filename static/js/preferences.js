// The theme changes at once; the server is told, so that the next page is right from its first paint.

const THEMES = ["auto", "light", "dark"];

/** @param {ParentNode} root */
export function preferences(root) {
  const form = root.querySelector("[data-preferences]");
  const button = form.querySelector("[data-theme-button]");
  form.addEventListener("submit", (event) => {
    if (event.submitter !== button) {
      form.elements.namedItem("back").value = location.pathname + location.search;
      return;
    }
    event.preventDefault();
    const theme = button.value;
    show(theme);
    button.querySelector("b").textContent = theme;
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
